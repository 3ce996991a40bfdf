"""World: the only effect seam of the launch path. Primitives, no policy.

`workstation.posix` is the real one, and a launch loads that alone; tests use a dictionary and a list of calls. Every
method may raise `OSError`; a launch that meets one it did not expect is refused, never allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gatekeeper.workstation.posix import Stat as Stat  # noqa: PLC0414 - what every World says of a file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn


class World(Protocol):
    """Files, clock, terminal and process, as primitives."""

    def open_read(self, path: str, *, max_bytes: int) -> tuple[bytes, Stat]:
        """Read a regular file and stat the same open descriptor. OSError (EFBIG) where it is longer than `max_bytes`."""

    def read_pieces(
        self, path: str, pieces: Sequence[tuple[int, int]], *, file_bytes: int
    ) -> tuple[list[bytes], Stat]:
        """Read pieces (where, how long) of a regular file of exactly `file_bytes` bytes and stat the same open descriptor.

        OSError (EINVAL) where it is of another length.
        """

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
