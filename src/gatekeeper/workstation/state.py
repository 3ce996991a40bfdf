"""What gatekeeper keeps on a workstation between launches: one folder a profile, one writer, one reader.

    device.json      who is enrolled here, with the device mark     highwater.json   the latest time seen
    root.json        the chain of root documents and its pins       backoff.json     no renewal before
    tokens/*.json    launch tokens, by tool id and executable       nonce.json       the service's DPoP nonce
    catalogue.json   the signed catalogue                           digests.json     of executables, by stat
    standing.json    what the service last said of grants and requests, for `status` alone

How a file is read and written is in `records`: all state is input, and no loader raises for what a file
holds. What a signature says is for `trust`. Writing and deleting raise `GatekeeperError` with the path
(GK701; GK106 for the folder itself). Times are Unix seconds.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed
from gatekeeper.strict import (
    b64url_decode,
    b64url_encode,
    integer_of,
    objects_of,
    optional_text,
    text_of,
    texts_of,
)
from gatekeeper.trust.p256 import sha256
from gatekeeper.values import Absent as Absent  # noqa: PLC0414 - what every loader says
from gatekeeper.values import Value
from gatekeeper.workstation.paths import is_file_name
from gatekeeper.workstation.records import damaged, load_record, remove_record, save_record, unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatekeeper.workstation.world import Stat, World

MAX_SMALL_BYTES = 16 * 1024
MAX_TOKEN_FILE_BYTES = 32 * 1024
MAX_ROOT_FILE_BYTES = 1024 * 1024
MAX_CATALOGUE_FILE_BYTES = 1024 * 1024
MAX_DIGESTS = 64


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


class RootState(Value):
    """A chain of root documents, oldest first, and the pins and threshold that it was accepted under."""

    pins: tuple[str, ...]
    threshold: int
    documents: tuple[bytes, ...]
    fetched_at: int


class TokenState(Value):
    """A launch token as it was issued, the tool that it is for, and the names that the tool is started by."""

    mark: str
    tool: str
    executables: tuple[str, ...]
    token: bytes


def device_mark(world: World, directory: str) -> str:
    """Return what a copy of the folder can't keep: a hash of machine id, user id and the folder's inode. "" without one.

    The device number is left out: it may change with a reboot.
    """
    try:
        inode = world.stat(directory).inode
        facts = f"gatekeeper device mark 1\0{world.machine_id()}\0{world.user_id()}\0{inode}"
    except OSError:
        return ""
    return b64url_encode(sha256(facts.encode("utf-8", "surrogateescape")))


# Device


def load_device(world: World, directory: str) -> DeviceState | Absent:
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


def save_device(world: World, directory: str, state: DeviceState) -> None:
    """Keep the enrolment. GatekeeperError GK701, GK106."""
    save_record(
        world,
        directory,
        "device.json",
        {
            "mark": state.mark,
            "issuer": state.issuer,
            "subject": state.subject,
            "name": state.name,
            "device": state.device,
            "jkt": state.jkt,
            "device_name": state.device_name,
        },
    )


def remove_device(world: World, directory: str) -> None:
    """Forget the enrolment (signing out). GatekeeperError GK701."""
    remove_record(world, f"{directory}/device.json")


# Root documents


def load_root(world: World, directory: str) -> RootState | Absent:
    """Return the chain. Whether it holds, and whether its pins are still the configured ones, is for the reader."""
    members = load_record(world, f"{directory}/root.json", max_bytes=MAX_ROOT_FILE_BYTES)
    if isinstance(members, Absent):
        return members
    try:
        return RootState(
            pins=texts_of(members, "pins"),
            threshold=integer_of(members, "threshold"),
            documents=tuple(b64url_decode(text) for text in texts_of(members, "documents")),
            fetched_at=integer_of(members, "fetched_at"),
        )
    except Malformed as error:
        return damaged(f"{directory}/root.json", error.reason)


def save_root(world: World, directory: str, state: RootState) -> None:
    """Keep the chain. GatekeeperError GK701, GK106."""
    save_record(
        world,
        directory,
        "root.json",
        {
            "pins": list(state.pins),
            "threshold": state.threshold,
            "documents": [b64url_encode(document) for document in state.documents],
            "fetched_at": state.fetched_at,
        },
    )


# Launch tokens


def load_token(world: World, directory: str, word: str) -> TokenState | Absent:
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


def save_token(world: World, directory: str, words: Sequence[str], state: TokenState) -> None:
    """Keep a token under each of `words` (the tool's id and its executables). GatekeeperError GK701, GK106."""
    members = {
        "mark": state.mark,
        "tool": state.tool,
        "executables": list(state.executables),
        "token": state.token.decode("ascii"),
    }
    for word in dict.fromkeys(words):
        if is_file_name(word):
            save_record(world, f"{directory}/tokens", f"{word}.json", members)


def list_tokens(world: World, directory: str) -> list[TokenState]:
    """Return every token that can be read, once a tool, by the tool's id."""
    states: dict[str, TokenState] = {}
    for word in _token_words(world, directory):
        state = load_token(world, directory, word)
        if isinstance(state, TokenState) and (state.tool not in states or word == state.tool):
            states[state.tool] = state
    return [states[tool] for tool in sorted(states)]


def remove_tokens(world: World, directory: str, tool: str) -> None:
    """Delete every token of a tool, under whatever name; all of them where `tool` is "".

    A file that can't be read is deleted with them: nobody can say that it isn't the tool's, and a renewal
    brings back what is still granted. GatekeeperError GK701: a token that is refused must not come back.
    """
    for word in _token_words(world, directory):
        state = load_token(world, directory, word)
        if not tool or isinstance(state, Absent) or state.tool == tool:
            remove_record(world, f"{directory}/tokens/{word}.json")


def _token_words(world: World, directory: str) -> list[str]:
    path = f"{directory}/tokens"
    try:
        names = world.listdir(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unusable(path, "read", error) from error
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json") and name[0] != ".")


# Time


def load_high_water(world: World, directory: str) -> int | None:
    """Return the latest time seen here, None where that isn't known: a cached token then needs a renewal first."""
    return _load_time(world, f"{directory}/highwater.json", "at")


def save_high_water(world: World, directory: str, at: int) -> None:
    """Keep the latest time seen; the caller says when it may fall. GatekeeperError GK701, GK106."""
    save_record(world, directory, "highwater.json", {"at": at})


def load_backoff(world: World, directory: str) -> int:
    """Return when the service may be tried again after it was unreachable, 0 for at once."""
    return _load_time(world, f"{directory}/backoff.json", "until") or 0


def save_backoff(world: World, directory: str, until: int) -> None:
    """Keep when the service may be tried again. GatekeeperError GK701, GK106."""
    save_record(world, directory, "backoff.json", {"until": until})


def _load_time(world: World, path: str, name: str) -> int | None:
    members = load_record(world, path, max_bytes=MAX_SMALL_BYTES)
    if isinstance(members, Absent):
        return None
    try:
        return integer_of(members, name)
    except Malformed:
        return None


# Catalogue, nonce, digests


def load_catalogue(world: World, directory: str) -> bytes | Absent:
    """Return the signed catalogue, not verified."""
    members = load_record(world, f"{directory}/catalogue.json", max_bytes=MAX_CATALOGUE_FILE_BYTES)
    if isinstance(members, Absent):
        return members
    try:
        return text_of(members, "catalogue", max_chars=MAX_CATALOGUE_FILE_BYTES).encode("ascii")
    except (Malformed, UnicodeEncodeError):
        return damaged(f"{directory}/catalogue.json", "catalogue is no token")


def save_catalogue(world: World, directory: str, catalogue: bytes) -> None:
    """Keep the signed catalogue. GatekeeperError GK701, GK106."""
    save_record(world, directory, "catalogue.json", {"catalogue": catalogue.decode("ascii")})


def remove_catalogue(world: World, directory: str) -> None:
    """Forget the catalogue (signing out, another person). GatekeeperError GK701."""
    remove_record(world, f"{directory}/catalogue.json")


class StandingState(Value):
    """The service's last answers about grants and requests, as their bodies, and when they came. Decides nothing."""

    asked_at: int
    grants: bytes
    requests: bytes


def load_standing(world: World, directory: str) -> StandingState | Absent:
    """Return the last answers, not parsed."""
    path = f"{directory}/standing.json"
    members = load_record(world, path, max_bytes=MAX_CATALOGUE_FILE_BYTES)
    if isinstance(members, Absent):
        return members
    try:
        return StandingState(
            asked_at=integer_of(members, "asked_at"),
            grants=text_of(members, "grants", max_chars=MAX_CATALOGUE_FILE_BYTES).encode(),
            requests=text_of(members, "requests", max_chars=MAX_CATALOGUE_FILE_BYTES).encode(),
        )
    except Malformed as error:
        return damaged(path, error.reason)


def save_standing(world: World, directory: str, state: StandingState) -> None:
    """Keep the last answers. GatekeeperError GK701, GK106."""
    members = {
        "asked_at": state.asked_at,
        "grants": state.grants.decode(),
        "requests": state.requests.decode(),
    }
    save_record(world, directory, "standing.json", members)


def remove_standing(world: World, directory: str) -> None:
    """Forget the last answers: something has happened since. GatekeeperError GK701."""
    remove_record(world, f"{directory}/standing.json")


def load_nonce(world: World, directory: str) -> str:
    """Return the service's last DPoP nonce, "" without one."""
    members = load_record(world, f"{directory}/nonce.json", max_bytes=MAX_SMALL_BYTES)
    if isinstance(members, Absent):
        return ""
    try:
        return optional_text(members, "nonce", max_chars=1024)
    except Malformed:
        return ""


def save_nonce(world: World, directory: str, nonce: str) -> None:
    """Keep the service's DPoP nonce. GatekeeperError GK701, GK106."""
    save_record(world, directory, "nonce.json", {"nonce": nonce})


def load_digests(world: World, directory: str) -> dict[str, str]:
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


def save_digest(world: World, directory: str, stat: Stat, digest: str) -> None:
    """Keep one more digest, the oldest giving way. GatekeeperError GK701, GK106."""
    digests = load_digests(world, directory)
    digests.pop(stat.key(), None)
    digests[stat.key()] = digest
    kept = list(digests.items())[-MAX_DIGESTS:]
    items = [{"stat": key, "sha256": sha256_hex} for key, sha256_hex in kept]
    save_record(world, directory, "digests.json", {"digests": items})


def digest_of(digests: Mapping[str, str], stat: Stat) -> str:
    """Return the digest of the very content that `stat` describes, "" where it isn't known."""
    return digests.get(stat.key(), "")


def renewal_lock(directory: str) -> str:
    """Return the path of the lock that one renewer a profile holds."""
    return f"{directory}/renewal.lock"
