"""What everyone has: their own approvals and requests, asking for a tool, taking a request back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import NewRequest
from gatekeeper.documents.catalogue import APPROVAL, OPEN
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.grants import grants_of
from gatekeeper.service.access.questions import reply
from gatekeeper.service.access.requests import cancel_request, create_request, requests_of
from gatekeeper.service.web.bodies import read_form
from gatekeeper.service.web.console.emergency import emergency_tools
from gatekeeper.service.web.console.forms import chosen
from gatekeeper.service.web.console.render import render_page
from gatekeeper.service.web.console.serving import see

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.access.request_rows import AccessRequest
    from gatekeeper.service.web.console.page_calls import PageCall

_SHOWN = 50


async def home(call: PageCall) -> Response:
    """Lead to the page that this person has come for."""
    return see("/inbox" if call.waiting else "/approvals")


async def approvals(call: PageCall) -> Response:
    """Show the person's grants and requests, what stands first."""
    held, asked = await call.service.turns.read(
        lambda tx: (
            grants_of(tx, call.me.id, now=call.now),
            requests_of(tx, call.me.id, now=call.now),
        )
    )
    standing = [grant for grant in held if grant.state in {"active", "suspended", "waitlisted"}]
    return render_page(
        call,
        "approvals.html",
        title="My approvals",
        standing=standing,
        ended=[grant for grant in held if grant not in standing][:_SHOWN],
        waiting=[request for request in asked if request.state in {"pending", "question"}],
        answered=[request for request in asked if request.state not in {"pending", "question"}][:_SHOWN],
        open_tools=[tool for tool in call.policy.tools if tool.access == OPEN],
        tools={tool.id: tool for tool in call.policy.tools},
    )


async def ask_form(call: PageCall) -> Response:
    """Show the form to ask for a tool."""
    return _form(call, {"tool": call.request.query_params.get("tool", "")}, problem="")


async def ask(call: PageCall) -> Response:
    """Make a request; what can't be one is shown again, with what is wrong."""
    form = await read_form(call.request)
    new = NewRequest(
        tool=form.get("tool", ""),
        reason=form.get("reason", "").strip(),
        duration=form.get("duration", "").strip(),
        zones=chosen(form, "zone-"),
        ticket=form.get("ticket", "").strip(),
    )

    def work(tx: Connection) -> AccessRequest:
        return create_request(
            tx, policy=call.policy, subject=call.me, new=new, idempotency_key="", now=call.now
        )[0]

    try:
        request = await call.service.turns.write(work)
    except GatekeeperError as error:
        return _form(call, form, problem=error.detail)
    return see(f"/requests/{request.id}")


async def cancel(call: PageCall) -> Response:
    """Take one's own request back."""
    wanted = str(call.request.path_params["request"])
    await call.service.turns.write(lambda tx: cancel_request(tx, wanted, subject=call.me, now=call.now))
    return see(f"/requests/{wanted}")


async def answer(call: PageCall) -> Response:
    """Reply to an approver's question about one's own request."""
    wanted = str(call.request.path_params["request"])
    form = await read_form(call.request)
    text = form.get("text", "").strip()
    await call.service.turns.write(lambda tx: reply(tx, wanted, subject=call.me, text=text, now=call.now))
    return see(f"/requests/{wanted}")


def _form(call: PageCall, form: dict[str, str], *, problem: str) -> Response:
    offered = [tool for tool in call.policy.tools if tool.access == APPROVAL]
    return render_page(
        call,
        "ask.html",
        title="Ask for a tool",
        status=422 if problem else 200,
        problem=problem,
        form=form,
        offered=offered,
        zones=call.policy.zones,
        emergencies=emergency_tools(call),
    )
