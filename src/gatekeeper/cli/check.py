"""`gatekeeper check`: the decision of `run`, from the same facts, and no launch.

Each tool's verdict goes to stdout; the notice of one that wouldn't start goes to stderr. Several tools
exit by the table's precedence.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gatekeeper.cli.formats.text import CROSS, TICK, glyph_of, is_terminal, print_notice, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.job_help import say_job_help
from gatekeeper.cli.moments import parse_duration, render_moment
from gatekeeper.cli.options import Json, Offline
from gatekeeper.codes import CODES, EXIT_PRECEDENCE
from gatekeeper.decision.decide import STALE
from gatekeeper.decision.facts import Allow, Executable, NotTried
from gatekeeper.decision.notice import Notice, Scene, notice_for, render_span, still_usable, verdict_of
from gatekeeper.decision.obstacles import Pending, Refuse, Undetermined, Unreachable
from gatekeeper.documents.verdict import REFUSE, Verdict, render_verdict
from gatekeeper.errors import GatekeeperError
from gatekeeper.launch import attempt
from gatekeeper.launch.argv import Invocation
from gatekeeper.launch.recognise import measure
from gatekeeper.launch.stopped import NotWarm
from gatekeeper.workstation.keeping import save_digest
from gatekeeper.workstation.state import DeviceState, is_file_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.facts import Facts
    from gatekeeper.decision.obstacles import AnyDecision, Renewal

_ROUNDS = 4  # renewal, digest, decision: more is a defect
FORMATS = ("text", "json")
EXAMPLES = (
    "gatekeeper check claude",
    "gatekeeper check claude codex --json",
    "gatekeeper check claude --min-ttl 2h && ./nightly-refactoring",
)


def check(
    ctx: typer.Context,
    tools: Annotated[list[str], typer.Argument(metavar="TOOL...", help="Ids or executable names.")],
    *,
    min_ttl: Annotated[
        str | None,
        typer.Option("--min-ttl", metavar="TIME", help="How long the approval must last at least."),
    ] = None,
    format_: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text or json.")] = "text",
    as_json: Json = False,
    offline: Offline = False,
) -> int:
    """Decide whether TOOL would start now, and start nothing. Exits 0 if every TOOL would, else by the first of 7, 4, 3, 6, 5, 8 that is present."""
    here: Here = ctx.obj.here()
    if format_ not in FORMATS:
        raise GatekeeperError("GK100", f"--format takes one of {', '.join(FORMATS)}, not {format_!r}.")
    # An empty one is an error: a pipeline whose variable is missing must not check less than it means to.
    least = 0 if min_ttl is None else parse_duration(min_ttl, option="--min-ttl")
    for word in tools:
        require_tool(word)
    here.require_service()
    as_json = as_json or format_ == "json"
    verdicts = []
    for word in tools:
        decision, facts = judge(here, word, offline=offline)
        verdict = verdict_of(decision, facts, running=False)
        short = _too_short(decision, facts, least)
        if short:
            verdict = verdict.replace(
                code="GK308", decision=REFUSE, reason=short, exit=CODES["GK308"].check_exit
            )
        verdicts.append(verdict)
        if not as_json:
            _show(here, decision, facts, verdict, short)
    for code in sorted({verdict.code for verdict in verdicts}):
        say_job_help(here, code)
    status = exit_of([verdict.exit for verdict in verdicts])
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json({"results": [render_verdict(verdict) for verdict in verdicts], "exit": status})
    return status


def require_tool(word: str) -> None:
    """Refuse what can't be a tool's name, paths above all. GatekeeperError GK103."""
    if not is_file_name(word):
        raise GatekeeperError("GK103", f"{word!r} is not the name of a tool.")


def judge(here: Here, word: str, *, offline: bool = False) -> tuple[AnyDecision, Facts]:
    """Decide as `run` would, renewing and hashing where a decision asks for it. GatekeeperError as `launch.attempt`."""
    invocation = Invocation(tool=word, profile=here.asked_profile, offline=offline)
    renewal: Renewal = NotTried()
    for _ in range(_ROUNDS):
        try:
            outcome = attempt.judge(here.world, invocation, here.settings, renewal, here.verify)
            if not isinstance(outcome, NotWarm):
                return outcome
            if outcome.reason == attempt.DIGEST:
                _measure(here, outcome.facts)
                continue
        except OSError as error:
            raise GatekeeperError(
                "GK106", f"{error.filename or 'The disk'}: {error.strerror or error}."
            ) from error
        # A token that still works is never worth a question; without one, the keyring may ask its owner.
        interactive = outcome.reason != STALE and here.may_ask()
        renewal = _renew(here, word, offline=offline, interactive=interactive)
    raise RuntimeError("there is no decision, whatever is done about it")


def _renew(here: Here, word: str, *, offline: bool, interactive: bool) -> Renewal:
    if offline or here.settings.offline:
        return Unreachable(code="GK601", detail="offline, as asked")
    tool = here.tool_id(word)
    with waiting(f"Asking {here.settings.service} about {tool}"):
        renewal = here.calls.renew(tool, interactive=interactive)
    here.forget_held()
    return renewal


def _measure(here: Here, facts: Facts | None) -> None:
    if facts is None or not isinstance(facts.executable, Executable):
        raise RuntimeError("a digest is asked for and nothing was found")
    with waiting(f"Hashing {facts.executable.path}"):
        stat, digest = measure(here.world, facts.executable)
    save_digest(here.world, here.directory, stat, digest)


def exit_of(statuses: list[int]) -> int:
    """Choose one exit status for several tools."""
    for status in EXIT_PRECEDENCE:
        if status in statuses:
            return status
    return next((status for status in statuses if status), 0)


def scene_of(here: Here, facts: Facts | None, *, checking: bool) -> Scene:
    """Gather what a notice may say besides the decision."""
    held = here.held
    return Scene(
        who=held.device.name if isinstance(held.device, DeviceState) else "",
        device=held.device.called() if isinstance(held.device, DeviceState) else "",
        available=held.usable_tools(),
        agent=here.agent,
        checking=checking,
        catalogue=held.catalogue,
        facts=facts,
    )


def _too_short(decision: AnyDecision, facts: Facts, least: int) -> str:
    """Say why an allowed tool is not allowed for long enough, "" where it is."""
    if not isinstance(decision, Allow) or not least or decision.token.grant_ends is None:
        return ""
    left = decision.token.grant_ends - facts.now
    if left >= least:
        return ""
    return f"The approval ends in {render_span(left)}, sooner than the {render_span(least)} that --min-ttl asks for."


def _say_verdict(line: str) -> None:
    # On one terminal the notice below says it already; stdout in a file or pipe holds every verdict.
    if not (is_terminal(sys.stdout) and is_terminal(sys.stderr)):
        say(line)


def _show(here: Here, decision: AnyDecision, facts: Facts, verdict: Verdict, short: str) -> None:
    match decision:
        case Allow() if short:
            _say_verdict(f"{CROSS} {verdict.tool}  ends too soon  {verdict.code}")
            title = f"The approval of {verdict.tool} ends too soon."
            rows = (("Why", short), ("Do", f'gatekeeper request {verdict.tool} --reason "…"'))
            print_notice(Notice(code=verdict.code, kind=CODES[verdict.code].kind, title=title, rows=rows))
        case Allow():
            ends = decision.token.grant_ends
            until = f"approved until {render_moment(ends, now=here.now)}" if ends is not None else "open"
            say(f"{TICK} {verdict.tool}  {until}  {verdict.version} {verdict.path}".rstrip())
            if decision.unreachable is not None:
                say(still_usable(decision, now=here.now), sys.stderr)
        case Pending() | Refuse() | Undetermined():
            glyph, _ = glyph_of(CODES[verdict.code].kind)
            _say_verdict(f"{glyph} {verdict.tool}  {CODES[verdict.code].title}  {verdict.code}")
            print_notice(notice_for(decision, scene_of(here, facts, checking=True)))
