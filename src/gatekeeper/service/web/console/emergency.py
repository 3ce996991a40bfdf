"""Breaking the glass in the console: which tools policy offers for an emergency, and the act that takes one.

It is an act like the others: shown first, confirmed by the person's own step-up, performed after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.documents.api import NewRequest
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.break_glass import LASTS_FOR, break_glass, check_offered_in_emergency
from gatekeeper.service.access.reviews import STEP_UP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from gatekeeper.service.policy.catalogue import PolicyTool
    from gatekeeper.service.web.console.page_calls import PageCall


def emergency_tools(call: PageCall) -> list[PolicyTool]:
    """Return the tools that policy offers this person in an emergency, outside every zone."""
    return [tool for tool in call.policy.tools if _is_offered(call, tool.id)]


def describe_emergency(
    _: Connection, call: PageCall, __: object, wanted: str, form: Mapping[str, str]
) -> dict[str, Any]:
    """Return what taking the tool of a hostile id would be.

    Raises:
        GatekeeperError: GK302, GK303, GK310, it isn't offered; GK404, the reason is too short; GK410.
    """
    asked = check_offered_in_emergency(
        call.policy, call.me, _new(wanted, form.get("reason", "")), now=call.now
    )
    return {"name": call.me.name, "tool": asked.tool, "zones": list(asked.zones), "duration_for": LASTS_FOR}


def do_emergency(tx: Connection, call: PageCall, item: Mapping[str, Any]) -> str:
    """Take it. Raises as `break_glass` does."""
    new = _new(str(item["object"]), str(item["reason"]))
    request, _ = break_glass(tx, policy=call.policy, subject=call.me, new=new, method=STEP_UP, now=call.now)
    return f"Granted for four hours; {request.id} is reviewed afterwards"


def _is_offered(call: PageCall, tool: str) -> bool:
    long_enough = "x" * 1000  # whether there is a reason is asked later
    try:
        check_offered_in_emergency(call.policy, call.me, _new(tool, long_enough), now=call.now)
    except GatekeeperError:
        return False
    return True


def _new(tool: str, reason: str) -> NewRequest:
    return NewRequest(tool=tool, reason=reason.strip())
