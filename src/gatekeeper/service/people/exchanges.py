"""Exchanges of CI tokens: each `jti` belongs to the key that brought it first, and that key is a device for the job.

Such a device is `ephemeral`: it holds no refresh token, is never enrolled, and is forgotten with the last token
that names it. Which workload the job is has been decided before.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection, delete, exists, insert, select, text

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.devices import EPHEMERAL, Device, device_of_key, get_device, touch_device
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.service.store.tables.people import access_tokens, devices
from gatekeeper.service.store.tables.workloads import workload_exchanges

KEEP_DEVICE_FOR = 74 * 3_600  # a status entry is kept for 73 hours after its last token

_columns = workload_exchanges.c
# ON CONFLICT is written alike on SQLite and PostgreSQL; SQLAlchemy has a construct of its own for each.
_bind = text(
    "INSERT INTO workload_exchanges (token_hash, jkt, device, expires_at) "
    "VALUES (:token_hash, :jkt, :device, :expires_at) ON CONFLICT DO NOTHING"
)


class TokenReplayed(GatekeeperError):
    """A CI token that one key has exchanged came with another: copied from a log, say. Worth an audit entry."""

    def __init__(self, subject_id: str) -> None:
        super().__init__("GK201", "The CI platform's token was exchanged before, with another key.")
        self.subject = subject_id


def bind_token(
    tx: Connection,
    *,
    subject: Subject,
    issuer: str,
    jti: str,
    jkt: str,
    name: str,
    expires_at: int,
    now: int,
) -> tuple[Device, bool]:
    """Bind a verified token to the proved key `jkt`; return the job's device, and whether the token was new.

    Raises:
        TokenReplayed: GK201, another key brought the token before.
        GatekeeperError: GK201, the key is a device's of another subject, or an enrolled one's.
    """
    digest = hashlib.sha256(f"{issuer}\0{jti}".encode("utf-8", "surrogatepass")).hexdigest()
    owner = _owner_of(tx, digest)
    if owner not in (None, jkt):
        raise TokenReplayed(subject.id)
    device = _device(tx, subject=subject, jkt=jkt, name=name, now=now)
    if owner is None:
        row = {"token_hash": digest, "jkt": jkt, "device": device.id, "expires_at": expires_at}
        tx.execute(_bind, row)
        if _owner_of(tx, digest) != jkt:  # another replica was faster
            raise TokenReplayed(subject.id)
    return device, owner is None


def sweep_exchanges(tx: Connection, now: int) -> int:
    """Forget tokens that have ended, and the devices of jobs that no status entry names; return how many."""
    gone = tx.execute(delete(workload_exchanges).where(_columns.expires_at <= now)).rowcount
    named = [
        exists().where(table.c.device == devices.c.id)
        for table in (workload_exchanges, status_entries, access_tokens)
    ]
    old = devices.c.seen_at < now - KEEP_DEVICE_FOR
    forget = delete(devices).where(devices.c.state == EPHEMERAL, old, *[~one for one in named])
    return gone + tx.execute(forget).rowcount


def _owner_of(tx: Connection, digest: str) -> str | None:
    found: str | None = tx.execute(
        select(_columns.jkt).where(_columns.token_hash == digest)
    ).scalar_one_or_none()
    return found


def _device(tx: Connection, *, subject: Subject, jkt: str, name: str, now: int) -> Device:
    known = device_of_key(tx, jkt)
    if known is not None:
        if known.state != EPHEMERAL or known.subject != subject.id:
            raise GatekeeperError("GK201", "The key is another device's; a job makes its own.")
        touch_device(tx, known, now)
        return known
    made = {
        "id": "d_" + secrets.token_hex(16),
        "subject": subject.id,
        "name": name,
        "jkt": jkt,
        "state": EPHEMERAL,
        "enrolled_at": now,
        "seen_at": now,
    }
    tx.execute(insert(devices).values(**made))
    return get_device(tx, str(made["id"]))
