"""FakeWorld: a dictionary of files, a list of calls, and a fault on demand.

`execute` ends a story by raising `Executed` (no subclass of Exception, so that nothing swallows it). Paths are
absolute; directories exist where a file does. `fail_at=k` makes the k-th call (from 0) raise, whatever it is.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from gatekeeper.workstation.world import Stat

if TYPE_CHECKING:
    from gatekeeper.workstation.world import World


class Link(str):
    """A symbolic link's target."""

    __slots__ = ()


class Executed(BaseException):
    """The process became another program."""

    def __init__(self, path: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__(path)
        self.path = path
        self.arguments = tuple(arguments)
        self.environment = dict(environment)


class FakeWorld:
    """A workstation in memory."""

    def __init__(
        self,
        files: Mapping[str, bytes | Link] | None = None,
        *,
        now: int = 1_800_000_000,
        environment: Mapping[str, str] | None = None,
        home: str = "/home/ada",
        working_directory: str = "/home/ada",
        user_id: int = 1000,
        machine_id: str = "machine-one",
        terminals: Sequence[int] = (),
        fail_at: int | None = None,
        failure: int = errno.EIO,
    ) -> None:
        self.files: dict[str, bytes | Link] = dict(files or {})
        self.directories: set[str] = {"/", home, working_directory}
        self.executables: set[str] = set()
        self.modes: dict[str, int] = {}
        self.owners: dict[str, int] = {}
        self.changes: dict[str, int] = {}
        self.inodes: dict[str, int] = {}
        self.calls: list[tuple[str, ...]] = []
        self.errors: list[str] = []
        self.detached: list[tuple[str, ...]] = []
        self.held: dict[int, str] = {}
        self.at = now
        self.variables = dict(environment if environment is not None else {"HOME": home, "PATH": "/usr/bin"})
        self.home_directory = home
        self.current = working_directory
        self.uid = user_id
        self.machine = machine_id
        self.terminals = tuple(terminals)
        self.fail_at = fail_at
        self.failure = failure
        self.refusing: set[str] = set()  # names of calls that always fail

    # what tests do

    def add_executable(self, path: str, data: bytes = b"\x7fELF") -> None:
        """Put an executable file."""
        self.files[path] = data
        self.executables.add(path)

    def names_of_calls(self) -> list[str]:
        """Return the calls so far, without their arguments."""
        return [call[0] for call in self.calls]

    # what the protocol says

    def open_read(self, path: str, *, max_bytes: int) -> tuple[bytes, Stat]:
        """Read a file."""
        self._call("open_read", path)
        real = self._resolve(path)
        data = self._file(real, path)
        if len(data) > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return data, self._stat(real)

    def read_pieces(
        self, path: str, pieces: Sequence[tuple[int, int]], *, file_bytes: int
    ) -> tuple[list[bytes], Stat]:
        """Read pieces of a file."""
        self._call("read_pieces", path)
        real = self._resolve(path)
        data = self._file(real, path)
        if len(data) != file_bytes:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return [data[at : at + length] for at, length in pieces], self._stat(real)

    def stat(self, path: str) -> Stat:
        """Stat."""
        self._call("stat", path)
        return self._stat(self._resolve(path))

    def readlink(self, path: str) -> str:
        """Return a link's target."""
        self._call("readlink", path)
        parent = self._resolve(posixpath.dirname(path))
        node = self.files.get(posixpath.join(parent, posixpath.basename(path)))
        if node is None and not self._is_directory(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if not isinstance(node, Link):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return str(node)

    def realpath(self, path: str) -> str:
        """Resolve links."""
        self._call("realpath", path)
        real = self._resolve(path)
        self._stat(real)
        return real

    def listdir(self, path: str) -> list[str]:
        """List names."""
        self._call("listdir", path)
        real = self._resolve(path)
        if not self._is_directory(real):
            known = real in self.files
            number = errno.ENOTDIR if known else errno.ENOENT
            raise (NotADirectoryError if known else FileNotFoundError)(number, os.strerror(number), path)
        prefix = real.rstrip("/") + "/"
        below = [p for p in (*self.files, *self.directories) if p.startswith(prefix) and p != prefix]
        return sorted({p[len(prefix) :].split("/")[0] for p in below})

    def access_execute(self, path: str) -> bool:
        """Say whether it may be executed."""
        self._call("access_execute", path)
        return self._resolve(path) in self.executables

    def make_directory(self, path: str) -> None:
        """Make a directory."""
        self._call("make_directory", path)
        if path in self.files:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        self.directories.add(path)

    def replace(self, path: str, data: bytes) -> None:
        """Replace a file."""
        self._call("replace", path)
        if not self._is_directory(posixpath.dirname(path) or self.current):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.files[path] = data
        self.modes[path] = 0o600
        self.owners[path] = self.uid
        self.changes[path] = self.changes.get(path, 0) + 1

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._call("remove", path)
        self.files.pop(path, None)

    def lock(self, path: str, *, wait_for: float) -> int | None:
        """Take a lock."""
        self._call("lock", path)
        if path in self.held.values():
            return None
        descriptor = 100 + len(self.calls)
        self.held[descriptor] = path
        return descriptor

    def unlock(self, descriptor: int) -> None:
        """Give a lock back."""
        self._call("unlock", str(descriptor))
        del self.held[descriptor]

    def now(self) -> int:
        """Return the time."""
        self._call("now")
        return self.at

    def environment(self) -> Mapping[str, str]:
        """Return the environment."""
        self._call("environment")
        return dict(self.variables)

    def working_directory(self) -> str:
        """Return the working directory."""
        self._call("working_directory")
        return self.current

    def home(self) -> str:
        """Return the home."""
        self._call("home")
        return self.home_directory

    def user_id(self) -> int:
        """Return the user."""
        self._call("user_id")
        return self.uid

    def machine_id(self) -> str:
        """Return the machine."""
        self._call("machine_id")
        return self.machine

    def is_terminal(self, descriptor: int) -> bool:
        """Say whether a stream is a terminal."""
        self._call("is_terminal", str(descriptor))
        return descriptor in self.terminals

    def write_error(self, text: str) -> None:
        """Keep what was written."""
        self._call("write_error", text)
        self.errors.append(text)

    def detach(self, arguments: Sequence[str]) -> None:
        """Keep what was started."""
        self._call("detach", *arguments)
        self.detached.append(tuple(arguments))

    def execute(self, path: str, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        """End the story."""
        self._call("execute", path, *arguments)
        raise Executed(path, arguments, environment)

    # inside

    def _call(self, name: str, *arguments: str) -> None:
        index = len(self.calls)
        self.calls.append((name, *arguments))
        if index == self.fail_at or name in self.refusing:
            raise OSError(self.failure, os.strerror(self.failure))

    def _is_directory(self, path: str) -> bool:
        prefix = path.rstrip("/") + "/"
        return path in self.directories or any(p.startswith(prefix) for p in (*self.files, *self.directories))

    def _resolve(self, path: str) -> str:
        if not path.startswith("/"):
            path = posixpath.join(self.current, path)
        done = "/"
        parts = [part for part in path.split("/") if part not in ("", ".")]
        hops = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                done = posixpath.dirname(done)
                continue
            here = posixpath.join(done, part)
            node = self.files.get(here)
            if isinstance(node, Link):
                hops += 1
                if hops > 40:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                if node.startswith("/"):
                    done = "/"
                parts = [p for p in node.split("/") if p not in ("", ".")] + parts
            else:
                done = here
        return done

    def _file(self, real: str, path: str) -> bytes:
        node = self.files.get(real)
        if isinstance(node, bytes):
            return node
        if self._is_directory(real):
            raise OSError(errno.EINVAL, "not a regular file", path)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _stat(self, real: str) -> Stat:
        node = self.files.get(real)
        inode = self.inodes.setdefault(real, len(self.inodes) + 2)
        changed = self.changes.get(real, 0)
        if isinstance(node, bytes):
            mode = 0o100000 | self.modes.get(real, 0o700 if real in self.executables else 0o600)
            size = len(node)
        elif self._is_directory(real):
            mode, size = 0o040000 | self.modes.get(real, 0o700), 0
        else:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), real)
        return Stat(
            device=1,
            inode=inode,
            size=size,
            mtime_ns=1_700_000_000_000_000_000 + changed,
            ctime_ns=1_700_000_000_000_000_000 + changed,
            mode=mode,
            uid=self.owners.get(real, self.uid),
        )


if TYPE_CHECKING:
    _is_a_world: World = FakeWorld()
