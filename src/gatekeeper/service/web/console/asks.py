"""Requests as the inbox and the page of one request show them: every fact that it takes to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.inbox import InboxItem, inbox_of, items_of
from gatekeeper.service.access.questions import messages_of
from gatekeeper.service.access.request_rows import get_request
from gatekeeper.service.people.roles import Role
from gatekeeper.service.web.console.reviewers import source_words
from gatekeeper.service.web.console.words import count
from gatekeeper.values import Value

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.policy.catalogue import PolicyTool
    from gatekeeper.service.web.console.page_calls import PageCall

_VERBS = {"question": "asked", "answer": "answered"}


class Ask(Value):
    """One request that waits. `alike` is the same for equal asks; `device` names what the person works on."""

    id: str
    name: str
    display: str
    groups: tuple[str, ...]
    team: str
    tool: str
    tool_name: str
    versions: str
    zones: tuple[str, ...]
    reason: str
    duration_for: int
    ticket: str
    state: str
    created_at: int
    lapses_at: int
    allowed: bool
    rule: str
    rule_words: str
    approved_like: int
    denied_like: int
    device: str
    outstanding: tuple[str, ...]
    notes: tuple[str, ...]
    claimed_by: str
    reviewed: bool
    alike: str

    @property
    def may_decide(self) -> bool:
        """Say whether it can be chosen now: it waits for no answer, and not for somebody else."""
        return self.state == "pending" and not self.reviewed


class Line(Value):
    """One thing that was said about a request."""

    name: str
    verb: str
    text: str
    at: int | None


def asks_for(tx: Connection, call: PageCall) -> list[Ask]:
    """Return what waits for this person, the oldest first."""
    return [_ask(item) for item in inbox_of(tx, policy=call.policy, reviewer=call.me, now=call.now)]


def closely(tx: Connection, call: PageCall, wanted: str) -> dict[str, Any]:
    """Return all that the page of one request shows.

    Raises:
        GatekeeperError: GK409, there is none, or this person has nothing to do with it.
    """
    request = get_request(tx, wanted, now=call.now)
    (item,) = items_of(tx, [request], policy=call.policy, reviewer=call.me, now=call.now)
    own = call.me.id in {request.subject, request.asked_by, *(member.id for member in item.members)}
    if not own and not item.may and not call.has(Role.AUDITOR, Role.OPERATOR):
        raise GatekeeperError("GK409", "There is no such request.")
    one = _ask(item)
    talk = [
        Line(name=line.author, verb=_VERBS.get(line.kind, line.kind), text=line.text, at=line.at)
        for line in messages_of(tx, request)
    ]
    if request.decided_by:
        verb = request.state if request.state in {"approved", "denied"} else "reviewed"
        talk.append(
            Line(name=request.decided_by, verb=verb, text=request.decision_reason, at=request.decided_at)
        )
    return {
        "title": f"{one.tool_name} for {one.display}",
        "one": one,
        "subject": item.subject,
        "own": call.me.id == request.asked_by,
        "members": [member.name for member in item.members],
        "vendor": item.tool.vendor_name if item.tool is not None else "",
        "identities": _identities(item.tool),
        "zone_remotes": [
            (zone.name, zone.remotes) for zone in call.policy.zones if zone.name in request.zones
        ],
        "talk": talk,
        "grant": request.grant,
        "may_decide": item.may,
        "sees_more": item.may or call.has(Role.AUDITOR, Role.OPERATOR),
    }


def _ask(item: InboxItem) -> Ask:
    request, tool = item.request, item.tool
    return Ask(
        id=request.id,
        name=item.subject.name,
        display=_for_whom(item),
        groups=item.subject.groups,
        team=request.team,
        tool=request.tool,
        tool_name=tool.name if tool is not None else request.tool,
        versions=tool.identities[0].versions if tool is not None and tool.identities else "",
        zones=request.zones,
        reason=request.reason,
        duration_for=request.duration_for,
        ticket=request.ticket,
        state=request.state,
        created_at=request.created_at,
        lapses_at=request.lapses_at,
        allowed=item.verdict.allowed,
        rule=item.verdict.rule,
        rule_words=item.verdict.reason,
        approved_like=item.precedent.approved,
        denied_like=item.precedent.denied,
        device=item.devices[0] if item.devices else "",
        outstanding=tuple(source_words(entry) for entry in item.outstanding),
        notes=item.notes,
        claimed_by=item.claimed_by,
        reviewed=item.reviewed,
        alike=item.group,
    )


def _for_whom(item: InboxItem) -> str:
    if not item.request.team:
        return item.subject.display
    team = item.request.team.removeprefix("group:")
    named = count(len(item.members), "person", "people") if team == "list" else team
    return f"{item.requester.display} for {named}"


def _identities(tool: PolicyTool | None) -> list[str]:
    """Return what counts as the tool, in the words of the catalogue."""
    if tool is None:
        return []
    found = []
    for one in tool.identities:
        kind = next((name for name in ("npm", "pypi", "native", "publisher") if getattr(one, name, "")), "")
        found.append(f"{kind} {getattr(one, kind)} {one.versions}".strip() if kind else one.versions)
    return [words for words in found if words]
