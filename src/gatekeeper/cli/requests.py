"""`gatekeeper requests`: your access requests, one of them in full, or the end of one."""

from __future__ import annotations

from typing import Annotated

import typer

from gatekeeper.cli.approvals import newest_first
from gatekeeper.cli.formats.text import TICK, print_table, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.cli.request import NO_ZONE
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.keeping import remove_standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekeeper.documents.api import RequestView

EXAMPLES = (
    "gatekeeper requests",
    "gatekeeper requests R-12",
    'gatekeeper requests reply R-12 "Only the billing service."',
    "gatekeeper requests cancel R-12",
)


def requests(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID | reply ID TEXT | cancel ID]",
            help="One request in full; the answer to a question about it; or the one to withdraw.",
        ),
    ] = None,
    *,
    as_json: Json = False,
) -> int:
    """List your access requests, show one, answer a question about one, or withdraw one."""
    here: Here = ctx.obj.here()
    match words or []:
        case []:
            return _list(here, as_json=as_json)
        case ["cancel", request_id]:
            return _cancel(here, require_id(request_id), as_json=as_json)
        case ["reply", request_id, text]:
            return _reply(here, require_id(request_id), text, as_json=as_json)
        case [request_id] if request_id not in {"cancel", "reply"}:
            return _show(here, require_id(request_id), as_json=as_json)
        case _:
            raise GatekeeperError(
                "GK100",
                "requests takes nothing, an ID, reply with an ID and a text, or cancel and an ID.",
                remedy="gatekeeper requests --help",
            )


def require_id(text: str) -> str:
    """Return an id as the service writes it. GatekeeperError GK100 for anything but R-N: it becomes part of a path."""
    id_ = text.upper()
    number = id_.removeprefix("R-")
    if id_ == number or not (number.isascii() and number.isdigit() and len(number) < 19):
        raise GatekeeperError(
            "GK100", f"{text!r} is not the id of a request, such as R-12.", remedy="gatekeeper requests"
        )
    return id_


def _list(here: Here, *, as_json: bool) -> int:
    here.require_sign_in()
    with waiting(f"Asking {here.settings.service}"):
        found: Sequence[RequestView] = newest_first(here.calls.requests())
    if as_json:
        from gatekeeper.cli.formats.json import print_json, request_members

        print_json({"requests": [request_members(one) for one in found]})
    elif not found:
        say("No requests yet.")
    else:
        print_table(
            ("ID", "TOOL", "STATE", "FOR", "ASKED", "REASON", "ANSWER"),
            [
                (
                    one.id,
                    one.tool,
                    one.state,
                    one.duration,
                    render_moment(one.created_at, now=here.now),
                    one.reason,
                    _answer(one),
                )
                for one in found
            ],
        )
    return 0


def _answer(one: RequestView) -> str:
    if one.question:
        return f"{one.question_by} asks: {one.question}"
    if one.place is not None:
        return f"place {one.place} in the queue"
    return ": ".join(part for part in (one.decided_by, one.decision_reason) if part)


def _show(here: Here, request_id: str, *, as_json: bool) -> int:
    here.require_sign_in()
    with waiting(f"Asking {here.settings.service}"):
        one = here.calls.request(request_id)
    _print_one(here, one, as_json=as_json)
    return 0


def _cancel(here: Here, request_id: str, *, as_json: bool) -> int:
    here.require_sign_in()
    with waiting(f"Asking {here.settings.service}"):
        one = here.calls.cancel_request(request_id)
        remove_standing(here.world, here.directory)
    if as_json:
        _print_one(here, one, as_json=True)
    else:
        say(f"{TICK} {one.id} ({one.tool}) is {one.state}.")
    return 0


def _reply(here: Here, request_id: str, text: str, *, as_json: bool) -> int:
    here.require_sign_in()
    with waiting(f"Asking {here.settings.service}"):
        one = here.calls.reply(request_id, text)
        remove_standing(here.world, here.directory)
    if as_json:
        _print_one(here, one, as_json=True)
    else:
        say(f"{TICK} Your answer is kept. {one.id} ({one.tool}) is {one.state}.")
    return 0


def _print_one(here: Here, one: RequestView, *, as_json: bool) -> None:
    if as_json:
        from gatekeeper.cli.formats.json import print_json, request_members

        print_json(request_members(one))
        return
    rows = [
        ("request", one.id),
        ("tool", one.tool),
        ("state", one.state),
        ("for", one.duration),
        ("zones", "" if one.zones == NO_ZONE else ", ".join(one.zones)),
        ("ticket", one.ticket),
        ("asked for", one.subject_name if one.requester_name else ""),
        ("members", ", ".join(one.members)),
        (
            "asked",
            f"{render_moment(one.created_at, now=here.now)} by {one.requester_name or one.subject_name}",
        ),
        ("reason", one.reason),
        ("question", f"{one.question_by}: {one.question}" if one.question else ""),
        ("waits for", ", ".join(one.waits_for)),
        ("note", " ".join(one.notes)),
        ("decided by", one.decided_by),
        ("answer", one.decision_reason),
        ("grant", one.grant),
        ("place", "" if one.place is None else str(one.place)),
        ("link", one.url),
    ]
    for label, words in rows:
        if words:
            say(f"{label:<12}{words}")
