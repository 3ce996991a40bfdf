"""For whom a request is: one subject, or the members of a team, frozen when it was asked.

And how each member's case stands: what the policy's `reviews` still need, by whom they may be met.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.lifecycle import APPROVE
from gatekeeper.service.access.persons import keys_of, managers_of, person_of, subjects_of
from gatekeeper.service.access.request_rows import AccessRequest
from gatekeeper.service.access.reviews import MANAGER, Approval, Case, Person
from gatekeeper.service.people.subjects import PERSON, WORKLOAD, Subject, find_subject, subject_of_row
from gatekeeper.service.policy.catalogue import ReviewEntry
from gatekeeper.service.policy.folder import Policy, PolicyTool
from gatekeeper.service.policy.needed import reviews_needed
from gatekeeper.service.store.tables.access import request_members, reviews
from gatekeeper.service.store.tables.people import subjects

MOST_MEMBERS = 500
_MOST_IN_A_QUERY = 500
LIST = "list"


def group_members(tx: Connection, group: str) -> list[Subject]:
    """Return the active people of a group, by name.

    Raises:
        GatekeeperError: GK410, there are none, or more than 500.
    """
    # Groups are a list in a JSON column, which the two databases don't search alike.
    everybody = select(subjects).where(subjects.c.state == "active", subjects.c.kind == PERSON)
    found = [one for row in tx.execute(everybody) if group in (one := subject_of_row(row)).groups]
    return _checked(found, empty=f"The service knows nobody in the group {group!r}.")


def named_members(tx: Connection, names: Iterable[str]) -> list[Subject]:
    """Return the people of these names, hostile input, by name.

    Raises:
        GatekeeperError: GK410, one isn't known (people sign in once first), or they are more than 500; GK100, a name
            that can't be one.
    """
    found = {}
    for name in names:
        one = find_subject(tx, name)
        if one is None or one.kind != PERSON or not one.active:
            raise GatekeeperError(
                "GK410", f"The service knows nobody called {name!r}. People sign in once first."
            )
        found[one.id] = one
    return _checked(list(found.values()), empty="A list of people needs people.")


def find_workload_subject(tx: Connection, name: str) -> Subject:
    """Return the workload of that name, hostile input.

    Raises:
        GatekeeperError: GK410, there is none; GK100, a name that can't be one.
    """
    found = find_subject(tx, name)
    if found is None or found.kind != WORKLOAD:
        raise GatekeeperError("GK410", f"The service has no workload called {name!r}.")
    return found


def keep_members(tx: Connection, number: int, members: Iterable[Subject]) -> None:
    """Freeze the members of a team's request."""
    for member in members:
        tx.execute(insert(request_members).values(request=number, subject=member.id))


def request_members_of(tx: Connection, numbers: Iterable[int]) -> dict[int, list[str]]:
    """Return the ids of the members of teams' requests, by the request's number."""
    wanted, found = sorted(numbers), dict[int, list[str]]()
    for start in range(0, len(wanted), _MOST_IN_A_QUERY):
        of_part = request_members.c.request.in_(wanted[start : start + _MOST_IN_A_QUERY])
        for row in tx.execute(select(request_members).where(of_part).order_by(request_members.c.subject)):
            found.setdefault(row.request, []).append(row.subject)
    return found


def members_of(tx: Connection, request: AccessRequest) -> list[Subject]:
    """Return whom the request is for, by name."""
    ids = request_members_of(tx, [request.number])[request.number] if request.team else [request.subject]
    return sorted(subjects_of(tx, ids).values(), key=lambda one: one.name)


def approvals_of(tx: Connection, number: int) -> list[Approval]:
    """Return the approving reviews of a request, with the groups that their givers had then."""
    query = (
        select(reviews.c.method, reviews.c.groups.label("then"), subjects)
        .join(subjects, subjects.c.id == reviews.c.reviewer)
        .where(reviews.c.request == number, reviews.c.verdict == APPROVE)
        .order_by(reviews.c.id)
    )
    return [
        Approval(by=Person(keys=keys_of(subject_of_row(row)), groups=tuple(row.then)), method=row.method)
        for row in tx.execute(query)
    ]


def cases_of(
    tx: Connection,
    policy: Policy,
    tool: PolicyTool,
    request: AccessRequest,
    *,
    members: Iterable[Subject],
    zones: tuple[str, ...],
) -> list[Case]:
    """Return the case of each member, in their order; `zones` are those that the grant would have."""
    members = list(members)
    managers = managers_of(tx, members)
    requester = subjects_of(tx, [request.asked_by])[request.asked_by]
    entries = reviews_needed(policy, tool, zones)
    return [
        case_of(tool, request, entries=entries, member=one, manager=managers.get(one.id), requester=requester)
        for one in members
    ]


def case_of(
    tool: PolicyTool,
    request: AccessRequest,
    *,
    entries: tuple[ReviewEntry, ...],
    member: Subject,
    manager: Subject | None,
    requester: Subject,
) -> Case:
    """Return one member's case. `manager` is None where the service knows none that could act."""
    for_others = request.team != "" or request.requester != ""
    return Case(
        entries=entries,
        member=person_of(member, manager=manager.id if manager is not None else ""),
        requester=person_of(requester) if for_others else None,
        stand_in=_stand_in(tool, request, has_manager=manager is not None),
    )


def without_manager(case: Case) -> bool:
    """Say whether the case asks for a manager, and none is known."""
    return not case.member.manager and any(MANAGER in entry.sources for entry in case.entries)


def _stand_in(tool: PolicyTool, request: AccessRequest, *, has_manager: bool) -> tuple[str, ...]:
    """Return who may decide in the manager's place: those of `escalate`, where the manager is missing or away."""
    if tool.escalate is None or (has_manager and request.escalated_at is None):
        return ()
    return tool.escalate.to


def _checked(found: list[Subject], *, empty: str) -> list[Subject]:
    if not found:
        raise GatekeeperError("GK410", empty)
    if len(found) > MOST_MEMBERS:
        raise GatekeeperError(
            "GK410", f"A request is for at most {MOST_MEMBERS} people; these are {len(found)}."
        )
    return sorted(found, key=lambda one: one.name)
