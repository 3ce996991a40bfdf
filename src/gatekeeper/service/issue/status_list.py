"""The published status lists: built from the store, signed, and kept for a moment.

Whoever asks is unknown and may ask often, so that a list is built at most once in a few seconds a process,
whatever the traffic. The lists hold statuses alone: an index says nothing of the subject, tool or device.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from gatekeeper.documents.status_list import (
    BITS,
    ENTRIES,
    TTL,
    VALID,
    StatusList,
    pack,
    render_status_list,
    uri_of,
)
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.trust.published import STATUS_TYP
from gatekeeper.trust.sign import sign_token
from gatekeeper.values import Value

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.store.transactions import Store

LASTS_FOR = 24 * 3_600
LOOK_AGAIN_AFTER = 5
SIGN_AGAIN_AFTER = 3_600


class Published(Value):
    """A signed list. `etag` changes with every signature."""

    token: str
    etag: str
    packed: bytes
    signed_at: int
    looked_at: int


class StatusLists:
    """The lists of one process, each as old as `LOOK_AGAIN_AFTER` seconds at most."""

    def __init__(self, store: Store, authority: Authority) -> None:
        self._store = store
        self._authority = authority
        self._published: dict[int, Published] = {}

    def get(self, number: int, *, now: int) -> Published | None:
        """Return a list, or None where there is no list of this number."""
        known = self._published.get(number)
        if known is not None and 0 <= now - known.looked_at < LOOK_AGAIN_AFTER:
            return known
        with self._store.read() as tx:
            if number > _highest(tx):
                return None
            packed = _packed(tx, number)
        if known is None or known.packed != packed or not 0 <= now - known.signed_at < SIGN_AGAIN_AFTER:
            known = self._sign(number, packed, now)
        self._published[number] = known.replace(looked_at=now)
        return self._published[number]

    def _sign(self, number: int, packed: bytes, now: int) -> Published:
        status_list = StatusList(
            uri=uri_of(self._authority.issuer, number),
            issued_at=now,
            expires_at=now + LASTS_FOR,
            ttl=TTL,
            bits=BITS,
            packed=packed,
        )
        token = sign_token(
            self._authority.keys.status[0], typ=STATUS_TYP, claims=render_status_list(status_list)
        )
        etag = f'"{sha256(token.encode("ascii")).hexdigest()[:32]}"'
        return Published(token=token, etag=etag, packed=packed, signed_at=now, looked_at=now)


def _highest(tx: Connection) -> int:
    """Return the number of the last list; list 0 always exists, so that its address never answers 404."""
    return tx.execute(select(func.max(status_entries.c.list))).scalar_one_or_none() or 0


def _packed(tx: Connection, number: int) -> bytes:
    rows = tx.execute(
        select(status_entries.c.index, status_entries.c.status).where(
            status_entries.c.list == number, status_entries.c.status != VALID
        )
    )
    return pack(((row[0], row[1]) for row in rows), bits=BITS, entries=ENTRIES)
