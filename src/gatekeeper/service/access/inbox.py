"""The inbox: what waits for a reviewer, with all that it takes to decide in seconds.

One pass over the requests that wait; people, managers, devices, precedents and reviews are read for all of them
at once, so that four hundred requests cost little more than four.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from gatekeeper.service.access.asking import scope_key
from gatekeeper.service.access.deciding import RULES, review_verdict
from gatekeeper.service.access.inbox_facts import NO_PRECEDENT, Precedent, Seen
from gatekeeper.service.access.lifecycle import APPROVED_KIND, BREAK_GLASS
from gatekeeper.service.access.members import case_of, without_manager
from gatekeeper.service.access.persons import person_of
from gatekeeper.service.access.request_rows import AccessRequest, pending_requests
from gatekeeper.service.access.reviews import MANAGER, Case, may_meet, outstanding
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.policy.catalogue import ReviewEntry
from gatekeeper.service.policy.folder import Policy, PolicyTool
from gatekeeper.service.policy.needed import reviews_needed
from gatekeeper.service.policy.rules import LAUNCH, GrantFacts, Rules, Verdict
from gatekeeper.values import Value

_NO_VERDICT = Verdict(
    allowed=False, rule="", reason="The organisation's catalogue doesn't name this tool any more."
)


class InboxItem(Value):
    """One request that waits, as a reviewer sees it.

    `subject` is whom it is for (of a team: who asks), `members` the people of a team, `requester` who asks. `verdict`
    is what the policy would say of a launch with the grant. `outstanding` are the entries that no approval meets
    yet, `may` says whether this reviewer's would meet one, `reviewed` that they approved already. `group` is the same
    for equal asks. `claimed_by` is a name; `notes` are sentences for people.
    """

    request: AccessRequest
    subject: Subject
    requester: Subject
    members: tuple[Subject, ...]
    tool: PolicyTool | None
    verdict: Verdict
    precedent: Precedent
    devices: tuple[str, ...]
    entries: tuple[ReviewEntry, ...]
    outstanding: tuple[ReviewEntry, ...]
    may: bool
    reviewed: bool
    group: str
    claimed_by: str
    notes: tuple[str, ...]


def inbox_of(
    tx: Connection, *, policy: Policy, rules: Rules = RULES, reviewer: Subject, now: int
) -> list[InboxItem]:
    """Return what waits and the reviewer may decide about, the oldest first, what was taken in an emergency before it."""
    found = items_of(
        tx, pending_requests(tx, now=now), policy=policy, rules=rules, reviewer=reviewer, now=now
    )
    return sorted((one for one in found if one.may), key=lambda one: one.request.kind != BREAK_GLASS)


def may_review(
    tx: Connection,
    policy: Policy,
    request: AccessRequest,
    reviewer: Subject,
    *,
    rules: Rules = RULES,
    now: int,
) -> bool:
    """Say whether the policy lets a person decide about a request by step-up, whatever its state."""
    return items_of(tx, [request], policy=policy, rules=rules, reviewer=reviewer, now=now)[0].may


def reviews_something(tx: Connection, policy: Policy, reviewer: Subject, *, now: int) -> bool:
    """Say whether a person is an approver at all: of a group that the policy names, or a manager whom somebody waits for."""
    own = {f"group:{group}" for group in reviewer.groups}
    named = {source for entry in _every_entry(policy) for source in entry.sources}
    named |= {source for tool in policy.tools if tool.escalate for source in tool.escalate.to}
    if own & named:
        return True
    if MANAGER not in named:
        return False
    return bool(inbox_of(tx, policy=policy, reviewer=reviewer, now=now))


def items_of(
    tx: Connection,
    asked: Iterable[AccessRequest],
    *,
    policy: Policy,
    rules: Rules = RULES,
    reviewer: Subject,
    now: int,
) -> list[InboxItem]:
    """Return requests as this reviewer sees them, in their order, whether or not they may decide about them."""
    asked = list(asked)
    seen = Seen(tx, asked, policy=policy, now=now)
    return [_item(seen, request, policy=policy, rules=rules, reviewer=reviewer, now=now) for request in asked]


def _item(
    seen: Seen, request: AccessRequest, *, policy: Policy, rules: Rules, reviewer: Subject, now: int
) -> InboxItem:
    tool = policy.tool_of_id(request.tool)
    members = sorted((seen.people[id_] for id_ in seen.members[request.number]), key=lambda one: one.name)
    requester = seen.people[request.asked_by]
    given = seen.approvals.get(request.number, [])
    entries = reviews_needed(policy, tool, request.zones) if tool is not None else ()
    cases = (
        [
            case_of(
                tool,
                request,
                entries=entries,
                member=one,
                manager=seen.managers.get(one.id),
                requester=requester,
            )
            for one in members
        ]
        if tool is not None
        else []
    )
    left = Counter[ReviewEntry]()
    for case in cases:
        left |= Counter(outstanding(case, [one for _, one in given]))
    return InboxItem(
        request=request,
        subject=seen.people[request.subject],
        requester=requester,
        members=tuple(members) if request.team else (),
        tool=tool,
        verdict=_verdict(policy, rules, tool, request, members, now=now),
        precedent=seen.precedents.get(scope_key(request.tool, request.zones), NO_PRECEDENT),
        devices=seen.devices.get(request.subject, ()),
        entries=entries,
        outstanding=tuple(left),
        may=_may(
            policy=policy,
            rules=rules,
            tool=tool,
            request=request,
            cases=cases,
            members=members,
            reviewer=reviewer,
            now=now,
        ),
        reviewed=any(who == reviewer.id for who, _ in given),
        group=" ".join((request.kind, request.tool, *request.zones, str(request.duration_for), request.team)),
        claimed_by=seen.people[request.claimed_by].name if request.claimed_by else "",
        notes=_notes(request, cases, members),
    )


def _may(
    *,
    policy: Policy,
    rules: Rules,
    tool: PolicyTool | None,
    request: AccessRequest,
    cases: list[Case],
    members: list[Subject],
    reviewer: Subject,
    now: int,
) -> bool:
    """Say what `deciding.check_reviewer` would, without the method."""
    person = person_of(reviewer)
    if tool is None or not reviewer.active:
        return False
    if not request.team and any(person.is_same(person_of(one)) for one in members):
        return False
    if not any(may_meet(case, person) for case in cases):
        return False
    return review_verdict(policy, rules, tool, request.zones, reviewer, now=now).allowed


def _verdict(
    policy: Policy,
    rules: Rules,
    tool: PolicyTool | None,
    request: AccessRequest,
    members: list[Subject],
    *,
    now: int,
) -> Verdict:
    """Return the first refusal that the grant would meet, else the first zone's verdict."""
    if tool is None or not members:
        return _NO_VERDICT
    grant = GrantFacts(kind=APPROVED_KIND, zones=request.zones)
    verdicts = [
        rules.decide(policy=policy, subject=one, action=LAUNCH, tool=tool, zone=zone, grant=grant, now=now)
        for one in members
        for zone in request.zones
    ]
    return next((one for one in verdicts if not one.allowed), verdicts[0])


def _notes(request: AccessRequest, cases: list[Case], members: list[Subject]) -> tuple[str, ...]:
    notes = []
    lost = [one.name for case, one in zip(cases, members, strict=False) if without_manager(case)]
    if lost:
        whose = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        went = (
            "it went to those whom the policy escalates to"
            if cases[0].stand_in
            else "only the operator can decide"
        )
        notes.append(f"The service knows no manager of {whose}: {went}.")
    if request.kind == BREAK_GLASS:
        notes.append("Taken in an emergency: the grant stood at once, and this review is due.")
    elif request.escalated_at is not None and not lost:
        notes.append("Escalated: nobody answered in time.")
    return tuple(notes)


def _every_entry(policy: Policy) -> Iterable[ReviewEntry]:
    for tool in policy.tools:
        yield from tool.reviews
    for zone in policy.zones:
        yield from zone.reviews
