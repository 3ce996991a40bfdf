"""The keys that this service signs with, by purpose. `Signer` is the seam for keys that live in a KMS.

The newest key of a purpose signs; older ones are listed as long as what they signed may still be verified.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol, TypeVar

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.keys.files import load_key
from gatekeeper.trust.sign import LogKey, SigningKey
from gatekeeper.values import Value

KEYS_DIRECTORY = "keys"
PURPOSES = ("approval", "gateway", "status", "policy")
LOG = "log"
_Key = TypeVar("_Key", SigningKey, LogKey)
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


def load_keys(data_dir: Path) -> Keys:
    """Read `DIR/keys/PURPOSE-N.json`; N grows with every rotation.

    Raises:
        GatekeeperError: GK101, a purpose has no key, or one can't be used.
    """
    folder = data_dir / KEYS_DIRECTORY
    found: dict[str, tuple[Signer, ...]] = {
        purpose: tuple(FileSigner(path, purpose=purpose) for path in _files_of(folder, purpose))
        for purpose in PURPOSES
    }
    return Keys(
        approval=found["approval"],
        gateway=found["gateway"],
        status=found["status"],
        policy=found["policy"],
        log=_parsed(_files_of(folder, LOG)[0], LogKey, purpose=LOG),
    )


def _files_of(folder: Path, purpose: str) -> list[Path]:
    try:
        names = [match for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    except OSError as error:
        raise GatekeeperError("GK101", f"{folder}: {error.strerror}.") from error
    numbers = sorted((int(match[2]) for match in names if match[1] == purpose), reverse=True)
    if not numbers:
        raise GatekeeperError("GK101", f"{folder} holds no {purpose} key.")
    return [folder / f"{purpose}-{number}.json" for number in numbers]


def _parsed(path: Path, kind: type[_Key], *, purpose: str) -> _Key:
    try:
        return kind.from_jwk(load_key(path, purpose=purpose))
    except Malformed as error:
        raise GatekeeperError("GK101", f"the key {path} can't be used: {error.reason}.") from error
