"""Challenges: what a person is about to confirm, kept from the moment that it was shown until it was confirmed.

The challenge that a passkey signs is a hash over a nonce, the session and the canonical list that was shown (what
happens to which request or grant, in which scope, for how long). So a signature for one list confirms no other, in
no other session; and the service performs the list that it kept, never one that comes with the confirmation.
A challenge works once, for five minutes. What becomes of its items is written beside it, to be shown.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.tables.console import challenges
from gatekeeper.strict import render_json
from gatekeeper.values import Value

STEP_UP = "step-up"
PASSKEY = "passkey"
GOOD_FOR = 300
MOST_ITEMS = 100
_NONCE_BYTES = 32
_KEPT_FOR = 86_400
_DOMAIN = b"gatekeeper console challenge v1\n"


class Challenge(Value):
    """A list that waits to be confirmed. `items` are JSON objects, in the order in which they were shown."""

    id: str
    session: str
    subject: str
    purpose: str
    nonce: bytes
    items: tuple[Mapping[str, Any], ...]
    expires_at: int
    used_at: int | None
    outcome: tuple[Mapping[str, Any], ...]

    def to_sign(self) -> bytes:
        """Return the 32 bytes that a passkey signs."""
        return commitment(nonce=self.nonce, session=self.session, purpose=self.purpose, items=self.items)


def commitment(*, nonce: bytes, session: str, purpose: str, items: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the hash that stands for a nonce, a session, a purpose and a list; each part has a fixed length."""
    parts = (nonce, session.encode(), purpose.encode(), render_json(list(items)))
    return hashlib.sha256(_DOMAIN + b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def make_challenge(
    tx: Connection,
    *,
    session: str,
    subject: str,
    purpose: str,
    items: Sequence[Mapping[str, Any]],
    random_bytes: Callable[[int], bytes],
    now: int,
) -> Challenge:
    """Keep a list that is about to be shown. `session` and `subject` are ids.

    Raises:
        GatekeeperError: GK410, more than 100 items.
    """
    if len(items) > MOST_ITEMS:
        raise GatekeeperError(
            "GK410", f"At most {MOST_ITEMS} can be confirmed at once; these are {len(items)}."
        )
    made = {
        "id": "c_" + secrets.token_hex(16),
        "session": session,
        "subject": subject,
        "purpose": purpose,
        "nonce": random_bytes(_NONCE_BYTES),
        "items": [dict(sorted(item.items())) for item in items],
        "created_at": now,
        "expires_at": now + GOOD_FOR,
    }
    tx.execute(insert(challenges).values(**made))
    return find_challenge(tx, str(made["id"]), session=session)


def find_challenge(tx: Connection, challenge_id: str, *, session: str) -> Challenge:
    """Return a challenge of this session by an id that may be hostile, used and expired ones included.

    Raises:
        GatekeeperError: GK409, this session has none of that id.
    """
    of_session = (challenges.c.id == challenge_id) & (challenges.c.session == session)
    row = tx.execute(select(challenges).where(of_session)).one_or_none()
    if row is None:
        raise GatekeeperError("GK409", "There is nothing here to confirm: it is over, or somebody else's.")
    return _typed(row)


def use_challenge(tx: Connection, challenge_id: str, *, session: str, purpose: str, now: int) -> Challenge:
    """Use a challenge up, and return it.

    Raises:
        GatekeeperError: GK409, this session has none of that id and purpose; GK408, it was used, or is too old.
    """
    challenge = find_challenge(tx, challenge_id, session=session)
    if challenge.purpose != purpose:
        raise GatekeeperError("GK409", "There is nothing here to confirm.")
    unused = (
        (challenges.c.id == challenge.id) & challenges.c.used_at.is_(None) & (challenges.c.expires_at > now)
    )
    if tx.execute(update(challenges).where(unused).values(used_at=now)).rowcount != 1:
        raise GatekeeperError(
            "GK408", "This was confirmed already, or five minutes have passed. Begin again."
        )
    return challenge.replace(used_at=now)


def keep_outcome(tx: Connection, challenge_id: str, outcome: Sequence[Mapping[str, Any]]) -> None:
    """Write down what became of each item of a challenge that was used."""
    tx.execute(
        update(challenges)
        .where(challenges.c.id == challenge_id)
        .values(outcome=[dict(one) for one in outcome])
    )


def sweep_challenges(tx: Connection, now: int) -> int:
    """Forget challenges that ended a day ago; return how many."""
    return tx.execute(delete(challenges).where(challenges.c.expires_at <= now - _KEPT_FOR)).rowcount


def _typed(row: Row[Any]) -> Challenge:
    return Challenge(
        id=row.id,
        session=row.session,
        subject=row.subject,
        purpose=row.purpose,
        nonce=row.nonce,
        items=tuple(row.items),
        expires_at=row.expires_at,
        used_at=row.used_at,
        outcome=tuple(row.outcome or ()),
    )
