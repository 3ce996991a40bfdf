"""Idempotency-Keys: the same call again within 24 hours gives what the first one made, and nothing new."""

from __future__ import annotations

import hashlib
import re

from sqlalchemy import Connection, delete, insert, select

from gatekeeper.documents.api import NewRequest, render_new_request
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.tables.access import idempotency
from gatekeeper.strict import render_json

_KEY = re.compile(r"[!-~]{1,128}")
_KEPT_FOR = 86_400


def request_of_key(tx: Connection, subject_id: str, key: str, new: NewRequest, *, now: int) -> int | None:
    """Return the number of the request that a hostile `key` made, None where it made none ("" is no key).

    Raises:
        GatekeeperError: GK411, it came with another body; GK100, it can't be a key.
    """
    if not key:
        return None
    if not _KEY.fullmatch(key):
        raise GatekeeperError("GK100", "The Idempotency-Key is not 1 to 128 visible ASCII characters.")
    same = (idempotency.c.subject == subject_id) & (idempotency.c.key == key)
    row = tx.execute(select(idempotency).where(same)).one_or_none()
    if row is None:
        return None
    if now >= row.expires_at:
        tx.execute(delete(idempotency).where(same))
        return None
    if row.body_hash != _body_hash(new):
        raise GatekeeperError("GK411", "The Idempotency-Key was used for a request with other contents.")
    number: int = row.request
    return number


def remember_key(
    tx: Connection, subject_id: str, key: str, new: NewRequest, number: int, *, now: int
) -> None:
    """Keep which request a key made, or found pending; "" is no key."""
    if key:
        tx.execute(
            insert(idempotency).values(
                subject=subject_id,
                key=key,
                body_hash=_body_hash(new),
                request=number,
                expires_at=now + _KEPT_FOR,
            )
        )


def sweep_idempotency(tx: Connection, now: int) -> int:
    """Forget keys that are older than 24 hours; return how many."""
    return tx.execute(delete(idempotency).where(idempotency.c.expires_at <= now)).rowcount


def _body_hash(new: NewRequest) -> str:
    return hashlib.sha256(render_json(render_new_request(new))).hexdigest()
