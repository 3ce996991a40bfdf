"""What a message in the outbox is about, and whom it concerns, as things stand when it is sent.

Who is asked is who may decide (or whom policy escalates to), who is told is whom it is about. Both are asked again at
the sending: who lost the right meanwhile gets no reason to read, and what was decided asks nobody any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.grant_rows import Grant, get_grant, grants_of_request
from gatekeeper.service.access.inbox import items_of, may_review
from gatekeeper.service.access.lifecycle import PENDING, WAITLISTED
from gatekeeper.service.access.members import members_of
from gatekeeper.service.access.news_words import Facts, asking_facts, data_of, telling_facts, title_of
from gatekeeper.service.access.persons import EMAIL, managers_of, subjects_of
from gatekeeper.service.access.questions import messages_of
from gatekeeper.service.access.request_rows import AccessRequest, get_request
from gatekeeper.service.access.seats import place_of
from gatekeeper.service.notify.news import ASKS, TELLS, News
from gatekeeper.service.notify.outbox import Message
from gatekeeper.service.people.subjects import PERSON, Subject, subject_of_row
from gatekeeper.service.policy.folder import Policy, current_policy
from gatekeeper.service.policy.needed import reviews_needed
from gatekeeper.service.store.tables.people import subjects

MOST_ASKED = 50
_ESCALATED = ("request.escalated", "break_glass.escalated")


class NewsDesk:
    """Writes the messages of one service, whose pages are below its issuer."""

    def __init__(self, *, issuer: str) -> None:
        self._issuer = issuer

    def recipients(self, tx: Connection, message: Message, *, now: int) -> tuple[str, ...]:
        """Return the ids of the people whom a message is for: at most 50 who are asked, in the order of their names."""
        found = _about(tx, message, now=now)
        if found is None:
            return ()
        request, grant = found
        if message.kind in ASKS:
            return tuple(one.id for one in _asked(tx, message.kind, request, now=now))
        if message.kind not in TELLS:
            return ()
        told = _told(request, grant)
        if message.kind == "grant.created" and told == request.asked_by:
            return ()  # they hear of the approval
        return (told,) if any(_address(one) for one in subjects_of(tx, [told]).values()) else ()

    def news(self, tx: Connection, message: Message, *, recipient: str, late: bool, now: int) -> News | None:
        """Write a message out. None: what it is about is gone, or over (without `late`), or not the recipient's any more."""
        found = _about(tx, message, now=now)
        if found is None:
            return None
        request, grant = found
        asks = message.kind in ASKS
        if asks and not late and request.state != PENDING:
            return None
        people = subjects_of(tx, [request.subject, request.asked_by, *([recipient] if recipient else [])])
        to = people.get(recipient)
        policy = current_policy(tx, now=now)
        if to is not None and asks and not _is_asked(tx, policy, message.kind, request, to, now=now):
            return None
        requester, subject = people[request.asked_by], people[request.subject]
        if grant is not None:
            subject = subjects_of(tx, [grant.subject])[grant.subject]
        tool = policy.tool_of_id(request.tool)
        whom = _whom(tx, request, grant, subject)
        for_other = request.team != "" or request.requester != ""
        facts: Facts = (("Asked by", requester.name), ("For whom", whom)) if for_other else ()
        if asks:
            item = items_of(tx, [request], policy=policy, reviewer=to or requester, now=now)[0]
            facts += asking_facts(item)
        else:
            own = grant or _own_grant(tx, request, now=now)
            waits = own is not None and own.state == WAITLISTED
            place = place_of(tx, own, now=now).place if own is not None and waits else None
            facts += telling_facts(message.kind, request, own, place=place)
        return News(
            id=f"gatekeeper-{message.id}-{message.created_at}",
            kind=message.kind,
            at=message.created_at,
            title=title_of(
                message.kind,
                who=requester.name if asks else whom,
                tool=tool.name if tool is not None else request.tool,
            ),
            facts=facts,
            words=_words(tx, message.kind, request, grant),
            url=f"{self._issuer}/requests/{request.id}",
            data=data_of(request, grant, subject=subject, requester=requester),
            to=_address(to) if to is not None else "",
        )


def _about(tx: Connection, message: Message, *, now: int) -> tuple[AccessRequest, Grant | None] | None:
    payload = dict(message.payload)
    try:
        if "grant" in payload:
            grant = get_grant(tx, str(payload["grant"]), now=now)
            return get_request(tx, grant.request, now=now), grant
        return get_request(tx, str(payload["request"]), now=now), None
    except GatekeeperError:
        return None


def _asked(tx: Connection, kind: str, request: AccessRequest, *, now: int) -> list[Subject]:
    """Return who is asked, of those whom the policy names."""
    policy = current_policy(tx, now=now)
    found = []
    for one in _candidates(tx, policy, kind, request):
        if _is_asked(tx, policy, kind, request, one, now=now):
            found.append(one)
            if len(found) == MOST_ASKED:
                break
    return found


def _candidates(tx: Connection, policy: Policy, kind: str, request: AccessRequest) -> Iterator[Subject]:
    """Yield whom the policy names for a request, by name: groups are a list in a column, so each person is looked at."""
    tool = policy.tool_of_id(request.tool)
    if tool is None:
        return
    sources = set(tool.escalate.to) if tool.escalate is not None else set()
    if kind not in _ESCALATED:
        sources |= {one for entry in reviews_needed(policy, tool, request.zones) for one in entry.sources}
    groups = {one.removeprefix("group:") for one in sources if one.startswith("group:")}
    managers = {one.id for one in managers_of(tx, members_of(tx, request)).values()}
    everybody = select(subjects).where(subjects.c.state == "active", subjects.c.kind == PERSON)
    for row in tx.execute(everybody.order_by(subjects.c.name)).all():
        one = subject_of_row(row)
        if (one.id in managers or groups.intersection(one.groups)) and _address(one):
            yield one


def _is_asked(
    tx: Connection, policy: Policy, kind: str, request: AccessRequest, one: Subject, *, now: int
) -> bool:
    """Say whether a message of that kind asks this person: who may review; of an emergency also those above."""
    if not one.active or one.id in (request.subject, request.asked_by):
        return False
    may = may_review(tx, policy, request, one, now=now)
    if kind != "break_glass.escalated" or may:
        # Who may review an emergency hears of it by `break_glass.used`: once is enough.
        return may and kind != "break_glass.escalated"
    tool = policy.tool_of_id(request.tool)
    to = tool.escalate.to if tool is not None and tool.escalate is not None else ()
    manager = managers_of(tx, members_of(tx, request)).get(request.subject)
    named = any(f"group:{group}" in to for group in one.groups)
    return named or (manager is not None and manager.id == one.id)


def _told(request: AccessRequest, grant: Grant | None) -> str:
    return grant.subject if grant is not None else request.asked_by


def _whom(tx: Connection, request: AccessRequest, grant: Grant | None, subject: Subject) -> str:
    if grant is not None or not request.team:
        return subject.name
    count = len(members_of(tx, request))
    return f"{count} people" if request.team == "list" else f"{request.team} ({count})"


def _own_grant(tx: Connection, request: AccessRequest, *, now: int) -> Grant | None:
    if request.team or not request.grant:
        return None
    return next(iter(grants_of_request(tx, request.number, now=now)), None)


def _words(tx: Connection, kind: str, request: AccessRequest, grant: Grant | None) -> str:
    """Return what somebody wrote: the reason, the question, the answer, the decision's words."""
    if kind in ("request.question", "request.answered"):
        said = messages_of(tx, request)
        return said[-1].text if said else ""
    if kind in ASKS or kind == "request.reviewed":
        return request.reason
    return grant.ended_reason if grant is not None else request.decision_reason


def _address(subject: Subject) -> str:
    """Return the mail address of an active person, "" where none is known."""
    if not subject.active or subject.kind != PERSON:
        return ""
    return dict(subject.attributes).get(EMAIL, "") or (subject.name if "@" in subject.name else "")
