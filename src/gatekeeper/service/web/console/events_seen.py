"""Launches and refusals, as far as the service saw them: from the audit log, where every token and refusal stands."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, func, select

from gatekeeper.service.store.tables.audit import audit_entries

_DAY = 86_400
ISSUED = "launch_token.issued"
REFUSED = "launch_token.refused"


def tokens_by_day(tx: Connection, *, since: int) -> dict[int, int]:
    """Return how many launch tokens each day had, by the day's first second."""
    day = (audit_entries.c.at // _DAY).label("day")
    wanted = select(day, func.count()).where(audit_entries.c.act == ISSUED, audit_entries.c.at >= since)
    return {number * _DAY: count for number, count in tx.execute(wanted.group_by(day))}


def refusals_by_code(tx: Connection, *, since: int) -> dict[str, int]:
    """Return how many launch tokens were refused since then, by code."""
    wanted = select(audit_entries.c.detail).where(audit_entries.c.act == REFUSED, audit_entries.c.at >= since)
    return dict(Counter(str(detail.get("code", "")) for (detail,) in tx.execute(wanted)))
