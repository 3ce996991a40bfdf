"""What a launch neither reads nor writes of the state: what renewal, signing in and the other commands keep.

    backoff.json     no renewal before                              nonce.json       the service's DPoP nonce
    catalogue.json   the signed catalogue                           renewal.lock     held by the one that renews
    standing.json    what the service last said of grants and requests, for `status` alone
    reminded/*.json  when an approval's end was last told, by tool id (`launch.aside`)

and the writing and deleting of the rest. How a record is read and written, and what no loader does, is `state`'s to say.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed
from gatekeeper.strict import b64url_decode, b64url_encode, integer_of, optional_text, text_of, texts_of
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.state import (
    MAX_ROOT_FILE_BYTES,
    MAX_SMALL_BYTES,
    TokenState,
    damaged,
    is_file_name,
    load_digests,
    load_record,
    load_time,
    load_token,
    save_record,
    unusable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekeeper.workstation.state import DeviceState
    from gatekeeper.workstation.world import Stat, World

MAX_CATALOGUE_FILE_BYTES = 1024 * 1024
MAX_DIGESTS = 64


class RootState(Value):
    """A chain of root documents, oldest first, and the pins and threshold that it was accepted under."""

    pins: tuple[str, ...]
    threshold: int
    documents: tuple[bytes, ...]
    fetched_at: int


def remove_record(world: World, path: str) -> None:
    """Delete a record; one that is absent is no error. GatekeeperError GK701."""
    try:
        world.remove(path)
    except OSError as error:
        raise unusable(path, "deleted", error) from error


# Device


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


def load_backoff(world: World, directory: str) -> int:
    """Return when the service may be tried again after it was unreachable, 0 for at once."""
    return load_time(world, f"{directory}/backoff.json", "until") or 0


def save_backoff(world: World, directory: str, until: int) -> None:
    """Keep when the service may be tried again. GatekeeperError GK701, GK106."""
    save_record(world, directory, "backoff.json", {"until": until})


# Catalogue, answers, nonce, digests


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


def save_digest(world: World, directory: str, stat: Stat, digest: str) -> None:
    """Keep one more digest, the oldest giving way. GatekeeperError GK701, GK106."""
    digests = load_digests(world, directory)
    digests.pop(stat.key(), None)
    digests[stat.key()] = digest
    kept = list(digests.items())[-MAX_DIGESTS:]
    items = [{"stat": key, "sha256": sha256_hex} for key, sha256_hex in kept]
    save_record(world, directory, "digests.json", {"digests": items})


def renewal_lock(directory: str) -> str:
    """Return the path of the lock that one renewer a profile holds."""
    return f"{directory}/renewal.lock"
