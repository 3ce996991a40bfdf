"""What gatekeeper keeps on a workstation between launches, and where, as far as a launch reads it: one folder a profile.

    device.json      who is enrolled here, with the device mark     highwater.json   the latest time seen
    root.json        the chain of root documents                    digests.json     of executables, by stat
    tokens/*.json    launch tokens, by tool id and executable       tables/*.p256    multiples of keys' points

One reader and one writer for every record: JSON with a schema, of this account, replaced atomically. All state is
input: what is torn, too big, of another schema or of another owner is `Absent` with a reason, and no loader raises for
what a file holds. What a signature says is for `trust`. Writing raises `GatekeeperError` with the path (GK701; GK106
for the folder itself). Times are Unix seconds. What no launch reads or writes is in `keeping`.
"""

import sys

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import (
    b64url_decode,
    b64url_encode,
    integer_of,
    objects_of,
    optional_text,
    parse_object,
    render_json,
    text_of,
    texts_of,
)
from gatekeeper.trust.p256 import GX, GY, POINT_BYTES, TABLE_BYTES, sha256, verify_by_tables
from gatekeeper.values import Absent as Absent  # noqa: PLC0414 - a fact, and what the layers below say too
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.trust.chain import PublicKey, Verify
    from gatekeeper.trust.p256 import Table
    from gatekeeper.workstation.world import Stat, World

APP = "gatekeeper"
MANAGED_FILE = "/etc/gatekeeper/managed.json"
MANAGED_DIRECTORY = "/etc/gatekeeper/managed.d"
SYSTEM_CONFIG_FILE = "/etc/gatekeeper/config.toml"
CONFIG_FILE_NAME = "config.toml"

_MACOS = "Library/Application Support"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+")
MAX_NAME_CHARS = 64

SCHEMA = 1
NOT_THERE = "not there"
MAX_SMALL_BYTES = 16 * 1024
MAX_TOKEN_FILE_BYTES = 32 * 1024
MAX_ROOT_FILE_BYTES = 1024 * 1024

TABLES = "tables"
TABLE_HEAD = b"gatekeeper P-256 table 2\n"
TABLE_FILE_BYTES = len(TABLE_HEAD) + 64 + TABLE_BYTES
G = (GX.to_bytes(32, "big"), GY.to_bytes(32, "big"))


class DeviceState(Value):
    """This device's enrolment. `mark` binds the folder to machine, person and inode; `jkt` is the device key's thumbprint.

    `device` is the service's id, `device_name` what its owner calls it.
    """

    mark: str
    issuer: str
    subject: str
    name: str
    device: str
    jkt: str
    device_name: str = ""

    def called(self) -> str:
        """Return what people call this device."""
        return self.device_name or self.device


class TokenState(Value):
    """A launch token as it was issued, the tool that it is for, and the names that the tool is started by."""

    mark: str
    tool: str
    executables: "tuple[str, ...]"
    token: bytes


# Directories: the platform's rules (XDG on Linux, and on macOS where its variables are set), repeated because
# `platformdirs` costs a launch more than everything else together; a test holds the two equal. A relative path is
# never used: what a launch reads must not depend on where it is started.


def is_file_name(name: str) -> bool:
    """Say whether a name of ours (tool, executable, profile) is safe as a file's: no separator, no leading dot, ASCII."""
    return 0 < len(name) <= MAX_NAME_CHARS and name[0] not in ".-+" and _NAME.issuperset(name)


def state_directory(environment: "Mapping[str, str]", home: str, *, platform: str = sys.platform) -> str:
    """Return where the state stands. GatekeeperError GK106 without a home, or where a variable is no absolute path."""
    return _directory(
        environment,
        home,
        platform=platform,
        own="GATEKEEPER_STATE_DIR",
        xdg="XDG_STATE_HOME",
        below_home=".local/state",
    )


def config_directory(environment: "Mapping[str, str]", home: str, *, platform: str = sys.platform) -> str:
    """Return where the person's configuration stands. Errors as `state_directory`."""
    return _directory(
        environment,
        home,
        platform=platform,
        own="GATEKEEPER_CONFIG_DIR",
        xdg="XDG_CONFIG_HOME",
        below_home=".config",
    )


def data_directory(environment: "Mapping[str, str]", home: str, *, platform: str = sys.platform) -> str:
    """Return where shims and the file store of credentials stand. Errors as `state_directory`."""
    return _directory(
        environment, home, platform=platform, own="", xdg="XDG_DATA_HOME", below_home=".local/share"
    )


def shims_directory(environment: "Mapping[str, str]", home: str, *, platform: str = sys.platform) -> str:
    """Return where shims stand, which a launch skips on PATH. Errors as `state_directory`."""
    return f"{data_directory(environment, home, platform=platform)}/shims"


def profile_directory(state: str, profile: str) -> str:
    """Return one profile's folder of the state directory. GatekeeperError GK101 for a name that is no folder's."""
    if not is_file_name(profile):
        raise GatekeeperError(
            "GK101",
            f"{profile!r} can't be the name of a profile: letters, digits, '-', '_', '.' and '+', at most 64.",
        )
    return f"{state}/profiles/{profile}"


def _directory(
    environment: "Mapping[str, str]", home: str, *, platform: str, own: str, xdg: str, below_home: str
) -> str:
    chosen = environment.get(own, "") if own else ""
    if chosen:
        # A relative one would let a repository bring its own state or configuration along.
        if not chosen.startswith("/"):
            raise GatekeeperError(
                "GK106",
                f"{own} is {chosen!r}, which is not an absolute path.",
                remedy=f"set {own} to an absolute path",
            )
        return _tidy(chosen)
    base = environment.get(xdg, "")
    if base.startswith("/"):  # the XDG specification says that a relative one is ignored
        return f"{_tidy(base)}/{APP}".replace("//", "/")
    if not home.startswith("/"):
        raise GatekeeperError(
            "GK106", "There is no home directory.", remedy=f"set HOME, or {own or xdg}, to an absolute path"
        )
    return f"{_tidy(home)}/{_MACOS if platform == 'darwin' else below_home}/{APP}".replace("//", "/")


def _tidy(path: str) -> str:
    return path.rstrip("/") or "/"


# Records


def load_record(world: "World", path: str, *, max_bytes: int) -> "dict[str, object] | Absent":
    """Return the members of a hostile file, or why it counts as absent."""
    try:
        data, stat = world.open_read(path, max_bytes=max_bytes)
        mine = stat.uid == world.user_id()
    except FileNotFoundError:
        return Absent(reason=NOT_THERE)
    except OSError as error:
        return damaged(path, error.strerror or "it can't be read")
    # Judged on the open descriptor: what another account may write says nothing about this one.
    if not mine:
        return damaged(path, "it belongs to another account")
    if stat.others_may_write():
        return damaged(path, "other accounts may write it")
    try:
        members = parse_object(data, max_bytes=max_bytes)
    except Malformed as error:
        return damaged(path, error.reason)
    if members.get("schema") != SCHEMA or members["schema"] is True:
        return damaged(path, "it has another schema")
    return members


def damaged(path: str, reason: str) -> "Absent":
    """Say that a file is there and can't be used."""
    return Absent(reason=f"{path}: {reason}", code="GK701")


def save_record(world: "World", directory: str, name: str, members: "Mapping[str, object]") -> None:
    """Write a record, making its directory. GatekeeperError GK701 for the file, GK106 for the directory."""
    try:
        world.make_directory(directory)
    except OSError as error:
        raise GatekeeperError(
            "GK106",
            f"{directory} can't be made: {error.strerror}.",
            remedy="make that directory writable, or set GATEKEEPER_STATE_DIR to one that is",
        ) from error
    path = f"{directory}/{name}"
    try:
        world.replace(path, render_json({"schema": SCHEMA, **members}) + b"\n")
    except OSError as error:
        raise unusable(path, "written", error) from error


def unusable(path: str, act: str, error: "OSError") -> "GatekeeperError":
    """Say that the disk refused: `act` is a participle."""
    return GatekeeperError(
        "GK701",
        f"{path} can't be {act}: {error.strerror}.",
        remedy="free or repair that disk, or set GATEKEEPER_STATE_DIR to a directory that can be written",
    )


# Device


def device_mark(world: "World", directory: str) -> str:
    """Return what a copy of the folder can't keep: a hash of machine id, user id and the folder's inode. "" without one.

    The device number is left out: it may change with a reboot.
    """
    try:
        inode = world.stat(directory).inode
        facts = f"gatekeeper device mark 1\0{world.machine_id()}\0{world.user_id()}\0{inode}"
    except OSError:
        return ""
    return b64url_encode(sha256(facts.encode("utf-8", "surrogateescape")))


def load_device(world: "World", directory: str) -> "DeviceState | Absent":
    """Return the enrolment. Whether its mark is this folder's is for the reader to compare."""
    members = load_record(world, f"{directory}/device.json", max_bytes=MAX_SMALL_BYTES)
    if isinstance(members, Absent):
        return members
    try:
        return DeviceState(
            mark=text_of(members, "mark"),
            issuer=text_of(members, "issuer"),
            subject=text_of(members, "subject"),
            name=optional_text(members, "name"),
            device=text_of(members, "device"),
            jkt=text_of(members, "jkt"),
            device_name=optional_text(members, "device_name"),
        )
    except Malformed as error:
        return damaged(f"{directory}/device.json", error.reason)


# Root documents


def load_chain(world: "World", directory: str) -> "tuple[bytes, ...] | Absent":
    """Return the kept root documents, oldest first. Whether the chain holds is for the reader."""
    members = load_record(world, f"{directory}/root.json", max_bytes=MAX_ROOT_FILE_BYTES)
    if isinstance(members, Absent):
        return members
    try:
        return tuple([b64url_decode(text) for text in texts_of(members, "documents")])
    except Malformed as error:
        return damaged(f"{directory}/root.json", error.reason)


# Launch tokens


def load_token(world: "World", directory: str, word: str) -> "TokenState | Absent":
    """Return the token kept under a tool's id or executable. `word` may be hostile; a file that names another is Absent."""
    if not is_file_name(word):
        return Absent(reason="no tool has such a name")
    path = f"{directory}/tokens/{word}.json"
    members = load_record(world, path, max_bytes=MAX_TOKEN_FILE_BYTES)
    if isinstance(members, Absent):
        return members
    try:
        state = TokenState(
            mark=text_of(members, "mark"),
            tool=text_of(members, "tool"),
            executables=texts_of(members, "executables"),
            token=text_of(members, "token", max_chars=MAX_TOKEN_FILE_BYTES).encode("ascii"),
        )
    except Malformed as error:
        return damaged(path, error.reason)
    except UnicodeEncodeError:
        return damaged(path, "token is no token")
    if word != state.tool and word not in state.executables:
        return damaged(path, "it is kept under another tool's name")
    return state


# Time


def load_high_water(world: "World", directory: str) -> "int | None":
    """Return the latest time seen here, None where that isn't known: a cached token then needs a renewal first."""
    return load_time(world, f"{directory}/highwater.json", "at")


def save_high_water(world: "World", directory: str, at: int) -> None:
    """Keep the latest time seen; the caller says when it may fall. GatekeeperError GK701, GK106."""
    save_record(world, directory, "highwater.json", {"at": at})


def load_time(world: "World", path: str, name: str) -> "int | None":
    """Return one time of a record of times, None where it isn't known."""
    members = load_record(world, path, max_bytes=MAX_SMALL_BYTES)
    if isinstance(members, Absent):
        return None
    try:
        return integer_of(members, name)
    except Malformed:
        return None


def load_reminded(world: "World", directory: str, tool: str) -> "int | None":
    """Return when the end of a tool's approval was last told."""
    return load_time(world, f"{directory}/reminded/{tool}.json", "at")


# Digests


def load_digests(world: "World", directory: str) -> "dict[str, str]":
    """Return the SHA-256 of executables that were hashed here, by `Stat.key()`: another content has another key."""
    members = load_record(world, f"{directory}/digests.json", max_bytes=MAX_SMALL_BYTES)
    if isinstance(members, Absent):
        return {}
    digests: dict[str, str] = {}
    try:
        for item in objects_of(members, "digests"):
            digests[text_of(item, "stat")] = text_of(item, "sha256", max_chars=64)
    except Malformed:
        return {}
    return digests


def digest_of(digests: "Mapping[str, str]", stat: "Stat") -> str:
    """Return the digest of the very content that `stat` describes, "" where it isn't known."""
    return digests.get(stat.key(), "")


# Tables of keys


def verifier_by_tables(world: "World", directory: str) -> "Verify":
    """Return a verifier that uses the tables of this profile's folder, where there are any.

    A table with wrong points can make a bad signature hold. It counts only where whoever could have written it could
    as well have changed the pins: beside pins of the person's own, from a file of this account that no other may
    write, judged on the open descriptor. Under managed pins nothing in the person's folder counts, so the caller
    doesn't ask here at all. Any other file (absent, torn, of another key) is passed over, and a signature that
    tables don't confirm is computed without: a damaged table costs time and refuses nothing.
    """

    def verify(key: "PublicKey", message: bytes, signature: bytes) -> bool:
        of_g, of_key = table_of(world, directory, *G), table_of(world, directory, key.x, key.y)
        if verify_by_tables(message, signature, of_g=of_g, of_key=of_key):
            return True
        from gatekeeper.trust.p256_plain import verify_es256

        return verify_es256(key, message, signature)

    return verify


def table_of(world: "World", directory: str, x: bytes, y: bytes) -> "Table":
    """Return the table of this very point, which has no points where no file counts. The coordinates may be hostile."""
    head = TABLE_HEAD + x + y

    def points(places: "list[int]") -> "list[bytes]":
        pieces = [(0, len(head)), *[(len(head) + place, POINT_BYTES) for place in places]]
        try:
            read, stat = world.read_pieces(table_path(directory, x), pieces, file_bytes=TABLE_FILE_BYTES)
        except OSError:
            return []
        mine = stat.uid == world.user_id() and not stat.others_may_write()
        return read[1:] if mine and len(x) == 32 and read[0] == head else []

    return points


def table_path(directory: str, x: bytes) -> str:
    """Return where the table of a point stands."""
    return f"{directory}/{TABLES}/{x.hex()}.p256"
