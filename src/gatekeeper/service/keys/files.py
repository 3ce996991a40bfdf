"""Private keys as files: made once and never overwritten, read only where nobody else can read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import integer_of, object_of, parse_object, render_json, text_of

_SCHEMA = 1
_MAX_BYTES = 16 * 1024


def save_key(path: Path, *, purpose: str, jwk: dict[str, object], now: int) -> None:
    """Write a private key, 0600 and durable, where no file stands yet.

    Raises:
        GatekeeperError: GK101, a file stands there, or it can't be written.
    """
    content = {"schema": _SCHEMA, "purpose": purpose, "created_at": now, "jwk": jwk}
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
    """Read the private JWK that `save_key` wrote for `purpose`.

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
        return _jwk_of(parse_object(data, max_bytes=_MAX_BYTES), purpose=purpose)
    except Malformed as error:
        raise GatekeeperError("GK101", f"the key {path} can't be used: {error.reason}.") from error


def _jwk_of(members: dict[str, object], *, purpose: str) -> dict[str, object]:
    if integer_of(members, "schema") != _SCHEMA or text_of(members, "purpose") != purpose:
        raise Malformed(f"it is no {purpose} key of this version")
    return object_of(members, "jwk")
