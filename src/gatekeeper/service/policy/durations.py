"""Durations as people write them: a whole number and one unit (`30d`, `12h`, `90m`, `45s`)."""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError

_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_LONGEST = 3650 * 86_400


def parse_duration(text: str) -> int:
    """Return the seconds of a duration that may be hostile.

    Raises:
        GatekeeperError: GK410, not a whole number and a unit, none at all, or longer than ten years.
    """
    digits, unit = text[:-1], text[-1:]
    if unit in _UNITS and 0 < len(digits) <= 9 and digits.isascii() and digits.isdigit():
        seconds = int(digits) * _UNITS[unit]
        if 0 < seconds <= _LONGEST:
            return seconds
    raise GatekeeperError("GK410", f"{text[:32]!r} is no duration. Write 30d, 12h, 90m or 45s.")


def render_duration(seconds: int) -> str:
    """Render whole seconds in the largest unit that is exact; `parse_duration` reads it back."""
    for unit, size in _UNITS.items():
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    raise RuntimeError("a second divides every whole number")
