"""Another time for a process, without waiting for it (libfaketime)."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.parts import missing

_PLACES = ("usr/lib/*/faketime", "usr/lib/faketime", "usr/local/lib/faketime")
_LEFT = re.compile(r"(?:sem\.)?faketime_(?:sem|shm)_(\d+)")
_MEMORY = Path("/dev/shm")
_holders: list[subprocess.Popen[str]] = []


def clock(ahead: str) -> dict[str, str]:
    """Return the environment in which a process's wall clock is ahead by as much as `+16m` or `+25h`."""
    preload = {"LD_PRELOAD": _library(), "FAKETIME": ahead, "DONT_FAKE_MONOTONIC": "1"}
    return {**preload, "FAKETIME_SHARED": _shared(preload["LD_PRELOAD"])}


def _library() -> str:
    found = [path for place in _PLACES for path in Path("/").glob(f"{place}/libfaketime.so.1")]
    return str(found[0]) if found else missing("libfaketime")


@functools.cache
def _shared(library: str) -> str:
    """Name memory that a process of our own holds for all the others.

    Otherwise each process makes memory of its own, named after its pid, and one that becomes another program by
    `execve` leaves it behind.
    """
    code = "import os, sys; print(os.environ['FAKETIME_SHARED'], flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-IS", "-c", code],
        env={"LD_PRELOAD": library, "FAKETIME": "+0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if holder.stdin is None or holder.stdout is None:
        raise RuntimeError("no pipes")
    name = holder.stdout.readline().strip()
    _holders.append(holder)
    return name or missing("a working libfaketime")


def tidy() -> None:
    """End the holder, and remove what processes that are gone have left."""
    while _holders:
        _holders.pop().communicate()
    for path in _MEMORY.iterdir() if _MEMORY.is_dir() else ():
        match = _LEFT.fullmatch(path.name)
        if match and not Path("/proc", match[1]).exists():
            path.unlink(missing_ok=True)
