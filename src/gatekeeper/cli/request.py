"""`gatekeeper request`: ask for the approval of a tool; with `--wait`, wait for the answer.

The same request twice is one request: while one is pending for the same tool and scope, the service answers with
that one. Ctrl-C ends the waiting and never the request.
"""

from __future__ import annotations

import sys
from secrets import token_urlsafe
from typing import Annotated

import typer

from gatekeeper.cli.approvals import newest_first
from gatekeeper.cli.check import require_tool
from gatekeeper.cli.formats.text import CROSS, PROMPT, TICK, is_terminal, say, waiting, write
from gatekeeper.cli.here import Here
from gatekeeper.cli.moments import parse_duration, render_moment
from gatekeeper.cli.options import Json, Wait, WaitTimeout
from gatekeeper.cli.request_terms import settle_terms
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.codes import CODES
from gatekeeper.decision.notice import quote, render_span
from gatekeeper.documents.api import OPEN_STATES, NewRequest, RequestView
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.keeping import remove_standing

EXAMPLES = (
    'gatekeeper request claude --reason "Refactor the billing service"',
    'gatekeeper request claude --reason "…" --for 30d --ticket BILL-412',
    'gatekeeper request codex --reason "…" --wait --wait-timeout 1h',
    "gatekeeper request claude --renew             the last reason, scope and duration again",
    'gatekeeper request claude --reason "…" --for-group web-team',
    "gatekeeper request claude --accept-terms      read and accept the tool's terms",
)
APPROVED = "approved"
NO_ZONE = ("none",)  # outside every zone: the ordinary case, not worth a word


def request(
    ctx: typer.Context,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Id or executable name.", show_default=False)],
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What you want it for. Approvers decide by it.")
    ] = "",
    duration: Annotated[
        str,
        typer.Option(
            "--for", metavar="TIME", help="For how long, such as 30d or 12h; else what policy gives."
        ),
    ] = "",
    zone: Annotated[
        list[str] | None,
        typer.Option("--zone", metavar="ZONE", help="A zone of repositories. May be repeated."),
    ] = None,
    ticket: Annotated[
        str, typer.Option("--ticket", metavar="ID", help="The ticket that this belongs to.")
    ] = "",
    for_group: Annotated[
        str, typer.Option("--for-group", metavar="GROUP", help="For everybody in a group, reviewed once.")
    ] = "",
    for_subject: Annotated[
        list[str] | None,
        typer.Option("--for-subject", metavar="NAME", help="For this person. May be repeated."),
    ] = None,
    for_workload: Annotated[
        str, typer.Option("--for-workload", metavar="ID", help="For a CI job, as the service names it.")
    ] = "",
    renew: Annotated[
        bool, typer.Option("--renew", help="Ask again as the last time: reason, zones, duration, ticket.")
    ] = False,
    accept_terms: Annotated[
        bool,
        typer.Option("--accept-terms", help="Accept the tool's terms; without a reason, do only that."),
    ] = False,
    wait: Wait = False,
    wait_timeout: WaitTimeout = "30m",
    as_json: Json = False,
) -> int:
    """Ask for the approval of TOOL. Exits 0 once it is recorded; with --wait 0 when approved, 3 when denied, 5 while unanswered."""
    here: Here = ctx.obj.here()
    require_tool(tool)
    timeout = parse_duration(wait_timeout, option="--wait-timeout")
    if duration:
        parse_duration(duration, option="--for")
    here.require_sign_in()
    tool = here.tool_id(tool)
    new = NewRequest(
        tool=tool,
        reason=reason,
        duration=duration,
        zones=tuple(zone or ()),
        ticket=ticket,
        group=for_group,
        subjects=tuple(for_subject or ()),
        workload=for_workload,
    )
    if sum(map(bool, (new.group, new.subjects, new.workload))) > 1:
        raise GatekeeperError("GK100", "request takes one of --for-group, --for-subject and --for-workload.")
    if accept_terms and not (reason or renew):
        return _only_terms(here, tool, as_json=as_json)
    recorded, created = _send(here, _completed(here, new, renew=renew))
    if recorded.terms_needed:
        settle_terms(here, tool, accepted=accept_terms, quiet=as_json)
    if not as_json:
        _say_recorded(recorded, created=created)
        if recorded.state in OPEN_STATES:
            _say_next(recorded, new, created=created, wait=wait)
    if wait and recorded.state in OPEN_STATES:
        recorded = _await(here, recorded, timeout)
        if not as_json:
            say_answer(recorded, waited=timeout)
    if as_json:
        from gatekeeper.cli.formats.json import print_json, request_members

        print_json({**request_members(recorded), "created": created})
    return exit_of(recorded) if wait else 0


def _only_terms(here: Here, tool: str, *, as_json: bool) -> int:
    accepted = settle_terms(here, tool, accepted=True, quiet=as_json)
    remove_standing(here.world, here.directory)
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json({"tool": tool, "terms_accepted": accepted})
    return 0


def _completed(here: Here, new: NewRequest, *, renew: bool) -> NewRequest:
    """Fill in what wasn't said: from the last request where it is renewed, else by asking for the reason."""
    if not renew:
        if not (new.group or new.subjects or new.workload):
            _warn_approved(here, new.tool)
        return new.replace(reason=new.reason or _ask_reason(here, new.tool))
    last = _last(here, new.tool)
    return new.replace(
        reason=new.reason or last.reason,
        duration=new.duration or last.duration,
        zones=new.zones or last.zones,
        ticket=new.ticket or last.ticket,
    )


def _last(here: Here, tool: str) -> RequestView:
    """Return the own request to renew: the newest that was approved, else the newest. GatekeeperError GK409: none."""
    with waiting(f"Asking {here.settings.service}"):
        own = [
            one for one in newest_first(here.calls.requests()) if one.tool == tool and not one.requester_name
        ]
    approved = [one for one in own if one.state == APPROVED and not one.break_glass]
    if not own:
        raise GatekeeperError(
            "GK409",
            f"There is no earlier request for {tool} to renew.",
            remedy=f'gatekeeper request {quote(tool)} --reason "…"',
        )
    return (approved or own)[0]


def _warn_approved(here: Here, tool: str) -> None:
    """Say that the tool is approved already, as far as the state knows: no call is made for it."""
    token = here.held.token(tool)
    if token is None or not token.grant or token.grant_ends is None or not here.held.usable(tool):
        return
    until = render_moment(token.grant_ends, now=here.now)
    say(f"gatekeeper: {tool} is approved already: {token.grant} stands until {until}.", sys.stderr)


def _ask_reason(here: Here, tool: str) -> str:
    if not here.may_ask():
        raise GatekeeperError(
            "GK100", "request needs a reason.", remedy=f'gatekeeper request {quote(tool)} --reason "…"'
        )
    return str(typer.prompt("Reason", err=True)).strip()


def _send(here: Here, new: NewRequest) -> tuple[RequestView, bool]:
    """Send it; once more under the same key where the answer was lost, which can't make two requests of it."""
    key = token_urlsafe(18)
    with waiting(f"Sending the request to {here.settings.service}"):
        try:
            return here.calls.create_request(new, key=key)
        except ServiceUnreachable:
            return here.calls.create_request(new, key=key)
        except ServiceRefused as error:
            row = CODES.get(error.code)
            error.remedy = error.remedy or (
                "" if row is None else row.remedy.replace("TOOL", quote(new.tool))
            )
            raise
        finally:
            remove_standing(here.world, here.directory)


def _await(here: Here, recorded: RequestView, timeout: int) -> RequestView:
    try:
        with waiting(f"Waiting for an answer to {recorded.id} (Ctrl-C keeps the request)"):
            answered = here.calls.wait_for(recorded.id, timeout=timeout)
    except KeyboardInterrupt:
        raise GatekeeperError(
            "GK902", f"The request {recorded.id} stays.", remedy=f"gatekeeper requests {recorded.id}"
        ) from None
    if answered.state not in OPEN_STATES and is_terminal(sys.stderr):
        write(sys.stderr, "\a")
    return answered


def _say_recorded(recorded: RequestView, *, created: bool) -> None:
    lasting = f" for {recorded.duration}" if recorded.duration else ""
    scope = "" if recorded.zones in ((), NO_ZONE) else f" in {', '.join(recorded.zones)}"
    if created:
        say(f"{TICK} {recorded.id}: {recorded.tool}{lasting}{scope} was asked for.")
    else:
        say(f"{TICK} {recorded.id} stands already: {recorded.tool}{lasting}{scope}, {recorded.state}.")
    if len(recorded.members) > 1:
        say(
            f"  For {len(recorded.members)}: {', '.join(recorded.members[:5])}{' …' * (len(recorded.members) > 5)}"
        )
    if recorded.state == APPROVED and recorded.place is None:
        say(f"  Approved at once{f' by {recorded.decided_by}' if recorded.decided_by else ''}.")
    if recorded.place is not None:
        say(f"  Approved; all seats are taken. Place in the queue: {recorded.place}")
    if recorded.waits_for:
        say(f"  Waits for: {', '.join(recorded.waits_for)}")
    for note in recorded.notes:
        say(f"  {note}")
    if recorded.url:
        say(f"  {recorded.url}")


def _say_next(recorded: RequestView, new: NewRequest, *, created: bool, wait: bool) -> None:
    """Say what to do next; where an older request stands and asks for something else, that it was kept."""
    same = (
        new.reason == recorded.reason
        and new.duration in ("", recorded.duration)
        and (new.zones or NO_ZONE) == (recorded.zones or NO_ZONE)
    )
    if not created and not same:
        say(
            f'  It was kept as it is ("{recorded.reason}"). To ask anew: gatekeeper requests cancel {recorded.id}'
        )
    elif not wait:
        say(f"  Next: gatekeeper requests {recorded.id}, or gatekeeper run --wait {quote(recorded.tool)}")


def say_answer(request: RequestView, *, waited: int) -> None:
    """Say in one line how a request stands, by whom and why. `waited` is in seconds."""
    by = f" by {request.decided_by}" if request.decided_by else ""
    why = f": {request.decision_reason}" if request.decision_reason else ""
    if request.question:
        say(f"{PROMPT} {request.question_by} asks about {request.id}: {request.question}")
        say(f'  Answer: gatekeeper requests reply {request.id} "…"')
    elif request.state in OPEN_STATES:
        say(f"{PROMPT} {request.id} is still unanswered after {render_span(waited)} ({request.state}).")
    elif request.state == APPROVED and request.place is not None:
        say(
            f"{TICK} {request.id} was approved{by}{why}. All seats are taken: place {request.place} in the queue. "
            "You move up by yourself."
        )
    elif request.state == APPROVED:
        grant = f" ({request.grant})" if request.grant else ""
        say(f"{TICK} {request.id} was approved{by}{why}{grant}. Now: gatekeeper run {request.tool}")
    else:
        say(f"{CROSS} {request.id} was {request.state}{by}{why}.")


def exit_of(request: RequestView) -> int:
    """Return the exit status that tells a request's state."""
    if request.state == APPROVED:
        return 0 if request.place is None else CODES["GK402"].check_exit
    return CODES["GK401" if request.state in OPEN_STATES else "GK309"].check_exit
