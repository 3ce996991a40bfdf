"""git's configuration syntax, against git itself."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.errors import Malformed
from gatekeeper.launch.git_config import parse_git_config

if TYPE_CHECKING:
    from pathlib import Path

    from gatekeeper.launch.git_config import Entry


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"a=b", [("", "", "a", "b")]),
        (b"\xef\xbb\xbf[a]\nb=c", [("a", "", "b", "c")]),
        (b"[A]\n\tB = c \r\n", [("a", "", "b", "c")]),
        (b'[remote "Origin"] URL=x', [("remote", "Origin", "url", "x")]),
        (b"[remote.Origin]\nurl=x", [("remote", "origin", "url", "x")]),
        (b'[a.b "c.d"]e=f', [("a", "b.c.d", "e", "f")]),
        (b'[a "b\\"\\\\\\c]"]\nd', [("a", 'b"\\c]', "d", None)]),
        (b"[a]b\n[c]d", [("a", "", "b", None), ("c", "", "d", None)]),
        (b"# x\n[a];x\nb=c#d\ne=f ;g", [("a", "", "b", "c"), ("a", "", "e", "f")]),
        (b'[a]b="c # d" e\n', [("a", "", "b", "c # d e")]),
        (b'[a]b=" c "  \n', [("a", "", "b", " c ")]),
        (b'[a]b=c\\\n  d\\n\\t\\b\\\\\\"', [("a", "", "b", 'c  d\n\t\b\\"')]),
        (b'[a]b=""\nc=', [("a", "", "b", ""), ("a", "", "c", "")]),
        (b"[a]b=x\\", [("a", "", "b", "x")]),
        (b"[a]b=x\\\n", [("a", "", "b", "x")]),
        (b"[a]b=\xff", [("a", "", "b", "\udcff")]),
    ],
)
def test_what_git_reads(text: bytes, expected: list[Entry]) -> None:
    """Sections in all forms, comments, quotes, escapes and continued lines."""
    assert parse_git_config(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"[",
        b"[]",
        b"[a",
        b"[a b]",
        b"[a\n]",
        b'[a "b]',
        b'[a "b"',
        b'[a "b" ]',
        b'[a"b"]',
        b'[a "b\n"]',
        b'[a "b\\\n"]',
        b'[a "b\\',
        b"[a_b]",
        b"[a]1=b",
        b"[a]b c",
        b"[a]b_c=d",
        b"[a]b #c",
        b'[a]b="c',
        b'[a]b="c\nd"',
        b"[a]b=\\x",
        b"[a]\0",
        b"[a]b=https://github.com/ada/x\0https://github.com/acme/llama-1",
        b"[a]=b",
        b"\x0b[a]",
    ],
)
def test_what_git_would_stop_at(text: bytes) -> None:
    """A file that git can't read, and one with a NUL, is malformed rather than half read."""
    with pytest.raises(Malformed):
        parse_git_config(text)


_pieces = st.sampled_from(
    [
        *("[", "]", "a", "b", "B", "=", '"', "\\", "\n", " ", "#", ";", ".", "-", "1", "_"),
        *(
            "[a]",
            '[a "b"]',
            "[a.b]",
            "\nkey=",
            "\nkey",
            "value",
            "\\n",
            '\\"',
            "\\\n",
            "\r\n",
            "\r",
            "\u00e9",
        ),
    ]
)
_files = st.lists(_pieces, max_size=25).map("".join)


@given(text=_files | _files.map(lambda text: "[a]\nkey=" + text))
def test_git_reads_the_same(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """For any text, git and we read the same settings, or neither reads it."""
    file = tmp_path_factory.getbasetemp() / "any-git-config"
    file.write_bytes(text.encode())
    expected = _settings_by_git(file)
    if expected is None:
        with pytest.raises(Malformed):
            parse_git_config(text.encode())
        return
    read = [
        (".".join(part for part in (section, subsection, key) if part), value)
        for section, subsection, key, value in parse_git_config(text.encode())
    ]
    # Older versions of git turn other blanks inside a value into spaces.
    assert [(name, _blank(value)) for name, value in read] == [(n, _blank(v)) for n, v in expected]


def _blank(value: str | None) -> str | None:
    return value if value is None else value.replace("\r", " ")


def _settings_by_git(file: Path) -> list[tuple[str, str | None]] | None:
    done = subprocess.run(
        ["git", "config", "--no-includes", "--file", str(file), "--list", "-z"],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"},
        cwd="/",
    )
    if done.returncode:
        return None
    settings: list[tuple[str, str | None]] = []
    for item in done.stdout.decode().split("\0")[:-1]:
        name, mark, value = item.partition("\n")
        settings.append((name, value if mark else None))
    return settings
