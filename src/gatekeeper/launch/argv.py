"""The arguments of `gatekeeper run`, read once, warm or cold.

    gatekeeper [--profile NAME] [--no-input] run [OPTIONS] [--] TOOL [--] [ARGS…]

Options stand before TOOL; everything after TOOL is the tool's, byte for byte, but for one `--` directly after
it. An option that isn't known is an error, never passed on: a misspelt `--offlin` must not become a prompt.
"""

from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value
from gatekeeper.workstation.state import is_file_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = "run"
WAIT_FOR = 30 * 60
MAX_WAIT_FOR = 7 * 86_400  # the time after which an unanswered request lapses
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_GLOBAL_VALUES = {"--profile": "profile"}
_GLOBAL_FLAGS = {"--no-input": "no_input"}
_VALUES = {
    **_GLOBAL_VALUES,
    "--reason": "reason",
    "--wait-timeout": "wait_for",
    "--result-file": "result_file",
}
_FLAGS = {
    **_GLOBAL_FLAGS,
    "--wait": "wait",
    "--offline": "offline",
}
_BREAK_GLASS = "--break-glass"  # taken in the console: it needs the person's own step-up
_HELP = ("--help", "-h")


class Invocation(Value):
    """What one `run` was asked to do. `tool` is the word that was typed; `wait_for` is in seconds.

    `program` is gatekeeper's own script, which PATH must never lead back to.
    """

    tool: str
    arguments: "tuple[str, ...]" = ()
    profile: str = ""
    reason: str = ""
    wait: bool = False
    wait_for: int = WAIT_FOR
    offline: bool = False
    no_input: bool = False
    result_file: str = ""
    program: str = ""


def command_of(arguments: "Sequence[str]") -> str:
    """Return the command's name, "" where none can be told without reading every option."""
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word in _GLOBAL_VALUES:
            at += 2
        elif word in _GLOBAL_FLAGS or word.partition("=")[0] in _GLOBAL_VALUES:
            at += 1
        else:
            return "" if word.startswith("-") else word
    return ""


def parse_run(arguments: "Sequence[str]", *, program: str = "") -> "Invocation | None":
    """Read everything that follows `gatekeeper`, where `command_of` said `run`; None where help is wanted.

    Raises:
        GatekeeperError: GK100, an unknown option, a missing or unusable value, no TOOL; GK103, TOOL is no name;
            GK410, `--break-glass`.
    """
    given: dict[str, object] = {"program": program}
    rest = _take_options(list(arguments), given, _GLOBAL_VALUES, _GLOBAL_FLAGS)
    if rest[:1] != [COMMAND]:
        raise RuntimeError("parse_run reads the arguments of run alone")
    rest = _take_options(rest[1:], given, _VALUES, _FLAGS)
    if rest and rest[0] in _HELP:
        return None
    if rest[:1] == ["--"]:
        rest = rest[1:]
    elif rest[:1] == [_BREAK_GLASS]:
        raise GatekeeperError(
            "GK410",
            "An emergency is taken in the service's console, where you prove that you are a person: an agent on this "
            "machine must not be able to.",
            remedy="open /approvals/new of the service that gatekeeper status names",
        )
    elif rest and rest[0].startswith("-"):
        raise _wrong(f"run has no option {rest[0].partition('=')[0]}.")
    if not rest:
        raise _wrong("run needs the name of a TOOL.")
    tool, tail = rest[0], rest[1:]
    if not is_file_name(tool):
        raise GatekeeperError("GK103", f"{tool!r} is a path or no name of a tool at all.")
    if tail[:1] == ["--"]:
        tail = tail[1:]
    return Invocation(tool=tool, arguments=tuple(tail), **given)  # type: ignore[arg-type]


def _take_options(
    rest: "list[str]", given: "dict[str, object]", values: "dict[str, str]", flags: "dict[str, str]"
) -> "list[str]":
    while rest:
        word, equals, attached = rest[0].partition("=")
        if rest[0] in flags:
            given[flags[rest[0]]] = True
            rest = rest[1:]
        elif word in values:
            if not equals and len(rest) < 2:
                raise _wrong(f"{word} needs a value.")
            given[values[word]] = _value_of(word, attached if equals else rest[1])
            rest = rest[1 if equals else 2 :]
        elif equals and word in flags:
            raise _wrong(f"{word} takes no value.")
        else:
            break
    return rest


def _value_of(option: str, text: str) -> "str | int":
    if not text or "\0" in text:
        raise _wrong(f"{option} needs a value that is not empty.")
    if any("\ud800" <= char <= "\udfff" for char in text):  # bytes that no file or service of ours can hold
        raise _wrong(f"The value of {option} is no text: it isn't UTF-8.")
    return parse_wait(text) if option == "--wait-timeout" else text


def parse_wait(text: str) -> int:
    """Return the seconds of a duration such as `90s`, `30m`, `2h` or `1d`, of at most a week.

    Raises:
        GatekeeperError: GK100, it is none.
    """
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit() and len(number) <= 6:
        seconds = int(number) * _UNITS[unit]
        if 0 < seconds <= MAX_WAIT_FOR:
            return seconds
    raise _wrong(f"{text!r} is no time to wait: write 90s, 30m, 2h or 1d, at most 7d.")


def _wrong(detail: str) -> "GatekeeperError":
    return GatekeeperError("GK100", detail, remedy="gatekeeper run --help")
