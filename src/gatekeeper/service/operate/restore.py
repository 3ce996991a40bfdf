"""`service restore`: a backup takes the place of what is there, never beneath a service that runs.

Whatever was decided after the backup is gone, revocations included, and the audit log would contradict what every
workstation has seen of it. So the log begins anew under another name, which a new root document says: that needs the
root key. What may have ended since is forgotten (`brought_back`). Root documents that were published since are kept where the old database can still be read, because
their versions must never fall. The database that was replaced stays beside the new one.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tarfile
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.audit.log import record
from gatekeeper.service.keys.ceremony import RootInfo, reissue_root
from gatekeeper.service.keys.signer import KEYS_DIRECTORY, Keepers, no_keepers
from gatekeeper.service.operate.backup import DATABASE, MANIFEST, SCHEMA
from gatekeeper.service.operate.brought_back import forget_what_may_be_over
from gatekeeper.service.running_lock import nobody_serves
from gatekeeper.service.settings import FILE_NAME
from gatekeeper.service.store.migrate import upgrade
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.transactions import open_store
from gatekeeper.strict import integer_of, object_of, parse_object, text_of
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.store.transactions import Store

_MAX_MANIFEST_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024
REPLACED = "gatekeeper.db.replaced"


class Restored(Value):
    """What was restored: when the backup was taken (Unix seconds), and the root document that names the new log."""

    taken_at: int
    root: RootInfo
    keys: int


def restore(
    file: Path,
    data: Path,
    *,
    issuer: str,
    root_key_path: Path | None,
    keepers: Keepers = no_keepers,
    now: int,
) -> Restored:
    """Put the backup in `file`, which may be damaged, in the place of the database in `data`.

    `issuer` is what the service is: "" takes the backup's where `data` holds no service yet.

    Raises:
        GatekeeperError: GK101, a service runs on `data`, the file is no backup of this service, or the root key
            can't be used; GK106, it can't be read or written. Nothing was changed then.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with nobody_serves(data), TemporaryDirectory(dir=data, prefix=".restoring-") as folder:
        try:
            parts, taken_at, of_issuer = _read(file, Path(folder))
        except (OSError, tarfile.TarError, Malformed, KeyError) as error:
            raise GatekeeperError("GK101", f"{file} is no backup that can be used: {error}.") from error
        if issuer and of_issuer != issuer:
            raise GatekeeperError(
                "GK101", f"{file} is a backup of {of_issuer}, and {data} holds {issuer}.", remedy=""
            )
        made = _unpack(parts, data)
        staged = parts[DATABASE]
        try:
            _check_database(staged)
            root = _begin_anew(
                staged, data, issuer=of_issuer, root_key_path=root_key_path, keepers=keepers, now=now
            )
            _swap(staged, data / DATABASE)
        except (OSError, sqlite3.Error) as error:
            _take_back(made)
            raise GatekeeperError("GK106", f"The backup can't be restored: {error}.") from error
        except BaseException:
            _take_back(made)
            raise
    keys = sum(1 for name in parts if name.startswith(KEYS_DIRECTORY))
    return Restored(taken_at=taken_at, root=root, keys=keys)


def _read(file: Path, folder: Path) -> tuple[dict[str, Path], int, str]:
    """Take a hostile backup apart into `folder`; return where each part is, when it was taken, and of which service."""
    with tarfile.open(file, mode="r:") as archive:
        manifest = archive.extractfile(MANIFEST)
        if manifest is None:
            raise Malformed("it has no manifest")
        members = parse_object(manifest.read(_MAX_MANIFEST_BYTES + 1), max_bytes=_MAX_MANIFEST_BYTES)
        if integer_of(members, "schema") != SCHEMA:
            raise Malformed("it is of another version")
        parts: dict[str, Path] = {}
        for number, (name, digest) in enumerate(object_of(members, "parts").items()):
            if name not in (DATABASE, FILE_NAME) and not _is_key(name):
                raise Malformed("it holds a part that no backup has")
            # The name inside is a word to look up by, never a path to write to.
            parts[name] = folder / str(number)
            if _extract(archive, name, parts[name]) != digest:
                raise Malformed(f"{name} is damaged")
    if not {DATABASE, FILE_NAME} <= set(parts):
        raise Malformed("it holds no database")
    return parts, integer_of(members, "taken_at"), text_of(members, "issuer")


def _extract(archive: tarfile.TarFile, name: str, target: Path) -> str:
    """Write a part to a new file, 0600 and durable; return its SHA-256."""
    entry = archive.extractfile(name)
    if entry is None:
        raise Malformed(f"{name} is no file")
    seen = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := entry.read(_CHUNK_BYTES):
            seen.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(descriptor)
    return seen.hexdigest()


def _is_key(name: str) -> bool:
    folder, _, file = name.partition("/")
    return folder == KEYS_DIRECTORY and file.endswith(".json") and file == Path(file).name and file[0] != "."


def _unpack(parts: dict[str, Path], data: Path) -> list[Path]:
    """Put settings and keys where there are none; what is there stays. Return what was put."""
    made: list[Path] = []
    for name, part in parts.items():
        target = data / name
        if name == DATABASE or target.exists():
            continue
        target.parent.mkdir(mode=0o700, exist_ok=True)
        part.rename(target)
        made.append(target)
    return made


def _check_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("PRAGMA integrity_check").fetchone()
    if found != ("ok",):
        raise GatekeeperError("GK101", "The database in the backup is damaged.")


def _begin_anew(
    staged: Path, data: Path, *, issuer: str, root_key_path: Path | None, keepers: Keepers, now: int
) -> RootInfo:
    store = open_store(f"sqlite:///{staged}")
    try:
        upgrade(store)
        _keep_root_documents(store, data / DATABASE)
        with store.write() as tx:
            forget_what_may_be_over(tx)
            root = reissue_root(
                tx,
                data,
                issuer=issuer,
                root_key_path=root_key_path,
                keepers=keepers,
                new_log_origin=True,
                now=now,
            )
            detail = {"root": root.thumbprint, "version": root.version}
            record(tx, at=now, actor="operator", act="service.restored", object="service", detail=detail)
    finally:
        store.close()
    return root


def _keep_root_documents(store: Store, current: Path) -> None:
    """Carry over what was published since the backup, as far as the database of before can be read."""
    if not current.exists():
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{current}?mode=ro", uri=True)) as old:
        rows = old.execute("SELECT version, document, expires_at FROM root_documents").fetchall()
        with store.write() as tx:
            known = set(tx.execute(select(root_documents.c.version)).scalars())
            for version, document, expires_at in rows:
                if version not in known:
                    tx.execute(
                        insert(root_documents).values(
                            version=version, document=document, expires_at=expires_at
                        )
                    )


def _swap(staged: Path, current: Path) -> None:
    """Put the new database in place; the old one's log is folded into it first, so that one file holds it whole."""
    if current.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(current)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        current.rename(current.with_name(REPLACED))
    for suffix in ("-wal", "-shm"):
        current.with_name(current.name + suffix).unlink(missing_ok=True)
    staged.rename(current)
    descriptor = os.open(current.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_back(made: list[Path]) -> None:
    for path in made:
        path.unlink(missing_ok=True)
