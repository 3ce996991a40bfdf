"""What a changed policy would have answered to the requests that were made, and where it contradicts the reviewers. Pure.

A request is replayed with what the identity provider says of its subject today: what it said then isn't kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.service.policy.answers import APPROVES, REFUSES, answer_to
from gatekeeper.service.policy.catalogue import Policy
from gatekeeper.service.policy.rules import PolicySubject, Rules
from gatekeeper.values import Value


class Asked(Value):
    """A request as it was made and what became of it (`approved`, `denied`, …; `by` decided)."""

    id: str
    subject: PolicySubject
    tool: str
    zones: tuple[str, ...]
    state: str
    by: str = ""
    reason: str = ""


class Answer(Value):
    """What the policy would have answered to a request, by which rule; `contradicts` says that reviewers decided otherwise."""

    asked: Asked
    answer: str
    rule: str
    reason: str
    contradicts: bool


def replay(policy: Policy, rules: Rules, requests: Iterable[Asked], *, now: int) -> list[Answer]:
    """Answer each request as this policy would."""
    return [_replayed(policy, rules, asked, now) for asked in requests]


def _replayed(policy: Policy, rules: Rules, asked: Asked, now: int) -> Answer:
    answer, verdict = answer_to(
        policy, rules, subject=asked.subject, tool=asked.tool, zones=asked.zones, now=now
    )
    contradicts = (answer == APPROVES and asked.state == "denied") or (
        answer == REFUSES and asked.state == "approved"
    )
    return Answer(
        asked=asked, answer=answer, rule=verdict.rule, reason=verdict.reason, contradicts=contradicts
    )
