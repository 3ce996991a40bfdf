"""Audit entries with the names of who acted, filtered as people ask for them. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import AuditEntry, entry_of_row
from gatekeeper.service.audit.names import hash_of_actor, named_actor, texts_of
from gatekeeper.service.people.subjects import find_subject
from gatekeeper.service.store.tables.audit import audit_entries, audit_names
from gatekeeper.service.store.tables.people import devices, subjects
from gatekeeper.values import Value

_IDS = ("subject", "by", "requester", "reviewer", "owner")


class Wanted(Value):
    """A filter: a person's name, the beginning of an act, an object's id, an instant. "" and 0 filter nothing."""

    person: str = ""
    act: str = ""
    object: str = ""
    since: int = 0
    until: int = 0


class AuditRow(Value):
    """An entry as people read it: `who` is a name where one is known."""

    seq: int
    at: int
    who: str
    act: str
    object: str
    detail: str


def find_rows(tx: Connection, wanted: Wanted, *, before: int, limit: int) -> list[AuditRow]:
    """Return entries, the newest first, that stand before the entry `before` (0: from the end)."""
    query = select(audit_entries)
    if before:
        query = query.where(audit_entries.c.seq < before)
    for condition in _conditions(tx, wanted):
        query = query.where(condition)
    found = tx.execute(query.order_by(audit_entries.c.seq.desc()).limit(limit)).all()
    return _named(tx, [entry_of_row(row) for row in found])


def _conditions(tx: Connection, wanted: Wanted) -> Iterable[Any]:
    if wanted.act:
        yield audit_entries.c.act.startswith(wanted.act, autoescape=True)
    if wanted.object:
        yield audit_entries.c.object == wanted.object
    if wanted.since:
        yield audit_entries.c.at >= wanted.since
    if wanted.until:
        yield audit_entries.c.at < wanted.until
    if wanted.person:
        yield _of_person(tx, wanted.person)


def _of_person(tx: Connection, name: str) -> Any:
    """Return the condition that somebody acted: as themselves, through a device, or by step-up or operator's hand."""
    try:
        subject = find_subject(tx, name)
    except GatekeeperError:
        subject = None
    hashes = tx.execute(select(audit_names.c.hash).where(audit_names.c.text == name)).scalars().all()
    actors = [name, *(f"{method}:{one}" for one in hashes for method in ("step-up", "operator"))]
    if subject is not None:
        actors += [
            subject.id,
            *tx.execute(select(devices.c.id).where(devices.c.subject == subject.id)).scalars(),
        ]
        return or_(audit_entries.c.actor.in_(actors), audit_entries.c.object == subject.id)
    return audit_entries.c.actor.in_(actors)


def _named(tx: Connection, found: list[AuditEntry]) -> list[AuditRow]:
    texts = texts_of(tx, [known for entry in found if (known := hash_of_actor(entry.actor))])
    ids = {entry.actor for entry in found}
    people = select(subjects.c.id, subjects.c.name).where(subjects.c.id.in_(ids))
    names = {row.id: row.name for row in tx.execute(people)}
    owned = select(devices.c.id, devices.c.name, subjects.c.name).join(
        subjects, subjects.c.id == devices.c.subject
    )
    for device, called, owner in tx.execute(owned.where(devices.c.id.in_(ids))):
        names[device] = f"{owner} on {called}"
    said = {one for entry in found for name, one in entry.detail if name in _IDS and isinstance(one, str)}
    people = select(subjects.c.id, subjects.c.name).where(subjects.c.id.in_(said - set(names)))
    names |= {row.id: row.name for row in tx.execute(people)}
    return [
        AuditRow(
            seq=entry.seq,
            at=entry.at,
            who=names.get(entry.actor) or named_actor(entry.actor, texts),
            act=entry.act,
            object=entry.object,
            detail=_words(entry, names),
        )
        for entry in found
    ]


def _words(entry: AuditEntry, names: Mapping[str, str]) -> str:
    """Return the detail as `name value` pairs; what is empty is left out, and what can be said in words is."""
    return " · ".join(
        f"{name.removesuffix('_at').replace('_', ' ')} {_word(name, value, names)}"
        for name, value in entry.detail
        if value not in ("", None, [], {})
    )


def _word(name: str, value: object, names: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_at"):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, str):
        return names.get(value, value)
    return json.dumps(value, ensure_ascii=False)
