"""Keys as files: made once and never overwritten, read only where nobody else can read them.

A file holds a private key, or says where one lives (`elsewhere`) and what its public half is. `use_at` is when it
begins to sign: a key is published well before, so that every client knows it by then.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.keys.elsewhere import Reference
from gatekeeper.strict import integer_of, object_of, parse_object, render_json, text_of
from gatekeeper.values import Value

_SCHEMA = 1
_MAX_BYTES = 16 * 1024


class KeyFile(Value):
    """What a key's file says. `reference` is None where `jwk` is a private key, else `jwk` is the public half."""

    created_at: int
    use_at: int
    jwk: dict[str, object]
    reference: Reference | None = None


def save_key(
    path: Path,
    *,
    purpose: str,
    jwk: dict[str, object],
    now: int,
    use_at: int = 0,
    reference: Reference | None = None,
) -> None:
    """Write a key, 0600 and durable, where no file stands yet; `use_at` 0 is at once.

    Raises:
        GatekeeperError: GK101, a file stands there, or it can't be written.
    """
    content: dict[str, object] = {"schema": _SCHEMA, "purpose": purpose, "created_at": now, "jwk": jwk}
    if use_at:
        content["use_at"] = use_at
    if reference is not None:
        content["kept"] = {"kind": reference.kind, "name": reference.name}
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise GatekeeperError("GK101", f"{path} exists already; a key is never overwritten.") from error
    except OSError as error:
        raise GatekeeperError("GK101", f"{path}: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(render_json(content) + b"\n")
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise GatekeeperError("GK101", f"{path}: {error.strerror}.") from error


def load_key(path: Path, *, purpose: str) -> dict[str, object]:
    """Read the private JWK that `save_key` wrote for `purpose`. Raises as `load_key_file` does, and for a reference."""
    found = load_key_file(path, purpose=purpose)
    if found.reference is not None:
        raise GatekeeperError("GK101", f"the key {path} lives elsewhere ({found.reference.kind}).")
    return found.jwk


def load_key_file(path: Path, *, purpose: str) -> KeyFile:
    """Read what `save_key` wrote for `purpose`.

    Raises:
        GatekeeperError: GK101, it is missing, damaged, for another purpose, another's, or open to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise GatekeeperError("GK101", f"the key {path}: {error.strerror}.") from error
    if not stat.S_ISREG(status.st_mode) or status.st_uid not in {os.geteuid(), 0} or status.st_mode & 0o077:
        raise GatekeeperError(
            "GK101", f"the key {path} is open to others than its owner.", remedy=f"chmod 600 {path}"
        )
    try:
        return _parsed(parse_object(data, max_bytes=_MAX_BYTES), purpose=purpose)
    except Malformed as error:
        raise GatekeeperError("GK101", f"the key {path} can't be used: {error.reason}.") from error


def _parsed(members: dict[str, object], *, purpose: str) -> KeyFile:
    if integer_of(members, "schema") != _SCHEMA or text_of(members, "purpose") != purpose:
        raise Malformed(f"it is no {purpose} key of this version")
    kept = object_of(members, "kept") if "kept" in members else None
    return KeyFile(
        created_at=integer_of(members, "created_at"),
        use_at=integer_of(members, "use_at") if "use_at" in members else 0,
        jwk=object_of(members, "jwk"),
        reference=Reference(kind=text_of(kept, "kind"), name=text_of(kept, "name")) if kept else None,
    )
