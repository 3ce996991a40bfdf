"""Devices: workstations with a key of their own. The key's thumbprint is the device; its name is for people.

Nothing here is recorded in the audit log: whoever calls does that, in the same transaction.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from gatekeeper.documents.status_list import INVALID
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import check_name
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.service.store.tables.people import access_tokens, devices, refresh_tokens
from gatekeeper.values import Value

ACTIVE = "active"
REVOKED = "revoked"
EPHEMERAL = "ephemeral"  # a CI job's: never enrolled, forgotten with its last token
_SEEN_GRAIN = 60
_touch = (
    update(devices)
    .where(devices.c.id == bindparam("of_id"), devices.c.seen_at < bindparam("now"))
    .values(seen_at=bindparam("now"))
)


class Device(Value):
    """An enrolled device. `subject` is the subject's id, `jkt` the RFC 7638 thumbprint of its key."""

    id: str
    subject: str
    name: str
    jkt: str
    state: str
    enrolled_at: int
    seen_at: int


def enrol(tx: Connection, *, subject: Subject, name: str, jkt: str, now: int) -> Device:
    """Bind a device key to a subject. The same subject's key again is the same device, under its new name.

    Raises:
        GatekeeperError: GK100, the name can't be one; GK202, the key was revoked; GK203, it is another subject's.
    """
    check_name(name, what="device name", max_chars=128)
    known = device_of_key(tx, jkt)
    if known is None:
        made = {
            "id": "d_" + secrets.token_hex(16),
            "subject": subject.id,
            "name": name,
            "jkt": jkt,
            "state": ACTIVE,
            "enrolled_at": now,
            "seen_at": now,
        }
        tx.execute(insert(devices).values(**made))
        return get_device(tx, str(made["id"]))
    if known.subject != subject.id:
        # A key never moves between people: what it signed before would then be another's.
        raise GatekeeperError("GK203", "The code is used, expired or wrong.")
    if known.state != ACTIVE:
        raise GatekeeperError("GK202", "The enrolment of this device key was revoked.")
    tx.execute(update(devices).where(devices.c.id == known.id).values(name=name, seen_at=now))
    return get_device(tx, known.id)


def device_of_key(tx: Connection, jkt: str) -> Device | None:
    """Return the device of a key, revoked or not."""
    row = tx.execute(select(devices).where(devices.c.jkt == jkt)).one_or_none()
    return None if row is None else device_of_row(row)


def get_device(tx: Connection, device_id: str) -> Device:
    """Return a device by an id that a subject may have typed.

    Raises:
        GatekeeperError: GK100, there is none.
    """
    row = tx.execute(select(devices).where(devices.c.id == device_id)).one_or_none()
    if row is None:
        raise GatekeeperError("GK100", "No device has this id.")
    return device_of_row(row)


def devices_of(tx: Connection, subject_id: str) -> list[Device]:
    """Return a subject's devices, the newest first, revoked ones included."""
    of_subject = select(devices).where(devices.c.subject == subject_id)
    rows = tx.execute(of_subject.order_by(devices.c.enrolled_at.desc(), devices.c.id))
    return [device_of_row(row) for row in rows]


def touch_device(tx: Connection, device: Device, now: int) -> None:
    """Note that a device, as just read, was seen; written at most once a minute, so that a renewal stays cheap."""
    if device.seen_at <= now - _SEEN_GRAIN:
        tx.execute(_touch, {"of_id": device.id, "now": now})


def revoke_device(tx: Connection, device_id: str, *, by: str, now: int) -> bool:
    """Revoke an enrolment, its tokens and its status entries; say whether it stood until now.

    The caller has checked whose device it is, and records the act. `by` is who is shown to have done it.
    """
    changed = tx.execute(
        update(devices)
        .where(devices.c.id == device_id, devices.c.state == ACTIVE)
        .values(state=REVOKED, revoked_by=by)
    ).rowcount
    end_sign_ins(tx, device_id, now=now)
    tx.execute(update(status_entries).where(status_entries.c.device == device_id).values(status=INVALID))
    return changed == 1


def end_sign_ins(tx: Connection, device_id: str, *, now: int) -> None:
    """End every refresh and access token of a device; its enrolment stays."""
    tx.execute(
        update(refresh_tokens)
        .where(refresh_tokens.c.device == device_id, refresh_tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    tx.execute(delete(access_tokens).where(access_tokens.c.device == device_id))


def device_of_row(row: Row[Any]) -> Device:
    """Type a row of the table `devices`."""
    return Device(
        id=row.id,
        subject=row.subject,
        name=row.name,
        jkt=row.jkt,
        state=row.state,
        enrolled_at=row.enrolled_at,
        seen_at=row.seen_at,
    )
