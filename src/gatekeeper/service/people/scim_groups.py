"""The groups that the directory manages, and who is in them.

A person's groups are these and those of the last sign-in, together. The newest word counts: whoever the
directory takes out of a group is out of it, also where an earlier sign-in said otherwise.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import check_name
from gatekeeper.service.people.scim_models import ScimFault
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.service.store.tables.scim import scim_groups, scim_members, scim_users
from gatekeeper.values import Value

_columns = scim_groups.c
_BATCH = 500  # a database takes so many values in one statement


class ManagedGroup(Value):
    """A managed group; `members` are subjects' ids, None where they were not asked for."""

    id: str
    name: str
    external_id: str | None
    version: int
    created_at: int
    changed_at: int
    members: tuple[str, ...] | None


class Wanted(Value):
    """What a group shall be."""

    name: str
    external_id: str | None
    members: frozenset[str]


def create_group(tx: Connection, wanted: Wanted, *, now: int) -> str:
    """Make a group, and return its id.

    Raises:
        ScimFault: 409, there is one of this name; 400, a name or member that can't be one.
    """
    group = "g_" + secrets.token_hex(16)
    values = {"name": _checked(tx, wanted.name, besides=group), "name_key": wanted.name.casefold()}
    tx.execute(
        insert(scim_groups).values(
            id=group, external_id=wanted.external_id, version=1, created_at=now, changed_at=now, **values
        )
    )
    _add(tx, group, wanted.members)
    _tell(tx, wanted.members)
    return group


def get_group(tx: Connection, group_id: str, *, with_members: bool = True) -> ManagedGroup:
    """Return a group by a hostile id. ScimFault 404 where there is none."""
    row = tx.execute(select(scim_groups).where(_columns.id == group_id)).one_or_none()
    if row is None:
        raise ScimFault(404, "No managed group has this id.")
    return _managed(tx, row, with_members=with_members)


def change_group(
    tx: Connection, before: ManagedGroup, wanted: Wanted, *, now: int
) -> tuple[set[str], set[str]]:
    """Let a group be as wanted; return who came in and who went out.

    Raises:
        ScimFault: 409, another group has the name; 400, a name or member that can't be one.
    """
    old = frozenset(before.members or ())
    came, went = wanted.members - old, old - wanted.members
    renamed = wanted.name != before.name
    if not (came or went or renamed or wanted.external_id != before.external_id):
        return set(), set()
    tx.execute(
        update(scim_groups)
        .where(_columns.id == before.id)
        .values(
            name=_checked(tx, wanted.name, besides=before.id),
            name_key=wanted.name.casefold(),
            external_id=wanted.external_id,
            version=before.version + 1,
            changed_at=now,
        )
    )
    _add(tx, before.id, came)
    for some in _batches(went):
        tx.execute(
            delete(scim_members).where(scim_members.c.group == before.id, scim_members.c.subject.in_(some))
        )
    _tell(tx, old | wanted.members if renamed else came | went, without=before.name)
    return set(came), set(went)


def remove_group(tx: Connection, group_id: str) -> tuple[str, ...]:
    """Remove a group and its memberships; return who was in it. ScimFault 404 where there is none."""
    group = get_group(tx, group_id)
    members = group.members or ()
    tx.execute(delete(scim_members).where(scim_members.c.group == group_id))
    tx.execute(delete(scim_groups).where(_columns.id == group_id))
    _tell(tx, members, without=group.name)
    return members


def list_groups(
    tx: Connection, terms: Mapping[str, str], *, offset: int, limit: int | None, with_members: bool
) -> tuple[int, list[ManagedGroup]]:
    """Return how many groups fit all `terms` (id, displayName, externalId, members), and one page of them."""
    wanted = []
    for term, value in terms.items():
        match term:
            case "id":
                wanted.append(_columns.id == value)
            case "displayname":
                wanted.append(_columns.name_key == value.casefold())
            case "externalid":
                wanted.append(_columns.external_id == value)
            case "members":
                holding = select(scim_members.c.group).where(scim_members.c.subject == value)
                wanted.append(_columns.id.in_(holding))
            case _:
                raise RuntimeError("no column for this term")
    total = tx.execute(select(func.count()).select_from(scim_groups).where(*wanted)).scalar_one()
    page = select(scim_groups).where(*wanted).order_by(_columns.created_at, _columns.id).offset(offset)
    rows = tx.execute(page if limit is None else page.limit(limit)).all()
    return total, [_managed(tx, row, with_members=with_members) for row in rows]


def _managed(tx: Connection, row: Row[Any], *, with_members: bool) -> ManagedGroup:
    members = None
    if with_members:
        found = select(scim_members.c.subject).where(scim_members.c.group == row.id)
        members = tuple(tx.execute(found.order_by(scim_members.c.subject)).scalars())
    return ManagedGroup(
        id=row.id,
        name=row.name,
        external_id=row.external_id,
        version=row.version,
        created_at=row.created_at,
        changed_at=row.changed_at,
        members=members,
    )


def _checked(tx: Connection, name: str, *, besides: str) -> str:
    try:
        check_name(name, what="group", max_chars=128)
    except GatekeeperError as error:
        raise ScimFault(400, error.detail, scim_type="invalidValue") from error
    same = select(_columns.id).where(_columns.name_key == name.casefold(), _columns.id != besides)
    if tx.execute(same).first() is not None:
        # Two groups of one name would be one to the policy.
        raise ScimFault(409, "A group of this displayName is managed already.", scim_type="uniqueness")
    return name


def _add(tx: Connection, group: str, members: Iterable[str]) -> None:
    for some in _batches(members):
        known = tx.execute(select(scim_users.c.subject).where(scim_users.c.subject.in_(some)))
        if len(known.scalars().all()) != len(some):
            raise ScimFault(400, "A member is no managed person.", scim_type="invalidValue")
        tx.execute(insert(scim_members), [{"group": group, "subject": subject} for subject in some])


def _tell(tx: Connection, members: Iterable[str], *, without: str = "") -> None:
    """Write the groups of `members` where the rest of the service reads them, the group `without` taken back."""
    for some in _batches(members):
        theirs: dict[str, list[str]] = {subject: [] for subject in some}
        found = select(scim_members.c.subject, scim_groups.c.name).join(
            scim_groups, scim_groups.c.id == scim_members.c.group
        )
        for row in tx.execute(found.where(scim_members.c.subject.in_(some))):
            theirs[row.subject].append(row.name)
        said = select(subjects.c.id, subjects.c.groups).where(subjects.c.id.in_(some))
        for row in tx.execute(said).all():
            tx.execute(
                update(subjects)
                .where(subjects.c.id == row.id)
                .values(
                    provisioned_groups=sorted(theirs[row.id]),
                    groups=[group for group in row.groups if group != without],
                )
            )


def _batches(members: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(members)
    return (ordered[at : at + _BATCH] for at in range(0, len(ordered), _BATCH))
