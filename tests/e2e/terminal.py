"""A program on a terminal of its own: what a person at a keyboard sees and types."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PATIENCE = 60.0


class Terminal:
    """Start a command with a pseudo-terminal as its controlling terminal, and talk to it."""

    def __init__(self, command: Sequence[str | Path], *, environment: Mapping[str, str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        self.name = os.ttyname(slave)

        def own_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=own_terminal,  # noqa: PLW1509 - the tests start no threads
        )
        os.close(slave)
        self.seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def _read(self, wait_for: float) -> bool:
        """Take in what there is; False at the end."""
        ready, _, _ = select.select([self._master], [], [], wait_for)
        if not ready:
            return True
        try:
            more = os.read(self._master, 65_536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.seen += more
        return bool(more)

    def expect(self, text: str) -> str:
        """Wait until the text stands on the screen; return all that was seen."""
        ends_at = time.monotonic() + PATIENCE
        wanted = text.encode()
        while wanted not in self.seen:
            if time.monotonic() > ends_at or not self._read(0.5):
                raise AssertionError(f"never saw {text!r}; saw:\n{self.screen}")
        return self.screen

    def type(self, keys: bytes) -> None:
        """Send key presses."""
        os.write(self._master, keys)

    def finish(self) -> int:
        """Wait for the end; return the exit status as `subprocess` gives it."""
        ends_at = time.monotonic() + PATIENCE
        while self._read(0.5):
            if time.monotonic() > ends_at:
                raise AssertionError(f"it never ended; saw:\n{self.screen}")
            if self.process.poll() is not None and not select.select([self._master], [], [], 0)[0]:
                break
        return self.process.wait(timeout=PATIENCE)

    @property
    def screen(self) -> str:
        """What was seen so far, as text."""
        return self.seen.decode("utf-8", "replace").replace("\r\n", "\n")
