"""The real World on Linux and macOS. Imports C modules alone (a launch loads this file on every start).

Everything here is a primitive: what a file must be, and what a failure means, is decided elsewhere. Two
things are exact because others can see them: `execute` leaves the tool as the shell would have started it,
and `detach` leaves the tool no child, no descriptor and no terminal of ours.
"""
# pathlib and contextlib cost a launch more than the signature check; starting programs is the point here.
# ruff: noqa: PTH102, PTH104, PTH108, PTH109, PTH112, PTH115, PTH116, PTH118, PTH120, PTH208, S606, SIM105

from __future__ import annotations

import errno
import os
import sys
import time

from gatekeeper.workstation.world import Stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Mapping, Sequence
    from typing import NoReturn
else:
    import _signal  # the C module: `signal` would load `enum`

_CHUNK = 64 * 1024
_MAX_ENVIRONMENT_BYTES = 16 * 1024 * 1024
_LOCK_POLL_FOR = 0.02
_MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_REGULAR, _FORMAT = 0o100000, 0o170000
# What Python ignores at its start, and a tool would inherit: a pipeline like `claude -p … | head` would not end.
_IGNORED_BY_PYTHON = tuple(
    getattr(_signal, name) for name in ("SIGPIPE", "SIGXFSZ", "SIGXFZ") if hasattr(_signal, name)
)
_COERCED_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8")  # PEP 538


class PosixWorld:
    """This machine, this process."""

    def __init__(self) -> None:
        self._environment: dict[str, str] | None = None

    def open_read(self, path: str, *, max_bytes: int) -> tuple[bytes, Stat]:
        """Read a regular file and stat the same open descriptor."""
        # O_NONBLOCK: opening a pipe that nobody writes would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            if found.st_mode & _FORMAT != _REGULAR:
                raise OSError(errno.EINVAL, "not a regular file", path)
            if found.st_size > max_bytes:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
            parts: list[bytes] = []
            length = 0
            wanted = found.st_size or _CHUNK  # files of /proc say 0
            while length <= max_bytes:
                part = os.read(descriptor, min(wanted, max_bytes + 1 - length))
                if not part:
                    return b"".join(parts), _stat_of(found)
                parts.append(part)
                length += len(part)
                wanted = _CHUNK
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        finally:
            os.close(descriptor)

    def stat(self, path: str) -> Stat:
        """Stat, following links."""
        return _stat_of(os.stat(path))

    def readlink(self, path: str) -> str:
        """Return a symbolic link's target."""
        return os.readlink(path)

    def realpath(self, path: str) -> str:
        """Resolve every link."""
        return os.path.realpath(path, strict=True)

    def listdir(self, path: str) -> list[str]:
        """Return a directory's names."""
        return os.listdir(path)

    def access_execute(self, path: str) -> bool:
        """Say whether this process may execute the file."""
        return os.access(path, os.X_OK)

    def make_directory(self, path: str) -> None:
        """Make a directory 0700 with its parents; an existing one stays as it is."""
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            parent = os.path.dirname(path)
            if parent == path:
                break
            path = parent
        for one in reversed(missing):
            try:
                os.mkdir(one, 0o700)
            except FileExistsError:
                if not os.path.isdir(one):  # somebody else may have made it meanwhile
                    raise

    def replace(self, path: str, data: bytes) -> None:
        """Replace a file atomically and durably; on any failure the old file stands and no other is left."""
        directory, name = os.path.split(path)
        temporary = os.path.join(directory, f".{name}.{os.urandom(8).hex()}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(temporary, flags, 0o600)
            try:
                os.fchmod(descriptor, 0o600)  # whatever the umask took away
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, path)
        except BaseException:  # Ctrl-C among them
            try:
                os.unlink(temporary)
            except OSError:
                pass  # the first failure is the one to tell
            raise
        _sync_directory(directory)

    def remove(self, path: str) -> None:
        """Remove a file durably; one that is absent is no error."""
        if _unlink_if_there(path):
            _sync_directory(os.path.dirname(path))

    def lock(self, path: str, *, wait_for: float) -> int | None:
        """Take an exclusive lock within `wait_for` seconds; it goes with the process at the latest."""
        import fcntl

        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        end = time.monotonic() + wait_for
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() >= end:
                        os.close(descriptor)
                        return None
                    time.sleep(_LOCK_POLL_FOR)
                else:
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise

    def unlock(self, descriptor: int) -> None:
        """Give a lock back."""
        os.close(descriptor)

    def now(self) -> int:
        """Return the wall clock in Unix seconds."""
        return int(time.time())

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables as the caller gave them; read once, since nobody changes them here."""
        if self._environment is None:
            self._environment = self._given_environment()
        return self._environment

    def _given_environment(self) -> dict[str, str]:
        given = dict(os.environ)
        # In a C locale Python sets LC_CTYPE for itself and its children (PEP 538), and the tool would get it.
        if given.get("LC_CTYPE") in _COERCED_LOCALES:
            self._restore(given, "LC_CTYPE")
        return given

    def _restore(self, given: dict[str, str], name: str) -> None:
        try:
            block, _ = self.open_read("/proc/self/environ", max_bytes=_MAX_ENVIRONMENT_BYTES)
        except OSError:
            return  # not known: what stands in the environment stays
        head = f"{name}=".encode()
        values = [item.removeprefix(head) for item in block.split(b"\0") if item.startswith(head)]
        given.pop(name)
        if values:
            given[name] = os.fsdecode(values[0])

    def working_directory(self) -> str:
        """Return the working directory; OSError where it was removed."""
        return os.getcwd()

    def home(self) -> str:
        """Return HOME where it is absolute, else what the account database says, "" without either."""
        home = os.environ.get("HOME", "")
        if home.startswith("/"):
            return home
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return ""
        return home if home.startswith("/") else ""

    def user_id(self) -> int:
        """Return the real user id."""
        return os.getuid()

    def machine_id(self) -> str:
        """Return what identifies this operating system's installation, "" where nothing does."""
        for path in _MACHINE_ID_FILES:
            try:
                data, _ = self.open_read(path, max_bytes=256)
            except OSError:
                continue
            text = data.decode("ascii", "replace").strip()
            if text:
                return text
        return ""

    def is_terminal(self, descriptor: int) -> bool:
        """Say whether a standard stream is a terminal."""
        return os.isatty(descriptor)

    def write_error(self, text: str) -> None:
        """Write to stderr at once; what its encoding lacks is replaced."""
        stream = sys.stderr
        if stream is None:  # closed at our start: descriptor 2 may be any file by now
            return
        encoded = text.encode(stream.encoding or "utf-8", "replace")
        stream.flush()
        stream.buffer.write(encoded)
        stream.buffer.flush()

    def detach(self, arguments: Sequence[str]) -> None:
        """Start a process that outlives this one and shares nothing with it but the user and the environment."""
        first = os.fork()
        if first == 0:
            # Nothing of the parent's story may run here, whatever happens.
            try:
                _become_detached(arguments)
            finally:
                os._exit(127)
        # Reaped here, before the exec: the tool would otherwise have a child that it never started.
        try:
            _, status = os.waitpid(first, 0)
        except ChildProcessError:  # whoever started us ignores SIGCHLD: the system reaps
            return
        if status != 0:
            raise OSError(errno.EAGAIN, "the renewal could not be started")

    def execute(self, path: str, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        """Become another program, with the signal dispositions that the shell gave us."""
        _flush_streams()
        changed = [
            (number, _signal.getsignal(number))
            for number in _IGNORED_BY_PYTHON
            if _signal.getsignal(number) == _signal.SIG_IGN
        ]
        try:
            for number, _ in changed:
                _signal.signal(number, _signal.SIG_DFL)
            os.execve(path, list(arguments), dict(environment))
        except BaseException:
            for number, before in changed:
                _signal.signal(number, before)
            raise


def _stat_of(found: os.stat_result) -> Stat:
    return Stat(
        device=found.st_dev,
        inode=found.st_ino,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        mode=found.st_mode,
        uid=found.st_uid,
    )


def _unlink_if_there(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that can't, and needn't
            raise
    finally:
        os.close(descriptor)


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue  # a closed stream has nothing to say


def _become_detached(arguments: Sequence[str]) -> NoReturn:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    try:
        os.chdir("/")  # holds no mount
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        _close_from(3)
        for number in _IGNORED_BY_PYTHON:
            _signal.signal(number, _signal.SIG_DFL)
        os.execv(arguments[0], list(arguments))
    finally:
        os._exit(127)


def _close_from(lowest: int) -> None:
    try:
        highest = max((int(name) for name in os.listdir("/dev/fd") if name.isdigit()), default=lowest)
    except OSError:
        highest = 4096
    os.closerange(lowest, highest + 1)
