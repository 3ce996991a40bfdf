"""Grants for whoever decides about them, tools with their seats, and what is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.access.grant_reviewers import may_act_on_grant
from gatekeeper.service.access.seats import seats_of
from gatekeeper.service.people.roles import Role
from gatekeeper.service.policy.needed import reviews_needed
from gatekeeper.service.policy.stops import stops_in_force
from gatekeeper.service.web.console.listings import find_grants, grants_by_tool
from gatekeeper.service.web.console.render import render_page
from gatekeeper.service.web.console.reviewers import source_words, tools_reviewed_by
from gatekeeper.values import Value

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.access.seats import Seats
    from gatekeeper.service.policy.catalogue import PolicyTool
    from gatekeeper.service.policy.stops import Stop
    from gatekeeper.service.web.console.listings import GrantRow
    from gatekeeper.service.web.console.page_calls import PageCall

STATES = ("active", "waitlisted", "suspended", "revoked", "expired", "ended")
_CHANGEABLE = ("active", "suspended", "waitlisted")
_MOST = 300


class ToolRow(Value):
    """A tool of the catalogue, and how it is used."""

    tool: PolicyTool
    seats: Seats
    active: int
    waiting: int
    reviews: tuple[str, ...]
    stop: Stop | None


async def grants(call: PageCall) -> Response:
    """Show the grants of the tools that this person reviews anywhere, or everybody's; filtered by tool, person and state.

    An act is offered only for those that they may act on.
    """
    query = call.request.query_params
    state, tool, person = query.get("state", "active"), query.get("tool", ""), query.get("person", "").strip()
    all_of_them = call.has(Role.OPERATOR, Role.AUDITOR)
    found = await call.service.turns.read(
        lambda tx: find_grants(
            tx,
            state=state if state in STATES else "",
            tool=tool,
            person=person[:100],
            only=None if all_of_them else tools_reviewed_by(call.policy, call.me),
            limit=_MOST + 1,
            now=call.now,
        )
    )
    return render_page(
        call,
        "grants.html",
        title="Grants",
        found=found[:_MOST],
        open_to_me={one.id for one in found[:_MOST] if _may_act_on(call, one)},
        more=len(found) > _MOST,
        states=STATES,
        chosen_state=state,
        chosen_tool=tool,
        person=person,
    )


def _may_act_on(call: PageCall, one: GrantRow) -> bool:
    if one.state not in _CHANGEABLE:
        return False
    return call.has(Role.OPERATOR) or (
        call.has(Role.APPROVER)
        and may_act_on_grant(call.policy, call.me, tool=one.tool, zones=one.zones, now=call.now)
    )


async def tools(call: PageCall) -> Response:
    """Show every tool of the catalogue with its seats, who reviews it, and whether it is stopped."""

    def look(tx: Connection) -> tuple[list[ToolRow], dict[tuple[str, str], Stop]]:
        used = grants_by_tool(tx, now=call.now)
        stops = {(one.kind, one.name): one for one in stops_in_force(tx)}
        rows = [
            ToolRow(
                tool=tool,
                seats=seats_of(tx, call.policy, tool.id, now=call.now),
                active=used.get((tool.id, "active"), 0) + used.get((tool.id, "suspended"), 0),
                waiting=used.get((tool.id, "waitlisted"), 0),
                reviews=tuple(source_words(entry) for entry in reviews_needed(call.policy, tool, ())),
                stop=stops.get(("tool", tool.id)) or stops.get(("vendor", tool.vendor)),
            )
            for tool in call.policy.tools
        ]
        return rows, stops

    rows, stops = await call.service.turns.read(look)
    vendors = sorted({(tool.vendor, tool.vendor_name) for tool in call.policy.tools})
    return render_page(
        call,
        "tools.html",
        title="Tools",
        rows=rows,
        vendors=[(vendor, name, stops.get(("vendor", vendor))) for vendor, name in vendors],
        operates=call.has(Role.OPERATOR),
    )
