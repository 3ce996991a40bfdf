"""`service backup`: the database as it stands at one moment, while the service goes on, in one file.

The file is a tar of `backup.json` (what is in it, each part's SHA-256), the database, `service.toml` and, where asked
for, the keys. Whoever has a backup with keys has the service: it belongs where the keys belong.
PostgreSQL has its own tools, which know how to do this; the refusal names them.
"""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.keys.signer import KEYS_DIRECTORY
from gatekeeper.service.settings import FILE_NAME
from gatekeeper.strict import render_json
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.settings import ServiceSettings
    from gatekeeper.service.store.transactions import Store

MANIFEST = "backup.json"
DATABASE = "gatekeeper.db"
SCHEMA = 1
_PAGES_AT_ONCE = 1024


class Backup(Value):
    """A backup that was made. `keys` counts the key files in it."""

    path: Path
    bytes: int
    keys: int


def backup(store: Store, settings: ServiceSettings, target: Path, *, with_keys: bool, now: int) -> Backup:
    """Write a backup to `target`, 0600 and durable, where no file stands yet, and record it.

    Raises:
        GatekeeperError: GK101, a file stands there, or the database is PostgreSQL; GK106, it can't be read or written.
    """
    if not store.file:
        raise GatekeeperError(
            "GK101",
            "The database is PostgreSQL, which has backups of its own.",
            remedy="pg_dump --format=custom --file=gatekeeper.dump, or continuous archiving",
        )
    with store.write() as tx:
        record(
            tx,
            at=now,
            actor="operator",
            act="service.backed_up",
            object="service",
            detail={"keys": with_keys},
        )
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise GatekeeperError("GK101", f"{target} exists already; a backup is never overwritten.") from error
    except OSError as error:
        raise GatekeeperError("GK106", f"{target}: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "wb") as file, TemporaryDirectory(dir=settings.data) as stage:
            copy = Path(stage) / DATABASE
            _copy(store.file, copy)
            parts = {DATABASE: copy, FILE_NAME: settings.data / FILE_NAME}
            if with_keys:
                folder = settings.data / KEYS_DIRECTORY
                parts |= {f"{KEYS_DIRECTORY}/{path.name}": path for path in sorted(folder.glob("*.json"))}
            _write(file, parts, issuer=settings.issuer, now=now)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        raise GatekeeperError("GK106", f"The backup can't be made: {error}.") from error
    keys = sum(1 for name in parts if name.startswith(KEYS_DIRECTORY))
    return Backup(path=target, bytes=target.stat().st_size, keys=keys)


def _copy(source: str, target: Path) -> None:
    """Copy the database by SQLite's own online backup: one moment, without keeping writers waiting."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy, pages=_PAGES_AT_ONCE)
        # One file, without a log of its own.
        copy.execute("PRAGMA journal_mode = DELETE")


def _write(file: BinaryIO, parts: dict[str, Path], *, issuer: str, now: int) -> None:
    digests: dict[str, str] = {}
    for name, path in parts.items():
        with path.open("rb") as part:
            digests[name] = hashlib.file_digest(part, "sha256").hexdigest()
    manifest = render_json({"schema": SCHEMA, "issuer": issuer, "taken_at": now, "parts": digests})
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(_entry(MANIFEST, len(manifest), now), io.BytesIO(manifest))
        for name, path in parts.items():
            with path.open("rb") as part:
                archive.addfile(_entry(name, path.stat().st_size, now), part)


def _entry(name: str, size: int, now: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, now, 0o600
    return entry
