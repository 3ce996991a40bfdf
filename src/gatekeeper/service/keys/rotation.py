"""Rotation: a key is published well before it signs, verifies on long after, and is dropped at once when it is stolen.

Each step here makes the file of a key and the root document that certifies it, or neither: the document is signed
in the caller's transaction, and the file is taken back where that fails.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.keys.ceremony import ROOT, ROOT_FILE, RootInfo, reissue_root
from gatekeeper.service.keys.elsewhere import Reference, adopt
from gatekeeper.service.keys.files import save_key
from gatekeeper.service.keys.signer import (
    KEYS_DIRECTORY,
    PURPOSES,
    FileSigner,
    Keepers,
    KeyEntry,
    load_entries,
    no_keepers,
)
from gatekeeper.trust.sign import SigningKey
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

PUBLISHED_FOR = 48 * 3_600  # clients look for a new root document daily; so each knows a key before it signs
VERIFIES_FOR = 73 * 3_600  # the longest lease, and an hour
DROPPED = "dropped"


class Rotated(Value):
    """A key that was made: it begins to sign at `use_at`, and `root` is the document that certifies it."""

    purpose: str
    kid: str
    use_at: int
    root: RootInfo


@contextmanager
def rotated(
    tx: Connection,
    data_dir: Path,
    *,
    purpose: str,
    issuer: str,
    root_key_path: Path | None,
    reference: Reference | None = None,
    keepers: Keepers = no_keepers,
    at_once: bool = False,
    now: int,
) -> Iterator[Rotated]:
    """Make the next key of a purpose and publish it. The block commits; where it raises, the file is taken back.

    `reference` names a key that lives elsewhere, which signs once before it is adopted. `at_once` is for an incident:
    clients then meet a key that they have to look for.

    Raises:
        GatekeeperError: GK101, no such purpose, a key waits already, or the root key can't be used; GK106, the keeper.
    """
    entries = load_entries(data_dir, _purpose(purpose), keepers=keepers)
    waiting = [entry for entry in entries if entry.use_at > now]
    if waiting and not at_once:
        raise GatekeeperError("GK101", f"A new {purpose} key is published already and waits for its time.")
    use_at = 0 if at_once else now + PUBLISHED_FOR
    if reference is None:
        key = SigningKey.generate()
        jwk, kid = key.private_jwk(), key.kid
    else:
        adopted = adopt(keepers(reference.kind), reference)
        jwk, kid = adopted.public_jwk(), adopted.kid
        if kid in {entry.signer.kid for entry in entries}:
            raise GatekeeperError("GK101", f"{reference.name} is one of the service's keys already.")
    path = data_dir / KEYS_DIRECTORY / f"{purpose}-{entries[0].number + 1}.json"
    save_key(path, purpose=purpose, jwk=jwk, now=now, use_at=use_at, reference=reference)
    try:
        root = reissue_root(
            tx, data_dir, issuer=issuer, root_key_path=root_key_path, keepers=keepers, now=now
        )
        yield Rotated(purpose=purpose, kid=kid, use_at=use_at or now, root=root)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def dropped(
    tx: Connection,
    data_dir: Path,
    kid: str,
    *,
    issuer: str,
    root_key_path: Path | None,
    keepers: Keepers = no_keepers,
    now: int,
) -> Iterator[tuple[KeyEntry, RootInfo]]:
    """Leave a key out of the next root document, published at once: what it signed is refused from then on.

    Its file is moved to `keys/dropped`. The block commits; where it raises, the file is put back.

    Raises:
        GatekeeperError: GK101, there is no such key, no other of its purpose signs, or the root key can't be used.
    """
    entry, others = _found(data_dir, kid, keepers)
    if not any(other.use_at <= now for other in others):
        raise GatekeeperError(
            "GK101",
            f"No other {entry.purpose} key signs yet.",
            remedy=f"gatekeeper service keys rotate {entry.purpose} --now",
        )
    folder = data_dir / KEYS_DIRECTORY / DROPPED
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{entry.path.stem}-{kid}.json"
    entry.path.rename(target)
    try:
        root = reissue_root(
            tx, data_dir, issuer=issuer, root_key_path=root_key_path, keepers=keepers, now=now
        )
        yield entry, root
    except BaseException:
        target.rename(entry.path)
        raise


@contextmanager
def root_rotated(
    tx: Connection,
    data_dir: Path,
    *,
    issuer: str,
    root_key_path: Path | None,
    new_root_path: Path,
    keepers: Keepers = no_keepers,
    now: int,
) -> Iterator[RootInfo]:
    """Make a new root key at `new_root_path`; the next root document is signed by both and names the new one.

    Clients that know the last document follow; new ones are given the new thumbprint. The old key is left where it is.

    Raises:
        GatekeeperError: GK101, a file stands there, or the root key can't be used.
    """
    if new_root_path.resolve() == (data_dir / KEYS_DIRECTORY / ROOT_FILE).resolve():
        raise GatekeeperError("GK101", "The new root key belongs outside the service's directory.")
    save_key(new_root_path, purpose=ROOT, jwk=SigningKey.generate().private_jwk(), now=now)
    try:
        yield reissue_root(
            tx,
            data_dir,
            issuer=issuer,
            root_key_path=root_key_path,
            keepers=keepers,
            new_root=FileSigner(new_root_path, purpose=ROOT),
            now=now,
        )
    except BaseException:
        new_root_path.unlink(missing_ok=True)
        raise


def _purpose(purpose: str) -> str:
    if purpose not in PURPOSES:
        raise GatekeeperError("GK101", f"{purpose!r} is no purpose of a key: {', '.join(PURPOSES)}.")
    return purpose


def _found(data_dir: Path, kid: str, keepers: Keepers) -> tuple[KeyEntry, list[KeyEntry]]:
    for purpose in PURPOSES:
        entries = load_entries(data_dir, purpose, keepers=keepers)
        for entry in entries:
            if entry.signer.kid == kid:
                return entry, [other for other in entries if other is not entry]
    raise GatekeeperError("GK101", "The service has no key of that thumbprint.")
