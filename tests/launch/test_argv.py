"""The arguments of `run`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.errors import GatekeeperError
from gatekeeper.launch.argv import Invocation, command_of, parse_run, parse_wait

ANYTHING = st.lists(st.text(max_size=12), max_size=6)


def parsed(*arguments: str) -> Invocation:
    """Parse what must be an invocation."""
    result = parse_run(["run", *arguments])
    assert isinstance(result, Invocation)
    return result


@given(ANYTHING)
def test_everything_after_the_tool_is_the_tools(arguments: list[str]) -> None:
    """Whatever follows TOOL arrives verbatim, options and a second `--` among them; one `--` directly after TOOL is dropped."""
    assert parsed("claude", "--", *arguments).arguments == tuple(arguments)
    if arguments[:1] != ["--"]:
        assert parsed("claude", *arguments).arguments == tuple(arguments)


def test_with_and_without_the_dashes_is_the_same() -> None:
    """`run claude -- --version` and `run claude --version` are one invocation; so is a `--` before TOOL."""
    assert parsed("claude", "--", "--version") == parsed("claude", "--version")
    assert parsed("--", "claude", "--version") == parsed("claude", "--version")
    assert parsed("claude", "--", "--", "x").arguments == ("--", "x")


def test_every_option_is_read_in_both_spellings() -> None:
    """Each option stands before TOOL, with its value attached or after it."""
    expected = Invocation(
        tool="claude",
        profile="team",
        reason="a reason",
        wait=True,
        wait_for=90,
        offline=True,
        no_input=True,
        result_file="out.json",
    )
    flags = ("--wait", "--offline", "--no-input")
    apart = (
        "--profile",
        "team",
        "--reason",
        "a reason",
        "--wait-timeout",
        "90s",
        "--result-file",
        "out.json",
    )
    attached = ("--profile=team", "--reason=a reason", "--wait-timeout=90s", "--result-file=out.json")
    assert parsed(*flags, *apart, "claude") == expected
    assert parsed(*attached, *flags, "claude") == expected
    outside = parse_run(["--profile", "team", "--no-input", "run", *apart[2:], *flags[:2], "claude"])
    assert outside == expected


def test_after_the_tool_our_own_options_are_the_tools_too() -> None:
    """`--offline` after TOOL is not ours."""
    invocation = parsed("claude", "--offline", "--help")
    assert not invocation.offline
    assert invocation.arguments == ("--offline", "--help")


@pytest.mark.parametrize("help_", ["--help", "-h"])
def test_help_before_the_tool_is_help(help_: str) -> None:
    """`run --help` asks for help."""
    assert parse_run(["run", help_]) is None
    assert parse_run(["run", "--offline", help_, "claude"]) is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "GK100"),
        (["--"], "GK100"),
        (["--offlin", "claude"], "GK100"),
        (["--json", "claude"], "GK100"),
        (["-x", "claude"], "GK100"),
        (["--reason"], "GK100"),
        (["--reason", "", "claude"], "GK100"),
        (["--reason=", "claude"], "GK100"),
        (["--wait=yes", "claude"], "GK100"),
        (["--wait-timeout", "soon", "claude"], "GK100"),
        (["/usr/bin/claude"], "GK103"),
        (["./claude"], "GK103"),
        (["../claude"], "GK103"),
        ([".."], "GK103"),
        ([""], "GK103"),
        (["--", "-claude"], "GK103"),
        (["cläude"], "GK103"),
        (["a b"], "GK103"),
        (["x" * 65], "GK103"),
    ],
)
def test_what_cannot_be_understood_is_refused(arguments: list[str], code: str) -> None:
    """Unknown options, missing values and paths each have their code, and nothing is passed on."""
    with pytest.raises(GatekeeperError) as caught:
        parse_run(["run", *arguments])
    assert caught.value.code == code


@given(ANYTHING)
def test_no_arguments_make_it_break(arguments: list[str]) -> None:
    """Any command line is an invocation, help, or an error with the code of wrong usage."""
    told = None
    try:
        result = parse_run(["run", *arguments])
    except GatekeeperError as error:
        told = error.code
    else:
        assert result, Invocation is None
    assert told in {None, "GK100", "GK103"}


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["run", "claude"], "run"),
        (["--profile", "run", "check"], "check"),
        (["--profile=x", "--no-input", "run"], "run"),
        (["renew", "--profile", "x", "claude"], "renew"),
        (["--help"], ""),
        (["--version", "run"], ""),
        (["--profile"], ""),
        ([], ""),
    ],
)
def test_the_command_is_the_first_word_that_is_no_option(arguments: list[str], command: str) -> None:
    """Values of global options are no commands, and an unknown option is left to the full parser."""
    assert command_of(arguments) == command


@given(st.integers(1, 604_800))
def test_times_to_wait(seconds: int) -> None:
    """A number with a unit is that many seconds, up to a week."""
    assert parse_wait(f"{seconds}s") == seconds
    if seconds % 60 == 0:
        assert parse_wait(f"{seconds // 60}m") == seconds


@pytest.mark.parametrize("text", ["", "s", "30", "-1s", "0s", "8d", "1.5h", "30 m", "٣s", "9999999s", "1w"])
def test_times_that_are_none(text: str) -> None:
    """Anything else is told as what was typed."""
    with pytest.raises(GatekeeperError) as caught:
        parse_wait(text)
    assert caught.value.code == "GK100"


def test_break_glass_is_not_a_way_in() -> None:
    """Before TOOL the flag is refused wherever it stands (GK410); after TOOL it is the tool's."""
    for words in (("--break-glass", "claude"), ("--wait", "--break-glass", "claude"), ("--break-glass",)):
        with pytest.raises(GatekeeperError) as refused:
            parsed(*words)
        assert refused.value.code == "GK410"
    assert parsed("claude", "--break-glass").arguments == ("--break-glass",)


@pytest.mark.parametrize("option", ["--profile", "--reason", "--wait-timeout", "--result-file"])
def test_an_option_of_bytes_that_are_no_text_is_wrong(option: str) -> None:
    """Bytes that aren't UTF-8 are GK100 in a value of ours, and arrive verbatim in the tool's own arguments."""
    for words in ([option, "a\udcff"], [f"{option}=\udcff"]):
        with pytest.raises(GatekeeperError) as caught:
            parse_run(["run", *words, "claude"])
        assert caught.value.code == "GK100"
        assert "is no text" in caught.value.detail
    assert parsed("claude", option, "\udcff").arguments == (option, "\udcff")
