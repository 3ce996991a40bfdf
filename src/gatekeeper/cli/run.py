"""The cold half of `run`: what a warm launch doesn't do, then the same attempt again, then the words of a refusal.

It parses configuration, hashes executables, renews, sends and awaits requests; it never decides. A renewal is a
fact for `decide`: that an unexpired token launches without the service is said there alone. No typer here, and
no second reading of the arguments.
"""

from __future__ import annotations

import sys

from gatekeeper.cli.formats.text import print_notice, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.job_help import say_job_help
from gatekeeper.codes import CODES
from gatekeeper.decision.decide import NO_TOKEN, STALE
from gatekeeper.decision.facts import Allow, Executable, NotTried
from gatekeeper.decision.notice import (
    Scene,
    error_notice,
    notice_for,
    render_span,
    still_usable,
    under_agent,
    verdict_of,
)
from gatekeeper.decision.obstacles import Pending, Refuse, Unreachable
from gatekeeper.documents.api import PENDING, NewRequest, Problem
from gatekeeper.documents.verdict import UNDETERMINED, Verdict
from gatekeeper.errors import GatekeeperError
from gatekeeper.launch.aside import write_verdict
from gatekeeper.launch.attempt import CONFIGURATION, DIGEST, LIBRARY, attempt
from gatekeeper.launch.stopped import Decided, NotWarm
from gatekeeper.workstation.keeping import load_backoff, save_digest
from gatekeeper.workstation.state import DeviceState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.cli.calls import Calls
    from gatekeeper.decision.facts import Facts
    from gatekeeper.decision.notice import Notice
    from gatekeeper.decision.obstacles import Renewal
    from gatekeeper.documents.api import RequestView
    from gatekeeper.launch.argv import Invocation
    from gatekeeper.workstation.world import World

BACKOFF_FOR = 60
_ROUNDS = 6  # configuration, library, renewal, digest, and the launch: more is a defect
_ASKABLE = ("GK301", "GK308")  # a denial or a revocation is not asked away by an alias that carries --reason
_STDERR = 2


def finish(
    world: World, invocation: Invocation, outcome: NotWarm | Decided, *, calls: Calls | None = None
) -> int:
    """Bring a launch that wasn't warm to its end, and return `run`'s exit status; a launch doesn't return."""
    try:
        return _Desk(world, invocation, calls).finish(outcome)
    except GatekeeperError as error:
        return report(world, error, invocation)


def report(world: World, error: GatekeeperError, invocation: Invocation | None) -> int:
    """Tell an error on stderr and in the result file, and return `run`'s exit status."""
    if invocation is not None and error.code in ("GK101", "GK104"):
        error = _unconfigured(world, invocation) or error
    row = CODES.get(error.code) or CODES["GK602"]
    tool = "" if invocation is None else invocation.tool
    _show(error_notice(error, tool=tool, agent=under_agent(world.environment())))
    if invocation is None or not invocation.result_file:
        return row.run_exit
    verdict = Verdict(code=row.code, decision=UNDETERMINED, tool=tool, exit=row.run_exit, reason=error.detail)
    try:
        write_verdict(world, invocation.result_file, verdict)
    except GatekeeperError as unwritten:
        if unwritten.detail != error.detail:
            _show(error_notice(unwritten, tool=tool))
        return CODES[unwritten.code].run_exit
    return row.run_exit


def _unconfigured(world: World, invocation: Invocation) -> GatekeeperError | None:
    """Say what is missing in the configuration in the words of every other command; None where nothing is."""
    try:
        Here(world, profile=invocation.profile).require_service()
    except GatekeeperError as error:
        return error
    return None


# stdout is the tool's alone, and a closed stderr is nobody's.


def _show(notice: Notice) -> None:
    if sys.stderr is not None:
        print_notice(notice, sys.stderr)


def _say(line: str) -> None:
    if sys.stderr is not None:
        say(line, sys.stderr)


class _Desk:
    """One launch on its way: the settings and calls that it opened, and what it has said already."""

    def __init__(self, world: World, invocation: Invocation, calls: Calls | None) -> None:
        self._world = world
        self._invocation = invocation
        self._here = Here(world, profile=invocation.profile, no_input=invocation.no_input, calls=calls)
        self._quiet = False

    def finish(self, outcome: NotWarm | Decided) -> int:
        decided = self._asked(self._settled(outcome))
        if self._invocation.wait:
            decided = self._awaited(decided)
        return self._refused(decided)

    # Until it is decided

    def _settled(self, outcome: NotWarm | Decided) -> Decided:
        renewal: Renewal = NotTried()
        for _ in range(_ROUNDS):
            if isinstance(outcome, Decided):
                return outcome
            if outcome.reason == CONFIGURATION:
                self._say_warnings()
            elif outcome.reason == DIGEST:
                self._measure(outcome.facts)
            elif outcome.reason != LIBRARY:
                renewal = self._renewal(outcome.reason)
            outcome = attempt(
                self._world,
                self._invocation,
                renewal=renewal,
                settings=self._here.settings,
                verify=self._here.verify,
                announce=self._announce,
            )
        raise RuntimeError("a launch stays not warm, whatever is done about it")

    def _say_warnings(self) -> None:
        for warning in self._here.settings.warnings:
            _say(f"gatekeeper: {warning}")

    def _measure(self, facts: Facts | None) -> None:
        from gatekeeper.launch.recognise import measure

        if facts is None or not isinstance(facts.executable, Executable):
            raise RuntimeError("a digest is asked for and nothing was found")
        try:
            with waiting(f"hashing {facts.executable.path}"):
                stat, digest = measure(self._world, facts.executable)
        except OSError as error:
            raise GatekeeperError(
                "GK106",
                f"{facts.executable.path} can't be read, and its digest is needed: {error.strerror}.",
                remedy=f"make {facts.executable.path} readable",
            ) from error
        save_digest(self._world, self._here.directory, stat, digest)

    def _renewal(self, reason: str) -> Renewal:
        if self._offline:
            return Unreachable(code="GK601", detail="offline, as asked")
        now = self._world.now()
        until = load_backoff(self._world, self._here.directory)
        # Only for a token that still launches: whoever has none waits for the network, not for a minute.
        if reason == STALE and now < until <= now + BACKOFF_FOR:
            self._quiet = True
            return Unreachable(code="GK601", detail="it was tried less than a minute ago")
        tool = self._here.tool_id(self._invocation.tool)
        with waiting(f"renewing the approval of {tool}"):
            renewal = self._here.calls.renew(tool, interactive=reason != STALE and self._here.may_ask())
        self._here.forget_held()
        return renewal

    @property
    def _offline(self) -> bool:
        return self._invocation.offline or self._here.settings.offline

    def _announce(self, allow: Allow, facts: Facts) -> None:
        if not self._quiet:
            _say(still_usable(allow, now=facts.now))

    # Requests

    def _asked(self, decided: Decided) -> Decided:
        decision = decided.decision
        asks = isinstance(decision, Refuse) and decision.code in _ASKABLE
        if not asks or not self._invocation.reason or self._offline:
            return decided
        from secrets import token_urlsafe

        tool = self._here.tool_id(self._invocation.tool)
        with waiting(f"asking for the approval of {tool}"):
            request, created = self._here.calls.create_request(
                NewRequest(tool=tool, reason=self._invocation.reason), key=token_urlsafe(18)
            )
        _say(f"gatekeeper: request {request.id} {'was sent' if created else 'stands already'}.")
        return decided.replace(decision=_pending(self._invocation.tool, request))

    def _awaited(self, decided: Decided) -> Decided:
        decision = decided.decision
        request_id = decision.problem.request if decision.problem is not None else ""
        if not isinstance(decision, Pending) or not request_id or self._offline:
            return decided
        try:
            with waiting(f"waiting for the answer to {request_id}; Ctrl-C keeps the request"):
                request = self._here.calls.wait_for(request_id, timeout=self._invocation.wait_for)
        except KeyboardInterrupt:
            raise GatekeeperError(
                "GK902",
                f"The request {request_id} stays as it is.",
                remedy=f"gatekeeper requests {request_id}",
            ) from None
        if request.state == PENDING:
            _say(
                f"gatekeeper: {request_id} is still unanswered; waited {render_span(self._invocation.wait_for)}."
            )
            return decided
        if self._world.is_terminal(_STDERR):
            self._world.write_error("\a")
        # Whatever the answer is, the service says it best: it issues a token, or a code with the reason.
        return self._settled(NotWarm(reason=NO_TOKEN, settings=decided.settings))

    # The end

    def _refused(self, decided: Decided) -> int:
        decision = decided.decision
        _show(notice_for(decision, self._scene(decided.facts)))
        say_job_help(self._here, decision.code)
        row = CODES[decision.code]
        if self._invocation.result_file:
            verdict = verdict_of(decision, decided.facts, running=True)
            write_verdict(self._world, self._invocation.result_file, verdict)
        return row.run_exit

    def _scene(self, facts: Facts) -> Scene:
        held = self._here.held
        device = held.device if isinstance(held.device, DeviceState) else None
        return Scene(
            who="" if device is None else device.name,
            device="" if device is None else device.called(),
            available=held.usable_tools(),
            agent=self._here.agent,
            catalogue=held.catalogue,
            facts=facts,
        )


def _pending(tool: str, request: RequestView) -> Pending:
    return Pending(
        tool=tool,
        code="GK401",
        problem=Problem(
            code="GK401",
            status=0,
            title=CODES["GK401"].title,
            tool=request.tool,
            request=request.id,
            request_url=request.url,
        ),
    )
