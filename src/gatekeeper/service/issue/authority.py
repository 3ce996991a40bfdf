"""What issuing needs and no single call brings: who signs, with which keys, under whose rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.strict import b64url_encode
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from gatekeeper.service.keys.signer import KeyRing, Keys
    from gatekeeper.service.policy.rules import Rules

_JTI_BYTES = 16
_root_ends = select(root_documents.c.expires_at).order_by(root_documents.c.version.desc()).limit(1)


class Authority(Value):
    """The issuer in every document, its signing keys by purpose, the policy's rules, and randomness."""

    issuer: str
    keys: Keys | KeyRing
    rules: Rules
    random_bytes: Callable[[int], bytes]

    def new_jti(self) -> str:
        """Return an id that no other document has."""
        return b64url_encode(self.random_bytes(_JTI_BYTES))


def root_expires_at(tx: Connection, *, now: int) -> int:
    """Return the end of the newest root document, which no document that it certifies outlives.

    Raises:
        GatekeeperError: GK504, it has ended (or there is none): whatever were signed now would not be believed.
    """
    ends: int | None = tx.execute(_root_ends).scalar_one_or_none()
    if ends is None or ends <= now:
        raise GatekeeperError(
            "GK504",
            "The service's root document has expired.",
            remedy="gatekeeper service keys reissue-root",
        )
    return ends
