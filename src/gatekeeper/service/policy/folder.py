"""The policy as a folder and as versions: read from disk, applied, and the one that is in force now.

Every applied version is kept. The newest whose date has come is in force; a version applied later replaces a
dated one that still waits. The parsed policy is cached by version and digest, for every token asks for it.
Whoever applies a policy records it in the audit log.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from sqlalchemy import Connection, bindparam, func, insert, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.catalogue import Policy, PolicyTool, parse_policy
from gatekeeper.service.policy.durations import parse_duration, render_duration
from gatekeeper.service.policy.files import PolicyFiles, load_folder
from gatekeeper.service.policy.lint import checked
from gatekeeper.service.policy.rule_reading import read_rules
from gatekeeper.service.policy.rules import CedarRules
from gatekeeper.service.policy.starting import starting_catalogue, starting_files, starting_rules
from gatekeeper.service.policy.zones import NO_ZONE, Zone
from gatekeeper.service.store.tables.policy import policies
from gatekeeper.values import Value

__all__ = [
    "NO_ZONE",
    "Policy",
    "PolicyFiles",
    "PolicyTool",
    "PolicyVersion",
    "Zone",
    "apply_policy",
    "current_policy",
    "files_of_version",
    "load_folder",
    "parse_duration",
    "parse_policy",
    "policy_of_version",
    "render_duration",
    "starting_catalogue",
    "starting_files",
    "versions",
]

_CACHED = 8

# Built once, as every token asks: building a statement costs more than running it.
_in_force = (
    select(policies.c.version, policies.c.digest)
    .where(policies.c.effective_at <= bindparam("now"))
    .order_by(policies.c.version.desc())
    .limit(1)
)


class PolicyVersion(Value):
    """An applied version of the policy: from when it is in force, when and by whom it was applied."""

    version: int
    effective_at: int
    applied_at: int
    applied_by: str


_parsed: OrderedDict[tuple[int, str], Policy] = OrderedDict()
_parsed_lock = Lock()


def apply_policy(tx: Connection, files: PolicyFiles, *, by: str, now: int, effective_at: int) -> int:
    """Keep the files as the next version, in force from `effective_at`, and return its number.

    Raises:
        GatekeeperError: GK101, lint finds a problem or an expectation isn't met, each with file and line.
    """
    version = (tx.execute(select(func.max(policies.c.version))).scalar_one() or 0) + 1
    checked(files, version=version, rules=CedarRules(), now=max(now, effective_at))
    tx.execute(
        insert(policies).values(
            version=version,
            catalogue=files.catalogue,
            access=files.access,
            expect=files.expect,
            terms=dict(files.terms),
            digest=files.digest,
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
    return _policy(tx, row.version, row.digest)


def policy_of_version(tx: Connection, version: int) -> Policy:
    """Return an applied version of the policy. Raises as `files_of_version` does."""
    digest = tx.execute(select(policies.c.digest).where(policies.c.version == version)).scalar_one_or_none()
    if digest is None:
        raise _no_version(version)
    return _policy(tx, version, digest)


def files_of_version(tx: Connection, version: int) -> PolicyFiles:
    """Return the files of an applied version.

    Raises:
        GatekeeperError: GK101, there is no such version, or this gatekeeper can't read it.
    """
    row = tx.execute(select(policies).where(policies.c.version == version)).one_or_none()
    if row is None:
        raise _no_version(version)
    return PolicyFiles(
        catalogue=row.catalogue, access=row.access, expect=row.expect, terms=tuple(sorted(row.terms.items()))
    )


def versions(tx: Connection) -> list[PolicyVersion]:
    """Return every applied version, the newest first."""
    columns = (policies.c.version, policies.c.effective_at, policies.c.applied_at, policies.c.applied_by)
    rows = tx.execute(select(*columns).order_by(policies.c.version.desc()))
    return [
        PolicyVersion(
            version=row.version,
            effective_at=row.effective_at,
            applied_at=row.applied_at,
            applied_by=row.applied_by,
        )
        for row in rows
    ]


def _no_version(version: int) -> GatekeeperError:
    return GatekeeperError(
        "GK101",
        f"There is no version {version} of the policy.",
        remedy="gatekeeper service policy show --list",
    )


def _policy(tx: Connection, version: int, digest: str) -> Policy:
    key = (version, digest)
    with _parsed_lock:
        if key in _parsed:
            _parsed.move_to_end(key)
            return _parsed[key]
    files = files_of_version(tx, version)
    policy = parse_policy(files.catalogue, version=version, terms=dict(files.terms))
    policy = policy.replace(access=files.access, rules=read_rules(files.access or starting_rules()))
    with _parsed_lock:
        _parsed[key] = policy
        while len(_parsed) > _CACHED:
            _parsed.popitem(last=False)
    return policy
