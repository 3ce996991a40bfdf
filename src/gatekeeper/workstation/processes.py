"""What `posix` does that few launches ask for: a process that outlives this one, and locks between processes.

`detach` leaves the tool no child, no descriptor and no terminal of ours.
"""
# contextlib costs a launch more than the signature check; starting programs is the point here.
# ruff: noqa: PTH208, S606

from __future__ import annotations

import fcntl
import os
import time
from errno import EAGAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Sequence
    from typing import NoReturn
else:
    import _signal  # the C module: `signal` would load `enum`

_LOCK_POLL_FOR = 0.02


def lock(path: str, *, wait_for: float) -> int | None:
    """Take an exclusive lock within `wait_for` seconds; it goes with the process at the latest; None where another holds it. OSError."""
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


def detach(arguments: Sequence[str], *, default: Sequence[int]) -> None:
    """Start a process that outlives this one and shares nothing with it but the user and the environment.

    `default` lists the signals whose dispositions go back to the system's. OSError where it can't be started.
    """
    first = os.fork()
    if first == 0:
        # Nothing of the parent's story may run here, whatever happens.
        try:
            _become_detached(arguments, default)
        finally:
            os._exit(127)
    # Reaped here, before the exec: the tool would otherwise have a child that it never started.
    try:
        _, status = os.waitpid(first, 0)
    except ChildProcessError:  # whoever started us ignores SIGCHLD: the system reaps
        return
    if status != 0:
        raise OSError(EAGAIN, "the renewal could not be started")


def _become_detached(arguments: Sequence[str], default: Sequence[int]) -> NoReturn:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    try:
        os.chdir("/")  # holds no mount
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        _close_from(3)
        for number in default:
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
