"""The real World on Linux and macOS. Imports C modules alone (a launch loads this file on every start).

Everything here is a primitive: what a file must be, and what a failure means, is decided elsewhere. Two
things are exact because others can see them: `execute` leaves the tool as the shell would have started it,
and `detach` leaves the tool no child, no descriptor and no terminal of ours.
"""
# pathlib and contextlib cost a launch more than the signature check; starting programs is the point here.
# ruff: noqa: PTH102, PTH104, PTH108, PTH109, PTH112, PTH115, PTH116, PTH118, PTH120, PTH208, S606, SIM105

import os
import sys
import time

from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Mapping, Sequence
    from typing import NoReturn
else:
    import _signal  # the C module: `signal` would load `enum`

_CHUNK = 64 * 1024
_MAX_ENVIRONMENT_BYTES = 16 * 1024 * 1024
_MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_REGULAR, _FORMAT = 0o100000, 0o170000
_OTHERS_MAY_WRITE = 0o022
# The same on Linux and macOS; `errno` makes a dictionary of all names when it is loaded.
_EINVAL, _EFBIG = 22, 27
# What Python ignores at its start, and a tool would inherit: a pipeline like `claude -p … | head` would not end.
IGNORED_BY_PYTHON = tuple(
    getattr(_signal, name) for name in ("SIGPIPE", "SIGXFSZ", "SIGXFZ") if hasattr(_signal, name)
)
_COERCED_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8")  # PEP 538


class Stat(Value):
    """What identifies a file's content without reading it, and who may change it. `mode` is `st_mode`."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int
    uid: int

    def key(self) -> str:
        """Return what changes when the content does, as one text: nanoseconds outgrow what other parsers take for numbers."""
        return f"{self.device} {self.inode} {self.size} {self.mtime_ns} {self.ctime_ns}"

    def is_regular(self) -> bool:
        """Say whether it is a plain file, links followed."""
        return self.mode & _FORMAT == _REGULAR

    def others_may_write(self) -> bool:
        """Say whether the group or everybody may write it."""
        return self.mode & _OTHERS_MAY_WRITE != 0


class PosixWorld:
    """This machine, this process."""

    def __init__(self) -> None:
        self._environment: dict[str, str] | None = None

    def open_read(self, path: str, *, max_bytes: int) -> "tuple[bytes, Stat]":
        """Read a regular file and stat the same open descriptor."""
        # O_NONBLOCK: opening a pipe that nobody writes would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            if found.st_mode & _FORMAT != _REGULAR:
                raise OSError(_EINVAL, "not a regular file", path)
            if found.st_size > max_bytes:
                raise OSError(_EFBIG, os.strerror(_EFBIG), path)
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
            raise OSError(_EFBIG, os.strerror(_EFBIG), path)
        finally:
            os.close(descriptor)

    def read_pieces(
        self, path: str, pieces: "Sequence[tuple[int, int]]", *, file_bytes: int
    ) -> "tuple[list[bytes], Stat]":
        """Read pieces of a regular file of exactly that length and stat the same open descriptor."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            if found.st_mode & _FORMAT != _REGULAR or found.st_size != file_bytes:
                raise OSError(_EINVAL, "not a regular file of that length", path)
            read = [os.pread(descriptor, length, at) for at, length in pieces]
        finally:
            os.close(descriptor)
        if [len(piece) for piece in read] != [length for _, length in pieces]:
            raise OSError(_EINVAL, "the file became shorter", path)
        return read, _stat_of(found)

    def stat(self, path: str) -> "Stat":
        """Stat, following links."""
        return _stat_of(os.stat(path))

    def readlink(self, path: str) -> str:
        """Return a symbolic link's target."""
        return os.readlink(path)

    def realpath(self, path: str) -> str:
        """Resolve every link."""
        return os.path.realpath(path, strict=True)

    def listdir(self, path: str) -> "list[str]":
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

    def lock(self, path: str, *, wait_for: float) -> "int | None":
        """Take an exclusive lock within `wait_for` seconds; it goes with the process at the latest."""
        from gatekeeper.workstation.processes import lock

        return lock(path, wait_for=wait_for)

    def unlock(self, descriptor: int) -> None:
        """Give a lock back."""
        os.close(descriptor)

    def now(self) -> int:
        """Return the wall clock in Unix seconds."""
        return int(time.time())

    def environment(self) -> "Mapping[str, str]":
        """Return the environment variables as the caller gave them; read once, since nobody changes them here."""
        if self._environment is None:
            self._environment = self._given_environment()
        return self._environment

    def _given_environment(self) -> "dict[str, str]":
        given = dict(os.environ)
        # In a C locale Python sets LC_CTYPE for itself and its children (PEP 538), and the tool would get it.
        if given.get("LC_CTYPE") in _COERCED_LOCALES:
            self._restore(given, "LC_CTYPE")
        return given

    def _restore(self, given: "dict[str, str]", name: str) -> None:
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

    def detach(self, arguments: "Sequence[str]") -> None:
        """Start a process that outlives this one and shares nothing with it but the user and the environment."""
        from gatekeeper.workstation.processes import detach

        detach(arguments, default=IGNORED_BY_PYTHON)

    def execute(self, path: str, arguments: "Sequence[str]", environment: "Mapping[str, str]") -> "NoReturn":
        """Become another program, with the signal dispositions that the shell gave us."""
        _flush_streams()
        changed = [
            (number, _signal.getsignal(number))
            for number in IGNORED_BY_PYTHON
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


def _stat_of(found: "os.stat_result") -> Stat:
    # Field by field: a launch looks at some twenty files, and construction by keyword costs twice as much.
    stat, put = Stat.__new__(Stat), object.__setattr__
    put(stat, "device", found.st_dev)
    put(stat, "inode", found.st_ino)
    put(stat, "size", found.st_size)
    put(stat, "mtime_ns", found.st_mtime_ns)
    put(stat, "ctime_ns", found.st_ctime_ns)
    put(stat, "mode", found.st_mode)
    put(stat, "uid", found.st_uid)
    return stat


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
        if error.errno != _EINVAL:  # a file system that can't, and needn't
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
