"""Who may decide what, as the pages need it: whose inbox holds how much, and whose grants they list.

These answers open pages and fill lists. Deciding itself asks `access`, which looks at everything again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from gatekeeper.service.access.persons import keys_of
from gatekeeper.service.access.reviews import MANAGER
from gatekeeper.service.policy.needed import reviews_needed
from gatekeeper.service.store.tables.access import requests, reviews
from gatekeeper.service.store.tables.people import subjects

if TYPE_CHECKING:
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Policy
    from gatekeeper.service.policy.limits import ReviewEntry

_GROUP = "group:"


def tools_reviewed_by(policy: Policy, reviewer: Subject) -> frozenset[str]:
    """Return the ids of the tools of which this person reviews requests, in whatever zone, by a group.

    Wide enough for a list alone: `access.grant_reviewers` says who may act on which grant.
    """
    zones = [zone.name for zone in policy.zones]
    return frozenset(
        tool.id
        for tool in policy.tools
        if any(_is_of(entry, reviewer) for entry in reviews_needed(policy, tool, zones))
    )


def count_waiting(tx: Connection, policy: Policy, reviewer: Subject, *, now: int) -> int | None:
    """Return how many requests wait for this person; None where nothing does and no group makes them an approver."""
    open_ones = (
        (requests.c.state == "pending") & (requests.c.lapses_at > now) & requests.c.question_at.is_(None)
    )
    done = select(reviews.c.request).where(reviews.c.reviewer == reviewer.id)
    wanted = (
        select(requests.c.subject, requests.c.tool, requests.c.zones, subjects.c.attributes)
        .join(subjects, subjects.c.id == requests.c.subject)
        .where(open_ones, requests.c.subject != reviewer.id, requests.c.number.not_in(done))
    )
    known: dict[tuple[str, ...], tuple[bool, bool]] = {}
    keys = keys_of(reviewer)
    number = 0
    for row in tx.execute(wanted):
        scope = (row.tool, *row.zones)
        if scope not in known:
            known[scope] = _ways(policy, reviewer, row.tool, row.zones)
        by_group, by_manager = known[scope]
        number += by_group or (by_manager and row.attributes.get(MANAGER, "").casefold() in keys)
    return number if number or tools_reviewed_by(policy, reviewer) else None


def source_words(entry: ReviewEntry) -> str:
    """Return an entry of `reviews` in words: "1 of ai-security" or "the manager"."""
    named = ["the manager" if one == MANAGER else one.removeprefix(_GROUP) for one in entry.sources]
    return named[0] if named == ["the manager"] else f"{entry.needed} of {' or '.join(named)}"


def _ways(policy: Policy, reviewer: Subject, tool_id: str, zones: list[str]) -> tuple[bool, bool]:
    tool = policy.tool_of_id(tool_id)
    entries = reviews_needed(policy, tool, zones) if tool is not None else ()
    return any(_is_of(entry, reviewer) for entry in entries), any(
        MANAGER in entry.sources for entry in entries
    )


def _is_of(entry: ReviewEntry, reviewer: Subject) -> bool:
    groups = {source.removeprefix(_GROUP) for source in entry.sources if source.startswith(_GROUP)}
    return bool(groups & set(reviewer.groups))
