"""Sign-ins at the identity provider that are under way: from the way there until the way back.

Each has a `state` that works once, in the browser that began it, for ten minutes. Its nonce and its PKCE verifier
are derived from that browser's cookie and the state, so that nothing here is of use to whoever reads the store.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, select, update

from gatekeeper.service.people.provider_tokens import not_accepted
from gatekeeper.service.store.tables.sign_ins import provider_sign_ins
from gatekeeper.strict import b64url_encode
from gatekeeper.values import Value

GOOD_FOR = 600
_BYTES = 32
_KEEP_FOR = 3_600


class UnderWay(Value):
    """A sign-in under way; `max_age` is what was asked of the provider, in seconds."""

    state: str
    nonce: str
    verifier: str
    next: str
    max_age: int | None

    def challenge(self) -> str:
        """Return the PKCE challenge (RFC 7636 §4.2, S256)."""
        return b64url_encode(hashlib.sha256(self.verifier.encode("ascii")).digest())


def begin_sign_in(
    tx: Connection,
    *,
    browser: str,
    next_path: str,
    max_age: int | None,
    random_bytes: Callable[[int], bytes],
    now: int,
) -> UnderWay:
    """Begin a sign-in in the browser whose secret cookie is `browser`; `next_path` is one of ours."""
    state = b64url_encode(random_bytes(_BYTES))
    tx.execute(
        insert(provider_sign_ins).values(
            state_hash=_digest(state),
            browser_hash=_digest(browser),
            next=next_path,
            max_age=max_age,
            created_at=now,
            expires_at=now + GOOD_FOR,
        )
    )
    return _derived(state, browser, next_path, max_age)


def take_sign_in(tx: Connection, *, state: str, browser: str, now: int) -> UnderWay:
    """Use up the sign-in of a hostile `state` and cookie.

    Raises:
        GatekeeperError: GK207, this browser began none, or it was used, or it is too old.
    """
    row = tx.execute(
        select(provider_sign_ins).where(provider_sign_ins.c.state_hash == _digest(state))
    ).one_or_none()
    if row is None or not browser or not hmac.compare_digest(row.browser_hash, _digest(browser)):
        raise not_accepted("it was not begun in this browser", remedy="Begin again on the sign-in page.")
    unused = (provider_sign_ins.c.state_hash == row.state_hash) & provider_sign_ins.c.used_at.is_(None)
    taken = tx.execute(update(provider_sign_ins).where(unused).values(used_at=now)).rowcount
    if taken != 1 or now >= row.expires_at:
        raise not_accepted(
            "it was used before, or ten minutes have passed", remedy="Begin again on the sign-in page."
        )
    return _derived(state, browser, row.next, row.max_age)


def sweep_provider_sign_ins(tx: Connection, now: int) -> int:
    """Forget sign-ins that ended an hour ago; return how many."""
    return tx.execute(
        delete(provider_sign_ins).where(provider_sign_ins.c.expires_at <= now - _KEEP_FOR)
    ).rowcount


def _derived(state: str, browser: str, next_path: str, max_age: int | None) -> UnderWay:
    def of(purpose: str) -> str:
        message = f"gatekeeper sign-in {purpose} 1\0{state}".encode()
        return b64url_encode(hmac.new(browser.encode(), message, hashlib.sha256).digest())

    return UnderWay(state=state, nonce=of("nonce"), verifier=of("verifier"), next=next_path, max_age=max_age)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
