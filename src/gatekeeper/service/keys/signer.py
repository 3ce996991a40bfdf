"""The keys that this service signs with, by purpose. `Signer` is the seam for keys that live elsewhere.

The newest key of a purpose whose time has come signs; older ones are listed as long as what they signed may still
be verified, newer ones so that everyone knows them before they sign.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.keys.elsewhere import Keeper, RemoteSigner
from gatekeeper.service.keys.files import load_key, load_key_file
from gatekeeper.trust.chain import public_key_of
from gatekeeper.trust.sign import LogKey, SigningKey
from gatekeeper.values import Value

log = logging.getLogger("gatekeeper.service")

KEYS_DIRECTORY = "keys"
PURPOSES = ("approval", "gateway", "status", "policy")
LOG = "log"
_Key = TypeVar("_Key", SigningKey, LogKey)
_LOOK_AGAIN_AFTER = 60
_NAME = re.compile(r"([a-z]+)-([1-9][0-9]{0,5})\.json")


class Signer(Protocol):
    """Something that signs ES256 and never gives its key away."""

    @property
    def kid(self) -> str:
        """The RFC 7638 thumbprint of the key."""
        ...

    def public_jwk(self) -> dict[str, object]:
        """Return the public JWK with `kid` and `alg`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return r ‖ s, 64 bytes (RFC 7518 §3.4)."""
        ...


class FileSigner:
    """A key in a file of this machine, read once."""

    def __init__(self, path: Path, *, purpose: str) -> None:
        """Read the key.

        Raises:
            GatekeeperError: GK101, there is none at `path` that may be used for `purpose`.
        """
        self._key = _parsed(path, SigningKey, purpose=purpose)

    @property
    def kid(self) -> str:
        """The RFC 7638 thumbprint of the key."""
        return self._key.kid

    def public_jwk(self) -> dict[str, object]:
        """Return the public JWK with `kid` and `alg`."""
        return self._key.public_jwk()

    def sign(self, message: bytes) -> bytes:
        """Return r ‖ s, 64 bytes (RFC 7518 §3.4)."""
        return self._key.sign(message)


class Keys(Value):
    """The signing keys of a service, the newest of each purpose first, and the key of its audit log."""

    approval: tuple[Signer, ...]
    gateway: tuple[Signer, ...]
    status: tuple[Signer, ...]
    policy: tuple[Signer, ...]
    log: LogKey


class KeyEntry(Value):
    """A key of the service: its number and file, when it begins to sign (0: at once), and what signs with it."""

    purpose: str
    number: int
    path: Path
    use_at: int
    where: str  # file, or the kind of its keeper
    signer: Signer


# Gives the keeper of a kind; `GatekeeperError` GK101 where `[signer]` names none.
Keepers = Callable[[str], Keeper]


def no_keepers(kind: str) -> Keeper:
    """Refuse: nothing in service.toml says how to reach a keeper of this kind. Raises `GatekeeperError` GK101."""
    raise GatekeeperError("GK101", f"A key lives in {kind}, and service.toml has no [signer.{kind}].")


def load_entries(data_dir: Path, purpose: str, *, keepers: Keepers = no_keepers) -> list[KeyEntry]:
    """Read every key of a purpose, the newest first.

    Raises:
        GatekeeperError: GK101, there is none, or one can't be used.
    """
    return [
        _entry(path, purpose, number, keepers)
        for number, path in _files_of(data_dir / KEYS_DIRECTORY, purpose)
    ]


def load_keys(data_dir: Path, *, keepers: Keepers = no_keepers, now: int | None = None) -> Keys:
    """Read `DIR/keys/PURPOSE-N.json`; N grows with every rotation.

    The newest key whose time has come by `now` stands first, and signs; without `now` every key's has.

    Raises:
        GatekeeperError: GK101, a purpose has no key that signs, or one can't be used.
    """

    def of(purpose: str) -> tuple[Signer, ...]:
        entries = load_entries(data_dir, purpose, keepers=keepers)
        ready = [entry for entry in entries if now is None or entry.use_at <= now]
        if not ready:
            raise GatekeeperError(
                "GK101", f"{data_dir / KEYS_DIRECTORY} holds no {purpose} key that signs yet."
            )
        return tuple(entry.signer for entry in (*ready, *(entry for entry in entries if entry not in ready)))

    return Keys(
        approval=of("approval"),
        gateway=of("gateway"),
        status=of("status"),
        policy=of("policy"),
        log=_parsed(_files_of(data_dir / KEYS_DIRECTORY, LOG)[0][1], LogKey, purpose=LOG),
    )


class KeyRing:
    """The keys of a process that runs, read anew when the folder changes or a key's time has come.

    Where the folder can't be read any more, the keys of before go on.
    """

    def __init__(self, data_dir: Path, *, clock: Callable[[], int], keepers: Keepers = no_keepers) -> None:
        """Read the keys. Raises as `load_keys`."""
        self._data = data_dir
        self._keepers = keepers
        self._clock = clock
        self._stamp = 0
        self._turns_at = 0
        self._keys = self._read(self._look())

    @property
    def approval(self) -> tuple[Signer, ...]:
        """The keys of launch tokens."""
        return self._current().approval

    @property
    def gateway(self) -> tuple[Signer, ...]:
        """The keys of gateway tokens."""
        return self._current().gateway

    @property
    def status(self) -> tuple[Signer, ...]:
        """The keys of status lists."""
        return self._current().status

    @property
    def policy(self) -> tuple[Signer, ...]:
        """The keys of catalogues."""
        return self._current().policy

    @property
    def log(self) -> LogKey:
        """The audit log's key."""
        return self._current().log

    def _current(self) -> Keys:
        stamp = self._look()
        if stamp != self._stamp or self._clock() >= self._turns_at:
            try:
                self._keys = self._read(stamp)
            except GatekeeperError:
                self._stamp, self._turns_at = stamp, self._clock() + _LOOK_AGAIN_AFTER
                log.exception("the keys can't be read anew; those of before go on")
        return self._keys

    def _look(self) -> int:
        try:
            return (self._data / KEYS_DIRECTORY).stat().st_mtime_ns
        except OSError:
            return -1

    def _read(self, stamp: int) -> Keys:
        now = self._clock()
        keys = load_keys(self._data, keepers=self._keepers, now=now)
        ahead = [
            entry.use_at
            for purpose in PURPOSES
            for entry in load_entries(self._data, purpose, keepers=self._keepers)
            if entry.use_at > now
        ]
        self._stamp, self._turns_at = stamp, min(ahead, default=now + _LOOK_AGAIN_AFTER)
        return keys


def _entry(path: Path, purpose: str, number: int, keepers: Keepers) -> KeyEntry:
    found = load_key_file(path, purpose=purpose)
    try:
        if found.reference is None:
            signer: Signer = SigningKey.from_jwk(found.jwk)
        else:
            keeper = keepers(found.reference.kind)
            signer = RemoteSigner(keeper, found.reference, public_key_of(found.jwk))
    except Malformed as error:
        raise GatekeeperError("GK101", f"the key {path} can't be used: {error.reason}.") from error
    return KeyEntry(
        purpose=purpose,
        number=number,
        path=path,
        use_at=found.use_at,
        where=found.reference.kind if found.reference else "file",
        signer=signer,
    )


def _files_of(folder: Path, purpose: str) -> list[tuple[int, Path]]:
    try:
        names = [match for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    except OSError as error:
        raise GatekeeperError("GK101", f"{folder}: {error.strerror}.") from error
    numbers = sorted((int(match[2]) for match in names if match[1] == purpose), reverse=True)
    if not numbers:
        raise GatekeeperError("GK101", f"{folder} holds no {purpose} key.")
    return [(number, folder / f"{purpose}-{number}.json") for number in numbers]


def _parsed(path: Path, kind: type[_Key], *, purpose: str) -> _Key:
    try:
        return kind.from_jwk(load_key(path, purpose=purpose))
    except Malformed as error:
        raise GatekeeperError("GK101", f"the key {path} can't be used: {error.reason}.") from error
