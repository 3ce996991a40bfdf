"""The command `gatekeeper`: which commands there are, in which group of the help, and what happens to their errors.

Commands are imported when they are used: `gatekeeper --help` imports none of them. Each is a module with a
function (or a Typer app) and its `EXAMPLES`. `main` returns an exit status and never raises; `__main__` exits.
"""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import pairwise
from os import devnull, environ
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup, TyperOption

from gatekeeper.cli.formats.text import print_notice, say, silence, write
from gatekeeper.codes import CODES
from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekeeper.cli.here import Here, Opener


class Entry(Value):
    """One command as the help lists it: where it is, and one line of words."""

    module: str
    attribute: str
    words: str


GROUPS: tuple[tuple[str, dict[str, Entry]], ...] = (
    (
        "Every day",
        {
            "run": Entry(
                module="run_help", attribute="run", words="Start an AI coding assistant, if it is approved."
            ),
            "check": Entry(
                module="check", attribute="check", words="Make the same decision, and start nothing."
            ),
            "status": Entry(
                module="status",
                attribute="status",
                words="Who you are here, and what is approved until when.",
            ),
            "tools": Entry(module="tools", attribute="tools", words="The organisation's catalogue of tools."),
        },
    ),
    (
        "Approvals",
        {
            "request": Entry(module="request", attribute="request", words="Ask for the approval of a tool."),
            "requests": Entry(
                module="requests", attribute="requests", words="Your access requests and their answers."
            ),
            "review": Entry(
                module="review", attribute="app", words="What waits for your review, and where you decide."
            ),
        },
    ),
    (
        "This workstation",
        {
            "login": Entry(module="login", attribute="login", words="Sign in and enrol this device."),
            "logout": Entry(
                module="logout", attribute="logout", words="Sign out and forget what is kept here."
            ),
            "sync": Entry(
                module="sync", attribute="sync", words="Renew every approval, for instance before a flight."
            ),
            "config": Entry(module="config", attribute="app", words="What is configured, and by which file."),
            "explain": Entry(module="explain", attribute="explain", words="What a code such as GK301 means."),
            "completion": Entry(
                module="completion", attribute="completion", words="A completion script for your shell."
            ),
            "demo": Entry(
                module="demo", attribute="demo", words="The whole story on this machine, in a minute."
            ),
            "version": Entry(module="version", attribute="version", words="Which version this is."),
        },
    ),
    (
        "Service",
        {
            "service": Entry(
                module="service.app",
                attribute="app",
                words="Run the approval service, and decide as its operator.",
            )
        },
    ),
)
COMMANDS: dict[str, Entry] = {name: entry for _, group in GROUPS for name, entry in group.items()}


class Opening:
    """What the options before the command said. It is the context's `obj`, and opens the workstation once."""

    def __init__(self, opener: Opener | None) -> None:
        self.profile = ""
        self.no_input = False
        self._opener = opener
        self._here: Here | None = None

    def here(self) -> Here:
        """Open the workstation with the profile that was asked for."""
        if self._here is None:
            if self._opener is None:
                from gatekeeper.cli.here import open_here

                self._opener = open_here
            self._here = self._opener(self.profile, self.no_input)
        return self._here


class LazyGroup(TyperGroup):
    """The commands by name; a module is imported when its command is."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Name the commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Import and build one command, or None where there is no such one."""
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else build_command(cmd_name, entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; for one that isn't there, name the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0].lower(), COMMANDS, n=1) if args else []
            if near:
                raise GatekeeperError(
                    "GK100",
                    f"No such command {args[0]!r}. Did you mean {near[0]}?",
                    remedy=f"gatekeeper {near[0]} --help",
                ) from error
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the help's groups, from the table alone."""
        for title, group in GROUPS:
            with formatter.section(title):
                formatter.write_dl([(name.ljust(12), entry.words) for name, entry in group.items()])


def build_command(name: str, entry: Entry) -> Any:
    """Import a command's module and make the command that Typer runs."""
    module = import_module(f"gatekeeper.cli.{entry.module}")
    found = getattr(module, entry.attribute)
    if isinstance(found, typer.Typer):
        made = typer.main.get_command(found)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name, help=_help_of(found, getattr(module, "EXAMPLES", ())))(found)
        made = typer.main.get_command(single)
    made.name = name
    made.help = made.help or entry.words
    _take_globals(made)
    return made


def _help_of(function: Any, examples: Sequence[str]) -> str:
    words = " ".join((function.__doc__ or "").split())
    shown = "\n".join(f"  {example}" for example in examples)
    return f"{words}\n\n\b\nExamples:\n{shown}" if shown else words


def _take_globals(command: Any) -> None:
    """Let `--profile` and `--no-input` stand after a command's name as well as before it."""
    taken = {name for option in command.params for name in getattr(option, "opts", ())}
    for option in _global_options():
        if not taken.intersection(option.opts):
            command.params.append(option)
    for sub in getattr(command, "commands", {}).values():
        _take_globals(sub)


def _global_options() -> tuple[TyperOption, ...]:
    return (
        TyperOption(
            param_decls=["--profile"],
            metavar="NAME",
            help="The profile to go by.",
            expose_value=False,
            callback=_keep_profile,
        ),
        TyperOption(
            param_decls=["--no-input"],
            is_flag=True,
            default=False,
            help="Never ask anything on the terminal.",
            expose_value=False,
            callback=_keep_no_input,
        ),
    )


def _keep_profile(ctx: Any, _parameter: Any, value: str | None) -> str | None:
    opening = ctx.find_root().obj
    if value and isinstance(opening, Opening):
        opening.profile = value
    return value


def _keep_no_input(ctx: Any, _parameter: Any, value: bool) -> bool:
    opening = ctx.find_root().obj
    if value and isinstance(opening, Opening):
        opening.no_input = True
    return value


def _show_version(value: bool) -> None:
    if value:
        from gatekeeper import __version__

        say(f"gatekeeper {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_show_version, help="Print the version."
    ),
) -> None:
    """Start AI coding assistants only with your organisation's approval."""


def make_root() -> Any:
    """Build the root command, without importing any of the others."""
    root = typer.Typer(
        cls=LazyGroup,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    root.callback()(_root)
    command = typer.main.get_command(root)
    command.params = [*_global_options(), *command.params]
    return command


def main(arguments: Sequence[str], *, opener: Opener | None = None) -> int:
    """Run one command and return its exit status. Nothing escapes: not an error, not Ctrl-C, not a reader that has gone."""
    _open_closed_streams()
    try:
        _require_text(arguments)
        words = list(arguments) or ["--help"]
        # `help` is what many type first, alone or before a command.
        return _dispatch([*words[1:], "--help"] if words[0] == "help" else words, opener)
    except KeyboardInterrupt:
        return _report(GatekeeperError("GK902", "Nothing more was done."), arguments)
    except GatekeeperError as error:
        return _report(error, arguments)
    except BrokenPipeError:
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _report(GatekeeperError("GK106", f"{where}{error.strerror or error}."), arguments)
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets words, never a traceback
        return _report(_as_bug(error), arguments)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                silence(stream)


def _require_text(arguments: Sequence[str]) -> None:
    """Refuse bytes that aren't UTF-8: no command takes them, and no file, request or terminal could hold them."""
    for number, word in enumerate(arguments, start=1):
        try:
            word.encode("utf-8")
        except UnicodeEncodeError:
            raise GatekeeperError(
                "GK100",
                f"Argument {number} is no text: it isn't UTF-8.",
                remedy="write it in UTF-8, or name a path without such bytes",
            ) from None


def _open_closed_streams() -> None:
    """Lead streams that were closed before the start to the null device, so that no file takes their descriptor."""
    if sys.stdin is None:
        sys.stdin = open(devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        sys.stdout = open(devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _dispatch(arguments: list[str], opener: Opener | None) -> int:
    try:
        with make_root().make_context("gatekeeper", arguments, obj=Opening(opener)) as ctx:
            status = ctx.command.invoke(ctx)
    except typer.Exit as exit_:
        return exit_.exit_code
    except (typer.Abort, EOFError):
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            write(sys.stderr, f"{error.format_message()}\n")
            return CODES["GK100"].check_exit
        raise _as_usage(error) from error
    return status if isinstance(status, int) else 0


def _as_usage(error: Any) -> GatekeeperError:
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "gatekeeper"
    return GatekeeperError("GK100", error.format_message(), remedy=f"{path} --help")


def _as_bug(error: Exception) -> GatekeeperError:
    from traceback import extract_tb

    if environ.get("GATEKEEPER_LOG") == "debug":
        sys.excepthook(type(error), error, error.__traceback__)
    frames = extract_tb(error.__traceback__)
    where = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "nowhere"
    return GatekeeperError("GK901", f"{type(error).__name__} at {where}: {error}")


def _wants_json(arguments: Sequence[str]) -> bool:
    """Say whether the result was to be JSON. Read from the words: the error may be that they can't be parsed."""
    words = list(arguments)
    return "--json" in words or "--format=json" in words or ("--format", "json") in pairwise(words)


def _command_path(arguments: Sequence[str]) -> str:
    """Name the command that was called, as far as the words tell: `gatekeeper`, at least."""
    from gatekeeper.launch.argv import command_of

    name = command_of(list(arguments))
    return f"gatekeeper {name}" if name in COMMANDS else "gatekeeper"


def _report(error: GatekeeperError, arguments: Sequence[str]) -> int:
    from gatekeeper.decision.notice import error_notice, under_agent

    if error.code == "GK100" and not error.remedy:
        error.remedy = f"{_command_path(arguments)} --help"
    row = CODES.get(error.code, CODES["GK602"])  # only a later service has codes that aren't ours
    try:
        if _wants_json(arguments):
            from gatekeeper.cli.formats.json import error_members, print_json

            print_json(error_members(error))
        print_notice(error_notice(error, agent=under_agent(environ)))
    except GatekeeperError:
        return row.check_exit  # the stream is the trouble; the status still tells
    return row.check_exit
