"""How the pages write moments, durations and numbers. Pure; times are Unix seconds and shown in UTC, and say so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_TIME = Markup('<time datetime="{}" title="{}">{}</time>')

# What a state means at a glance: its colour, beside its own word.
_TONES = {
    "active": "good",
    "approved": "good",
    "pending": "warn hollow",
    "question": "warn",
    "waitlisted": "warn hollow",
    "suspended": "warn",
    "denied": "bad",
    "revoked": "bad",
    "stopped": "bad",
    "deactivated": "bad",
}
_STATE = Markup('<span class="state {}">{}</span>')


def state(word: str) -> Markup:
    """Return the mark and the word of a state."""
    return _STATE.format(_TONES.get(word, "hollow"), word)


def moment(at: int | None) -> Markup:
    """Return "23 Nov 2026, 18:46 UTC"."""
    if at is None:
        return Markup("")
    when = datetime.fromtimestamp(at, UTC)
    words = f"{when.day} {when:%b %Y, %H:%M} UTC"
    return _TIME.format(when.strftime("%Y-%m-%dT%H:%M:%SZ"), words, words)


def day(at: int | None) -> Markup:
    """Return "23 Nov 2026"; the time is in the title."""
    if at is None:
        return Markup("")
    when = datetime.fromtimestamp(at, UTC)
    return _TIME.format(when.strftime("%Y-%m-%dT%H:%M:%SZ"), f"{when:%H:%M} UTC", f"{when.day} {when:%b %Y}")


def ago(at: int | None, now: int) -> Markup:
    """Return "3 h ago" or "in 4 d"; the moment itself is in the title."""
    if at is None:
        return Markup("")
    when = datetime.fromtimestamp(at, UTC)
    apart = abs(now - at)
    words = "just now" if apart < _MINUTE else f"{span(apart)} ago" if at <= now else f"in {span(apart)}"
    return _TIME.format(when.strftime("%Y-%m-%dT%H:%M:%SZ"), f"{when.day} {when:%b %Y, %H:%M} UTC", words)


def span(seconds: int) -> str:
    """Return the largest unit that fits, as people say it: "45 s", "3 h", "12 d"."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= (2 * size if size == _DAY else size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def count(number: int, one: str, many: str = "") -> str:
    """Return "1 request" or "1,204 requests"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def place(zones: Sequence[str]) -> str:
    """Return where a scope holds, in words: the zone "none" is everywhere outside the zones."""
    return listed(["outside every zone" if zone == "none" else zone for zone in zones])
