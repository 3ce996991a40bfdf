"""`gatekeeper demo` tells the whole story anywhere, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.terminal import Terminal
from tests.e2e.workplace import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TOLD = ("GK301", "R-1", "GK401", "GK405", "G-1", "GK307", "revoked by sam@acme.example")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A home and a temporary directory, both of which must be as empty afterwards as before."""
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    yield tmp_path
    assert list((tmp_path / "home").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def _environment(place: Path, command: Path, path: Sequence[Path] = ()) -> dict[str, str]:
    return {
        "PATH": ":".join(map(str, [command.parent, *path, "/usr/bin", "/bin"])),
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
    }


def test_with_the_demonstration_tool(command: Path, place: Path) -> None:
    """Where no assistant is installed, the one that ships stands in, and says so."""
    done = run([command, "demo"], environment=_environment(place, command), cwd=place)
    assert done.status == 0, done
    assert "demonstration tool, not a real assistant" in done.out
    assert [words for words in TOLD if words not in done.out] == []


def test_with_the_real_claude(command: Path, place: Path, npm_tools: Path, node: Path) -> None:
    """Whichever tool is installed is the one that the story is about."""
    done = run([command, "demo"], environment=_environment(place, command, [npm_tools, node]), cwd=place)
    assert done.status == 0, done
    assert "(Claude Code)" in done.out
    assert [words for words in TOLD if words not in done.out] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(command: Path, place: Path, number: signal.Signals) -> None:
    """Interrupted in the middle, it ends the service and removes everything all the same."""
    with Terminal([command, "demo"], environment=_environment(place, command), cwd=place) as terminal:
        terminal.expect("login --code")
        if number == signal.SIGINT:
            terminal.type(b"\x03")
        else:
            os.kill(terminal.process.pid, number)
        assert terminal.finish() == 130, terminal.screen
        port = re.search(r"localhost:(\d+)", terminal.screen)
        assert port
        assert "Traceback" not in terminal.screen
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/healthz", timeout=5).close()


def test_keep(command: Path, place: Path) -> None:
    """`--keep` leaves the service running, and what it prints is how to go on and how to end it."""
    environment = _environment(place, command)
    done = run([command, "demo", "--keep"], environment=environment, cwd=place)
    assert done.status == 0, done
    exports = dict(re.findall(r"export (\w+)=(\S+)", done.out))
    end = re.search(r"kill (\d+); rm -r (\S+)", done.out)
    assert end
    try:
        own = {name: value for name, value in exports.items() if name != "PATH"}
        status = run([command, "status"], environment={**environment, **own}, cwd=place)
        assert status.status == 0, status
        assert "ada@acme.example" in status.out
    finally:
        subprocess.run(["sh", "-c", end[0]], check=True)
