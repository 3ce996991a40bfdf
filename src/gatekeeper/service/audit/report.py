"""The auditor's question, answered from leaves alone: who could use what on which code, by whose decision, under what.

Pure: entries in, rows out. Whoever has the entries (with their proofs) computes the same rows, so a report can be
checked without the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatekeeper.documents.audit_entry import AuditEntry

BREAK_GLASS = "break-glass"
OPERATOR = "operator"
_ACTIVE, _WAITING, _SUSPENDED, _OVER = "active", "waitlisted", "suspended", "over"
_STATES = {
    "grant.created": _ACTIVE,
    "grant.activated": _ACTIVE,
    "grant.resumed": _ACTIVE,
    "grant.waitlisted": _WAITING,
    "grant.suspended": _SUSPENDED,
    "grant.revoked": _OVER,
    "grant.expired": _OVER,
    "grant.ended": _OVER,
    "grant.cancelled": _OVER,
}
_DECISIONS = ("request.approved", "request.reviewed")
_POLICY = ("policy.applied", "service.initialised")


class Asked(Value):
    """What the report is about: everything that stood at some time from `start` to `end`, which may be one instant."""

    start: int
    end: int


class Row(Value):
    """One grant within the time asked about. `leaves` are the entries that say so, by index."""

    grant: str
    subject: str
    tool: str
    zones: tuple[str, ...]
    start: int
    end: int
    ended: str  # how it ended before its time: revoked, …; "" where it didn't
    ended_by: str
    kind: str
    request: str
    decided_by: tuple[str, ...]
    policy: int
    terms: int  # the version accepted by the subject, 0 without
    exceptions: tuple[str, ...]
    leaves: tuple[int, ...]


def is_relevant(act: str) -> bool:
    """Say whether an act's entries are what a report is computed from."""
    return act in _STATES or act in _DECISIONS or act in _POLICY or act == "terms.accepted"


def rows_of(entries: Iterable[tuple[int, AuditEntry]], asked: Asked) -> list[Row]:
    """Return the grants that could be used within the time asked about, by number.

    `entries` are (index, entry) of everything relevant, oldest first. A grant that was only waitlisted or suspended
    all that time is no row: nothing could be used.
    """
    grants: dict[str, list[tuple[int, AuditEntry]]] = {}
    decisions: dict[str, list[tuple[int, AuditEntry]]] = {}
    policies: list[tuple[int, AuditEntry]] = []
    terms: dict[tuple[str, str], list[tuple[int, AuditEntry]]] = {}
    for index, entry in entries:
        if entry.act in _STATES:
            grants.setdefault(entry.object, []).append((index, entry))
        elif entry.act in _DECISIONS:
            decisions.setdefault(entry.object, []).append((index, entry))
        elif entry.act in _POLICY:
            policies.append((index, entry))
        elif entry.act == "terms.accepted":
            subject = str(entry.facts().get("subject", ""))
            terms.setdefault((subject, entry.object), []).append((index, entry))
    rows = []
    for grant, events in grants.items():
        row = _row(grant, events, asked)
        if row is None:
            continue
        decided = [one for one in decisions.get(row.request, []) if one[1].at <= asked.end]
        accepted = [one for one in terms.get((row.subject, row.tool), []) if one[1].at <= asked.end]
        rows.append(_with_reasons(row, decided, accepted, _policy_at(policies, row.start)))
    return sorted(rows, key=lambda row: (int("".join(filter(str.isdigit, row.grant)) or 0), row.grant))


def _row(grant: str, events: list[tuple[int, AuditEntry]], asked: Asked) -> Row | None:
    """Follow one grant's events; None where it could not be used within the time asked about."""
    first = events[0][1].facts()
    spans = _spans([event for _, event in events])
    if not any(start <= asked.end and end > asked.start for start, end in spans):
        return None
    start = spans[0][0]
    end, ended, ended_by = 0, "", ""
    for _, event in events:
        if event.at <= asked.end and _STATES[event.act] == _OVER:
            end, ended, ended_by = event.at, event.act.removeprefix("grant."), event.actor
        elif event.at <= asked.end:
            end = int(event.facts().get("ends_at", 0))
    return Row(
        grant=grant,
        subject=str(first.get("subject", "")),
        tool=str(first.get("tool", "")),
        zones=tuple(str(zone) for zone in first.get("zones", ())),
        start=start,
        end=end,
        ended="" if ended == "expired" else ended,
        ended_by="" if ended == "expired" else ended_by,
        kind=str(first.get("kind", "approved")),
        request=str(first.get("request", "")),
        decided_by=(),
        policy=0,
        terms=0,
        exceptions=(),
        leaves=tuple(index for index, event in events if event.at <= asked.end),
    )


def _spans(events: list[AuditEntry]) -> list[tuple[int, int]]:
    """Return from when until when a grant was active: until its next event, or its end."""
    spans = []
    for place, event in enumerate(events):
        if _STATES[event.act] != _ACTIVE:
            continue
        ends = int(event.facts().get("ends_at", 0)) or event.at
        until = min(ends, events[place + 1].at) if place + 1 < len(events) else ends
        if until > event.at:
            spans.append((event.at, until))
    return spans


def _with_reasons(
    row: Row,
    decided: list[tuple[int, AuditEntry]],
    accepted: list[tuple[int, AuditEntry]],
    policy: tuple[int, AuditEntry] | None,
) -> Row:
    actors = tuple(dict.fromkeys(entry.actor for _, entry in decided))
    exceptions = [BREAK_GLASS] if row.kind == BREAK_GLASS else []
    by_hand = [*actors, row.ended_by]
    if any(actor.partition(":")[0] == OPERATOR for actor in by_hand):
        exceptions.append("operator's hand")
    used = [index for index, _ in (*decided, *accepted[-1:], *([policy] if policy is not None else []))]
    return row.replace(
        decided_by=actors,
        policy=_policy_number(policy[1]) if policy is not None else 0,
        terms=int(accepted[-1][1].facts().get("version", 0)) if accepted else 0,
        exceptions=tuple(exceptions),
        leaves=tuple(sorted({*row.leaves, *used})),
    )


def _policy_at(policies: list[tuple[int, AuditEntry]], at: int) -> tuple[int, AuditEntry] | None:
    """Return the entry of the policy in force: of those effective by then, the newest version."""
    effective = [
        one
        for one in policies
        if one[1].at <= at and int(one[1].facts().get("effective_at", one[1].at)) <= at
    ]
    return max(effective, key=lambda one: _policy_number(one[1])) if effective else None


def _policy_number(entry: AuditEntry) -> int:
    facts = entry.facts()
    return int(facts.get("version", facts.get("policy", 0)))
