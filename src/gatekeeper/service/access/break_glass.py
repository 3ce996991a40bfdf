"""Breaking the glass: a grant at once, for an emergency, and a review afterwards that is never waived.

The policy's action `breakGlass` says who may. It takes the requester's own step-up, which an agent on the
workstation can't give, and a reason. The grant stands for four hours; its request waits for its reviews like any
other, but never lapses. One at a time: none while a review is due.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from gatekeeper.documents.api import NewRequest
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.asking import Asked, check_offered, check_request
from gatekeeper.service.access.creating import insert_request, own_target
from gatekeeper.service.access.deciding import RULES
from gatekeeper.service.access.grants import Grant, actor_of, make_grant
from gatekeeper.service.access.lifecycle import BREAK_GLASS, PENDING
from gatekeeper.service.access.request_rows import AccessRequest, announce
from gatekeeper.service.access.reviews import STEP_UP
from gatekeeper.service.notify import outbox
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.policy import rules as policy_rules
from gatekeeper.service.policy.folder import Policy
from gatekeeper.service.policy.rules import Rules
from gatekeeper.service.store.tables.access import requests

LASTS_FOR = 4 * 3600


def check_offered_in_emergency(
    policy: Policy, subject: Subject, new: NewRequest, *, now: int, rules: Rules = RULES
) -> Asked:
    """Return what a hostile `new` asks for, if the policy offers it to this person in an emergency.

    Raises:
        GatekeeperError: GK310, it doesn't; GK302, GK303, GK404, GK410, GK100 as for every request.
    """
    if new.group or new.subjects or new.workload:
        raise GatekeeperError("GK410", "Breaking the glass is for oneself.")
    tool = check_offered(policy.tool(new.tool))
    asked = check_request(policy, new.replace(duration=""))
    for zone in asked.zones:
        verdict = rules.decide(
            policy=policy,
            subject=subject,
            action=policy_rules.BREAK_GLASS,
            tool=tool,
            zone=zone,
            grant=None,
            now=now,
        )
        if not verdict.allowed:
            facts: dict[str, object] = {"tool": tool.id, "rule": verdict.rule, "reason": verdict.reason}
            raise GatekeeperError(
                "GK310", f"Policy offers no break-glass here. {verdict.reason}", facts=facts
            )
    # A scope of its own: an ordinary request for the same may wait beside it.
    return asked.replace(scope_key=f"{tool.id} {BREAK_GLASS}", duration_for=LASTS_FOR)


def break_glass(
    tx: Connection,
    *,
    policy: Policy,
    subject: Subject,
    new: NewRequest,
    method: str,
    now: int,
    rules: Rules = RULES,
) -> tuple[AccessRequest, Grant]:
    """Grant at once what may be hostile to ask for, for four hours, and leave it to be reviewed.

    Raises:
        GatekeeperError: GK405, the subject didn't step up; GK310, the policy doesn't offer it; GK408, a review of
            the last one is due; GK402, no seat is free; GK302, GK303, GK404, GK410, GK100 as for every request.
    """
    if method != STEP_UP:
        raise GatekeeperError("GK405", "Breaking the glass needs your own step-up in the console.")
    asked = check_offered_in_emergency(policy, subject, new, now=now, rules=rules)
    tool = check_offered(policy.tool_of_id(asked.tool))
    due = select(requests.c.number).where(
        requests.c.subject == subject.id, requests.c.kind == BREAK_GLASS, requests.c.state == PENDING
    )
    open_one = tx.execute(due.limit(1)).scalar()
    if open_one is not None:
        raise GatekeeperError(
            "GK408",
            f"R-{open_one}, your last emergency, is not reviewed yet.",
            facts={"request": f"R-{open_one}"},
        )
    request = insert_request(tx, policy, own_target(subject), asked, kind=BREAK_GLASS, now=now)
    actor = actor_of(subject, method=method)
    # Two messages: to those who will review it, and to the person's manager and whom policy escalates to.
    announce(tx, request, "break_glass.used", actor=actor, now=now, detail={"method": method})
    outbox.enqueue(
        tx, kind="break_glass.escalated", payload={"request": request.id, "subject": subject.id}, now=now
    )
    grant = make_grant(
        tx,
        policy=policy,
        tool=tool,
        request=request.number,
        subject=subject.id,
        zones=asked.zones,
        duration_for=LASTS_FOR,
        kind=BREAK_GLASS,
        actor=actor,
        now=now,
    )
    return request, grant
