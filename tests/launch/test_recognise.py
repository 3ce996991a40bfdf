"""Recognition of installed tools: by realpath and the package that owns it, never by name or by bytes' look."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from tests.fakes.world import FakeWorld

from gatekeeper.decision.decide import recognise
from gatekeeper.decision.facts import Executable, Recognised
from gatekeeper.decision.obstacles import NotRecognised
from gatekeeper.documents.launch_token import Identity
from gatekeeper.launch.find import examine
from gatekeeper.launch.recognise import hash_executable, measure
from gatekeeper.workstation.posix import PosixWorld

if TYPE_CHECKING:
    from pathlib import Path

    from gatekeeper.workstation.world import Stat

WORLD = PosixWorld()
CLAUDE = (Identity(npm="@anthropic-ai/claude-code"), Identity(native="claude"))
ELF = b"\x7fELF" + b"\0" * 100


def _unknown(_stat: Stat) -> str:
    return ""


def _examine(path: Path | str) -> Executable:
    return examine(WORLD, str(path), digest_of=_unknown)


def _recognised(path: Path | str) -> bool:
    return isinstance(recognise(_examine(path), CLAUDE), Recognised)


def _file(path: Path, data: bytes = ELF) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755)
    return path


def _package(root: Path, name: str, version: str, bins: object, *, claims: str = "") -> Path:
    """Lay an npm package out as npm does."""
    package = root / "node_modules" / name
    members = {"name": claims or name, "version": version, "bin": bins}
    _file(package / "package.json", json.dumps(members).encode())
    return package


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """Install something laid out as @anthropic-ai/claude-code is; return PATH's entry."""
    package = _package(tmp_path / "lib", "@anthropic-ai/claude-code", "2.1.330", {"claude": "bin/claude.exe"})
    _file(package / "bin" / "claude.exe")
    entry = tmp_path / "bin" / "claude"
    entry.parent.mkdir()
    entry.symlink_to("../lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe")
    return entry


def test_an_npm_package_is_known_by_its_realpath(claude: Path) -> None:
    """PATH's link leads to the file that the package names: package and version are known, what runs is PATH's."""
    found = _examine(claude)
    assert found == Executable(
        found=str(claude), path=str(claude.resolve()), npm="@anthropic-ai/claude-code", version="2.1.330"
    )
    assert _recognised(claude)


def test_a_script_package_is_known_as_well(tmp_path: Path) -> None:
    """A package may name one file as text, and begin it with `./`."""
    package = _package(tmp_path, "opencode-ai", "1.18.33", "./bin/opencode.js")
    script = _file(package / "bin" / "opencode.js", b"#!/usr/bin/env node\n")
    assert (_examine(script).npm, _examine(script).version) == ("opencode-ai", "1.18.33")


def test_a_copy_of_the_executable_is_not_the_tool(claude: Path, tmp_path: Path) -> None:
    """`cp claude notclaude`, a copy named claude, and a hard link elsewhere have no identity."""
    for place in (tmp_path / "bin" / "notclaude", tmp_path / "elsewhere" / "claude"):
        place.parent.mkdir(exist_ok=True)
        shutil.copy(claude, place)
        assert not _recognised(place)
    linked = tmp_path / "elsewhere" / "linked"
    linked.hardlink_to(claude.resolve())
    assert not _recognised(linked)


def test_a_link_to_another_package_is_that_package(claude: Path, tmp_path: Path) -> None:
    """A link named claude that leads to another package's file isn't claude."""
    package = _package(tmp_path / "lib", "evil", "2.1.330", {"claude": "claude.js"})
    script = _file(package / "claude.js", b"#!/usr/bin/env node\n")
    claude.unlink()
    claude.symlink_to(script)
    assert _examine(claude).npm == "evil"
    assert not _recognised(claude)


def test_a_copy_in_another_package_is_that_package(claude: Path, tmp_path: Path) -> None:
    """The executable copied into another package, in its own place even, belongs to that one."""
    package = _package(tmp_path / "lib", "evil", "1.0.0", {"claude": "bin/claude.exe"})
    copy = package / "bin" / "claude.exe"
    copy.parent.mkdir()
    shutil.copy(claude, copy)
    assert not _recognised(copy)
    nested = claude.resolve().parent.parent / "node_modules" / "evil" / "bin" / "claude.exe"
    nested.parent.mkdir(parents=True)
    shutil.copy(claude, nested)
    assert not _recognised(nested)


def test_metadata_below_the_package_root_says_nothing(claude: Path, tmp_path: Path) -> None:
    """A package.json in a folder of another package doesn't make that folder the tool."""
    forged = json.dumps(
        {"name": "@anthropic-ai/claude-code", "version": "2.1.330", "bin": {"claude": "claude.exe"}}
    )
    package = _package(tmp_path / "lib", "evil", "1.0.0", {"evil": "evil.js"})
    inner = _file(package / "inner" / "claude.exe")
    _file(package / "inner" / "package.json", forged.encode())
    outside = _file(tmp_path / "outside" / "claude.exe")
    _file(tmp_path / "outside" / "package.json", forged.encode())
    assert not _recognised(inner)
    assert not _recognised(outside)


def test_a_package_lies_under_its_own_name(tmp_path: Path) -> None:
    """A package that claims another's name than its folder's isn't the other."""
    package = _package(tmp_path, "evil", "1.0.0", {"claude": "c"}, claims="@anthropic-ai/claude-code")
    assert not _recognised(_file(package / "c"))


@pytest.mark.parametrize("entry", ["claude", "renamed"])
def test_another_script_of_the_package_is_not_the_tool(claude: Path, entry: str) -> None:
    """Only the file that `bin` names is the tool, by whatever name a link leads to it."""
    package = claude.resolve().parent.parent
    other = _file(package / "cli-wrapper.cjs", b"#!/usr/bin/env node\n")
    link = claude.parent / "other" / entry
    link.parent.mkdir()
    link.symlink_to(other)
    assert not _recognised(link)
    link.unlink()
    link.symlink_to(claude.resolve())
    assert _recognised(link)


def test_of_several_scripts_the_name_chooses(tmp_path: Path) -> None:
    """In a package with two executables, a link under one's name to the other is neither; nor is a third name."""
    package = _package(tmp_path, "two", "1.0.0", {"one": "one.js", "two": "two.js"})
    for name in ("one", "two"):
        _file(package / f"{name}.js")
        (tmp_path / name).symlink_to(package / f"{name}.js")
    (tmp_path / "third").symlink_to(package / "one.js")
    crossed = tmp_path / "crossed" / "one"
    crossed.parent.mkdir()
    crossed.symlink_to(package / "two.js")
    known = {name: _examine(tmp_path / name).npm for name in ("one", "two", "third", "crossed/one")}
    assert known == {"one": "two", "two": "two", "third": "", "crossed/one": ""}


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"name": "@anthropic-ai/claude-code", "version": "1.0.0"}',
        b'{"name": "@anthropic-ai/claude-code", "version": "1.0.0", "bin": ["bin/claude.exe"]}',
        b'{"name": "@anthropic-ai/claude-code", "version": "1.0.0", "bin": {"claude": 1}}',
        b'{"name": "@anthropic-ai/claude-code", "version": 1, "bin": {"claude": "bin/claude.exe"}}',
        b'{"name": "@anthropic-ai/claude-code", "bin": {"claude": "bin/claude.exe"}}',
        b'{"name": "x", "name": "@anthropic-ai/claude-code", "version": "1.0.0", "bin": "bin/claude.exe"}',
        b'{"name": "@anthropic-ai/claude-code", "version": "1.0.0", "bin": {"claude": "bin/../bin/claude.exe"}}',
        b'{"x": "' + b"x" * 300_000 + b'"}',
    ],
)
def test_metadata_that_is_not_what_it_should_be_says_nothing(claude: Path, metadata: bytes) -> None:
    """Hostile package.json files make a tool unknown, not an error and never recognised."""
    (claude.resolve().parent.parent / "package.json").write_bytes(metadata)
    assert _examine(claude).npm == ""
    assert not _recognised(claude)


def test_missing_metadata_says_nothing(claude: Path) -> None:
    """Without a package.json, or with a folder in its place, there is no package."""
    metadata = claude.resolve().parent.parent / "package.json"
    metadata.unlink()
    assert not _recognised(claude)
    metadata.mkdir()
    assert not _recognised(claude)


@pytest.mark.parametrize(
    ("path", "native", "version"),
    [
        ("share/claude/versions/2.1.330", "claude", "2.1.330"),
        ("share/cursor-agent/versions/2025.09.18-7ae6800/cursor-agent", "cursor-agent", "2025.09.18-7ae6800"),
        ("Cellar/block-goose-cli/1.25.0/bin/goose", "homebrew/block-goose-cli", "1.25.0"),
        ("share/cursor-agent/versions/2025.09.18-7ae6800/node", "", ""),
        ("Cellar/block-goose-cli/1.25.0/libexec/goose", "", ""),
        ("share/claude/2.1.330", "", ""),
        ("claude/versions/2.1.330", "", ""),
        ("share/claude/versions/deep/er/2.1.330", "", ""),
    ],
)
def test_an_installer_without_metadata_is_known_by_its_layout(
    tmp_path: Path, path: str, native: str, version: str
) -> None:
    """The vendors' own layouts are known by the realpath; a file beside them isn't."""
    target = _file(tmp_path / path)
    entry = tmp_path / "bin" / ("goose" if "goose" in path else "claude")
    entry.parent.mkdir()
    entry.symlink_to(target)
    found = _examine(entry)
    assert (found.native, found.version) == (native, version)
    assert (found.npm, found.pypi) == ("", "")


def _wheel(packages: Path, prefix: Path, name: str, version: str, script: str, *, listed: str = "") -> Path:
    """Lay a wheel with one console script out as installers do; return the script."""
    information = packages / f"{name}-{version}.dist-info"
    points = f"[other]\n{script}2 = x\n\n[console_scripts]\n{script} = {name}.main:main\n"
    _file(information / "entry_points.txt", points.encode())
    listed = listed or f"../../../bin/{script}"
    _file(
        information / "RECORD",
        f"{name}/main.py,,\n{listed},sha256=x,226\n{information.name}/RECORD,,\n".encode(),
    )
    return _file(prefix / "bin" / script, f"#!{prefix}/bin/python3\nimport {name}\n".encode())


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """Make the bones of a virtual environment."""
    prefix = tmp_path / "venv"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python3").symlink_to(sys.executable)
    (prefix / "lib" / "python3.99" / "site-packages").mkdir(parents=True)
    return prefix


def _packages(venv: Path) -> Path:
    return venv / "lib" / "python3.99" / "site-packages"


def test_a_console_script_is_known_by_its_environment(venv: Path, tmp_path: Path) -> None:
    """The distribution that lists the script, beside the script's interpreter, owns it, through links too."""
    _wheel(_packages(venv), venv, "unrelated", "1.0", "other")
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider")
    entry = tmp_path / "aider"
    entry.symlink_to(script)
    assert _examine(entry) == Executable(
        found=str(entry), path=str(script), pypi="aider_chat", version="0.86.2"
    )


@pytest.mark.parametrize(
    "head",
    [
        "#!/bin/sh\n'''exec' \"{}/bin/python3\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' {}/bin/python3 \"$0\" \"$@\"\n' '''\n",
        "#!{}/bin/python3 -sP\n",
    ],
)
def test_every_form_of_the_first_line_is_read(venv: Path, head: str) -> None:
    """Installers write long paths through sh, and distributions add options."""
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider")
    script.write_text(head.format(venv))
    assert _examine(script).pypi == "aider_chat"


@pytest.mark.parametrize(
    "head",
    ["", "#!/bin/sh\necho\n", "#!/usr/bin/env python3\n", "#!python3\n", "#!/bin/sh", "#!/usr/bin/node\n"],
)
def test_a_script_of_no_python_is_no_console_script(venv: Path, head: str) -> None:
    """Without an interpreter of Python's there is no environment to ask."""
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider")
    script.write_text(head)
    assert _examine(script).pypi == ""


def test_a_copy_of_a_console_script_is_not_the_tool(venv: Path, tmp_path: Path) -> None:
    """Elsewhere, under another name, or under another's, it belongs to nobody."""
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider")
    places = [tmp_path / "aider", tmp_path / "bin" / "aider", venv / "bin" / "notaider"]
    for place in places:
        place.parent.mkdir(exist_ok=True)
        shutil.copy(script, place)
    renamed = tmp_path / "linked"
    renamed.symlink_to(script)
    for place in (*places, renamed):
        assert _examine(place).pypi == ""


def test_a_script_of_two_owners_has_none(venv: Path) -> None:
    """Where two distributions claim a script, whose bytes lie there isn't known."""
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider")
    _wheel(_packages(venv), venv, "evil", "1.0", "aider")
    assert _examine(script).pypi == ""


@pytest.mark.parametrize(
    "listed", ["../../../bin/other", "bin/aider", "../../../../bin/aider", "/usr/bin/aider"]
)
def test_an_owner_lists_the_very_file(venv: Path, listed: str) -> None:
    """An entry point alone owns nothing: RECORD must list this path."""
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider", listed=listed)
    assert _examine(script).pypi == ""


def test_records_may_hold_absolute_paths(venv: Path) -> None:
    """Some installers list scripts by their absolute path."""
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider", listed=f"{venv}/bin/aider")
    assert _examine(script).pypi == "aider_chat"


def test_an_environment_of_two_pythons_is_ambiguous(venv: Path) -> None:
    """With two directories of packages the interpreter's own counts, and without one neither."""
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider")
    own = venv / "lib" / "python3.98"
    own.mkdir()
    assert _examine(script).pypi == ""
    (venv / "bin" / "python3").unlink()
    _file(venv / "bin" / "python3.99")
    (venv / "bin" / "python3").symlink_to("python3.99")
    assert _examine(script).pypi == "aider_chat"


def test_an_incomplete_environment_says_nothing(venv: Path) -> None:
    """A missing interpreter, directory or RECORD makes a script unknown, not an error."""
    script = _wheel(_packages(venv), venv, "aider_chat", "0.86.2", "aider")
    (_packages(venv) / "aider_chat-0.86.2.dist-info" / "RECORD").unlink()
    assert _examine(script).pypi == ""
    shutil.rmtree(venv / "lib" / "python3.99")
    assert _examine(script).pypi == ""
    (venv / "bin" / "python3").unlink()
    assert _examine(script).pypi == ""


def test_a_real_environment_is_read(tmp_path: Path) -> None:
    """The console script of an installed package, in the environment that runs these tests, is its package's."""
    pytest_script = shutil.which("pytest", path=str(_bin_of_this_environment()))
    if pytest_script is None:
        pytest.skip("pytest was not installed as a console script")
    found = _examine(pytest_script)
    assert (found.pypi, found.version) == ("pytest", pytest.__version__)


def _bin_of_this_environment() -> str:
    return sys.executable.rpartition("/")[0]


def test_the_digest_comes_from_the_cache_by_stat(claude: Path) -> None:
    """`examine` hashes nothing: it asks for the digest of the realpath's stat."""
    asked: list[Stat] = []

    def known(stat: Stat) -> str:
        asked.append(stat)
        return "a" * 64

    assert examine(WORLD, str(claude), digest_of=known).sha256 == "a" * 64
    assert asked == [WORLD.stat(str(claude.resolve()))]


def test_a_digest_belongs_to_the_stat_beside_it(claude: Path) -> None:
    """Measuring gives the SHA-256 of the file's bytes, and the stat to keep it under."""
    executable = _examine(claude)
    stat, digest = measure(WORLD, executable)
    assert digest == hashlib.sha256(ELF).hexdigest() == hash_executable(WORLD, executable)
    assert stat == WORLD.stat(executable.path)


def test_a_file_that_changes_meanwhile_has_no_digest(claude: Path) -> None:
    """A digest is never kept under the stat of other bytes."""

    class Changing(PosixWorld):
        def stat(self, path: str) -> Stat:
            found = super().stat(path)
            with claude.resolve().open("ab") as file:
                file.write(b"x")
            return found

    with pytest.raises(OSError, match="changed") as raised:
        measure(Changing(), _examine(claude))
    assert raised.value.errno == errno.EAGAIN


def test_a_broken_disk_recognises_nothing_and_says_so() -> None:
    """Whichever call fails for a reason other than absence, the failure goes to the caller."""
    files = {
        "/v/bin/aider": b"#!/v/bin/python3\n",
        "/v/bin/python3": ELF,
        "/v/lib/python3.11/site-packages/aider_chat-1.dist-info/entry_points.txt": b"[console_scripts]\naider=x\n",
        "/v/lib/python3.11/site-packages/aider_chat-1.dist-info/RECORD": b"../../../bin/aider,,\n",
    }
    whole = FakeWorld(files)
    assert examine(whole, "/v/bin/aider", digest_of=_unknown).pypi == "aider_chat"
    assert len(whole.calls) > 5
    for at in range(len(whole.calls)):
        with pytest.raises(OSError, match="Input/output"):
            examine(FakeWorld(files, fail_at=at), "/v/bin/aider", digest_of=_unknown)


def test_nothing_is_started_to_recognise_a_tool() -> None:
    """A tool that isn't approved is never run, not even for its version: files are read and nothing else."""
    world = FakeWorld({"/m/node_modules/opencode-ai/package.json": b"{}"})
    world.add_executable("/m/node_modules/opencode-ai/opencode.exe")
    examine(world, "/m/node_modules/opencode-ai/opencode.exe", digest_of=_unknown)
    assert set(world.names_of_calls()) <= {"realpath", "stat", "open_read", "listdir"}


def test_a_tool_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """What PATH found a moment ago and isn't there is an error, not a tool without identity."""
    with pytest.raises(FileNotFoundError):
        _examine(tmp_path / "claude")
    assert isinstance(recognise(Executable(found="/a", path="/a"), CLAUDE), NotRecognised)
