"""`gatekeeper sync`: renew every tool's token, the catalogue and the root document now, and say what came of it."""

from __future__ import annotations

from typing import Annotated

import typer

from gatekeeper.cli.check import exit_of
from gatekeeper.cli.formats.text import print_table, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.moments import parse_duration, render_moment
from gatekeeper.cli.options import Json
from gatekeeper.codes import CODES, PENDING, REFUSED
from gatekeeper.decision.facts import NotTried
from gatekeeper.decision.notice import render_span
from gatekeeper.decision.obstacles import Refused, Renewed, Unreachable, Untrusted
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.obstacles import Renewal
    from gatekeeper.documents.launch_token import LaunchToken

_ROUNDING = 60  # seconds that are no difference to a person
EXAMPLES = ("gatekeeper sync", "gatekeeper sync --lease 72h", "gatekeeper sync --json")


class Outcome(Value):
    """What became of one tool. `code` is "" where its token was renewed."""

    tool: str
    code: str
    words: str
    exit: int
    token_ends: int | None


def sync(
    ctx: typer.Context,
    *,
    lease: Annotated[
        str | None,
        typer.Option(
            "--lease",
            metavar="TIME",
            help="Ask for tokens that work this long offline, as far as policy allows.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Renew every approval now. A tool that isn't approved for you is no error; a service that can't be reached is."""
    here: Here = ctx.obj.here()
    lease_for = None if lease is None else parse_duration(lease, option="--lease")
    here.require_sign_in()
    with waiting(f"Renewing with {here.settings.service}"):
        renewals = here.calls.sync(lease_for=lease_for)
    here.forget_held()
    outcomes = [_outcome(here, tool, renewal, lease_for=lease_for) for tool, renewal in renewals]
    status = exit_of([one.exit for one in outcomes])
    if as_json:
        from gatekeeper.cli.formats.json import instant, print_json

        print_json(
            {
                "tools": [
                    {
                        "tool": one.tool,
                        "renewed": not one.code,
                        "code": one.code or None,
                        "detail": one.words or None,
                        "token_ends": instant(one.token_ends),
                    }
                    for one in outcomes
                ],
                "exit": status,
            }
        )
    elif not outcomes:
        say("Nothing is approved for you yet, so there is nothing to renew.")
    else:
        print_table(
            ("TOOL", "OUTCOME", "USABLE OFFLINE UNTIL", "CODE"),
            [
                (
                    one.tool,
                    one.words,
                    "" if one.token_ends is None else render_moment(one.token_ends, now=here.now),
                    one.code,
                )
                for one in outcomes
            ],
        )
    return status


def _shorter(token: LaunchToken | None, lease_for: int | None) -> str:
    """Say why a token lasts less than was asked for, "" where it doesn't."""
    if token is None or lease_for is None:
        return ""
    given = token.expires_at - token.issued_at
    if given >= lease_for - _ROUNDING:
        return ""
    if token.grant_ends is not None and token.grant_ends <= token.expires_at + _ROUNDING:
        return "; the approval ends before that"
    hours, rest = divmod(given, 3_600)
    return f"; the policy allows {f'{hours} h' if hours and not rest else render_span(given)}"


def _outcome(here: Here, tool: str, renewal: Renewal, *, lease_for: int | None) -> Outcome:
    token = here.held.token(tool)
    ends = None if token is None else token.expires_at
    match renewal:
        case Renewed():
            words = f"renewed{_shorter(token, lease_for)}"
            return Outcome(tool=tool, code="", words=words, exit=0, token_ends=ends)
        case NotTried():
            return Outcome(tool=tool, code="", words="fresh already", exit=0, token_ends=ends)
        case Refused(code=code, problem=problem):
            row = CODES.get(code) or CODES["GK602"]
            # Not approved is an answer, and the answer was had.
            status = 0 if row.kind in (REFUSED, PENDING) else row.check_exit
            reason = problem.reason if problem is not None else ""
            by = f" by {problem.by}" if problem is not None and problem.by else ""
            words = f"{row.title}{by}{f': {reason}' if reason else ''}"
            return Outcome(tool=tool, code=code, words=words, exit=status, token_ends=ends)
        case Untrusted(code=code, detail=detail) | Unreachable(code=code, detail=detail):
            status = CODES[code].check_exit
            return Outcome(tool=tool, code=code, words=detail, exit=status, token_ends=ends)
