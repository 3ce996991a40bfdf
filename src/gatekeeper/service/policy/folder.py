"""The policy as a folder and as versions: read from disk, applied, and the one that is in force now.

Every applied version is kept. The newest whose date has come is in force; a version applied later replaces a
dated one that still waits. The parsed policy is cached by version and digest, for every token asks for it.
Whoever applies a policy records it in the audit log.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, bindparam, func, insert, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.catalogue import Policy, PolicyTool, parse_policy
from gatekeeper.service.policy.durations import parse_duration, render_duration
from gatekeeper.service.policy.reading import FILE
from gatekeeper.service.policy.starting import starting_catalogue
from gatekeeper.service.policy.zones import NO_ZONE, Zone
from gatekeeper.service.store.tables.policy import policies

__all__ = [
    "NO_ZONE",
    "Policy",
    "PolicyTool",
    "Zone",
    "apply_policy",
    "current_policy",
    "load_folder",
    "parse_duration",
    "parse_policy",
    "render_duration",
    "starting_catalogue",
]

_MAX_BYTES = 1024 * 1024
_NOT_YET = ("access.cedar", "expect.toml")
_CACHED = 8

# Built once, as every token asks: building a statement costs more than running it.
_in_force = (
    select(policies.c.version, policies.c.digest)
    .where(policies.c.effective_at <= bindparam("now"))
    .order_by(policies.c.version.desc())
    .limit(1)
)

_parsed: OrderedDict[tuple[int, str], Policy] = OrderedDict()
_parsed_lock = Lock()


def load_folder(folder: Path) -> str:
    """Return the text of a policy folder's `catalogue.toml`.

    Raises:
        GatekeeperError: GK101, there is none, it can't be read, or the folder holds rules or expectations, which
            this version doesn't evaluate and therefore doesn't accept.
    """
    for name in _NOT_YET:
        if (folder / name).exists():
            raise GatekeeperError(
                "GK101", f"{folder / name}: this version doesn't evaluate it yet. Remove it."
            )
    path = folder / FILE
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise GatekeeperError("GK101", f"{path}: longer than {_MAX_BYTES} bytes.")
        return data.decode("utf-8")
    except OSError as error:
        raise GatekeeperError("GK101", f"{path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise GatekeeperError("GK101", f"{path}: not UTF-8.") from error


def apply_policy(tx: Connection, text: str, *, by: str, now: int, effective_at: int) -> int:
    """Keep `text` as the next version, in force from `effective_at`, and return its number.

    Raises:
        GatekeeperError: GK101, the text is no policy.
    """
    version = (tx.execute(select(func.max(policies.c.version))).scalar_one() or 0) + 1
    parse_policy(text, version=version)
    tx.execute(
        insert(policies).values(
            version=version,
            catalogue=text,
            digest=hashlib.sha256(text.encode()).hexdigest(),
            effective_at=effective_at,
            applied_at=now,
            applied_by=by,
        )
    )
    return version


def current_policy(tx: Connection, *, now: int) -> Policy:
    """Return the policy in force.

    Raises:
        GatekeeperError: GK101, none is, or this gatekeeper can't read the one that is.
    """
    row = tx.execute(_in_force, {"now": now}).one_or_none()
    if row is None:
        raise GatekeeperError("GK101", "No policy is in force.")
    key = (row.version, row.digest)
    with _parsed_lock:
        if key in _parsed:
            _parsed.move_to_end(key)
            return _parsed[key]
    of_version = select(policies.c.catalogue).where(policies.c.version == row.version)
    policy = parse_policy(tx.execute(of_version).scalar_one(), version=row.version)
    with _parsed_lock:
        _parsed[key] = policy
        while len(_parsed) > _CACHED:
            _parsed.popitem(last=False)
    return policy
