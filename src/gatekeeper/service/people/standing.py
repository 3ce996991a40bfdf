"""Whether a subject is active: what ends when the directory deactivates somebody, and what comes back with them.

At once, in the caller's transaction: every refresh and access token, every console session; the status
entries of their launch tokens say "suspended". So the next renewal is refused, and a gateway that reads the
status list refuses sooner. Devices stay enrolled and grants stand: whoever comes back signs in again and goes on.
The caller records the act.
"""

from __future__ import annotations

from sqlalchemy import Connection, or_, select, update

from gatekeeper.documents.status_list import SUSPENDED, VALID
from gatekeeper.service.people.console_sessions import end_sessions_of
from gatekeeper.service.people.devices import REVOKED, devices_of, end_sign_ins
from gatekeeper.service.people.subjects import ACTIVE, DEACTIVATED
from gatekeeper.service.store.tables.access import grants
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.service.store.tables.people import devices, subjects


def set_active(tx: Connection, subject_id: str, *, active: bool, now: int) -> bool:
    """Activate or deactivate a subject; say whether that changed anything."""
    state = ACTIVE if active else DEACTIVATED
    changed = tx.execute(
        update(subjects).where(subjects.c.id == subject_id, subjects.c.state != state).values(state=state)
    ).rowcount
    if not active:
        # Also where the subject was deactivated before: nothing that was issued meanwhile may stand.
        for device in devices_of(tx, subject_id):
            end_sign_ins(tx, device.id, now=now)
        end_sessions_of(tx, subject_id, now)
        _set_entries(tx, subject_id, before=VALID, after=SUSPENDED)
    elif changed:
        _set_entries(tx, subject_id, before=SUSPENDED, after=VALID)
    return changed == 1


def _set_entries(tx: Connection, subject_id: str, *, before: int, after: int) -> None:
    columns = status_entries.c
    theirs = select(devices.c.id).where(devices.c.subject == subject_id, devices.c.state != REVOKED)
    wanted = [columns.device.in_(theirs), columns.status == before]
    if after == VALID:
        # A grant that an approver suspended stays suspended.
        standing = select(grants.c.number).where(grants.c.subject == subject_id, grants.c.state == "active")
        wanted.append(or_(columns.grant.is_(None), columns.grant.in_(standing)))
    tx.execute(update(status_entries).where(*wanted).values(status=after))
