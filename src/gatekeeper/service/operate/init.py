"""`service init`: a whole service in one directory, or nothing at all.

Everything is made in a temporary directory beside the wanted one and appears by a single rename; only where the
directory exists already (a mounted volume, say) it is made inside and moved, `service.toml` last. Whatever
fails takes away what was made, a root key outside included.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import select

from gatekeeper.documents.address import host_of, is_loopback
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.keys.ceremony import RootInfo, make_keys, publish_root
from gatekeeper.service.keys.signer import KEYS_DIRECTORY
from gatekeeper.service.policy.files import PolicyFiles, write_folder
from gatekeeper.service.policy.folder import apply_policy, starting_files
from gatekeeper.service.policy.lint import checked
from gatekeeper.service.policy.rules import CedarRules
from gatekeeper.service.settings import (
    DEFAULT_LISTEN,
    FILE_NAME,
    default_database,
    parse_issuer,
    render_settings,
)
from gatekeeper.service.store.address import read_password
from gatekeeper.service.store.migrate import upgrade
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.transactions import open_store
from gatekeeper.values import Value

OPERATOR = "operator"
POLICY_FOLDER = "policy"
_PORTS = {"http": "80", "https": "443"}


class InitResult(Value):
    """What clients need to know: the two lines of their configuration."""

    service: str
    trust_root: str


def init_service(
    data: Path,
    *,
    issuer: str,
    policy: PolicyFiles | None = None,
    root_key_path: Path | None = None,
    database: str = "",
    password_file: str = "",
    now: int,
) -> InitResult:
    """Make keys, database and policy in `data`. Where no `policy` is given, the starting one is put there to be edited.

    `database` is the address of a PostgreSQL database that holds no service yet; "" is a file in `data`.

    Raises:
        GatekeeperError: GK101, the directory or the database holds something, or issuer, policy, database or root
            key can't be used; GK106, the directory can't be written, or the database can't be used.
    """
    issuer = parse_issuer(issuer)
    files = policy or starting_files()
    effective_at = checked(files, version=1, rules=CedarRules(), now=now).effective_at
    data = Path(os.path.abspath(data))  # noqa: PTH100 - a link at the end stays a link
    _check_unused(data)
    outside = root_key_path
    with _staged(data) as stage:
        if outside is not None:
            outside = _inside_stage(outside.resolve(), data.resolve(), stage)
        root = make_keys(stage, issuer=issuer, root_key_path=outside, now=now)
        filled = partial(_filled, policy=files, effective_at=effective_at or now, root=root, now=now)
        try:
            if policy is None:
                write_folder(stage / POLICY_FOLDER, files)
            _write_settings(stage, issuer=issuer, database=database, password_file=password_file)
            if database:
                # The directory appears before the commit: of two that fill one database, the second fails whole.
                password = read_password(Path(password_file)) if password_file else ""
                with filled(database, password=password):
                    _appear(stage, data)
            else:
                with filled(default_database(stage)):
                    pass
                _appear(stage, data)
        except BaseException:
            if outside is not None:
                outside.unlink(missing_ok=True)
            raise
    return InitResult(service=issuer, trust_root=root.thumbprint)


def _check_unused(data: Path) -> None:
    try:
        if (data / FILE_NAME).exists():
            raise GatekeeperError(
                "GK101",
                f"{data} holds a service already.",
                remedy=f"gatekeeper service start --data {data}",
            )
        if data.exists() and any(data.iterdir()):
            raise GatekeeperError("GK101", f"{data} is not empty. Name a new directory.")
    except OSError as error:
        raise GatekeeperError("GK106", f"{data}: {error.strerror}.") from error


@contextmanager
def _staged(data: Path) -> Iterator[Path]:
    """Give a temporary directory from which `data` can be filled by renaming; it is gone at the end."""
    beside = data if data.exists() else data.parent
    stage = beside / f".gatekeeper-init-{secrets.token_hex(8)}"
    try:
        stage.mkdir(mode=0o700)
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise GatekeeperError("GK106", f"{error.filename or data}: {error.strerror}.") from error


def _inside_stage(path: Path, data: Path, stage: Path) -> Path:
    """Return where a root key is to be made now; one that will lie inside `data` is made in the stage."""
    if data not in path.parents:
        return path
    staged = stage / path.relative_to(data)
    staged.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return staged


@contextmanager
def _filled(
    url: str, *, policy: PolicyFiles, effective_at: int, root: RootInfo, now: int, password: str = ""
) -> Iterator[None]:
    """Fill the database at `url`; what is done in the block happens just before that is committed."""
    store = open_store(url, password=password)
    try:
        upgrade(store)
        with store.write() as tx:
            if tx.execute(select(root_documents.c.version).limit(1)).first() is not None:
                raise GatekeeperError("GK101", "The database holds a service already. Name an empty one.")
            publish_root(tx, root)
            version = apply_policy(tx, policy, by=OPERATOR, now=now, effective_at=effective_at)
            detail = {"root": root.thumbprint, "policy": version}
            record(tx, at=now, actor=OPERATOR, act="service.initialised", object="service", detail=detail)
            yield
    finally:
        store.close()


def _write_settings(stage: Path, *, issuer: str, database: str, password_file: str) -> None:
    text = render_settings(
        issuer=issuer, listen=_listen_for(issuer), database=database, password_file=password_file
    )
    with (stage / FILE_NAME).open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _listen_for(issuer: str) -> str:
    """Listen where a loopback issuer says; elsewhere a proxy or a certificate has to be named anyway."""
    host = host_of(issuer)
    if not is_loopback(host):
        return DEFAULT_LISTEN
    scheme, _, authority = issuer.partition("://")
    port = authority.removeprefix(host).removeprefix(":") or _PORTS[scheme]
    return f"{'127.0.0.1' if host == 'localhost' else host}:{port}"


def _appear(stage: Path, data: Path) -> None:
    """Let the staged service appear in `data`; an `OSError` where another init was faster, whose work stays."""
    if stage.parent != data:
        stage.rename(data)
        _sync(data.parent)
        return
    moved: list[Path] = []
    try:
        # The keys go first: a directory that isn't empty can't be renamed over, so of two that do this at once one
        # fails here and has touched nothing. What the service's file promises must be there before it: it goes last.
        for path in sorted(
            stage.iterdir(), key=lambda path: (path.name == FILE_NAME, path.name != KEYS_DIRECTORY)
        ):
            target = data / path.name
            path.rename(target)
            moved.append(target)
        data.chmod(0o700)
        _sync(data)
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
