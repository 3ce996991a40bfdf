"""Text on streams: harmless whatever it holds, legible on narrow and plain terminals, silent where nobody reads."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.facts import EXECUTABLE, NOW, facts

from gatekeeper.cli.formats.text import (
    COPIED,
    NOTICE_LINES,
    Look,
    look_of,
    neutral,
    render_notice,
    render_plain_table,
    say,
    write,
)
from gatekeeper.codes import CODES
from gatekeeper.decision import notice as words
from gatekeeper.decision.notice import Notice, Scene, notice_for
from gatekeeper.decision.obstacles import Pending, Refuse, Undetermined
from gatekeeper.documents.api import Problem
from gatekeeper.errors import GatekeeperError

SNAPSHOTS = Path(__file__).parent / "snapshots"
LOOKS = {
    "80": Look(columns=80, unicode=True, colour=False, terminal=False),
    "40": Look(columns=40, unicode=True, colour=False, terminal=False),
    "80-ascii": Look(columns=80, unicode=False, colour=False, terminal=False),
    "40-ascii": Look(columns=40, unicode=False, colour=False, terminal=False),
    "80-colour": Look(columns=80, unicode=True, colour=True, terminal=True),
}
SCENE = Scene(who="ada@acme.example", device="d_1", available=("house",), facts=facts())


def said(code: str, **changes: object) -> Problem:
    """Make a problem."""
    return Problem(code=code, status=403, title=CODES[code].title).replace(**changes)


NOTICES: dict[str, Notice] = {
    "refused": notice_for(
        Refuse(
            tool="claude",
            code="GK301",
            problem=said(
                "GK301",
                detail="AI-07: coding agents need security approval. None is on record for you.",
                request_url="https://gk.acme.example/requests/new?tool=claude",
                alternatives=("copilot",),
                ref="9f2-7c41",
            ),
        ),
        SCENE,
    ),
    "agent": notice_for(Refuse(tool="claude", code="GK301"), SCENE.replace(agent=True)),
    "revoked": notice_for(
        Refuse(
            tool="claude",
            code="GK307",
            problem=said("GK307", by="sam@acme.example", reason="the pilot \u2013 as agreed \u2013 is over"),
        ),
        SCENE,
    ),
    "version": notice_for(
        Refuse(tool="claude", code="GK304", detail="3.0.0 is outside >=2.1,<3"),
        SCENE.replace(
            facts=facts(executable=EXECUTABLE.replace(version="3.0.0", npm="@anthropic-ai/claude-code"))
        ),
    ),
    "pending": notice_for(
        Pending(
            tool="claude",
            code="GK401",
            problem=said("GK401", request="R-1", request_url="https://gk.acme.example/requests/R-1"),
        ),
        SCENE,
    ),
    "unreachable": notice_for(
        Undetermined(tool="claude", code="GK601", detail="connection refused"),
        SCENE.replace(facts=facts(now=NOW + 30 * 3_600)),
    ),
    "copied": notice_for(Undetermined(tool="claude", code="GK204"), SCENE),
    "signature": notice_for(
        Undetermined(tool="claude", code="GK501", detail="approval key: no match"), SCENE
    ),
    "missing": notice_for(Undetermined(tool="claude", code="GK801"), SCENE),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", NOTICES)
def test_notices_look_as_reviewed(name: str, look: str) -> None:
    """Each notice is byte for byte what was reviewed. To review anew: UPDATE_SNAPSHOTS=1, then read the diff."""
    shown = render_notice(NOTICES[name], LOOKS[look])
    path = SNAPSHOTS / f"{name}.{look}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


class TestNeutral:
    """Nothing that is printed commands the terminal."""

    @given(text=st.text())
    def test_leaves_no_control_and_no_line_break(self, text: str) -> None:
        """No control, override, surrogate or separator is left, whatever was in the text."""
        kinds = {unicodedata.category(c) for c in neutral(text) if c not in "\u200c\u200d"}
        assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}

    @given(text=st.text())
    def test_is_stable(self, text: str) -> None:
        """What is harmless already stays as it is."""
        assert neutral(neutral(text)) == neutral(text)

    @pytest.mark.parametrize(
        "text", ["plain", "Zoë", "人工知能", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "🙂"]
    )
    def test_leaves_ordinary_writing_alone(self, text: str) -> None:
        """People's names and reasons in any script."""
        assert neutral(text) == text

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("\u202egnp.exe", "\\u202egnp.exe"),
            ("a\r\nb", "a  b"),
            ("\x9b31m", "\\x9b31m"),
            ("\U000e0041", "\\U000e0041"),
        ],
    )
    def test_shows_what_was_there(self, text: str, shown: str) -> None:
        """An attack is visible as such."""
        assert neutral(text) == shown


rows = st.lists(
    st.tuples(st.sampled_from(["Who", "What", "Why", "Now", "Help"]), st.text(max_size=2_000)), max_size=7
)


class TestLayout:
    """The shape of a notice."""

    @given(rows=rows, columns=st.integers(20, 200), agent=st.booleans())
    def test_has_at_most_twelve_lines_and_no_controls(
        self,
        rows: list[tuple[str, str]],
        columns: int,
        agent: bool,  # noqa: FBT001
    ) -> None:
        """Whatever length the texts have, and whatever they hold; the command is still there, whole."""
        notice = Notice(
            code="GK301",
            kind="refused",
            title="Not starting claude: it isn't approved for you.",
            rows=(*rows, ("Do", "gatekeeper request claude --reason x " + "y" * 200)),
            agent_line="Ask." if agent else "",
        )
        shown = render_notice(notice, Look(columns=columns, unicode=True, colour=False, terminal=False))
        lines = shown.splitlines()
        assert len(lines) <= NOTICE_LINES
        assert lines[0].endswith("GK301")
        assert any("y" * 200 in line for line in lines)
        assert "\x1b" not in shown

    def test_the_copied_rows_are_the_notices(self) -> None:
        """Both modules mean the same labels."""
        assert COPIED == (words.DO, words.LINK)

    @given(cells=st.lists(st.tuples(st.text("ab ", max_size=5), st.text("cd", max_size=5)), max_size=4))
    def test_a_plain_table_has_a_line_a_row(self, cells: list[tuple[str, str]]) -> None:
        """For grep and awk."""
        shown = render_plain_table(("A", "B"), cells)
        assert len(shown.splitlines()) == len(cells) + 1


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        """Say yes."""
        return True


class TestLook:
    """What a stream shows."""

    @pytest.mark.parametrize(
        ("environment", "colour"),
        [
            ({}, True),
            ({"TERM": "dumb"}, False),
            ({"NO_COLOR": "1"}, False),
            ({"NO_COLOR": ""}, True),
            ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ],
    )
    def test_colours_on_a_terminal(self, environment: dict[str, str], colour: bool) -> None:  # noqa: FBT001
        """Unless NO_COLOR or a dumb terminal says no."""
        assert look_of(Terminal("utf-8"), environment).colour is colour

    @pytest.mark.parametrize(
        ("environment", "colour"),
        [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "0"}, False)],
    )
    def test_colours_elsewhere(self, environment: dict[str, str], colour: bool) -> None:  # noqa: FBT001
        """Only where they are forced."""
        assert look_of(io.StringIO(), environment).colour is colour

    @pytest.mark.parametrize(("encoding", "unicode"), [("utf-8", True), ("ascii", False), ("cp1252", False)])
    def test_glyphs_by_encoding(self, encoding: str, unicode: bool) -> None:  # noqa: FBT001
        """Only UTF-8 gets them."""
        assert look_of(Terminal(encoding), {}).unicode is unicode

    @pytest.mark.parametrize("columns", ["-1", "0", "x", "99999999999", ""])
    def test_a_silly_width_is_no_error(self, columns: str) -> None:
        """COLUMNS is input like everything."""
        assert look_of(io.StringIO(), {"COLUMNS": columns}).columns >= 20


class TestWriting:
    """Streams that can't."""

    @pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
    def test_an_encoding_that_lacks_a_character_replaces_it(self, encoding: str) -> None:
        """Never an exception for a name."""
        stream = Terminal(encoding)
        say("✓ 人 Zoë …", stream)
        stream.seek(0)
        assert stream.read().startswith("+ ?")

    def test_a_full_disk_is_an_error_with_a_code(self) -> None:
        """A result that was not written must not look like one that was."""
        with Path("/dev/full").open("w", encoding="utf-8") as full, pytest.raises(GatekeeperError) as caught:
            write(full, "result")
        assert caught.value.code == "GK106"

    def test_a_reader_that_has_gone_is_no_error(self) -> None:
        """`gatekeeper tools | head -1`."""
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", encoding="utf-8") as stream:
            write(stream, "result")


def run_on_terminal(code: str, **environment: str) -> bytes:
    """Run Python code with all three streams on a terminal, and return what it wrote there."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=child,
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "PYTHONUTF8": "1", **environment},
    )
    os.close(child)
    seen = b""
    while True:
        try:
            part = os.read(parent, 4096)
        except OSError:  # EIO: the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(parent)
    assert process.wait() == 0
    return seen


SPIN = """
import threading
from gatekeeper.cli.formats.text import waiting
with waiting("Asking \\x1b[31mthe service", after={after}):
    threading.Event().wait({for_})
"""


class TestSpinner:
    """What is waited for, where somebody looks."""

    def test_is_drawn_and_taken_away(self) -> None:
        """The text, neutralised, and at the end an empty line."""
        seen = run_on_terminal(SPIN.format(after=0.01, for_=0.5))
        assert b"Asking \\x1b[31mthe service" in seen
        assert seen.endswith(b"\r\x1b[K")

    def test_a_short_wait_draws_nothing(self) -> None:
        """Nothing flickers."""
        assert run_on_terminal(SPIN.format(after=30, for_=0)) == b""

    def test_a_dumb_terminal_gets_one_line(self) -> None:
        """No carriage returns and no escapes where nothing moves."""
        seen = run_on_terminal(SPIN.format(after=0.01, for_=0.5), TERM="dumb")
        assert seen.count(b"\n") == 1
        assert b"\x1b" not in seen

    def test_no_terminal_gets_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A log is no place for a spinner."""
        from gatekeeper.cli.formats.text import waiting

        with waiting("x", after=0):
            pass
        assert capsys.readouterr() == ("", "")


TABLE = """
from gatekeeper.cli.formats.text import print_table
print_table(("TOOL", "REASON"), [("claude", "[red]no markup[/red] \\x1b]0;title\\x07")])
"""


class TestTable:
    """Tables on a terminal go through rich, and still do as they are told."""

    def test_colours_and_no_markup(self) -> None:
        """A reason is a reason: neither markup nor escape."""
        seen = run_on_terminal(TABLE, COLUMNS="100")
        assert b"[red]no markup[/red] \\x1b]0;title\\x07" in seen
        assert b"\x1b[1m" in seen

    @pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_no_colours(self, environment: dict[str, str]) -> None:
        """No escape at all."""
        assert b"\x1b" not in run_on_terminal(TABLE, **environment)
