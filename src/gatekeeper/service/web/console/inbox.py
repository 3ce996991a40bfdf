"""The inbox: what waits for this person, equal asks together, and one request looked at closely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.claims import claim_request, release_request
from gatekeeper.service.access.questions import ask_question
from gatekeeper.service.access.reviews import STEP_UP
from gatekeeper.service.web.bodies import read_form
from gatekeeper.service.web.console.asks import Ask, asks_for, closely
from gatekeeper.service.web.console.render import render_page
from gatekeeper.service.web.console.serving import see
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.web.console.page_calls import PageCall


class Group(Value):
    """Asks for the same tool, scope and duration: what is right for one is probably right for all."""

    rows: tuple[Ask, ...]


async def show(call: PageCall) -> Response:
    """Show what waits, filtered by tool, claim and words."""
    query = call.request.query_params
    tool, show_only = query.get("tool", ""), query.get("show", "")
    person = query.get("person", "").strip()[:100]
    asks = await call.service.turns.read(lambda tx: asks_for(tx, call))
    wanted = [one for one in asks if _is_wanted(one, call.me.name, tool=tool, show=show_only, words=person)]
    return render_page(
        call,
        "inbox.html",
        title="Inbox",
        total=len(asks),
        shown=len(wanted),
        groups=grouped(wanted),
        tools=sorted({(one.tool, one.tool_name) for one in asks}),
        tool=tool,
        show=show_only,
        person=person,
    )


def grouped(asks: list[Ask]) -> list[Group]:
    """Return equal asks together, each group where its oldest stands. Pure."""
    groups: dict[str, list[Ask]] = {}
    for one in asks:
        groups.setdefault(one.alike, []).append(one)
    return [Group(rows=tuple(rows)) for rows in groups.values()]


async def look(call: PageCall) -> Response:
    """Show one request: to whoever asked, may decide it, audits or operates.

    Raises:
        GatekeeperError: GK409, there is none, as far as this person may know.
    """
    wanted = str(call.request.path_params["request"])
    facts = await call.service.turns.read(lambda tx: closely(tx, call, wanted))
    return render_page(call, "request.html", **facts)


async def question(call: PageCall) -> Response:
    """Ask whoever asked. Raises as `ask_question` does."""
    form = await read_form(call.request)
    text = form.get("text", "").strip()

    def work(tx: Connection, wanted: str) -> None:
        ask_question(tx, wanted, reviewer=call.me, method=STEP_UP, text=text, now=call.now)

    return await _act(call, work)


async def claim(call: PageCall) -> Response:
    """Say that one is looking at it, so that nobody does so twice."""
    return await _act(call, lambda tx, wanted: claim_request(tx, wanted, reviewer=call.me, now=call.now))


async def release(call: PageCall) -> Response:
    """Let others have it."""
    return await _act(call, lambda tx, wanted: release_request(tx, wanted, reviewer=call.me, now=call.now))


async def _act(call: PageCall, work: Callable[[Connection, str], object]) -> Response:
    """Do something to a request that this person may decide, and show it."""
    wanted = str(call.request.path_params["request"])

    def do(tx: Connection) -> None:
        if not closely(tx, call, wanted)["may_decide"]:
            raise GatekeeperError("GK409", "There is no such request.")
        work(tx, wanted)

    await call.service.turns.write(do)
    return see(f"/requests/{wanted}")


def _is_wanted(one: Ask, me: str, *, tool: str, show: str, words: str) -> bool:
    if tool and one.tool != tool:
        return False
    if show == "mine" and one.claimed_by != me:
        return False
    if show == "free" and one.claimed_by not in {"", me}:
        return False
    return not words or words.casefold() in f"{one.name} {one.display} {one.reason}".casefold()
