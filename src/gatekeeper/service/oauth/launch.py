"""Whether a subject may have a launch token for a tool now, and if not, all that helps to go on.

The order is fixed: not in the catalogue (GK302), closed (GK303), stopped for now (GK311), open (no grant needed),
then the subject's standing: active grants, else what stands in their place (pending, suspended, revoked, ended,
denied, nothing). Who has nothing hears the policy's words: that an approval is needed, or that none would help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.catalogue import CLOSED, OPEN
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.grants import grants_of, note_use
from gatekeeper.service.access.lifecycle import ACTIVE
from gatekeeper.service.access.questions import messages_of
from gatekeeper.service.access.standing import Active, Over, TermsNeeded, Waiting, Waitlisted, standing
from gatekeeper.service.access.terms import has_accepted
from gatekeeper.service.issue import launch_token
from gatekeeper.service.issue.launch_token import issue_launch_token, refuse_by, standing_of
from gatekeeper.service.policy.compile import compile_locations
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.policy.rules import APPROVED, LAUNCH, GrantFacts
from gatekeeper.service.policy.stops import refuse_stopped, stops_in_force, whole_stop
from gatekeeper.service.policy.zones import NO_ZONE

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.access.request_rows import AccessRequest
    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.issue.launch_token import Issued
    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Policy, PolicyTool

_REF_BYTES = 4
_BUILT_IN = ("access:", "policy:", "zone:")
_MOST_ALTERNATIVES = 5


class LaunchRefused(GatekeeperError):
    """No launch token. `ref` stands in the answer and in the audit entry, so that people talk of the same refusal.

    `tool` is the catalogue's id, "" where it has none for the hostile `word`.
    """

    def __init__(
        self, refusal: GatekeeperError, *, ref: str, tool: str, word: str, device: str, subject: str
    ) -> None:
        super().__init__(
            refusal.code,
            refusal.detail,
            remedy=refusal.remedy,
            facts={**refusal.facts, "tool": tool or word, "ref": ref},
        )
        self.ref = ref
        self.tool = tool
        self.word = word
        self.device = device
        self.subject = subject


def launch(
    tx: Connection,
    authority: Authority,
    *,
    subject: Subject,
    device: Device,
    word: str,
    lease_for: int | None,
    now: int,
) -> Issued:
    """Issue a launch token for the tool that `word` names, an id or an executable's name.

    Raises:
        LaunchRefused: GK3xx or GK4xx, with the facts of a problem document.
        GatekeeperError: GK504, nothing can be issued now.
    """
    policy = current_policy(tx, now=now)
    tool = policy.tool(word)
    try:
        offered = _going_on(tx, _offered(tool, word))
        return issue_launch_token(
            tx,
            authority,
            policy=policy,
            subject=subject,
            device=device,
            tool=offered,
            standing=_standing(tx, authority, policy, subject, offered, now=now),
            lease_for=lease_for,
            now=now,
        )
    except GatekeeperError as refusal:
        if refusal.code[:3] not in ("GK3", "GK4"):
            raise
        refusal.facts["alternatives"] = _alternatives(tx, authority, policy, tool, subject, now=now)
        raise LaunchRefused(
            refusal,
            ref=authority.random_bytes(_REF_BYTES).hex(),
            tool=tool.id if tool is not None else "",
            word=word,
            device=device.id,
            subject=subject.id,
        ) from refusal


def _offered(tool: PolicyTool | None, word: str) -> PolicyTool:
    if tool is None:
        raise GatekeeperError("GK302", f"The catalogue doesn't name {word}.")
    if tool.access == CLOSED:
        raise GatekeeperError("GK303", f"The organisation doesn't offer {tool.name}.")
    return tool


def _going_on(tx: Connection, tool: PolicyTool) -> PolicyTool:
    """Return the tool without the versions that are stopped. Raises GK311 where nothing of it goes on."""
    stopped, left = whole_stop(stops_in_force(tx), tool)
    if stopped is not None:
        raise refuse_stopped(stopped, tool)
    return left


def _standing(
    tx: Connection, authority: Authority, policy: Policy, subject: Subject, tool: PolicyTool, *, now: int
) -> launch_token.Standing:
    if tool.access == OPEN:
        if not has_accepted(tx, subject=subject.id, tool=tool):
            raise _terms_needed(tool)
        return launch_token.OPEN
    match standing(tx, subject.id, tool, now=now):
        case Active(grants=grants):
            for grant in grants:
                note_use(tx, grant, now=now)
            return standing_of(grants)
        case TermsNeeded():
            raise _terms_needed(tool)
        case Waitlisted(grant=grant, place=place):
            raise GatekeeperError(
                "GK402",
                f"All seats for {tool.name} are taken. You are number {place.place} of {place.waiting} who wait.",
                facts={"request": grant.request, "place": place.place},
            )
        case Waiting(code=code, request=request):
            raise _waiting(tx, code, request)
        case Over(code="GK301"):
            raise _unapproved(authority, policy, subject, tool, now)
        case Over() as over:
            raise _refusal(tool, over)


def _terms_needed(tool: PolicyTool) -> GatekeeperError:
    return GatekeeperError(
        "GK406",
        f"{tool.name} has terms that you have not accepted in their current version.",
        remedy=f"gatekeeper request {tool.id} --accept-terms",
    )


def _waiting(tx: Connection, code: str, request: AccessRequest) -> GatekeeperError:
    """Return what a request waits for: an approver, or its requester's answer to the last question."""
    facts: dict[str, object] = {"request": request.id}
    if code != "GK407":
        return GatekeeperError(code, f"{request.id} waits for an approver.", facts=facts)
    asked = messages_of(tx, request)[-1]
    return GatekeeperError(
        code,
        f"{asked.author} asks about {request.id}: {asked.text}",
        remedy=f'gatekeeper requests reply {request.id} "…"',
        facts={**facts, "by": asked.author, "reason": asked.text},
    )


def _unapproved(
    authority: Authority, policy: Policy, subject: Subject, tool: PolicyTool, now: int
) -> GatekeeperError:
    """Return GK310 where no approval would let the subject launch the tool anywhere, else GK301 in the rule's words."""
    everywhere = GrantFacts(kind=APPROVED, zones=(NO_ZONE, *(zone.name for zone in policy.zones)))
    rules = authority.rules
    places = compile_locations(policy, rules, subject=subject, tool=tool, grants=(everywhere,), now=now)
    if not places.locations:
        return refuse_by(places.verdict)
    verdict = rules.decide(
        policy=policy, subject=subject, action=LAUNCH, tool=tool, zone=NO_ZONE, grant=None, now=now
    )
    # The rules that a service starts with say nothing that the code doesn't say.
    own_words = not verdict.allowed and not verdict.rule.startswith(_BUILT_IN)
    facts: dict[str, object] = {"rule": verdict.rule, "reason": verdict.reason} if own_words else {}
    return GatekeeperError(
        "GK301", f"{tool.name} needs an approval.", facts={"by": "", "reason": "", **facts}
    )


def _refusal(tool: PolicyTool, over: Over) -> GatekeeperError:
    facts: dict[str, object] = {"by": over.by, "reason": over.reason}
    if over.request is not None:
        facts["request"] = over.request.id
    elif over.grant is not None:
        facts["request"] = over.grant.request
    detail = {
        "GK307": f"The approval for {tool.name} was revoked.",
        "GK308": f"The approval for {tool.name} has ended.",
        "GK309": f"The request for {tool.name} was denied.",
        "GK403": f"The approval for {tool.name} is suspended.",
    }.get(over.code, f"{tool.name} needs an approval.")
    return GatekeeperError(over.code, detail, facts=facts)


def _alternatives(
    tx: Connection,
    authority: Authority,
    policy: Policy,
    tool: PolicyTool | None,
    subject: Subject,
    *,
    now: int,
) -> tuple[str, ...]:
    """Return the tools that the subject may launch today, those that the policy names for this one first."""
    granted = {grant.tool for grant in grants_of(tx, subject.id, now=now) if grant.state == ACTIVE}
    stopped = stops_in_force(tx)

    def is_usable(other: PolicyTool) -> bool:
        if other is tool or whole_stop(stopped, other)[0] is not None:
            return False
        if other.access != OPEN:
            return other.access != CLOSED and other.id in granted
        return bool(
            compile_locations(
                policy, authority.rules, subject=subject, tool=other, grants=(), now=now
            ).locations
        )

    usable = [other.id for other in policy.tools if is_usable(other)]
    first = [other for other in (tool.alternatives if tool is not None else ()) if other in usable]
    return tuple(dict.fromkeys((*first, *usable)))[:_MOST_ALTERNATIVES]
