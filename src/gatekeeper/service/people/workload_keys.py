"""The keys of the configured CI platforms, as one process knows them: fetched when needed, kept for an hour.

Only an issuer of the configuration is ever asked, at its own address or at the one that the configuration
names: nothing in a token says where keys are. An unknown `kid` (a rotation) sends for newer keys, once a minute
at most, so that made-up ones cost the platform nothing. A platform that is down leaves what is known in use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.people.workload_tokens import CiKey, parse_jwks, peek
from gatekeeper.strict import parse_object, text_of
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.people.workloads import CiIssuer

    Fetch = Callable[[str], Awaitable[bytes]]

KEEP_FOR = 3_600
USABLE_FOR = 24 * 3_600
LOOK_AGAIN_AFTER = 60
_RETRY_AFTER = 10
_MAX_BYTES = 1024 * 1024


class _Known(Value):
    """An issuer's keys, when they came, and when they were last asked for."""

    keys: tuple[CiKey, ...] = ()
    fetched_at: int = 0
    asked_at: int = 0


class WorkloadKeys:
    """The keys of `issuers`. `fetch` gets an address and raises `GatekeeperError` where that fails."""

    def __init__(self, issuers: tuple[CiIssuer, ...], fetch: Fetch) -> None:
        self.issuers = issuers
        self._fetch = fetch
        self._known: dict[str, _Known] = {}
        self._asking = asyncio.Lock()

    async def keys_for(self, token: str, *, now: int) -> tuple[CiKey, ...]:
        """Return the keys with which a hostile token may verify; none for one that no configured issuer made.

        Raises:
            GatekeeperError: GK603, the platform's keys can't be had now. The caller may come again.
        """
        try:
            seen = peek(token)
        except GatekeeperError:
            return ()
        ci = next((one for one in self.issuers if one.issuer == seen.issuer), None)
        if ci is None:
            return ()
        if self._is_due(ci, seen.kid, now):
            async with self._asking:
                if self._is_due(ci, seen.kid, now):  # whoever was first asked for all
                    await self._ask(ci, now)
        known = self._known[ci.issuer]
        if not known.keys:
            raise _unavailable(ci)
        return known.keys

    def _is_due(self, ci: CiIssuer, kid: str, now: int) -> bool:
        known = self._known.get(ci.issuer)
        if known is None:
            return True
        wait_for = LOOK_AGAIN_AFTER if known.keys else _RETRY_AFTER
        if 0 <= now - known.asked_at < wait_for:
            return False
        return not 0 <= now - known.fetched_at < KEEP_FOR or all(key.kid != kid for key in known.keys)

    async def _ask(self, ci: CiIssuer, now: int) -> None:
        known = self._known.get(ci.issuer, _Known())
        try:
            address = ci.jwks or await self._discovered(ci)
            keys = parse_jwks(await self._fetch(address), max_bytes=_MAX_BYTES)
        except (GatekeeperError, Malformed):
            stale = not 0 <= now - known.fetched_at < USABLE_FOR
            self._known[ci.issuer] = known.replace(asked_at=now, keys=() if stale else known.keys)
            return
        self._known[ci.issuer] = _Known(keys=keys, fetched_at=now, asked_at=now)

    async def _discovered(self, ci: CiIssuer) -> str:
        """Return where the issuer says that its keys are (OpenID Connect Discovery §4.3), on its own host.

        Raises:
            Malformed: the document is another issuer's, or points elsewhere.
        """
        body = await self._fetch(ci.issuer.rstrip("/") + "/.well-known/openid-configuration")
        members = parse_object(body, max_bytes=_MAX_BYTES)
        address = text_of(members, "jwks_uri")
        ours, named = urlsplit(ci.issuer), urlsplit(address)
        if members.get("issuer") != ci.issuer:
            raise Malformed("the discovery document is another issuer's")
        if (named.scheme, named.netloc) != (ours.scheme, ours.netloc):
            raise Malformed("its keys are elsewhere: name their address as jwks")
        return address


def _unavailable(ci: CiIssuer) -> GatekeeperError:
    return GatekeeperError(
        "GK603",
        f"The keys of {ci.issuer} can't be had now, so its token can't be checked.",
        facts={"status": 503, "error": "temporarily_unavailable", "retry_after": _RETRY_AFTER},
    )
