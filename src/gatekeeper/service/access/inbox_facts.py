"""What the inbox reads for all requests at once: people, managers, reviews so far, devices, precedents."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, select

from gatekeeper.service.access.lifecycle import APPROVE, APPROVED, DENIED
from gatekeeper.service.access.members import request_members_of
from gatekeeper.service.access.persons import keys_of, managers_of, subjects_of
from gatekeeper.service.access.request_rows import AccessRequest
from gatekeeper.service.access.reviews import Approval, Person
from gatekeeper.service.people.devices import ACTIVE as ENROLLED
from gatekeeper.service.policy.folder import Policy
from gatekeeper.service.store.tables.access import requests, reviews
from gatekeeper.service.store.tables.people import devices
from gatekeeper.values import Value

_PRECEDENTS_FOR = 90 * 86_400
_MOST_IN_A_QUERY = 500


class Precedent(Value):
    """How requests for the same tool and zones were decided in the last 90 days."""

    approved: int
    denied: int


NO_PRECEDENT = Precedent(approved=0, denied=0)


class Seen:
    """What is read for all requests at once."""

    def __init__(self, tx: Connection, asked: list[AccessRequest], *, policy: Policy, now: int) -> None:
        numbers = [request.number for request in asked]
        of_teams = request_members_of(tx, [request.number for request in asked if request.team])
        self.members = {one.number: of_teams.get(one.number, [one.subject]) for one in asked}
        named = {id_ for ids in self.members.values() for id_ in ids}
        named |= (
            {one.subject for one in asked}
            | {one.asked_by for one in asked}
            | {one.claimed_by for one in asked}
        )
        approvals = _approvals(tx, numbers)
        self.people = subjects_of(
            tx, (named | {who for given in approvals.values() for who, _, _ in given}) - {""}
        )
        self.managers = managers_of(tx, self.people.values())
        self.approvals = {number: self._typed(given) for number, given in approvals.items()}
        self.devices = _devices(tx, {one.subject for one in asked})
        tools = {request.tool for request in asked if policy.tool_of_id(request.tool)}
        self.precedents = _precedents(tx, tools, now=now)

    def _typed(self, given: list[tuple[str, str, tuple[str, ...]]]) -> list[tuple[str, Approval]]:
        return [
            (who, Approval(by=Person(keys=keys_of(self.people[who]), groups=groups), method=method))
            for who, method, groups in given
        ]


def _approvals(tx: Connection, numbers: list[int]) -> dict[int, list[tuple[str, str, tuple[str, ...]]]]:
    found: dict[int, list[tuple[str, str, tuple[str, ...]]]] = {}
    for start in range(0, len(numbers), _MOST_IN_A_QUERY):
        part = numbers[start : start + _MOST_IN_A_QUERY]
        query = select(reviews).where(reviews.c.request.in_(part), reviews.c.verdict == APPROVE)
        for row in tx.execute(query.order_by(reviews.c.id)):
            found.setdefault(row.request, []).append((row.reviewer, row.method, tuple(row.groups)))
    return found


def _devices(tx: Connection, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the names of the enrolled devices of subjects, the one that was seen last first."""
    wanted, found = sorted(ids), dict[str, tuple[str, ...]]()
    for start in range(0, len(wanted), _MOST_IN_A_QUERY):
        part = wanted[start : start + _MOST_IN_A_QUERY]
        query = select(devices.c.subject, devices.c.name).where(
            devices.c.subject.in_(part), devices.c.state == ENROLLED
        )
        for row in tx.execute(query.order_by(devices.c.seen_at.desc())):
            found[row.subject] = (*found.get(row.subject, ()), row.name)
    return found


def _precedents(tx: Connection, tools: Iterable[str], *, now: int) -> dict[str, Precedent]:
    query = (
        select(requests.c.scope_key, requests.c.state, func.count().label("many"))
        .where(
            requests.c.tool.in_(sorted(tools)),
            requests.c.decided_at >= now - _PRECEDENTS_FOR,
            requests.c.state.in_((APPROVED, DENIED)),
        )
        .group_by(requests.c.scope_key, requests.c.state)
    )
    found: dict[str, Precedent] = {}
    for row in tx.execute(query):
        known = found.get(row.scope_key, NO_PRECEDENT)
        found[row.scope_key] = known.replace(**{row.state: row.many})
    return found
