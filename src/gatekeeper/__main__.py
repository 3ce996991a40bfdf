"""Triage, and the only exit: `run` goes to the launch, `renew` to the client, everything else to the commands.

A warm launch never gets past `launch.attempt`; nothing is imported that it doesn't need. Ctrl-C and bugs end
here, in a sentence and an exit status, wherever they happen.
"""

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekeeper.workstation.world import World

_RUN, _RENEW = "run", "renew"
_INTERRUPTED = 130
_BUG, _BUG_IN_RUN = 1, 125


def main(arguments: "Sequence[str] | None" = None, *, world: "World | None" = None) -> int:
    """Run one command and return the exit status; a launch doesn't return. `arguments` follow the program's name."""
    # A launch makes no garbage worth a search and lives for milliseconds; searches would be a twentieth of it.
    gc.disable()
    words = sys.argv[1:] if arguments is None else list(arguments)
    command = ""
    try:
        from gatekeeper.launch.argv import command_of

        command = command_of(words)
        if command == _RUN:
            return _run(words, world)
        gc.enable()
        if command == _RENEW:
            return _renew(words, world)
        from gatekeeper.cli.app import main as run_command

        return run_command(words)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told and nothing is launched
        return _bug(error, _BUG_IN_RUN if command == _RUN else _BUG)


def _world() -> "World":
    from gatekeeper.workstation.posix import PosixWorld

    return PosixWorld()


def _run(words: "Sequence[str]", world: "World | None") -> int:
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.launch.argv import parse_run
    from gatekeeper.launch.attempt import attempt

    world = _world() if world is None else world
    invocation = None
    try:
        parsed = parse_run(words, program=sys.argv[0])
        if parsed is None:
            gc.enable()
            from gatekeeper.cli.app import main as run_command

            return run_command([_RUN, "--help"])
        invocation = parsed
        outcome = attempt(world, invocation)
    except GatekeeperError as error:
        gc.enable()
        from gatekeeper.cli.run import report

        return report(world, error, invocation)
    gc.enable()
    from gatekeeper.cli.run import finish

    return finish(world, invocation, outcome)


def _renew(words: "Sequence[str]", world: "World | None") -> int:
    """Renew after a launch, in a process without a terminal: `renew --profile NAME TOOL`. Its status is nobody's."""
    from gatekeeper.client.renew import renew_detached
    from gatekeeper.config.load import load_settings
    from gatekeeper.config.merge import read_settings
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.workstation.settings import Settings

    world = _world() if world is None else world
    match list(words):
        case ["renew", "--profile", profile, tool]:
            pass
        case ["renew", tool]:
            profile = ""
        case _:
            return 2
    try:
        settings = read_settings(world, profile=profile)
        if not isinstance(settings, Settings):
            settings = load_settings(world, profile=profile)
        renew_detached(world, settings, tool)
    except GatekeeperError:
        return 1
    return 0


def _interrupted() -> int:
    # A second Ctrl-C must not turn the end into a traceback.
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _tell("gatekeeper: interrupted. Nothing was started; what was recorded stays recorded.   GK902\n")
    return _INTERRUPTED


def _bug(error: "Exception", status: int) -> int:
    from os import environ

    _tell(
        f"GK901 a bug in gatekeeper: {type(error).__name__}: {error}\n"
        "      Nothing was started. With GATEKEEPER_LOG=debug the same command shows where it happened.\n"
    )
    if environ.get("GATEKEEPER_LOG") == "debug":
        sys.excepthook(type(error), error, error.__traceback__)
    return status


def _tell(text: str) -> None:
    stream = sys.stderr
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        return  # nobody reads; the status still tells


if __name__ == "__main__":
    sys.exit(main())
