"""The ceremony: making a service's keys, and the root documents that certify them.

The root key signs nothing but root documents, so it may lie outside the data directory (a stick in a drawer):
`root_key_path` says where, for the ceremony and for each reissue. While it lies inside, whoever takes the
server has the root. Every document is verified as a client would, before it leaves this module.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, insert, select

from gatekeeper.errors import GatekeeperError, TrustError
from gatekeeper.service.keys.files import save_key
from gatekeeper.service.keys.signer import (
    KEYS_DIRECTORY,
    LOG,
    PURPOSES,
    FileSigner,
    Keepers,
    Keys,
    Signer,
    load_keys,
    no_keepers,
)
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.trust.chain import PublicKey, envelope_of, public_key_of
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.root_documents import (
    RootDocument,
    parse_root_payload,
    render_root_payload,
    verify_chain,
)
from gatekeeper.trust.sign import LogKey, SigningKey, sign_root
from gatekeeper.values import Value

ROOT = "root"
ROOT_FILE = "root.json"
_ROOT_FOR = 100 * 86_400


class RootInfo(Value):
    """A signed root document. `thumbprint` is what clients pin; `expires_at` in Unix seconds."""

    thumbprint: str
    version: int
    document: bytes
    expires_at: int


def make_keys(data_dir: Path, *, issuer: str, root_key_path: Path | None, now: int) -> RootInfo:
    """Make the root key (at `root_key_path`, else inside), every online key, and root document 1.

    A root key that was made is taken away again when anything after it fails.

    Raises:
        GatekeeperError: GK101, a key stands there already, or one can't be written.
    """
    folder = data_dir / KEYS_DIRECTORY
    folder.mkdir(mode=0o700, exist_ok=True)
    root_path = root_key_path or folder / ROOT_FILE
    root = SigningKey.generate()
    save_key(root_path, purpose=ROOT, jwk=root.private_jwk(), now=now)
    try:
        for purpose in PURPOSES:
            key = SigningKey.generate()
            save_key(folder / f"{purpose}-1.json", purpose=purpose, jwk=key.private_jwk(), now=now)
        save_key(folder / f"{LOG}-1.json", purpose=LOG, jwk=LogKey.generate().private_jwk(), now=now)
        payload = _payload(
            issuer=issuer,
            version=1,
            root=root.public,
            keys=load_keys(data_dir),
            log_origin=f"{urlsplit(issuer).netloc}/log/1",
            now=now,
        )
        document = sign_root(payload, [root])
        trusted = verify_chain(
            [document], pins=(root.kid,), pin_threshold=1, issuer=issuer, min_version=1, verify=verify_es256
        )
    except BaseException:
        root_path.unlink(missing_ok=True)
        raise
    return RootInfo(thumbprint=root.kid, version=1, document=document, expires_at=trusted.expires_at)


def reissue_root(
    tx: Connection,
    data_dir: Path,
    *,
    issuer: str,
    root_key_path: Path | None,
    keepers: Keepers = no_keepers,
    new_root: Signer | None = None,
    new_log_origin: bool = False,
    now: int,
) -> RootInfo:
    """Sign and publish the next root document: the keys of today, for another 100 days.

    With `new_root` the next document is signed by the old and the new root key, and names the new one alone. With
    `new_log_origin` the audit log begins anew, which a restored backup must.

    Raises:
        GatekeeperError: GK101, the root key isn't there, or it isn't the published root's.
    """
    root = _root_key(data_dir, root_key_path)
    newest = select(root_documents.c.document).order_by(root_documents.c.version.desc()).limit(1)
    previous = tx.execute(newest).scalar_one_or_none()
    if previous is None:
        raise GatekeeperError("GK101", "The service has no root document yet.")
    pins = (root.kid,)
    try:
        last = verify_chain(
            [previous], pins=pins, pin_threshold=1, issuer=issuer, min_version=1, verify=verify_es256
        )
    except TrustError as error:
        if error.code != "GK505":
            raise
        raise GatekeeperError(
            "GK101", "The published root document isn't this root key's. Clients would refuse the next one."
        ) from error
    origin = parse_root_payload(envelope_of(previous)[0]).log_origin
    payload = _payload(
        issuer=issuer,
        version=last.version + 1,
        root=public_key_of((new_root or root).public_jwk()),
        keys=load_keys(data_dir, keepers=keepers),
        log_origin=next_origin(origin) if new_log_origin else origin,
        now=now,
    )
    document = sign_root(payload, [root, new_root] if new_root else [root])
    trusted = verify_chain(
        [previous, document],
        pins=pins,
        pin_threshold=1,
        issuer=issuer,
        min_version=last.version + 1,
        verify=verify_es256,
    )
    made = RootInfo(
        thumbprint=(new_root or root).kid,
        version=trusted.version,
        document=document,
        expires_at=trusted.expires_at,
    )
    publish_root(tx, made)
    return made


def next_origin(origin: str) -> str:
    """Return the name of the log that begins where this one broke off: `…/log/1` is followed by `…/log/2`."""
    name, _, number = origin.rpartition("/")
    if not name or not number.isascii() or not number.isdecimal():
        return f"{origin}/2"
    return f"{name}/{int(number) + 1}"


def _root_key(data_dir: Path, root_key_path: Path | None) -> FileSigner:
    inside = data_dir / KEYS_DIRECTORY / ROOT_FILE
    if root_key_path is None and not inside.exists():
        raise GatekeeperError(
            "GK101",
            f"The root key isn't in {data_dir}. Name it with --root-key FILE.",
        )
    return FileSigner(root_key_path or inside, purpose=ROOT)


def publish_root(tx: Connection, info: RootInfo) -> None:
    """Keep a root document where clients find it."""
    tx.execute(
        insert(root_documents).values(
            version=info.version, document=info.document, expires_at=info.expires_at
        )
    )


def _payload(
    *, issuer: str, version: int, root: PublicKey, keys: Keys, log_origin: str, now: int
) -> dict[str, object]:
    return render_root_payload(
        RootDocument(
            version=version,
            issuer=issuer,
            issued_at=now,
            expires_at=now + _ROOT_FOR,
            threshold=1,
            roots=(root,),
            approval=_public(keys.approval),
            gateway=_public(keys.gateway),
            status=_public(keys.status),
            policy=_public(keys.policy),
            log=(keys.log.public,),
            log_origin=log_origin,
        )
    )


def _public(signers: tuple[Signer, ...]) -> tuple[PublicKey, ...]:
    return tuple(public_key_of(signer.public_jwk()) for signer in signers)
