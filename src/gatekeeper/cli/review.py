"""`gatekeeper review`: what waits for your review, and where you decide about it.

This workstation's credential reads the inbox and never decides: a decision takes a person's step-up in the
console. So `approve`, `deny` and `revoke` open the console's page (or print where it is), and wait until it is done.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gatekeeper.cli.formats.text import CROSS, PROMPT, TICK, is_terminal, print_table, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.moments import parse_duration, render_moment
from gatekeeper.cli.options import Json, WaitTimeout
from gatekeeper.cli.request import NO_ZONE
from gatekeeper.cli.requests import require_id
from gatekeeper.codes import CODES
from gatekeeper.documents.api import OPEN_STATES
from gatekeeper.errors import GatekeeperError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatekeeper.documents.api import RequestView

EXAMPLES = ("gatekeeper review list", "gatekeeper review show R-12", "gatekeeper review approve R-12 R-13")
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="See what waits for your review, and decide about it in the console.\n\n\b\nExamples:\n"
    + "\n".join(f"  {example}" for example in EXAMPLES),
)
# A browser is opened only where there is a window to open it in: elsewhere a text browser would take the terminal.
_WINDOWS = ("DISPLAY", "WAYLAND_DISPLAY")


def _examples(*lines: str) -> str:
    return "\n\n\b\nExamples:\n" + "\n".join(f"  gatekeeper review {line}" for line in lines)


def list_inbox(ctx: typer.Context, *, as_json: Json = False) -> int:
    """List what waits for your review, the oldest first."""
    here: Here = ctx.obj.here()
    here.require_sign_in()
    with waiting(f"Asking {here.settings.service}"):
        found = here.calls.inbox()
    if as_json:
        from gatekeeper.cli.formats.json import print_json, review_members

        print_json({"requests": [review_members(one) for one in found]})
    elif not found:
        say("Nothing waits for your review.")
    else:
        print_table(
            ("ID", "FOR", "TOOL", "WHERE", "TIME", "POLICY", "LIKE IT", "REASON"),
            [
                (
                    one.id,
                    one.subject_name,
                    one.tool,
                    _where(one),
                    one.duration,
                    one.verdict,
                    one.precedent,
                    one.reason,
                )
                for one in found
            ],
        )
        say(f"Decide in the console: {_inbox(here)}", sys.stderr)
    return 0


def show(
    ctx: typer.Context, request: Annotated[str, typer.Argument(metavar="ID")], *, as_json: Json = False
) -> int:
    """Show one request that waits for your review, in full."""
    here: Here = ctx.obj.here()
    here.require_sign_in()
    wanted = require_id(request)
    with waiting(f"Asking {here.settings.service}"):
        one = here.calls.request(wanted)
    if as_json:
        from gatekeeper.cli.formats.json import print_json, review_members

        print_json(review_members(one))
        return 0
    rows = [
        ("request", one.id),
        ("state", one.state),
        ("for", one.subject_name),
        ("groups", ", ".join(one.groups)),
        ("members", ", ".join(one.members)),
        ("tool", one.tool),
        ("where", _where(one)),
        ("time", one.duration),
        ("reason", one.reason),
        ("ticket", one.ticket),
        (
            "asked",
            f"{render_moment(one.created_at, now=here.now)} by {one.requester_name or one.subject_name}",
        ),
        ("device", one.device),
        ("policy", one.verdict),
        ("like it", one.precedent),
        ("claimed by", one.claimed_by),
        ("question", f"{one.question_by}: {one.question}" if one.question else ""),
        ("waits for", ", ".join(one.waits_for)),
        ("note", " ".join(one.notes)),
        ("decided by", one.decided_by),
        ("answer", one.decision_reason),
        ("link", one.url),
    ]
    for label, words in rows:
        if words:
            say(f"{label:<12}{words}")
    return 0


Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Access requests, such as R-12.")]


def approve(ctx: typer.Context, ids: Ids, *, wait_timeout: WaitTimeout = "30m", as_json: Json = False) -> int:
    """Open the console's page to approve requests there, and wait for the outcome. Exits 0 approved, 3 denied, 5 undecided."""
    return _decide(
        ctx.obj.here(), ids, timeout=parse_duration(wait_timeout, option="--wait-timeout"), as_json=as_json
    )


def deny(ctx: typer.Context, ids: Ids, *, wait_timeout: WaitTimeout = "30m", as_json: Json = False) -> int:
    """Open the console's page to deny requests there, and wait for the outcome. Exits 0 approved, 3 denied, 5 undecided."""
    return _decide(
        ctx.obj.here(), ids, timeout=parse_duration(wait_timeout, option="--wait-timeout"), as_json=as_json
    )


def revoke(
    ctx: typer.Context, grant: Annotated[str, typer.Argument(metavar="GRANT", help="Such as G-12.")]
) -> int:
    """Open the console's page to revoke a grant there: its effect is at each device's next renewal."""
    here: Here = ctx.obj.here()
    number = grant.upper().removeprefix("G-")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise GatekeeperError("GK100", f"{grant!r} is not the id of a grant, such as G-12.")
    here.require_sign_in()
    _open(here, f"{here.settings.service}/grants?state=&id=G-{number}")
    return 0


def _decide(here: Here, ids: list[str], *, timeout: int, as_json: bool) -> int:
    here.require_sign_in()
    wanted = list(dict.fromkeys(require_id(one) for one in ids))
    with waiting(f"Asking {here.settings.service}"):
        seen = [here.calls.request(one) for one in wanted]
    if any(one.state in OPEN_STATES for one in seen):
        _open(here, seen[0].url if len(seen) == 1 and seen[0].url else _inbox(here))
    outcomes = []
    for one in seen:
        if one.state not in OPEN_STATES:
            outcomes.append(one)
            continue
        try:
            with waiting(f"Waiting until {one.id} is decided (Ctrl-C leaves it as it is)"):
                outcomes.append(here.calls.wait_for(one.id, timeout=timeout))
        except KeyboardInterrupt:
            raise GatekeeperError(
                "GK902", f"{one.id} stays as it is.", remedy=f"gatekeeper review show {one.id}"
            ) from None
    if as_json:
        from gatekeeper.cli.formats.json import print_json, review_members

        print_json({"requests": [review_members(one) for one in outcomes]})
    else:
        for one in outcomes:
            _say_outcome(one)
    return _exit_of(outcomes)


def _say_outcome(one: RequestView) -> None:
    by = f" by {one.decided_by}" if one.decided_by else ""
    if one.state in OPEN_STATES:
        left = f" It waits for: {', '.join(one.waits_for)}." if one.waits_for else ""
        say(f"{PROMPT} {one.id} is {one.state}.{left}")
    else:
        say(f"{TICK if one.state == 'approved' else CROSS} {one.id} was {one.state}{by}.")


def _exit_of(outcomes: Sequence[RequestView]) -> int:
    if any(one.state in OPEN_STATES for one in outcomes):
        return CODES["GK401"].check_exit
    return 0 if all(one.state == "approved" for one in outcomes) else CODES["GK309"].check_exit


def _open(here: Here, address: str) -> None:
    """Open a page of the console where a person sits at a window, and say where it is in any case."""
    if here.may_ask() and is_terminal(sys.stderr) and _has_window(here.world.environment()):
        import webbrowser

        webbrowser.open(address)
    say(f"Decide in the console: {address}", sys.stderr)


def _has_window(environment: Mapping[str, str]) -> bool:
    return sys.platform in ("darwin", "win32") or any(environment.get(name) for name in _WINDOWS)


def _inbox(here: Here) -> str:
    return f"{here.settings.service}/inbox"


def _where(one: RequestView) -> str:
    return "" if one.zones == NO_ZONE else ", ".join(one.zones)


app.command("list", help=f"{list_inbox.__doc__}{_examples('list', 'list --json')}")(list_inbox)
app.command("show", help=f"{show.__doc__}{_examples('show R-12')}")(show)
app.command("approve", help=f"{approve.__doc__}{_examples('approve R-12 R-13')}")(approve)
app.command("deny", help=f"{deny.__doc__}{_examples('deny R-12')}")(deny)
app.command("revoke", help=f"{revoke.__doc__}{_examples('revoke G-7')}")(revoke)
