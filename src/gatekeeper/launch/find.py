"""What PATH finds under a tool's names, past everything that is gatekeeper's own, and what that is.

PATH is read as a shell reads it, with two differences: relative and empty entries are skipped (the
working directory must not decide what runs), and so are gatekeeper's shims and scripts, which would
start this launch again. What is known of the find rests on its realpath, so that a link or a name proves nothing;
packages that left metadata beside it are read by `recognise`. Whether it is the tool is for `decision` to say.
"""

from gatekeeper.decision.facts import Executable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.decision.obstacles import Loop, NotInstalled
    from gatekeeper.workstation.world import Stat, World

    Own = frozenset[tuple[int, int]]
    # Kind (a field of `Executable`), name and version of the package.
    Package = tuple[str, str, str]

# Every shim that gatekeeper writes carries the first; the entry point that pip makes holds the second.
SHIM_MARKER = b"gatekeeper-shim"
_MARKERS = (SHIM_MARKER, b"gatekeeper.__main__")
_MAX_SCRIPT_BYTES = 16 * 1024
_EACCES = 13  # everywhere; EPERM is a `PermissionError` too. `errno` is loaded where more must be told apart.


def own_of(world: "World", *paths: str) -> "Own":
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


def find(world: "World", names: "tuple[str, ...]", *, path: str, own: "Own") -> "str | NotInstalled | Loop":
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
    from gatekeeper.decision.obstacles import Loop, NotInstalled

    return Loop(path=loop) if loop else NotInstalled(names=names)


def examine(world: "World", found: str, *, digest_of: "Callable[[Stat], str]") -> "Executable":
    """Say what the entry of PATH is. `digest_of` looks into the cache of digests, "" where it knows none.

    Raises:
        OSError: the file or its metadata can't be judged.
    """
    path = world.realpath(found)
    kind, owner, version = _package(world, path, found.rpartition("/")[2]) or ("", "", "")
    return Executable(
        found=found,
        path=path,
        npm=owner if kind == "npm" else "",
        native=owner if kind == "native" else "",
        pypi=owner if kind == "pypi" else "",
        version=version,
        sha256=digest_of(world.stat(path)),
    )


def _package(world: "World", path: str, name: str) -> "Package | None":
    package = None
    if "/node_modules/" in path:
        from gatekeeper.launch.recognise import npm

        package = npm(world, path, name)
    package = package or _native(path, name)
    if package is None and path.endswith(f"/bin/{name}"):
        from gatekeeper.launch.recognise import pypi

        package = pypi(world, path, name)
    return package


def _native(path: str, name: str) -> "Package | None":
    """Recognise the layouts of installers that leave no metadata, by the path alone.

    `…/share/TOOL/versions/VERSION`, `…/share/TOOL/versions/VERSION/TOOL`, and Homebrew's
    `…/Cellar/FORMULA/VERSION/bin/NAME`, whose `native` is `homebrew/FORMULA`.
    """
    match path.split("/"):
        case [*_, "share", tool, "versions", version] if version:
            return "native", tool, version
        case [*_, "share", tool, "versions", version, file] if file == tool:
            return "native", tool, version
        case [*_, "Cellar", formula, version, "bin", file] if file == name:
            return "native", f"homebrew/{formula}", version
        case _:
            return None


def _executable(world: "World", path: str) -> "Stat | None":
    stat = _stat(world, path)
    if stat is None or not stat.is_regular() or not world.access_execute(path):
        return None
    return stat


def _leads_back(world: "World", candidate: str, stat: "Stat", own: "Own") -> bool:
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
    except PermissionError as error:
        if error.errno == _EACCES:
            return False  # it may be executed and not read: no script, so no shim
        raise
    return any(marker in data for marker in _MARKERS)


def _is_ours(stat: "Stat | None", own: "Own") -> bool:
    return stat is not None and (stat.device, stat.inode) in own


def _stat(world: "World", path: str) -> "Stat | None":
    try:
        return world.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        from errno import EACCES, ELOOP, ENAMETOOLONG, ENOTDIR

        # What a shell passes over in silence. Any other failure is not one to decide on, and goes to the caller.
        if error.errno in (EACCES, ELOOP, ENAMETOOLONG, ENOTDIR):
            return None
        raise
