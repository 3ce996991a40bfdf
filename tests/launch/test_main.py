"""The process: triage, exit statuses, Ctrl-C and bugs wherever they happen, and the tool that it becomes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.fakes.facts import NOW
from tests.fakes.workstation import RealWorkstation, make_workstation
from tests.fakes.world import Executed, FakeWorld

from gatekeeper.__main__ import main

SOURCE = str(Path(__file__).parents[2] / "src")


@pytest.fixture(autouse=True)
def sigint_as_it_was() -> Iterator[None]:
    """Put the disposition of Ctrl-C back, which `main` changes at its end."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def gatekeeper(
    workstation: RealWorkstation, *arguments: str, environment: Mapping[str, str] | None = None, **how: object
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "gatekeeper", *arguments],
        env={**workstation.environment, "PYTHONPATH": SOURCE, **(environment or {})},
        cwd=workstation.place / "home",
        timeout=60,
        check=False,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how},
    )


class Breaking(FakeWorld):
    """A world whose k-th call raises anything at all."""

    trouble: BaseException = KeyboardInterrupt()

    def _call(self, name: str, *arguments: str) -> None:
        if len(self.calls) == self.fail_at:
            self.calls.append((name, *arguments))
            raise self.trouble
        super()._call(name, *arguments)


def breaking(trouble: BaseException, at: int) -> Breaking:
    """Make a workstation that breaks at its call number `at`."""
    made = make_workstation(issued_at=NOW - 600)
    world = Breaking(now=NOW)
    world.__dict__.update({**made.__dict__, "calls": [], "fail_at": at})
    world.trouble = trouble
    return world


def count_of_calls() -> int:
    """Count the calls of a launch, the exec included."""
    world = breaking(KeyboardInterrupt(), -1)
    with pytest.raises(Executed):
        main(["run", "claude"], world=world)
    return len(world.calls)


def test_ctrl_c_at_any_moment_is_130_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever call of a launch Ctrl-C hits, the exit is 130, one line says so, and nothing is started."""
    for number in range(count_of_calls() - 1):
        world = breaking(KeyboardInterrupt(), number)
        assert main(["run", "claude"], world=world) == 130
        assert "execute" not in world.names_of_calls()
        told = capsys.readouterr()
        assert told.out == ""
        assert "GK902" in told.err
        assert "Traceback" not in told.err
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(
    "trouble", [ZeroDivisionError("x"), RecursionError(), MemoryError(), UnicodeError("y")]
)
def test_a_bug_is_told_and_launches_nothing(
    trouble: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception that nobody expected is GK901, exit 125, without a traceback; GATEKEEPER_LOG=debug shows it."""
    for number in range(0, count_of_calls() - 1, 7):
        world = breaking(trouble, number)
        assert main(["run", "claude"], world=world) == 125
        assert "execute" not in world.names_of_calls()
        told = capsys.readouterr().err
        assert told.startswith(f"GK901 a bug in gatekeeper: {type(trouble).__name__}")
        assert "GATEKEEPER_LOG=debug" in told
        assert "Traceback" not in told
    monkeypatch.setenv("GATEKEEPER_LOG", "debug")
    assert main(["run", "claude"], world=breaking(trouble, 0)) == 125
    assert "Traceback" in capsys.readouterr().err


def test_an_import_that_fails_is_a_bug_told_in_a_sentence(tmp_path: Path) -> None:
    """A broken installation says GK901 and exits 125, whichever module it is."""
    workstation = RealWorkstation(tmp_path)
    code = (
        "import sys; sys.modules['gatekeeper.launch.find'] = None\n"
        "from gatekeeper.__main__ import main\nsys.exit(main(['run', 'claude']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**workstation.environment, "PYTHONPATH": SOURCE},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 125
    assert done.stderr.startswith(b"GK901")
    assert b"Traceback" not in done.stderr


def test_ctrl_c_during_an_import_is_130(tmp_path: Path) -> None:
    """Ctrl-C while modules are still being loaded is no traceback either."""
    workstation = RealWorkstation(tmp_path)
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'gatekeeper.launch.attempt':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from gatekeeper.__main__ import main\nsys.exit(main(['run', 'claude']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**workstation.environment, "PYTHONPATH": SOURCE},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 130
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run"], "GK100"),
        (["run", "--offlin", "claude"], "GK100"),
        (["run", "./claude"], "GK103"),
    ],
)
def test_wrong_arguments_are_125(arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What can't be understood is told with its code; `run` exits 125, as the tool never started."""
    world = make_workstation()
    assert main(arguments, world=world) == 125
    assert code in capsys.readouterr().err
    assert "execute" not in world.names_of_calls()


def test_the_process_becomes_the_tool(tmp_path: Path) -> None:
    """Exit status, arguments, stdout and pid are the tool's; with and without dashes alike, cold and warm alike."""
    workstation = RealWorkstation(tmp_path, tool='echo "$$ $0 $*"; exit 7')
    outputs = []
    for arguments in (("--", "--version", "a b"), ("--version", "a b"), ("--", "--version", "a b")):
        process = subprocess.Popen(
            [sys.executable, "-m", "gatekeeper", "run", "claude", *arguments],
            env={**workstation.environment, "PYTHONPATH": SOURCE},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (7, b"")
        pid, rest = out.split(b" ", 1)
        assert int(pid) == process.pid
        outputs.append(rest)
    assert len(set(outputs)) == 1
    assert outputs[0].endswith(b"bin/claude --version a b\n")


def test_the_tools_environment_is_the_callers(tmp_path: Path) -> None:
    """Not a variable more, less or changed."""
    workstation = RealWorkstation(tmp_path, tool="exec env -0")
    done = gatekeeper(workstation, "run", "claude", environment={"ODD": "a\nb", "EMPTY": ""})
    seen = dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if item)
    expected = {**workstation.environment, "PYTHONPATH": SOURCE, "ODD": "a\nb", "EMPTY": ""}
    for set_by_the_shell in ("_", "PWD", "OLDPWD", "SHLVL"):
        seen.pop(set_by_the_shell, None)
    assert seen == expected


def test_the_tool_dies_of_the_callers_signal(tmp_path: Path) -> None:
    """A tool that is killed is seen as killed: nothing of ours stands between."""
    done = gatekeeper(RealWorkstation(tmp_path, tool="kill -TERM $$"), "run", "claude")
    assert done.returncode == -signal.SIGTERM


def test_a_stale_token_launches_without_the_service_and_says_so_once(tmp_path: Path) -> None:
    """Between `fresh` and the lease's end, an unreachable service costs one line on stderr, once a minute; stdout is the tool's."""
    import time

    workstation = RealWorkstation(tmp_path, tool="echo started", issued_at=int(time.time()) - 3_600)
    enrolled = {"GATEKEEPER_CREDENTIAL_STORE": "file"}
    first = gatekeeper(workstation, "run", "--offline", "claude", environment=enrolled)
    assert (first.returncode, first.stdout) == (0, b"started\n")
    assert b"couldn't renew" in first.stderr
    assert first.stderr.count(b"\n") == 1


def test_without_a_token_and_offline_it_could_not_be_decided(tmp_path: Path) -> None:
    """No token and no service: 125, GK601, «this is not a denial», and the verdict says undetermined."""
    workstation = RealWorkstation(tmp_path, tool="echo started")
    (workstation.profile / "tokens" / "claude.json").unlink()
    verdict = tmp_path / "verdict.json"
    done = gatekeeper(workstation, "run", "--offline", "--result-file", str(verdict), "claude")
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"GK601" in done.stderr
    assert b"not a denial" in done.stderr
    written = json.loads(verdict.read_bytes())
    assert (written["code"], written["decision"], written["exit"]) == ("GK601", "undetermined", 125)


def test_a_copied_state_says_so(tmp_path: Path) -> None:
    """A state directory that was copied is GK204, 125, and no call to the service is tried."""
    workstation = RealWorkstation(tmp_path, tool="echo started")
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(workstation.state), str(copy)], check=True)
    done = gatekeeper(workstation, "run", "claude", environment={"GATEKEEPER_STATE_DIR": str(copy)})
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"GK204" in done.stderr


def test_a_tool_that_is_gone_is_127(tmp_path: Path) -> None:
    """Approved and not installed: 127, GK801."""
    workstation = RealWorkstation(tmp_path)
    (tmp_path / "bin" / "claude").unlink()
    done = gatekeeper(workstation, "run", "claude")
    assert done.returncode == 127
    assert b"GK801" in done.stderr


def test_a_terminal_without_utf8_gets_words_all_the_same(tmp_path: Path) -> None:
    """In an ASCII terminal nothing fails: glyphs are replaced."""
    workstation = RealWorkstation(tmp_path)
    (tmp_path / "bin" / "claude").unlink()
    done = gatekeeper(
        workstation,
        "run",
        "claude",
        environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 127
    assert done.stderr.isascii()
    assert b"GK801" in done.stderr


def test_closed_streams_change_no_status(tmp_path: Path) -> None:
    """With stdin, stdout and stderr closed the status is the same, and no file of the state is written over."""
    workstation = RealWorkstation(tmp_path)
    (tmp_path / "bin" / "claude").unlink()
    before = {path: path.read_bytes() for path in workstation.profile.rglob("*.json")}

    def close() -> None:
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    done = gatekeeper(workstation, "run", "claude", stdin=None, stdout=None, stderr=None, preexec_fn=close)
    assert done.returncode == 127
    assert {path: path.read_bytes() for path in workstation.profile.rglob("*.json")} == before


def test_a_result_file_that_cannot_be_written_is_125_and_no_launch(tmp_path: Path) -> None:
    """Without the verdict that was asked for, nothing starts."""
    workstation = RealWorkstation(tmp_path, tool="echo started")
    done = gatekeeper(workstation, "run", "--result-file", str(tmp_path / "no" / "file"), "claude")
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"GK106" in done.stderr


def test_the_working_directory_brings_no_modules_along(tmp_path: Path) -> None:
    """The detached renewal imports nothing from where the tool is started: a `json.py` in a repository is not run."""
    import time

    workstation = RealWorkstation(tmp_path, tool="exit 0", issued_at=int(time.time()) - 600)
    trap = tmp_path / "sprung"
    for name in ("json", "gatekeeper", "typing"):
        (tmp_path / "home" / f"{name}.py").write_text(f"open({str(trap)!r}, 'w').close()\n")
    code = (
        "import sys\nsys.path.insert(0, sys.argv.pop())\n"
        "from gatekeeper.workstation.posix import PosixWorld\n"
        "class Waiting(PosixWorld):\n"
        "    def detach(self, arguments):\n"
        "        import subprocess\n"
        "        subprocess.run(list(arguments), timeout=60)\n"
        "from gatekeeper.__main__ import main\nmain(['run', 'claude'], world=Waiting())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, SOURCE],
        env={**workstation.environment, "PYTHONPATH": SOURCE, "GATEKEEPER_CREDENTIAL_STORE": "file"},
        cwd=tmp_path / "home",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not trap.exists()


@pytest.mark.parametrize("arguments", [["renew"], ["renew", "--profile", "x"], ["renew", "a", "b", "c"]])
def test_renew_takes_a_tool(arguments: list[str]) -> None:
    """The hidden command does nothing with other arguments."""
    world = make_workstation()
    assert main(arguments, world=world) == 2
    assert world.calls == []
