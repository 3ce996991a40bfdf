"""What a process really did, as the kernel saw it (strace), not as anybody says."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tests.e2e.parts import program

if TYPE_CHECKING:
    from pathlib import Path

_EXEC = re.compile(r'^\d+ +execve(?:at)?\((?:\w+, )?"([^"]*)"')
_SOCKET = re.compile(r"^\d+ +(?:socket|socketpair|connect|sendto|sendmsg|bind)\(")


def traced(log: Path, *, what: str) -> list[str]:
    """Return what to put before a command so that the calls `what` of it and of all its children are logged."""
    return [
        program("strace"),
        "-f",
        "-qq",
        "-s",
        "4096",
        "-e",
        f"trace={what}",
        "-e",
        "signal=none",
        "-o",
        str(log),
    ]


def started(log: Path) -> list[str]:
    """Return the real path of every program that anything tried to start, in order."""
    lines = log.read_text(errors="replace").splitlines()
    return [os.path.realpath(match[1]) for match in map(_EXEC.match, lines) if match]


def before_start_of(log: Path, executable: Path) -> list[str]:
    """Return the log's lines up to the one that starts the executable; all where none does."""
    lines = log.read_text(errors="replace").splitlines()
    real = os.path.realpath(executable)
    for number, line in enumerate(lines):
        match = _EXEC.match(line)
        if match and os.path.realpath(match[1]) == real:
            return lines[:number]
    return lines


def network_calls(lines: list[str]) -> list[str]:
    """Return the lines that touch a socket of whatever kind."""
    return [line for line in lines if _SOCKET.match(line)]
