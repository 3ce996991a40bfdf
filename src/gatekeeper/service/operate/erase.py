"""`service audit erase`: a person who left is forgotten, and the log stays whole.

What goes is every name and every free text of theirs; what stays are ids, times and decisions, which say who did what
only as long as somebody knows whose id it was. The erasure is itself an entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.leaving import end_access_of
from gatekeeper.service.audit.log import record
from gatekeeper.service.audit.names import erase_texts
from gatekeeper.service.people.devices import devices_of, revoke_device
from gatekeeper.service.people.subjects import find_subject
from gatekeeper.service.store.tables.access import grants, request_messages, requests, reviews
from gatekeeper.service.store.tables.console import challenges, passkeys
from gatekeeper.service.store.tables.people import devices, invites, subjects
from gatekeeper.service.store.tables.policy import policies, stops
from gatekeeper.service.store.tables.scim import scim_members, scim_users
from gatekeeper.service.store.tables.sign_ins import (
    authorizations,
    console_sessions,
    device_authorizations,
    provider_accounts,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.store.transactions import Store

OPERATOR = "operator"
# What a person signs in with, or what a directory says of them: nothing of it is left. Those that refer come first.
_SIGN_IN = (
    authorizations,
    device_authorizations,
    challenges,
    passkeys,
    console_sessions,
    provider_accounts,
    invites,
    scim_members,
    scim_users,
)


def erase_subject(store: Store, name: str, *, now: int) -> str:
    """End what the subject holds, forget name and words, and return the id that remains.

    Raises:
        GatekeeperError: GK100, nobody has this name; GK106, the database can't be used.
    """
    with store.write() as tx:
        subject = find_subject(tx, name)
        if subject is None:
            raise GatekeeperError("GK100", f"Nobody is known by the name {name}.")
        end_access_of(tx, subject, by=OPERATOR, reason="", now=now)
        for device in devices_of(tx, subject.id):
            revoke_device(tx, device.id, by=OPERATOR, now=now)
        _forget(tx, subject.id, subject.name)
        record(tx, at=now, actor=OPERATOR, act="subject.erased", object=subject.id, detail={})
    return subject.id


def _forget(tx: Connection, subject: str, name: str) -> None:
    erase_texts(tx, subject=subject, name=name)
    # What somebody asked for a workload is the workload's request, in the person's words.
    own = or_(requests.c.subject == subject, requests.c.requester == subject)
    numbers = select(requests.c.number).where(own)
    tx.execute(update(requests).where(own).values(reason="", ticket=""))
    tx.execute(update(reviews).where(reviews.c.request.in_(numbers)).values(reason=""))
    tx.execute(update(reviews).where(reviews.c.reviewer == subject).values(reason="", groups=[]))
    tx.execute(update(request_messages).where(request_messages.c.request.in_(numbers)).values(text=""))
    tx.execute(update(request_messages).where(request_messages.c.author == subject).values(text=""))
    tx.execute(update(grants).where(grants.c.subject == subject).values(ended_reason=""))
    tx.execute(update(grants).where(grants.c.ended_by == name).values(ended_by=subject, ended_reason=""))
    tx.execute(update(devices).where(devices.c.subject == subject).values(name=""))
    tx.execute(update(devices).where(devices.c.revoked_by == name).values(revoked_by=subject))
    tx.execute(update(policies).where(policies.c.applied_by == name).values(applied_by=subject))
    tx.execute(update(stops).where(stops.c.stopped_by == name).values(stopped_by=subject))
    tx.execute(update(stops).where(stops.c.resumed_by == name).values(resumed_by=subject))
    for table in _SIGN_IN:
        tx.execute(delete(table).where(table.c.subject == subject))
    tx.execute(
        update(subjects)
        .where(subjects.c.id == subject)
        .values(
            name=f"erased:{subject}",
            display="",
            groups=[],
            attributes={},
            provisioned_groups=[],
            provisioned_attributes={},
            state="deactivated",
        )
    )
