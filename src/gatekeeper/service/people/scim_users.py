"""The people that the directory manages: made, changed and removed as it says.

A managed person is the subject of the same name, whether the directory or a sign-in came first. What the
directory says of groups and attributes is kept beside what a sign-in said; of an attribute that both name, the
directory's counts. `userName` must therefore be what people sign in with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import canonical_name, check_name
from gatekeeper.service.people.scim_models import ScimFault, User, restored, stored
from gatekeeper.service.people.standing import set_active
from gatekeeper.service.people.subjects import PERSON, Subject, ensure_subject, find_subject, get_subject
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.service.store.tables.scim import scim_groups, scim_members, scim_users
from gatekeeper.values import Value

_columns = scim_users.c
_joined = select(scim_users, subjects.c.state.label("state"), subjects.c.name.label("name")).join(
    subjects, subjects.c.id == _columns.subject
)


class Managed(Value):
    """A managed person: the subject's id, the resource, its version, and whether the last act changed anything."""

    id: str
    user: User
    version: int
    created_at: int
    changed_at: int
    groups: tuple[tuple[str, str], ...] = ()  # id and name


class Change(Value):
    """What an act did: the words for the record, none where nothing changed."""

    acts: tuple[str, ...]


def create_user(tx: Connection, user: User, *, now: int) -> tuple[str, Change]:
    """Take a person under management.

    Raises:
        ScimFault: 409, the name is managed already, or a workload's; 400, a value that can't be used.
    """
    name = _name_of(user)
    known = find_subject(tx, name)
    if known is not None and (known.kind != PERSON or _row(tx, known.id) is not None):
        raise ScimFault(409, "A person of this userName is managed already.", scim_type="uniqueness")
    subject = known or ensure_subject(tx, name, now=now)
    values = {"external_id": _external_id(user), "document": stored(user), "version": 1}
    tx.execute(insert(scim_users).values(subject=subject.id, created_at=now, changed_at=now, **values))
    acts = ["subject.provisioned", *_apply(tx, subject, user, now=now)]
    return subject.id, Change(acts=tuple(acts))


def get_user(tx: Connection, subject_id: str) -> Managed:
    """Return a managed person by a hostile id. ScimFault 404 where there is none."""
    row = _row(tx, subject_id)
    if row is None:
        raise ScimFault(404, "No managed person has this id.")
    return _managed(tx, row)


def change_user(tx: Connection, before: Managed, user: User, *, now: int) -> Change:
    """Let `user` be what the directory says of a managed person from now on.

    Raises:
        ScimFault: 409, the new name is another's; 400, a value that can't be used.
    """
    subject = get_subject(tx, before.id)
    _rename(tx, subject, _name_of(user))
    document = stored(user)
    acts = _apply(tx, subject, user, now=now)
    if document != stored(before.user) or _external_id(user) != before.user.external_id:
        tx.execute(
            update(scim_users)
            .where(_columns.subject == before.id)
            .values(
                external_id=_external_id(user),
                document=document,
                version=before.version + 1,
                changed_at=now,
            )
        )
        acts = acts or ["subject.changed"]
    return Change(acts=tuple(acts))


def remove_user(tx: Connection, subject_id: str, *, now: int) -> None:
    """End the management of a person, who is deactivated: the subject stays, for what is on record of it.

    Raises:
        ScimFault: 404, there is none.
    """
    managed = get_user(tx, subject_id)
    tx.execute(delete(scim_members).where(scim_members.c.subject == subject_id))
    tx.execute(delete(scim_users).where(_columns.subject == subject_id))
    subject = get_subject(tx, subject_id)
    named = {name for _, name in managed.groups}
    tx.execute(
        update(subjects)
        .where(subjects.c.id == subject_id)
        .values(
            provisioned_groups=[],
            provisioned_attributes={},
            groups=[group for group in subject.groups if group not in named],
        )
    )
    set_active(tx, subject_id, active=False, now=now)


def list_users(
    tx: Connection, terms: Mapping[str, str], *, offset: int, limit: int | None
) -> tuple[int, list[Managed]]:
    """Return how many managed people fit all `terms` (id, userName, externalId), and one page of them."""
    wanted = []
    for term, value in terms.items():
        match term:
            case "id":
                wanted.append(_columns.subject == value)
            case "externalid":
                wanted.append(_columns.external_id == value)
            case "username":
                try:
                    wanted.append(subjects.c.name == canonical_name(value))
                except GatekeeperError:
                    return 0, []
            case _:
                raise RuntimeError("no column for this term")
    total = tx.execute(
        select(func.count())
        .select_from(scim_users.join(subjects, subjects.c.id == _columns.subject))
        .where(*wanted)
    ).scalar_one()
    page = _joined.where(*wanted).order_by(_columns.created_at, _columns.subject).offset(offset)
    rows = tx.execute(page if limit is None else page.limit(limit)).all()
    return total, [_managed(tx, row) for row in rows]


def _row(tx: Connection, subject_id: str) -> Row[Any] | None:
    return tx.execute(_joined.where(_columns.subject == subject_id)).one_or_none()


def _managed(tx: Connection, row: Row[Any]) -> Managed:
    user = restored(row.document)
    user.external_id = row.external_id
    user.active = row.state == "active"  # an operator may have decided otherwise meanwhile
    groups = tx.execute(
        select(scim_groups.c.id, scim_groups.c.name)
        .join(scim_members, scim_members.c.group == scim_groups.c.id)
        .where(scim_members.c.subject == row.subject)
        .order_by(scim_groups.c.name)
    )
    return Managed(
        id=row.subject,
        user=user,
        version=row.version,
        created_at=row.created_at,
        changed_at=row.changed_at,
        groups=tuple((one.id, one.name) for one in groups),
    )


def _apply(tx: Connection, subject: Subject, user: User, *, now: int) -> list[str]:
    """Let the rest of the service see what the directory says; return the acts of that."""
    tx.execute(
        update(subjects)
        .where(subjects.c.id == subject.id)
        .values(display=_display_of(user, subject), provisioned_attributes=_attributes_of(tx, user))
    )
    active = user.active is not False
    if not set_active(tx, subject.id, active=active, now=now):
        return []
    return ["subject.reactivated" if active else "subject.deactivated"]


def _rename(tx: Connection, subject: Subject, name: str) -> None:
    if name == subject.name:
        return
    if find_subject(tx, name) is not None:
        raise ScimFault(409, "Another subject has this userName.", scim_type="uniqueness")
    tx.execute(update(subjects).where(subjects.c.id == subject.id).values(name=name))


def _attributes_of(tx: Connection, user: User) -> dict[str, str]:
    """Return the attributes that policy may ask for; a manager who isn't known here is left out."""
    enterprise = user["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]
    email = _first(user.emails or [], "value")
    given = {
        "country": _first(user.addresses or [], "country"),
        "employment": user.user_type,
        "email": email,
    }
    if enterprise is not None:
        given |= {
            "cost_center": enterprise.cost_center,
            "department": enterprise.department,
            "division": enterprise.division,
            "employee_number": enterprise.employee_number,
            "organization": enterprise.organization,
            "manager": _manager_of(tx, enterprise.manager.value if enterprise.manager else None),
        }
    try:
        return {
            key: check_name(value, what=f"attribute {key}", max_chars=256)
            for key, value in sorted(given.items())
            if value
        }
    except GatekeeperError as error:
        raise ScimFault(400, error.detail, scim_type="invalidValue") from error


def _manager_of(tx: Connection, value: str | None) -> str | None:
    """Return a manager's subject id: directories send our id, and some the name that people sign in with."""
    if not value:
        return None
    known = tx.execute(select(subjects.c.id).where(subjects.c.id == value)).scalar_one_or_none()
    if known is not None:
        return str(known)
    try:
        found = find_subject(tx, value)
    except GatekeeperError:
        return None
    return found.id if found is not None and found.kind == PERSON else None


def _first(entries: list[Any], name: str) -> str | None:
    """Return the primary entry's value, else the first one's that has any."""
    for entry in sorted(entries, key=lambda entry: not entry.primary):
        value = getattr(entry, name)
        if value:
            return str(value)
    return None


def _name_of(user: User) -> str:
    try:
        return canonical_name(user.user_name or "")
    except GatekeeperError as error:
        raise ScimFault(400, error.detail, scim_type="invalidValue") from error


def _display_of(user: User, subject: Subject) -> str:
    name = user.name
    parts = [] if name is None else [name.given_name or "", name.family_name or ""]
    formatted = "" if name is None else name.formatted or " ".join(part for part in parts if part)
    shown = user.display_name or formatted or subject.display
    try:
        return check_name(shown, what="display name", max_chars=300)
    except GatekeeperError as error:
        raise ScimFault(400, error.detail, scim_type="invalidValue") from error


def _external_id(user: User) -> str | None:
    if user.external_id is not None and (len(user.external_id) > 320 or "\0" in user.external_id):
        raise ScimFault(400, "externalId is too long.", scim_type="invalidValue")
    return user.external_id or None
