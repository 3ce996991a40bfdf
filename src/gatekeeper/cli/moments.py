"""Times and lengths of time for people: local, absolute and relative together; and durations that they type.

Programs get RFC 3339 UTC from `formats.json` in place of these.
"""

from __future__ import annotations

import time

from gatekeeper.decision.notice import render_span
from gatekeeper.errors import GatekeeperError

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_SECONDS = 10 * 366 * 86_400


def render_moment(at: int, *, now: int) -> str:
    """Render Unix seconds in the local time zone, with the distance from `now`: `2026-12-23 10:55 (in 29 d)`."""
    try:
        local = time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
    except (OverflowError, OSError, ValueError):
        return "?"  # a time from outside that no calendar holds
    if at >= now:
        return f"{local} (in {render_span(at - now)})"
    return f"{local} ({render_span(now - at)} ago)"


def render_brief(at: int, *, now: int) -> str:
    """Render Unix seconds for a table: `16:46 (in 14 min)` within a day, else `2026-12-23 (in 30 d)`."""
    whole = render_moment(at, now=now)
    if whole == "?":
        return whole
    date, clock, relative = whole.split(" ", 2)
    return f"{clock if abs(at - now) < _UNITS['d'] else date} {relative}"


def parse_duration(text: str, *, option: str) -> int:
    """Read `30d`, `12h`, `90m` or `45s` as seconds.

    Raises:
        GatekeeperError: GK100, it is none of these; the message names `option`.
    """
    number, unit = text[:-1], text[-1:]
    seconds = (
        int(number) * _UNITS[unit]
        if number.isascii() and number.isdigit() and len(number) < 10 and unit in _UNITS
        else 0
    )
    if not 0 < seconds <= MAX_SECONDS:
        raise GatekeeperError(
            "GK100", f"{option} takes a length of time such as 30d, 12h, 90m or 45s, not {text!r}."
        )
    return seconds
