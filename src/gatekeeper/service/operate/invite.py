"""`service invite`: a one-time code for a person, where there is no identity provider to say who they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gatekeeper.service.audit.log import record
from gatekeeper.service.people.invites import CONSOLE, DEVICE, create_invite
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.store.transactions import Store

INVITE_FOR = 86_400


def invite(
    store: Store,
    name: str,
    *,
    display: str = "",
    groups: Iterable[str] | None = None,
    attributes: Mapping[str, str] | None = None,
    console: bool = False,
    now: int,
) -> tuple[str, int]:
    """Return a one-time code for the subject of that name and when it expires (24 h).

    With `console` it signs a browser in at the console, else a device. The subject is made if there is none. Groups and attributes that are given replace what was known; None keeps it.

    Raises:
        GatekeeperError: GK100, a name, group or attribute that can't be one; GK106, the database can't be used.
    """
    expires_at = now + INVITE_FOR
    with store.write() as tx:
        subject = ensure_subject(tx, name, display=display, groups=groups, attributes=attributes, now=now)
        purpose = CONSOLE if console else DEVICE
        code = create_invite(tx, subject=subject, purpose=purpose, expires_at=expires_at, now=now)
        detail = {"expires_at": expires_at, "purpose": purpose}
        record(tx, at=now, actor="operator", act="invite.created", object=subject.id, detail=detail)
    return code, expires_at
