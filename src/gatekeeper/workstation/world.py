"""World: the only effect seam of the launch path. Primitives, no policy.

`workstation.posix` is the real one; tests use a dictionary and a list of calls. Every method may raise
`OSError`; a launch that meets one it did not expect is refused, never allowed.
"""

from __future__ import annotations

from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn, Protocol


_REGULAR, _FORMAT = 0o100000, 0o170000
_OTHERS_MAY_WRITE = 0o022


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


if TYPE_CHECKING:

    class World(Protocol):
        """Files, clock, terminal and process, as primitives."""

        def open_read(self, path: str, *, max_bytes: int) -> tuple[bytes, Stat]:
            """Read a regular file and stat the same open descriptor. OSError (EFBIG) where it is longer than `max_bytes`."""

        def stat(self, path: str) -> Stat:
            """Stat, following links."""

        def readlink(self, path: str) -> str:
            """Return a symbolic link's target; OSError (EINVAL) where it is none."""

        def realpath(self, path: str) -> str:
            """Resolve every link; OSError where the path does not exist or loops."""

        def listdir(self, path: str) -> list[str]:
            """Return a directory's names."""

        def access_execute(self, path: str) -> bool:
            """Say whether this process may execute the file."""

        def make_directory(self, path: str) -> None:
            """Make a directory 0700 with its parents; an existing one stays as it is."""

        def replace(self, path: str, data: bytes) -> None:
            """Replace a file atomically: temporary file beside it, 0600, fsync, rename, fsync of the directory."""

        def remove(self, path: str) -> None:
            """Remove a file; one that is absent is no error."""

        def lock(self, path: str, *, wait_for: float) -> int | None:
            """Take an exclusive lock within `wait_for` seconds and return its descriptor, or None where another holds it."""

        def unlock(self, descriptor: int) -> None:
            """Give a lock back."""

        def now(self) -> int:
            """Return the wall clock in Unix seconds."""

        def environment(self) -> Mapping[str, str]:
            """Return the environment variables."""

        def working_directory(self) -> str:
            """Return the working directory; OSError where it was removed."""

        def home(self) -> str:
            """Return the home directory, "" where there is none."""

        def user_id(self) -> int:
            """Return the real user id."""

        def machine_id(self) -> str:
            """Return what identifies this operating system's installation, "" where nothing does."""

        def is_terminal(self, descriptor: int) -> bool:
            """Say whether a standard stream is a terminal."""

        def write_error(self, text: str) -> None:
            """Write to stderr; what its encoding lacks is replaced."""

        def detach(self, arguments: Sequence[str]) -> None:
            """Start a process that outlives this one: own session, null streams, no other descriptor, forked twice and the first child reaped."""

        def execute(self, path: str, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
            """Become another program (execve)."""
