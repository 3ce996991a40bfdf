"""Whether a subject may have a launch token for a tool now, and if not, all that helps to go on.

The order is fixed: not in the catalogue (GK302), closed (GK303), open (no grant needed), then the subject's
standing: active grants, else what stands in their place (pending, suspended, revoked, ended, denied,
nothing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.catalogue import CLOSED, OPEN
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.grants import grants_of
from gatekeeper.service.access.lifecycle import ACTIVE
from gatekeeper.service.access.standing import Active, Over, Waiting, standing
from gatekeeper.service.issue import launch_token
from gatekeeper.service.issue.launch_token import issue_launch_token, standing_of
from gatekeeper.service.policy.folder import current_policy

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.issue.launch_token import Issued
    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Policy, PolicyTool

_REF_BYTES = 4
_MOST_ALTERNATIVES = 5


class LaunchRefused(GatekeeperError):
    """No launch token. `ref` stands in the answer and in the audit entry, so that people talk of the same refusal."""

    def __init__(self, refusal: GatekeeperError, *, ref: str, tool: str, device: str, subject: str) -> None:
        super().__init__(
            refusal.code,
            refusal.detail,
            remedy=refusal.remedy,
            facts={**refusal.facts, "tool": tool, "ref": ref},
        )
        self.ref = ref
        self.tool = tool
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
        offered = _offered(tool, word)
        return issue_launch_token(
            tx,
            authority,
            policy=policy,
            subject=subject,
            device=device,
            tool=offered,
            standing=_standing(tx, subject, offered, now),
            lease_for=lease_for,
            now=now,
        )
    except GatekeeperError as refusal:
        if refusal.code[:3] not in ("GK3", "GK4"):
            raise
        refusal.facts["alternatives"] = _alternatives(tx, policy, tool, subject, now)
        raise LaunchRefused(
            refusal,
            ref=authority.random_bytes(_REF_BYTES).hex(),
            tool=tool.id if tool is not None else word,
            device=device.id,
            subject=subject.id,
        ) from refusal


def _offered(tool: PolicyTool | None, word: str) -> PolicyTool:
    if tool is None:
        raise GatekeeperError("GK302", f"The catalogue doesn't name {word}.")
    if tool.access == CLOSED:
        raise GatekeeperError("GK303", f"The organisation doesn't offer {tool.name}.")
    return tool


def _standing(tx: Connection, subject: Subject, tool: PolicyTool, now: int) -> launch_token.Standing:
    if tool.access == OPEN:
        return launch_token.OPEN
    match standing(tx, subject.id, tool.id, now=now):
        case Active(grants=grants):
            return standing_of(grants)
        case Waiting(request=request):
            raise GatekeeperError(
                "GK401",
                f"{request.id} waits for an approver.",
                facts={"request": request.id},
            )
        case Over() as over:
            raise _refusal(tool, over)


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
        "GK402": f"All seats for {tool.name} are taken.",
        "GK403": f"The approval for {tool.name} is suspended.",
    }.get(over.code, f"{tool.name} needs an approval.")
    return GatekeeperError(over.code, detail, facts=facts)


def _alternatives(
    tx: Connection, policy: Policy, tool: PolicyTool | None, subject: Subject, now: int
) -> tuple[str, ...]:
    """Return the tools that the subject may launch today, those that the policy names for this one first."""
    granted = {grant.tool for grant in grants_of(tx, subject.id, now=now) if grant.state == ACTIVE}
    usable = [
        other.id
        for other in policy.tools
        if other is not tool and (other.access == OPEN or (other.access != CLOSED and other.id in granted))
    ]
    first = [other for other in (tool.alternatives if tool is not None else ()) if other in usable]
    return tuple(dict.fromkeys((*first, *usable)))[:_MOST_ALTERNATIVES]
