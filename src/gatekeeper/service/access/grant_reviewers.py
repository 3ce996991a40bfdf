"""Who may act on a grant that stands, besides the operator: those whose review its own tool and zones ask for."""

from __future__ import annotations

from gatekeeper.service.access.deciding import RULES, review_verdict
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.policy.folder import Policy
from gatekeeper.service.policy.needed import reviews_needed
from gatekeeper.service.policy.rules import Rules

_GROUP = "group:"


def may_act_on_grant(
    policy: Policy,
    reviewer: Subject,
    *,
    tool: str,
    zones: tuple[str, ...],
    now: int,
    rules: Rules = RULES,
) -> bool:
    """Say whether a person may revoke, suspend or resume a grant of that tool (an id) in these zones.

    One of their groups must review that tool, or one of these zones: the reviewers of a zone have no say over what
    is used elsewhere. And the rules must let them review in each of the zones, as they must for a request. Whose the
    grant is makes no difference here: that nobody resumes their own, the act itself sees to.
    """
    offered = policy.tool_of_id(tool)
    if offered is None or not reviewer.active:
        return False
    named = {source for entry in reviews_needed(policy, offered, zones) for source in entry.sources}
    if named.isdisjoint(_GROUP + group for group in reviewer.groups):
        return False
    return review_verdict(policy, rules, offered, zones, reviewer, now=now).allowed
