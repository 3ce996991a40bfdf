"""PATH as a shell reads it, but never the working directory and never gatekeeper itself."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from tests.fakes.world import FakeWorld

from gatekeeper.decision.obstacles import Loop, NotInstalled
from gatekeeper.launch.find import SHIM_MARKER, find, own_of
from gatekeeper.workstation.posix import PosixWorld

if TYPE_CHECKING:
    from pathlib import Path

    from gatekeeper.workstation.world import Stat

WORLD = PosixWorld()
SHIM = b"#!/usr/bin/python3 -IS\n# " + SHIM_MARKER + b"\n"
ENTRY_POINT = b"#!/usr/bin/python3\nfrom gatekeeper.__main__ import main\n"


@pytest.fixture
def bins(tmp_path: Path) -> list[Path]:
    """Make three directories for a PATH."""
    made = [tmp_path / name for name in ("one", "two", "shims")]
    for one in made:
        one.mkdir()
    return made


def _executable(path: Path, data: bytes = b"#!/bin/sh\n") -> str:
    path.write_bytes(data)
    path.chmod(0o755)
    return str(path)


def _path(*directories: object) -> str:
    return ":".join(map(str, directories))


def test_the_first_in_path_order_is_found_as_path_names_it(bins: list[Path]) -> None:
    """The first directory wins, and the result is PATH's entry, not what a link leads to."""
    target = _executable(bins[1] / "real")
    (bins[0] / "claude").symlink_to(target)
    _executable(bins[1] / "claude")
    assert find(WORLD, ("claude",), path=_path(*bins), own=frozenset()) == str(bins[0] / "claude")
    assert find(WORLD, ("claude",), path=_path(bins[1], bins[0]), own=frozenset()) == str(bins[1] / "claude")


def test_names_are_tried_in_their_order(bins: list[Path]) -> None:
    """The usual name of a tool counts before another, wherever PATH has it."""
    _executable(bins[0] / "agent")
    usual = _executable(bins[1] / "cursor-agent")
    assert find(WORLD, ("cursor-agent", "agent"), path=_path(*bins), own=frozenset()) == usual


def test_what_a_shell_would_not_start_is_passed_over(bins: list[Path]) -> None:
    """Directories, files without the right to execute, dangling links and loops of links are passed over."""
    names = ("claude",)
    (bins[0] / "claude").mkdir()
    (bins[1] / "claude").write_bytes(b"")
    third = bins[2] / "claude"
    third.symlink_to("nowhere")
    path = _path(*bins, "/nonexistent", bins[0] / "claude" / "deeper", "/dev/null")
    assert find(WORLD, names, path=path, own=frozenset()) == NotInstalled(names=names)
    third.unlink()
    third.symlink_to("claude")
    assert find(WORLD, names, path=path, own=frozenset()) == NotInstalled(names=names)


def test_the_working_directory_never_decides(bins: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty and relative entries of PATH are skipped."""
    _executable(bins[0] / "claude")
    monkeypatch.chdir(bins[0])
    for path in ("", ":", ".", "./", f"../{bins[0].name}", ":::"):
        assert find(WORLD, ("claude",), path=path, own=frozenset()) == NotInstalled(names=("claude",))


@pytest.mark.parametrize("name", ["", ".", "..", "../one/claude", "/bin/sh", "a\0b"])
def test_a_name_is_never_a_path(bins: list[Path], name: str) -> None:
    """A name with a slash, even from a signed token, finds nothing."""
    _executable(bins[0] / "claude")
    assert find(WORLD, (name,), path=_path(*bins), own=frozenset()) == NotInstalled(names=(name,))


def test_a_hostile_path_raises_nothing(bins: list[Path]) -> None:
    """A NUL, an endless entry and undecodable bytes are skipped."""
    found = _executable(bins[0] / "claude")
    path = _path("/a\0b", "/" + "x" * 5000, "/\udcff", bins[0])
    assert find(WORLD, ("claude",), path=path, own=frozenset()) == found


def test_a_shim_in_its_own_directory_is_not_there(bins: list[Path]) -> None:
    """With shims alone the tool isn't installed; with the tool behind them, it is what is found."""
    _executable(bins[2] / "claude", SHIM)
    own = own_of(WORLD, str(bins[2]))
    path = _path(bins[2], *bins)
    assert find(WORLD, ("claude",), path=path, own=own) == NotInstalled(names=("claude",))
    real = _executable(bins[1] / "claude")
    assert find(WORLD, ("claude",), path=path, own=own) == real


def test_our_directory_is_ours_under_any_name(bins: list[Path], tmp_path: Path) -> None:
    """A link to the shim directory is the shim directory."""
    _executable(bins[2] / "claude", b"#!/bin/sh\n")
    (tmp_path / "alias").symlink_to(bins[2])
    own = own_of(WORLD, str(bins[2]))
    found = find(WORLD, ("claude",), path=_path(tmp_path / "alias", f"{bins[2]}/"), own=own)
    assert found == NotInstalled(names=("claude",))


@pytest.mark.parametrize("data", [SHIM, ENTRY_POINT, b"x" * 1000 + SHIM_MARKER])
def test_a_copy_of_gatekeeper_is_a_loop(bins: list[Path], data: bytes) -> None:
    """A shim or entry point of gatekeeper outside its directory is passed over, and alone it is a loop."""
    copy = _executable(bins[0] / "claude", data)
    assert find(WORLD, ("claude",), path=_path(*bins), own=frozenset()) == Loop(path=copy)
    real = _executable(bins[1] / "claude")
    assert find(WORLD, ("claude",), path=_path(*bins), own=frozenset()) == real


def test_links_to_gatekeeper_are_a_loop(bins: list[Path], tmp_path: Path) -> None:
    """Hard and symbolic links to our script, and a link into our shims, lead back."""
    script = tmp_path / "gatekeeper"
    _executable(script, b"any bytes")
    _executable(bins[2] / "codex", b"any bytes")
    own = own_of(WORLD, str(script), str(bins[2]))
    entry = bins[0] / "claude"
    entry.symlink_to(script)
    assert find(WORLD, ("claude",), path=_path(bins[0]), own=own) == Loop(path=str(entry))
    entry.unlink()
    entry.hardlink_to(script)
    assert find(WORLD, ("claude",), path=_path(bins[0]), own=own) == Loop(path=str(entry))
    entry.unlink()
    entry.symlink_to(bins[2] / "codex")
    assert find(WORLD, ("claude",), path=_path(bins[0]), own=own) == Loop(path=str(entry))


def test_a_large_file_is_not_read_for_the_marker(bins: list[Path]) -> None:
    """A shim is small; a large program that happens to hold the bytes is a program."""
    large = _executable(bins[0] / "claude", b"\x7fELF" + b"\0" * 20_000 + SHIM_MARKER)
    assert find(WORLD, ("claude",), path=_path(*bins), own=frozenset()) == large


def test_absent_directories_of_ours_are_left_out(tmp_path: Path) -> None:
    """What isn't there, or isn't absolute, is nothing of ours."""
    assert own_of(WORLD, str(tmp_path / "nowhere"), "", "relative") == frozenset()


def test_a_program_that_cannot_be_read_is_no_shim() -> None:
    """What may be executed and not read can't be a script of ours."""

    class Unreadable(FakeWorld):
        def open_read(self, path: str, *, max_bytes: int) -> tuple[bytes, Stat]:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    world = Unreadable()
    world.add_executable("/usr/bin/claude")
    assert find(world, ("claude",), path="/usr/bin", own=frozenset()) == "/usr/bin/claude"


def test_a_broken_disk_finds_nothing_and_says_so() -> None:
    """Whichever call fails for a reason other than absence, the failure goes to the caller."""

    def world(fail_at: int | None) -> FakeWorld:
        made = FakeWorld(fail_at=fail_at)
        made.add_executable("/home/ada/shims/claude", SHIM)
        made.add_executable("/usr/bin/claude")
        return made

    def run(made: FakeWorld) -> object:
        own = own_of(made, "/home/ada/shims")
        return find(made, ("claude",), path="/home/ada/shims:/usr/bin", own=own)

    whole = world(None)
    assert run(whole) == "/usr/bin/claude"
    assert len(whole.calls) > 5
    for at in range(len(whole.calls)):
        with pytest.raises(OSError, match="Input/output"):
            run(world(at))
