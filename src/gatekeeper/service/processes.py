"""Several processes behind one socket: started together, replaced where one dies, ended together.

The first process serves nobody. It forks before any thread or connection exists. Each child holds one end of a
socket whose other end is the first process's alone, so that children end by themselves when that one is killed.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger("gatekeeper.service")

# Number of the process, what to call once it answers, and the end of the socket that tells of the first one's death.
# Returns whether it was ended by Ctrl-C.
Run = Callable[[int, Callable[[], None], socket.socket | None], bool]
_TOO_SOON_SECONDS = 2.0
_PAUSE_SECONDS = 1.0


class Processes:
    """`count` processes that run the same."""

    def __init__(self, count: int, run: Run) -> None:
        self._count = count
        self._run = run
        self._alive: dict[int, tuple[int, float]] = {}  # pid → number, started at
        self._stopping = False
        self._interrupted = False
        self._mine, self._theirs = socket.socketpair()
        self._ready_read, self._ready_write = os.pipe()

    def run(self, *, ready: Callable[[], None]) -> bool:
        """Start all; call `ready` once each answers; return, when all have ended, whether it was by Ctrl-C."""
        before = {sig: signal.signal(sig, self._told) for sig in (signal.SIGTERM, signal.SIGINT)}
        wakes, woken = socket.socketpair()
        for end in (wakes, woken):
            end.setblocking(False)
        old = signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        child = signal.signal(signal.SIGCHLD, lambda *_: None)  # only so that it wakes this process
        try:
            for number in range(self._count):
                self._start(number)
            waiting = self._count
            while self._alive:
                watched = [wakes.fileno(), *([self._ready_read] if waiting else [])]
                readable = select.select(watched, [], [], 5)[0]
                if wakes.fileno() in readable:
                    wakes.recv(4096)
                if self._ready_read in readable and waiting:
                    waiting -= len(os.read(self._ready_read, self._count))
                    if waiting <= 0:
                        ready()
                self._reap()
            return self._interrupted
        finally:
            signal.set_wakeup_fd(old)
            signal.signal(signal.SIGCHLD, child)
            for sig, handler in before.items():
                signal.signal(sig, handler)
            for end in (wakes, woken, self._mine, self._theirs):
                end.close()
            os.close(self._ready_read)
            os.close(self._ready_write)

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid:
            self._alive[pid] = (number, time.monotonic())
            if self._stopping:
                os.kill(pid, signal.SIGTERM)
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(sig, signal.SIG_DFL)
            self._mine.close()
            self._run(number, self._answers, self._theirs)
            status = 0
        except BaseException:
            log.exception("a process of the service ended")
        finally:
            logging.shutdown()
            os._exit(status)

    def _answers(self) -> None:
        os.write(self._ready_write, b".")

    def _told(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the form of a handler
        self._stopping = True
        self._interrupted = self._interrupted or sig == signal.SIGINT
        for pid in self._alive:
            os.kill(pid, signal.SIGTERM)

    def _reap(self) -> None:
        """Take note of each child that ended, and start another in its place unless all are to end."""
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            number, started = self._alive.pop(pid, (-1, 0.0))
            if number < 0 or self._stopping:
                continue
            log.error(
                "process %d (%d) of the service ended unexpectedly (%d); another is started",
                number,
                pid,
                os.waitstatus_to_exitcode(status),
            )
            if time.monotonic() - started < _TOO_SOON_SECONDS:
                # What fails at once would fail as fast again: the machine is not to be busy with that alone.
                select.select([], [], [], _PAUSE_SECONDS)
            self._start(number)
