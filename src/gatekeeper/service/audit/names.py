"""Names and free text beside the log: a leaf holds a salted hash, this table what it stands for.

Erasing a row breaks nothing: the hash stays in the leaf, and without its salt nobody can try names against it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select

from gatekeeper.documents.audit_entry import SALT_BYTES, salted_hash
from gatekeeper.service.store.tables.audit import audit_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

_HASH_CHARS = 43
_IDS = ("u_", "d_", "w_")


def hashed_actor(tx: Connection, actor: str) -> str:
    """Return an actor as a leaf may hold it: the name in `METHOD:<name>` becomes its salted hash, an id stays."""
    method, colon, name = actor.partition(":")
    if not colon or name.startswith(_IDS) or not name:
        return actor
    known = tx.execute(
        select(audit_names.c.hash).where(audit_names.c.text == name, audit_names.c.subject == "").limit(1)
    ).scalar_one_or_none()
    return f"{method}:{known or keep_text(tx, name)}"


def keep_text(tx: Connection, text: str, *, subject: str = "") -> str:
    """Keep a text that a leaf is to hold as a hash, and return the hash. `subject` is whose text it is."""
    salt = secrets.token_bytes(SALT_BYTES)
    made = salted_hash(salt, text)
    tx.execute(insert(audit_names).values(hash=made, salt=salt, text=text, subject=subject))
    return made


def texts_of(tx: Connection, hashes: Iterable[str]) -> dict[str, tuple[bytes, str]]:
    """Return salt and text of each hash that still has them."""
    wanted = sorted(set(hashes))
    found: dict[str, tuple[bytes, str]] = {}
    for at in range(0, len(wanted), 500):
        rows = tx.execute(select(audit_names).where(audit_names.c.hash.in_(wanted[at : at + 500])))
        found.update({row.hash: (bytes(row.salt), row.text) for row in rows})
    return found


def erase_texts(tx: Connection, *, subject: str, name: str) -> int:
    """Forget every text of a subject, and the subject's name wherever it stands; return how many went."""
    gone = delete(audit_names).where(or_(audit_names.c.subject == subject, audit_names.c.text == name))
    return tx.execute(gone).rowcount


def hash_of_actor(actor: str) -> str:
    """Return the salted hash in an actor, "" where there is none."""
    _, colon, rest = actor.partition(":")
    return rest if colon and len(rest) == _HASH_CHARS else ""


def named_actor(actor: str, texts: dict[str, tuple[bytes, str]]) -> str:
    """Return the actor with its name, as far as that is still known."""
    found = texts.get(hash_of_actor(actor))
    return f"{actor.partition(':')[0]}:{found[1]}" if found is not None else actor
