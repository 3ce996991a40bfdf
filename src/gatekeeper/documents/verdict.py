"""The verdict: one decision as JSON, for `check --json`, `--result-file` and pipelines.

The shape is a contract (`schema` 1): members are added, never renamed. Times are RFC 3339 UTC. Bytes that are
no UTF-8, as a path may hold, become U+FFFD, so that a decision is always written.
"""

from __future__ import annotations

from gatekeeper.values import Value

SCHEMA = 1
ALLOW = "allow"
REFUSE = "refuse"
PENDING = "pending"
UNDETERMINED = "undetermined"


class Verdict(Value):
    """What was decided about one tool, and all that a script or a person may want to know of it."""

    code: str
    decision: str
    tool: str
    exit: int
    version: str = ""
    path: str = ""
    reason: str = ""
    rule: str = ""
    request_id: str = ""
    request_url: str = ""
    alternatives: tuple[str, ...] = ()
    expires_at: int | None = None
    ref: str = ""


def render_verdict(verdict: Verdict) -> dict[str, object]:
    """Render every member, null where there is nothing, so that readers need no special cases."""
    return {
        "schema": SCHEMA,
        "code": verdict.code or None,
        "decision": verdict.decision,
        "tool": _text(verdict.tool),
        "version": _text(verdict.version) or None,
        "path": _text(verdict.path) or None,
        "reason": _text(verdict.reason) or None,
        "rule": _text(verdict.rule) or None,
        "request_id": _text(verdict.request_id) or None,
        "request_url": _text(verdict.request_url) or None,
        "alternatives": [_text(one) for one in verdict.alternatives],
        "expires_at": None if verdict.expires_at is None else rfc3339(verdict.expires_at),
        "ref": _text(verdict.ref) or None,
        "exit": verdict.exit,
    }


def _text(text: str) -> str:
    if text.isascii():
        return text
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


def rfc3339(at: int) -> str:
    """Format Unix seconds as RFC 3339 UTC. Pure arithmetic (civil-from-days), because a launch can't afford `datetime`."""
    days, seconds = divmod(at, 86_400)
    era_days = days + 719_468
    era, day_of_era = divmod(era_days, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    hour, rest = divmod(seconds, 3_600)
    minute, second = divmod(rest, 60)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z"
