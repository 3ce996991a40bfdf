"""Subjects: whom a grant is for. Known by a canonical name, referred to by an opaque id everywhere else."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import canonical_name, check_name
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.values import Value

__all__ = ["Subject", "canonical_name", "ensure_subject", "find_subject", "get_subject", "subject_of_row"]

ACTIVE = "active"
DEACTIVATED = "deactivated"
PERSON = "person"
WORKLOAD = "workload"
# Built once: building a statement costs more than running it.
_get = select(subjects).where(subjects.c.id == bindparam("of_id"))


class Subject(Value):
    """A person or a workload.

    Groups are those of the last sign-in or invitation and those that the directory provisions. Attributes
    likewise; where both name one, the directory's counts.
    """

    id: str
    name: str
    display: str
    groups: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    active: bool
    kind: str = PERSON


def ensure_subject(
    tx: Connection,
    name: str,
    *,
    display: str = "",
    groups: Iterable[str] | None = None,
    attributes: Mapping[str, str] | None = None,
    kind: str = PERSON,
    now: int,
) -> Subject:
    """Return the subject of that name, made if there is none; what is given replaces what was known.

    Raises:
        GatekeeperError: GK100, a name, group or attribute is empty, too long or holds control characters, or
            the name is a workload's where a person is meant, or the other way round.
    """
    known = find_subject(tx, name)
    if known is not None and known.kind != kind:
        # A person who is called as a workload would hold its grants on a device of their own.
        raise GatekeeperError("GK100", f"{known.name} is a {known.kind}, not a {kind}.")
    changes: dict[str, object] = {}
    if display:
        changes["display"] = check_name(display, what="display name", max_chars=300)
    if groups is not None:
        changes["groups"] = sorted({check_name(g, what="group", max_chars=128) for g in groups})
    if attributes is not None:
        changes["attributes"] = {
            check_name(key, what="attribute", max_chars=64): check_name(
                value, what=f"attribute {key}", max_chars=256
            )
            for key, value in sorted(attributes.items())
        }
    if known is not None:
        if changes:
            tx.execute(update(subjects).where(subjects.c.id == known.id).values(**changes))
        return get_subject(tx, known.id)
    made = {
        "id": "u_" + secrets.token_hex(16),
        "name": canonical_name(name),
        "display": canonical_name(name),
        "groups": [],
        "attributes": {},
        "state": ACTIVE,
        "kind": kind,
        "created_at": now,
    }
    tx.execute(insert(subjects).values(**(made | changes)))
    return get_subject(tx, str(made["id"]))


def find_subject(tx: Connection, name: str) -> Subject | None:
    """Return the subject of that name, in whatever spelling. Raises `GatekeeperError` GK100 as `canonical_name`."""
    row = tx.execute(select(subjects).where(subjects.c.name == canonical_name(name))).one_or_none()
    return None if row is None else subject_of_row(row)


def get_subject(tx: Connection, subject_id: str) -> Subject:
    """Return the subject with an id of our own making; an unknown one is a bug."""
    row = tx.execute(_get, {"of_id": subject_id}).one_or_none()
    if row is None:
        raise RuntimeError("no subject has this id")
    return subject_of_row(row)


def subject_of_row(row: Row[Any]) -> Subject:
    """Type a row of the table `subjects`."""
    return Subject(
        id=row.id,
        name=row.name,
        display=row.display,
        groups=tuple(sorted({*row.groups, *row.provisioned_groups})),
        attributes=tuple(sorted({**row.attributes, **row.provisioned_attributes}.items())),
        active=row.state == ACTIVE,
        kind=row.kind,
    )
