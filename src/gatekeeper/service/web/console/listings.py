"""What the pages list across people: grants, people and devices, policy versions. Reads only, bounded by `limit`.

A search is for a part of a name; its wildcards are escaped, so that "%" finds a percent sign.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from gatekeeper.service.store.tables.access import grants
from gatekeeper.service.store.tables.people import devices, subjects
from gatekeeper.service.store.tables.policy import policies
from gatekeeper.values import Value

_STANDING = ("active", "suspended")


class GrantRow(Value):
    """A grant with the person's name, as it stands now."""

    id: str
    request: str
    subject: str
    name: str
    groups: tuple[str, ...]
    tool: str
    zones: tuple[str, ...]
    state: str
    starts_at: int
    ends_at: int
    ended_by: str
    ended_reason: str


class PersonRow(Value):
    """A person with the number of their devices and grants that stand."""

    id: str
    name: str
    display: str
    groups: tuple[str, ...]
    state: str
    created_at: int
    devices: int
    grants: int
    seen_at: int | None


class DeviceRow(Value):
    """A device with its owner's name."""

    id: str
    name: str
    owner: str
    subject: str
    state: str
    enrolled_at: int
    seen_at: int


class VersionRow(Value):
    """An applied version of the policy."""

    version: int
    effective_at: int
    applied_at: int
    applied_by: str
    digest: str


def find_grants(
    tx: Connection,
    *,
    state: str,
    tool: str,
    person: str,
    only: Collection[str] | None,
    limit: int,
    now: int,
) -> list[GrantRow]:
    """Return grants, the newest first. "" filters nothing; `only` are the ids of tools, None for all."""
    wanted = select(grants, subjects.c.name, subjects.c.groups).join(
        subjects, subjects.c.id == grants.c.subject
    )
    if state:
        wanted = wanted.where(_in_state(state, now))
    if tool:
        wanted = wanted.where(grants.c.tool == tool)
    if only is not None:
        wanted = wanted.where(grants.c.tool.in_(sorted(only)))
    if person:
        wanted = wanted.where(subjects.c.name.contains(person.casefold(), autoescape=True))
    rows = tx.execute(wanted.order_by(grants.c.number.desc()).limit(limit))
    return [_grant(row, now) for row in rows]


def grants_by_tool(tx: Connection, *, now: int) -> dict[tuple[str, str], int]:
    """Return how many grants stand or wait, by tool and state."""
    counted = (
        select(grants.c.tool, grants.c.state, func.count())
        .where(
            or_(grants.c.state == "waitlisted", and_(grants.c.state.in_(_STANDING), grants.c.ends_at > now))
        )
        .group_by(grants.c.tool, grants.c.state)
    )
    return {(tool, state): number for tool, state, number in tx.execute(counted)}


def find_people(tx: Connection, *, person: str, limit: int, now: int) -> list[PersonRow]:
    """Return people whose name or group holds `person`, in the order of their names."""
    of_devices = (
        select(devices.c.subject, func.count().label("number"), func.max(devices.c.seen_at).label("seen_at"))
        .where(devices.c.state == "active")
        .group_by(devices.c.subject)
        .subquery()
    )
    of_grants = (
        select(grants.c.subject, func.count().label("number"))
        .where(grants.c.state.in_(_STANDING), grants.c.ends_at > now)
        .group_by(grants.c.subject)
        .subquery()
    )
    wanted = (
        select(subjects, of_devices.c.number, of_devices.c.seen_at, of_grants.c.number.label("granted"))
        .outerjoin(of_devices, of_devices.c.subject == subjects.c.id)
        .outerjoin(of_grants, of_grants.c.subject == subjects.c.id)
    )
    if person:
        wanted = wanted.where(subjects.c.name.contains(person.casefold(), autoescape=True))
    return [
        PersonRow(
            id=row.id,
            name=row.name,
            display=row.display,
            groups=tuple(sorted({*row.groups, *(row.provisioned_groups or ())})),
            state=row.state,
            created_at=row.created_at,
            devices=row.number or 0,
            grants=row.granted or 0,
            seen_at=row.seen_at,
        )
        for row in tx.execute(wanted.order_by(subjects.c.name).limit(limit))
    ]


def find_devices(tx: Connection, *, limit: int) -> list[DeviceRow]:
    """Return everybody's devices, the last seen first."""
    wanted = select(devices, subjects.c.name.label("owner")).join(
        subjects, subjects.c.id == devices.c.subject
    )
    rows = tx.execute(wanted.order_by(devices.c.seen_at.desc(), devices.c.id).limit(limit))
    return [
        DeviceRow(
            id=row.id,
            name=row.name,
            owner=row.owner,
            subject=row.subject,
            state=row.state,
            enrolled_at=row.enrolled_at,
            seen_at=row.seen_at,
        )
        for row in rows
    ]


def policy_versions(tx: Connection, *, version: int | None = None, limit: int = 1) -> list[VersionRow]:
    """Return the applied versions, the newest first; or the one that is named."""
    columns = [policies.c[name] for name in VersionRow._fields]
    wanted = select(*columns).order_by(policies.c.version.desc()).limit(limit)
    if version is not None:
        wanted = wanted.where(policies.c.version == version)
    return [VersionRow(**dict(zip(VersionRow._fields, row, strict=True))) for row in tx.execute(wanted)]


def policy_texts(tx: Connection, version: int) -> dict[str, str]:
    """Return the files of a version by name; nothing where there is no such version."""
    row = tx.execute(select(policies).where(policies.c.version == version)).one_or_none()
    if row is None:
        return {}
    files = {"catalogue.toml": row.catalogue, "access.cedar": row.access, "expect.toml": row.expect}
    return {name: text for name, text in (*files.items(), *sorted(row.terms.items())) if text}


def _in_state(state: str, now: int) -> Any:
    """Return the condition of a state as it reads at `now`: what is over has expired, written down or not."""
    if state in _STANDING:
        return and_(grants.c.state == state, grants.c.ends_at > now)
    if state == "expired":
        over = and_(grants.c.state.in_(_STANDING), grants.c.ends_at <= now)
        return or_(grants.c.state == state, over)
    return grants.c.state == state


def _grant(row: Row[Any], now: int) -> GrantRow:
    over = row.state in _STANDING and row.ends_at <= now
    return GrantRow(
        id=f"G-{row.number}",
        request=f"R-{row.request}",
        subject=row.subject,
        name=row.name,
        groups=tuple(row.groups),
        tool=row.tool,
        zones=tuple(row.zones),
        state="expired" if over else row.state,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        ended_by=row.ended_by,
        ended_reason=row.ended_reason,
    )
