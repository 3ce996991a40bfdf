"""Who uses a service's directory: those who serve hold a shared lock on it, and a restore wants it alone.

The lock is the kernel's and ends with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "service.lock"


@contextmanager
def somebody_serves(data: Path) -> Iterator[None]:
    """Hold the directory as one of those who serve. Raises `GatekeeperError` GK101 while it is being restored."""
    with _held(data, fcntl.LOCK_SH, f"{data} is being restored."):
        yield


@contextmanager
def nobody_serves(data: Path) -> Iterator[None]:
    """Hold the directory alone. Raises `GatekeeperError` GK101 while a service runs on it."""
    with _held(data, fcntl.LOCK_EX, f"A service runs on {data}: stop it first."):
        yield


@contextmanager
def _held(data: Path, kind: int, refusal: str) -> Iterator[None]:
    try:
        descriptor = os.open(data / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        # A directory that this process can't write (keys mounted read-only) isn't restored there either.
        if kind == fcntl.LOCK_SH:
            yield
            return
        raise GatekeeperError("GK106", f"{data}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError as error:
            raise GatekeeperError("GK101", refusal) from error
        yield
    finally:
        os.close(descriptor)
