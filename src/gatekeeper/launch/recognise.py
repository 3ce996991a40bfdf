"""The package that owns an executable, by the metadata beside it, and its digest. Loaded where its path suggests one.

Everything rests on the realpath, so that a link or a name proves nothing. Metadata is text that the owner
of the files may edit: it tells an honest mistake from the tool, and only a digest tells a forgery from it
(`decision.decide`). A package counts only where it lies as its installer lays it and itself names this
very file as its executable; a copy elsewhere, or in another package, has no identity.
"""

from __future__ import annotations

from errno import EACCES, EAGAIN, EFBIG, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR

from gatekeeper.errors import Malformed
from gatekeeper.strict import parse_object, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.facts import Executable
    from gatekeeper.launch.find import Package
    from gatekeeper.workstation.world import Stat, World

_MAX_METADATA_BYTES = 256 * 1024
_MAX_RECORD_BYTES = 4 * 1024 * 1024
# A file that isn't there or isn't what it should be says nothing; any other failure goes to the caller.
_SAYS_NOTHING = (ENOENT, ENOTDIR, EACCES, EISDIR, EINVAL, EFBIG, ELOOP)


def measure(world: World, executable: Executable) -> tuple[Stat, str]:
    """Hash the executable and return with the digest what the cache keys it by. Cold: 0.1 s for 200 MB.

    Raises:
        OSError: it can't be read, or it changed meanwhile (EAGAIN).
    """
    import hashlib

    before = world.stat(executable.path)
    with open(executable.path, "rb") as file:  # noqa: PTH123
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if world.stat(executable.path).key() != before.key():
        raise OSError(EAGAIN, "the file changed while it was read", executable.path)
    return before, digest


def hash_executable(world: World, executable: Executable) -> str:
    """Return the SHA-256 of the executable's bytes, as `measure` does."""
    return measure(world, executable)[1]


def npm(world: World, path: str, name: str) -> Package | None:
    """Return the npm package whose `bin` names this file, where it lies in `node_modules` under its own name."""
    modules, mark, inside = path.rpartition("/node_modules/")
    if not mark:
        return None
    parts = inside.split("/")
    depth = 2 if inside.startswith("@") else 1
    package = "/".join(parts[:depth])
    data = _read(world, f"{modules}/node_modules/{package}/package.json", max_bytes=_MAX_METADATA_BYTES)
    if data is None:
        return None
    try:
        members = parse_object(data, max_bytes=_MAX_METADATA_BYTES)
        version = text_of(members, "version")
    except Malformed:
        return None
    if members.get("name") != package or _bin(members.get("bin"), package, name) != "/".join(parts[depth:]):
        return None
    return "npm", package, version


def _bin(bins: object, package: str, name: str) -> str:
    """Return the file that a package installs as `name`, else its only one: a link may bear any name."""
    if isinstance(bins, str):
        bins = {package.rpartition("/")[2]: bins}
    if not isinstance(bins, dict):
        return ""
    targets = {key: value.removeprefix("./") for key, value in bins.items() if isinstance(value, str)}
    if name in bins or len(set(targets.values())) != 1:
        return targets.get(name, "")
    return next(iter(targets.values()))


def pypi(world: World, path: str, name: str) -> Package | None:
    """Return the one distribution that installed this console script beside the script's own interpreter."""
    directory, _, file = path.rpartition("/")
    prefix, _, folder = directory.rpartition("/")
    if file != name or folder != "bin":
        return None
    interpreter = _interpreter(world, path)
    if not interpreter:
        return None
    owners = [
        owner
        for packages in _site_packages(world, prefix, interpreter)
        for owner in _owners(world, packages, name, path)
    ]
    return ("pypi", *owners[0]) if len(owners) == 1 else None


def _interpreter(world: World, path: str) -> str:
    """Return the Python that a script names in its first line, or in the second where the path was too long."""
    data = _read(world, path, max_bytes=_MAX_METADATA_BYTES)
    lines = data[:4096].decode("utf-8", "replace").split("\n") if data and data[:2] == b"#!" else []
    command = lines[0][2:].strip() if lines else ""
    if command == "/bin/sh" and len(lines) > 1 and lines[1].startswith("'''exec' "):
        command = lines[1].removeprefix("'''exec' ").partition(' "$0"')[0].strip('"')
    else:
        command = command.partition(" ")[0]
    is_python = command.startswith("/") and command.rpartition("/")[2].startswith("python")
    return command if is_python else ""


def _site_packages(world: World, prefix: str, interpreter: str) -> list[str]:
    """Return the directories below `prefix` that this interpreter imports from."""
    try:
        version = world.realpath(interpreter).rpartition("/")[2]
        names = [n for n in world.listdir(f"{prefix}/lib") if n.startswith("python3")]
    except OSError as error:
        if error.errno in _SAYS_NOTHING:
            return []
        raise
    if version in names:
        names = [version]
    if len(names) != 1:
        return []
    return [f"{prefix}/lib/{names[0]}/{packages}" for packages in ("site-packages", "dist-packages")]


def _owners(world: World, packages: str, name: str, path: str) -> list[tuple[str, str]]:
    try:
        entries = world.listdir(packages)
    except OSError as error:
        if error.errno in _SAYS_NOTHING:
            return []
        raise
    owners = []
    for entry in entries:
        owner, _, version = entry.removesuffix(".dist-info").partition("-")
        if not entry.endswith(".dist-info") or not version:
            continue
        information = f"{packages}/{entry}"
        points = _read(world, f"{information}/entry_points.txt", max_bytes=_MAX_METADATA_BYTES)
        if points is None or not _has_console_script(points, name):
            continue
        record = _read(world, f"{information}/RECORD", max_bytes=_MAX_RECORD_BYTES)
        if record is not None and _lists(record, packages, path):
            owners.append((owner, version))
    return owners


def _has_console_script(points: bytes, name: str) -> bool:
    section = ""
    for line in points.decode("utf-8", "replace").splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text
        elif section == "[console_scripts]" and text.partition("=")[0].strip() == name:
            return True
    return False


def _lists(record: bytes, packages: str, path: str) -> bool:
    """Say whether a RECORD lists the file, relative to the directory of packages or absolute."""
    file = "/" + path.rpartition("/")[2]
    for line in record.decode("utf-8", "replace").splitlines():
        listed = line.split(",")[0].strip('"')
        if not listed.endswith(file):
            continue
        base = packages
        while listed.startswith("../"):
            base, listed = base.rpartition("/")[0], listed[3:]
        if path in (listed, f"{base}/{listed}"):
            return True
    return False


def _read(world: World, path: str, *, max_bytes: int) -> bytes | None:
    try:
        return world.open_read(path, max_bytes=max_bytes)[0]
    except OSError as error:
        if error.errno in _SAYS_NOTHING:
            return None
        raise
