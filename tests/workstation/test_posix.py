"""The real World: files, locks, and what a tool can see of the process that became it. Linux and macOS."""

from __future__ import annotations

import errno
import os
import signal
import stat as stat_module
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.fakes.world import FakeWorld

from gatekeeper.workstation.posix import PosixWorld

if TYPE_CHECKING:
    from gatekeeper.workstation.world import World

SOURCE = str(Path(__file__).parents[2] / "src")
WORLD = PosixWorld()
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def in_python(
    code: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
    before: Callable[[], object] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a Python that has a PosixWorld called `world` and runs `code`."""
    head = "import os, sys\nfrom gatekeeper.workstation.posix import PosixWorld\nworld = PosixWorld()\n"
    outer = dict(os.environ) if environment is None else environment
    return subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(code), *arguments],
        env={**outer, "PYTHONPATH": SOURCE},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        preexec_fn=before,  # noqa: PLW1509 - no threads here
    )


def output_of(process: subprocess.Popen[bytes]) -> str:
    """Wait for a process and return its stdout; its stderr is part of a failure's message."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode(errors="replace")
    return out.decode(errors="surrogateescape")


# The contract, on both worlds


@pytest.fixture(params=["real", "fake"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[World, str]:
    """Give a World and an empty directory of it."""
    if request.param == "real":
        return WORLD, str(tmp_path)
    fake = FakeWorld()
    fake.make_directory("/there/place")
    return fake, "/there/place"


def test_what_is_replaced_is_read(place: tuple[World, str]) -> None:
    """A file holds what was last put, exactly; its stat's key changes with it."""
    world, directory = place
    path = f"{directory}/file"
    keys = set()
    for data in (b"", b"one", b"two", b"\0\xff" * 5_000):
        world.replace(path, data)
        read, stat = world.open_read(path, max_bytes=10_000)
        assert read == data
        assert stat.size == len(data)
        assert stat.mode & 0o777 == 0o600
        assert stat.uid == world.user_id()
        assert stat == world.stat(path)
        keys.add(stat.key())
    assert len(keys) == 4


def test_a_file_is_read_up_to_its_limit_and_not_beyond(place: tuple[World, str]) -> None:
    """Exactly the limit is read; one byte more is EFBIG."""
    world, directory = place
    world.replace(f"{directory}/file", b"x" * 10)
    assert len(world.open_read(f"{directory}/file", max_bytes=10)[0]) == 10
    with pytest.raises(OSError) as caught:
        world.open_read(f"{directory}/file", max_bytes=9)
    assert caught.value.errno == errno.EFBIG


def test_what_is_not_there(place: tuple[World, str]) -> None:
    """Each way of reading says FileNotFoundError; removing says nothing."""
    world, directory = place
    absent = f"{directory}/absent"
    for call in (
        lambda: world.open_read(absent, max_bytes=1),
        lambda: world.stat(absent),
        lambda: world.readlink(absent),
        lambda: world.realpath(absent),
        lambda: world.listdir(absent),
        lambda: world.replace(f"{absent}/file", b""),
    ):
        with pytest.raises(FileNotFoundError):
            call()
    world.remove(absent)
    assert not world.access_execute(absent)


def test_a_directory_is_no_file_and_a_file_no_link(place: tuple[World, str]) -> None:
    """Reading a directory, listing a file and following what is no link are OSErrors of their own."""
    world, directory = place
    world.replace(f"{directory}/file", b"")
    with pytest.raises(OSError, match="not a regular file"):
        world.open_read(directory, max_bytes=10)
    with pytest.raises(NotADirectoryError):
        world.listdir(f"{directory}/file")
    with pytest.raises(OSError) as caught:
        world.readlink(f"{directory}/file")
    assert caught.value.errno == errno.EINVAL


def test_a_removed_file_is_gone(place: tuple[World, str]) -> None:
    """What was removed is neither listed nor read."""
    world, directory = place
    world.replace(f"{directory}/a", b"")
    world.replace(f"{directory}/b", b"")
    assert sorted(world.listdir(directory)) == ["a", "b"]
    world.remove(f"{directory}/a")
    assert world.listdir(directory) == ["b"]


def test_a_lock_has_one_holder(place: tuple[World, str]) -> None:
    """A second taker gets None until the first gives it back."""
    world, directory = place
    first = world.lock(f"{directory}/lock", wait_for=0)
    assert first is not None
    assert world.lock(f"{directory}/lock", wait_for=0.05) is None
    world.unlock(first)
    second = world.lock(f"{directory}/lock", wait_for=0)
    assert second is not None
    world.unlock(second)


# Files


def test_reading_a_pipe_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    """A pipe laid where a file is expected is refused at once."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        WORLD.open_read(str(tmp_path / "pipe"), max_bytes=10)
    with pytest.raises(OSError, match="not a regular file"):
        WORLD.open_read("/dev/null", max_bytes=10)


def test_links_are_followed(tmp_path: Path) -> None:
    """A linked file is read; its stat is the target's; realpath and readlink tell where it is; a loop is an error."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    data, stat = WORLD.open_read(str(tmp_path / "link"), max_bytes=10)
    assert data == b"x"
    assert stat.inode == (tmp_path / "file").stat().st_ino
    assert WORLD.readlink(str(tmp_path / "link")) == "file"
    assert WORLD.realpath(str(tmp_path / "link")) == str((tmp_path / "file").resolve())
    with pytest.raises(OSError) as caught:
        WORLD.realpath(str(tmp_path / "loop"))
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_files_and_directories_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """Files are 0600 and directories at most 0700, even where the umask takes everything or nothing."""
    code = """
        os.umask(int(sys.argv[2]))
        world.replace(sys.argv[1] + "/file", b"x")
        print(oct(os.stat(sys.argv[1] + "/file").st_mode & 0o777))
        os.umask(int(sys.argv[2]) & 0o077)
        world.make_directory(sys.argv[1] + "/a/b")
        print(oct(os.stat(sys.argv[1] + "/a").st_mode & 0o777), oct(os.stat(sys.argv[1] + "/a/b").st_mode & 0o777))
    """
    assert output_of(in_python(code, str(tmp_path), str(umask))).split() == ["0o600", "0o700", "0o700"]


def test_an_existing_directory_stays_as_it_is(tmp_path: Path) -> None:
    """Nothing is changed about a directory that is there; a file in its place is an error."""
    tmp_path.chmod(0o755)
    WORLD.make_directory(str(tmp_path))
    assert stat_module.S_IMODE(tmp_path.stat().st_mode) == 0o755
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        WORLD.make_directory(str(tmp_path / "file"))
    with pytest.raises(OSError):
        WORLD.make_directory(str(tmp_path / "file" / "below"))


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """Where the disk takes only part of the bytes, the old content stands and no temporary file is left."""
    (tmp_path / "file").write_bytes(b"old")
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            world.replace(sys.argv[1] + "/file", b"n" * 10_000)
        except OSError as error:
            print(error.strerror)
    """
    assert output_of(in_python(code, str(tmp_path))).strip() == os.strerror(errno.EFBIG)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a write (here: of fsync) leaves no temporary file."""
    (tmp_path / "file").write_bytes(b"old")
    code = """
        def interrupted(descriptor):
            raise KeyboardInterrupt
        os.fsync = interrupted
        try:
            world.replace(sys.argv[1] + "/file", b"new")
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert output_of(in_python(code, str(tmp_path))).strip() == "interrupted"
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """While another process replaces a file again and again, every read is one of the two contents, whole."""
    path = str(tmp_path / "file")
    contents = {b"a" * 20_000, b"b" * 30_000}
    WORLD.replace(path, b"a" * 20_000)
    writer = in_python(
        """
        for number in range(300):
            world.replace(sys.argv[1], b"a" * 20_000 if number % 2 else b"b" * 30_000)
        """,
        path,
    )
    seen = set()
    while writer.poll() is None:
        seen.add(WORLD.open_read(path, max_bytes=40_000)[0])
    output_of(writer)
    assert seen <= contents


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    """A renewer that is killed blocks nobody: another process holds the lock, dies, and it is free."""
    path = str(tmp_path / "lock")
    code = """
        world.lock(sys.argv[1], wait_for=0)
        print("held", flush=True)
        import time
        time.sleep(60)
    """
    holder = in_python(code, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert WORLD.lock(path, wait_for=0) is None
    holder.kill()
    holder.communicate()
    descriptor = WORLD.lock(path, wait_for=5)
    assert descriptor is not None
    WORLD.unlock(descriptor)


# Surroundings


def test_home_is_the_variable_or_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """An absolute HOME counts; an empty or relative one is replaced by the account database's."""
    import pwd

    monkeypatch.setenv("HOME", "/somewhere")
    assert WORLD.home() == "/somewhere"
    for value in ("", "relative"):
        monkeypatch.setenv("HOME", value)
        assert WORLD.home() == pwd.getpwuid(os.getuid()).pw_dir


def test_a_removed_working_directory_is_an_oserror(tmp_path: Path) -> None:
    """Whoever stands in a directory that is gone gets an OSError, not a guess."""
    code = """
        os.mkdir(sys.argv[1] + "/gone"); os.chdir(sys.argv[1] + "/gone"); os.rmdir(sys.argv[1] + "/gone")
        try:
            world.working_directory()
        except OSError:
            print("OSError")
    """
    assert output_of(in_python(code, str(tmp_path))).strip() == "OSError"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", b"? and ??"), ("latin-1", b"\xe9 and ??"), ("utf-8", "é and …✗".encode())],
)
def test_stderr_gets_what_its_encoding_can_show(encoding: str, shown: bytes) -> None:
    """What the terminal's encoding lacks is replaced, never an error."""
    process = in_python(
        "world.write_error('é and …✗')", environment={**os.environ, "PYTHONIOENCODING": encoding}
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == shown


def test_a_closed_stderr_is_not_some_other_file(tmp_path: Path) -> None:
    """With stderr closed, what is written to it reaches no file that was opened since."""
    code = """
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, 2)
        world.write_error("words")
    """
    output_of(in_python(code, str(tmp_path / "file"), before=lambda: os.close(2)))
    assert (tmp_path / "file").read_bytes() == b""


# What the tool sees


def ignored_signals(before: Callable[[], object] | None = None) -> set[int]:
    """Return the signals that a program ignores after `execute`."""
    code = """
        world.execute("/bin/grep", ["grep", "SigIgn", "/proc/self/status"], world.environment())
    """
    return _signals(output_of(in_python(code, before=before)))


def _signals(line: str) -> set[int]:
    mask = int(line.split()[1], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


@linux
def test_the_tool_ignores_no_signal_that_we_did_not_find_ignored() -> None:
    """Python ignores SIGPIPE and SIGXFSZ; the tool doesn't. An ignored SIGHUP (nohup) stays ignored."""
    # What whoever started the tests ignores, as a program sees it that no Python stands before.
    plain = subprocess.run(
        ["/bin/grep", "SigIgn", "/proc/self/status"], capture_output=True, text=True, check=True
    )
    found = _signals(plain.stdout)
    assert not found & {signal.SIGPIPE, signal.SIGXFSZ}
    assert ignored_signals() == found
    for number in (signal.SIGHUP, signal.SIGINT):
        assert ignored_signals(partial(signal.signal, number, signal.SIG_IGN)) == found | {number}


def test_arguments_and_environment_arrive_byte_for_byte() -> None:
    """Bytes that are no UTF-8 reach the tool as they were, in arguments and in the environment."""
    code = r"""
        environment = dict(world.environment())
        environment["ODD"] = os.fsdecode(b"\xff\xfe")
        world.execute("/bin/sh", ["name", "-c", 'printf %s "$0 $1 $ODD"', os.fsdecode(b"\xe9"), ""], environment)
    """
    assert output_of(in_python(code)) == os.fsdecode(b"\xe9  \xff\xfe")


@linux
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"LC_ALL": "C"}, ["LC_ALL=C"]),
        ({"LC_CTYPE": "C.UTF-8"}, ["LC_CTYPE=C.UTF-8"]),
        ({"LC_CTYPE": "POSIX"}, ["LC_CTYPE=POSIX"]),
    ],
)
def test_python_s_locale_coercion_does_not_reach_the_tool(given: dict[str, str], expected: list[str]) -> None:
    """In a C locale Python sets LC_CTYPE for its children (PEP 538); the tool gets the environment of its caller."""
    process = in_python(
        "world.execute('/usr/bin/env', ['env'], world.environment())", environment={"PATH": "/bin", **given}
    )
    variables = [line for line in output_of(process).splitlines() if line.startswith("LC_")]
    assert variables == expected


def test_a_failed_execute_is_an_oserror_and_leaves_the_process_as_it_was() -> None:
    """Where the system refuses, OSError says so and SIGPIPE is ignored again, so that the words can be written."""
    code = """
        import signal
        try:
            world.execute(sys.argv[1], ["x"], {})
        except OSError as error:
            print(error.errno, signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN)
    """
    assert output_of(in_python(code, "/nowhere/at/all")).split() == [str(errno.ENOENT), "True"]
    assert output_of(in_python(code, "/etc")).split() == [str(errno.EACCES), "True"]


def test_the_process_stays_the_same() -> None:
    """Execute keeps pid, parent, working directory and streams: the tool is where the caller started gatekeeper."""
    process = in_python("world.execute('/bin/sh', ['sh', '-c', 'echo $$ $PPID; pwd'], world.environment())")
    assert output_of(process).split() == [str(process.pid), str(os.getpid()), str(Path.cwd())]


# Detaching

DETACHED = """
    import json, time
    facts = {
        "session": os.getsid(0), "pid": os.getpid(), "group": os.getpgrp(), "parent": os.getppid(),
        "directory": os.getcwd(),
        "streams": sorted({os.readlink(f"/proc/self/fd/{n}") for n in (0, 1, 2)}),
        "descriptors": sorted(int(n) for n in os.listdir("/proc/self/fd")),
    }
    with open(sys.argv[1] + ".part", "w") as file:
        json.dump(facts, file)
    os.rename(sys.argv[1] + ".part", sys.argv[1])
    end = time.monotonic() + 60
    while not os.path.exists(sys.argv[1] + ".go") and time.monotonic() < end:
        time.sleep(0.02)
    open(sys.argv[1] + ".done", "w").close()
"""


def wait_until(there: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Give the code that detaches a process, and the file in which that process describes itself."""
    report = tmp_path / "report"
    script = tmp_path / "detached.py"
    script.write_text("import os, sys\n" + textwrap.dedent(DETACHED))
    yield f"world.detach([sys.executable, {str(script)!r}, {str(report)!r}])\n", report
    Path(f"{report}.go").touch()
    wait_until(Path(f"{report}.done").exists)


@linux
def test_the_tool_has_no_child_and_its_pipes_end_with_it(detached: tuple[str, Path]) -> None:
    """A tool that waits for all its children finds none, and its reader sees the end of all its pipes while the renewal still runs."""
    code, report = detached
    read_end, write_end = os.pipe()
    tool = (
        "import os, sys\n"
        "try:\n    os.waitpid(-1, 0); print('a child')\n"
        "except ChildProcessError:\n    print('no child')\n"
    )
    process = in_python(
        code + f"world.execute(sys.executable, [sys.executable, '-c', {tool!r}], world.environment())",
        pass_fds=(write_end,),
    )
    os.close(write_end)
    assert output_of(process) == "no child\n"  # communicate() returns at the end of stdout and stderr
    with os.fdopen(read_end, "rb") as pipe:
        assert pipe.read() == b""
    wait_until(report.exists)
    assert not Path(f"{report}.done").exists()


@linux
def test_the_detached_process_shares_nothing_with_the_terminal(detached: tuple[str, Path]) -> None:
    """Its own session and group, null streams, no other descriptor, the root directory, and not our child."""
    import json

    code, report = detached
    process = in_python(code + "print(os.getsid(0), os.getpgrp())")
    session, group = map(int, output_of(process).split())
    wait_until(report.exists)
    facts = json.loads(report.read_text())
    assert facts["session"] not in (session, facts["pid"])  # nor a leader that could gain a terminal
    assert facts["group"] not in (group, facts["pid"])
    assert facts["parent"] != process.pid
    assert facts["directory"] == "/"
    assert facts["streams"] == ["/dev/null"]
    assert [n for n in facts["descriptors"] if n > 3] == []  # 3 is the listing's own


@linux
def test_detaching_works_where_children_are_ignored(detached: tuple[str, Path]) -> None:
    """A caller that ignores SIGCHLD, as some daemons do, doesn't make a launch fail."""
    code, report = detached
    head = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    assert output_of(in_python(head + code + "print('on')")) == "on\n"
    wait_until(report.exists)


def test_a_program_that_is_not_there_ends_in_the_detached_process_alone() -> None:
    """What fails after the second fork is nobody's error, and runs none of the parent's code."""
    code = """
        try:
            world.detach(["/nowhere/at/all"])
            print("once")
        finally:
            print("end")
    """
    assert output_of(in_python(code)) == "once\nend\n"
