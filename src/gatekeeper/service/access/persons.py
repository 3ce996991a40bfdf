"""Subjects as reviews see them: which accounts are one human, and who somebody's manager is.

Two subjects are one person where they share an id, a name or the e-mail address that the identity provider
verified (`email`). The attribute `manager` holds a subject's id, name or e-mail address.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.reviews import Person
from gatekeeper.service.people.names import canonical_name
from gatekeeper.service.people.subjects import Subject, subject_of_row
from gatekeeper.service.store.tables.people import subjects

EMAIL = "email"
MANAGER = "manager"
_MOST_IN_A_QUERY = 500


def keys_of(subject: Subject) -> frozenset[str]:
    """Return all that tells who this is; names and addresses in their one spelling."""
    email = dict(subject.attributes).get(EMAIL, "")
    return frozenset((subject.id, subject.name, *((_spelling(email),) if email else ())))


def person_of(subject: Subject, *, manager: str = "") -> Person:
    """Return a subject as reviews see it; `manager` is the id of a subject who could act, "" for none."""
    return Person(keys=keys_of(subject), groups=subject.groups, manager=manager)


def _is_same(one: Subject, other: Subject) -> bool:
    return not keys_of(one).isdisjoint(keys_of(other))


def managers_of(tx: Connection, people: Iterable[Subject]) -> dict[str, Subject]:
    """Return the manager of each of the people, by the id of the person; who has none that could act isn't in it."""
    people = list(people)
    named = {one.id: _spelling(dict(one.attributes).get(MANAGER, "")) for one in people}
    wanted = sorted({name for name in named.values() if name})
    found: dict[str, Subject] = {}
    for start in range(0, len(wanted), _MOST_IN_A_QUERY):
        part = wanted[start : start + _MOST_IN_A_QUERY]
        query = select(subjects).where(subjects.c.id.in_(part) | subjects.c.name.in_(part))
        for row in tx.execute(query):
            found[row.id] = found[row.name] = subject_of_row(row)
    managers = {id_: found[name] for id_, name in named.items() if name in found and found[name].active}
    # Nobody is their own manager: that account could never decide, and nobody would hear that one is missing.
    return {
        one.id: managers[one.id]
        for one in people
        if one.id in managers and not _is_same(one, managers[one.id])
    }


def subjects_of(tx: Connection, ids: Iterable[str]) -> dict[str, Subject]:
    """Return the subjects of ids of our own making, by id."""
    wanted = sorted(set(ids))
    found: dict[str, Subject] = {}
    for start in range(0, len(wanted), _MOST_IN_A_QUERY):
        part = wanted[start : start + _MOST_IN_A_QUERY]
        found |= {
            row.id: subject_of_row(row) for row in tx.execute(select(subjects).where(subjects.c.id.in_(part)))
        }
    return found


def _spelling(text: str) -> str:
    """Return the one spelling of a name or address; what can't be one is compared as it is."""
    if not text:
        return ""
    try:
        return canonical_name(text)
    except GatekeeperError:
        return text.casefold()
