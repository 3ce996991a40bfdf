"""What PATH finds under a tool's names, past everything that is gatekeeper's own.

PATH is read as a shell reads it, with two differences: relative and empty entries are skipped (the
working directory must not decide what runs), and so are gatekeeper's shims and scripts, which would
start this launch again. Whether the find is the tool at all is left to `launch.recognise`.
"""

from __future__ import annotations

from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR

from gatekeeper.decision.facts import Loop, NotInstalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.workstation.world import Stat, World

    Own = frozenset[tuple[int, int]]

# Every shim that gatekeeper writes carries the first; the entry point that pip makes holds the second.
SHIM_MARKER = b"gatekeeper-shim"
_MARKERS = (SHIM_MARKER, b"gatekeeper.__main__")
_MAX_SCRIPT_BYTES = 16 * 1024
# What a shell passes over in silence. Any other failure is not one to decide on, and goes to the caller.
_ABSENT = (ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG)


def own_of(world: World, *paths: str) -> Own:
    """Return device and inode of what stands at these paths (shim directories, gatekeeper's script); the absent are left out.

    Raises:
        OSError: one of them can't be looked at.
    """
    found = set()
    for path in paths:
        stat = _stat(world, path) if path.startswith("/") else None
        if stat is not None:
            found.add((stat.device, stat.inode))
    return frozenset(found)


def find(world: World, names: tuple[str, ...], *, path: str, own: Own) -> str | NotInstalled | Loop:
    """Return the entry of PATH that a shell would start: the first name that PATH knows, as PATH names it.

    `path` is hostile text. A shim in its own directory is passed over in silence; where everything else that
    PATH finds is gatekeeper's too, that is a `Loop`.

    Raises:
        OSError: an entry can't be judged.
    """
    loop = ""
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            continue
        for directory in path.split(":"):
            if not directory.startswith("/") or "\0" in directory:
                continue
            candidate = f"{directory.rstrip('/')}/{name}"
            stat = _executable(world, candidate)
            if stat is None or _is_ours(_stat(world, directory), own):
                continue
            if not _leads_back(world, candidate, stat, own):
                return candidate
            loop = loop or candidate
    return Loop(path=loop) if loop else NotInstalled(names=names)


def _executable(world: World, path: str) -> Stat | None:
    stat = _stat(world, path)
    if stat is None or not stat.is_regular() or not world.access_execute(path):
        return None
    return stat


def _leads_back(world: World, candidate: str, stat: Stat, own: Own) -> bool:
    """Say whether a candidate is gatekeeper: its script or shim, a link into its directories, or a copy."""
    if _is_ours(stat, own):
        return True
    real = world.realpath(candidate)
    if _is_ours(_stat(world, real.rpartition("/")[0] or "/"), own):
        return True
    if stat.size > _MAX_SCRIPT_BYTES:
        return False
    try:
        data, _ = world.open_read(real, max_bytes=_MAX_SCRIPT_BYTES)
    except OSError as error:
        if error.errno == EACCES:
            return False  # it may be executed and not read: no script, so no shim
        raise
    return any(marker in data for marker in _MARKERS)


def _is_ours(stat: Stat | None, own: Own) -> bool:
    return stat is not None and (stat.device, stat.inode) in own


def _stat(world: World, path: str) -> Stat | None:
    try:
        return world.stat(path)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
