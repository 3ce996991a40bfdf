"""The company's identity provider, as one process knows it: its metadata, its keys, and codes redeemed there.

Everything is fetched from the configured issuer or from where its own metadata points, by the one way out. An
unknown `kid` (a rotation) sends for newer keys, once in 10 seconds at most, so that made-up tokens cost the provider
nothing; keys that are known stay in use for a day while it is down. Nothing of the provider is kept but what its
claims say: its access token serves for one call, and then is forgotten.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode, urlsplit

from gatekeeper.errors import Malformed
from gatekeeper.service import outbound
from gatekeeper.service.outbound import MAX_ANSWER_BYTES, Answer, NoAnswer, check_url
from gatekeeper.service.people.provider_settings import read_secret
from gatekeeper.service.people.provider_tokens import kid_of, not_accepted, parse_provider_keys
from gatekeeper.strict import optional_text, parse_object, text_of, texts_of
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.people.provider_settings import OidcSettings
    from gatekeeper.service.people.provider_tokens import ProviderKey

Send = Callable[..., Awaitable[Answer]]

KEEP_FOR = 3_600
USABLE_FOR = 24 * 3_600
LOOK_AGAIN_AFTER = 10
_MAX_CODE_CHARS = 4096
_FORM = "application/x-www-form-urlencoded"


class Metadata(Value):
    """What the provider says of itself (OpenID Connect Discovery §3, RFC 9207)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    says_issuer: bool
    secret_in_form: bool


class Redeemed(Value):
    """What a code gave: an unverified ID token, and the access token for the provider's userinfo."""

    id_token: str
    access_token: str


class Provider:
    """One provider. Errors are NoAnswer (GK605: down, or not to be understood) and GK207 (a sign-in that it refused)."""

    def __init__(self, settings: OidcSettings, send: Send = outbound.send) -> None:
        self.settings = settings
        self._send = send
        self._metadata: Metadata | None = None
        self._metadata_at = 0
        self._keys: tuple[ProviderKey, ...] = ()
        self._keys_at = 0
        self._asked_at: int | None = None
        self._asking = asyncio.Lock()

    async def metadata(self, *, now: int) -> Metadata:
        """Return the provider's metadata, an hour old at most; while it is down, what was known last.

        Raises:
            NoAnswer: there is none, or it is not this issuer's.
        """
        if self._metadata is None or not 0 <= now - self._metadata_at < KEEP_FOR:
            try:
                self._metadata = await self._discover()
                self._metadata_at = now
            except NoAnswer:
                if self._metadata is None or not 0 <= now - self._metadata_at < USABLE_FOR:
                    raise
        return self._metadata

    async def keys_for(self, token: str, *, now: int) -> tuple[ProviderKey, ...]:
        """Return the keys with which a hostile token may verify, newer ones where its key is unknown.

        Raises:
            NoAnswer: there are none, and they can't be had.
            GatekeeperError: GK207, the token breaks the profile.
        """
        kid = kid_of(token)
        if self._is_due(kid, now):
            async with self._asking:
                if self._is_due(kid, now):  # whoever was first asked for all
                    await self._ask(now)
        return self._keys

    async def redeem(self, code: str, *, verifier: str, redirect_uri: str, now: int) -> Redeemed:
        """Redeem a hostile code at the token endpoint (OpenID Connect Core §3.1.3).

        Raises:
            NoAnswer: the provider is down, or its answer can't be read. The code may be used up.
            GatekeeperError: GK207, it refuses the code; GK101, the client's secret can't be read.
        """
        if not code or len(code) > _MAX_CODE_CHARS:
            raise not_accepted("the provider's answer holds no code")
        metadata = await self.metadata(now=now)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"accept": "application/json", "content-type": _FORM}
        self._authenticate(form, headers, in_form=metadata.secret_in_form)
        url = metadata.token_endpoint
        answer = await self._send("POST", url, headers=headers, body=urlencode(form).encode("ascii"))
        if answer.status in (400, 401, 403):
            raise not_accepted(f"the provider refuses the code ({_error_of(answer.body)})")
        members = _members_of(answer, url)
        try:
            return Redeemed(
                id_token=text_of(members, "id_token", max_chars=MAX_ANSWER_BYTES),
                access_token=optional_text(members, "access_token", max_chars=MAX_ANSWER_BYTES),
            )
        except Malformed as error:
            raise NoAnswer(url, f"its answer can't be read: {error.reason}") from error

    async def userinfo(self, access_token: str, *, account: str, now: int) -> Mapping[str, object]:
        """Return the claims of the userinfo endpoint (Core §5.3), of this very account; none where there is none.

        Raises:
            NoAnswer: it is down, or its answer can't be read.
            GatekeeperError: GK207, they are another account's.
        """
        url = (await self.metadata(now=now)).userinfo_endpoint
        if not url or not access_token or not access_token.isascii() or not access_token.isprintable():
            return {}
        headers = {"accept": "application/json", "authorization": f"Bearer {access_token}"}
        members = _members_of(await self._send("GET", url, headers=headers), url)
        if members.get("sub") != account:
            raise not_accepted("the provider's userinfo is another account's")
        return members

    def _authenticate(self, form: dict[str, str], headers: dict[str, str], *, in_form: bool) -> None:
        secret = read_secret(self.settings)
        if secret and not in_form:
            pair = f"{quote_plus(self.settings.client_id)}:{quote_plus(secret)}"  # RFC 6749 §2.3.1
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode('ascii')}"
            return
        form["client_id"] = self.settings.client_id
        if secret:
            form["client_secret"] = secret

    def _is_due(self, kid: str, now: int) -> bool:
        if self._asked_at is not None and 0 <= now - self._asked_at < LOOK_AGAIN_AFTER and self._keys:
            return False
        return not 0 <= now - self._keys_at < KEEP_FOR or all(key.kid != kid for key in self._keys)

    async def _ask(self, now: int) -> None:
        self._asked_at = now
        try:
            keys = await self._published(now)
        except NoAnswer:
            if not self._keys or not 0 <= now - self._keys_at < USABLE_FOR:
                raise
            return
        self._keys, self._keys_at = keys, now

    async def _published(self, now: int) -> tuple[ProviderKey, ...]:
        url = (await self.metadata(now=now)).jwks_uri
        answer = await self._send("GET", url, headers={"accept": "application/json"})
        if answer.status != 200:
            raise NoAnswer(url, f"it answered with status {answer.status}")
        try:
            return parse_provider_keys(answer.body, max_bytes=MAX_ANSWER_BYTES)
        except Malformed as error:
            raise NoAnswer(url, f"its keys can't be read: {error.reason}") from error

    async def _discover(self) -> Metadata:
        issuer = self.settings.issuer
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        members = _members_of(await self._send("GET", url, headers={"accept": "application/json"}), url)
        if members.get("issuer") != issuer:
            raise NoAnswer(url, "it names another issuer than oidc.issuer of service.toml does")
        try:
            metadata = _metadata_of(members)
        except Malformed as error:
            raise NoAnswer(url, f"its metadata can't be used: {error.reason}") from error
        check_url(metadata.authorization_endpoint)  # a browser is sent there
        if urlsplit(metadata.authorization_endpoint).fragment:
            raise NoAnswer(url, "its metadata can't be used: an address holds a fragment")
        return metadata


def _metadata_of(members: Mapping[str, object]) -> Metadata:
    """Read the metadata of a hostile document. Raises `Malformed`."""
    methods = texts_of(members, "token_endpoint_auth_methods_supported") or ("client_secret_basic",)
    return Metadata(
        authorization_endpoint=text_of(members, "authorization_endpoint"),
        token_endpoint=text_of(members, "token_endpoint"),
        jwks_uri=text_of(members, "jwks_uri"),
        userinfo_endpoint=optional_text(members, "userinfo_endpoint"),
        says_issuer=members.get("authorization_response_iss_parameter_supported") is True,
        secret_in_form="client_secret_basic" not in methods,
    )


def _members_of(answer: Answer, url: str) -> dict[str, object]:
    if answer.status != 200:
        raise NoAnswer(url, f"it answered with status {answer.status}")
    try:
        return parse_object(answer.body, max_bytes=MAX_ANSWER_BYTES)
    except Malformed as error:
        raise NoAnswer(url, f"its answer can't be read: {error.reason}") from error


def _error_of(body: bytes) -> str:
    """Return the error's name in a hostile answer, where it is one."""
    try:
        return error_name(text_of(parse_object(body, max_bytes=MAX_ANSWER_BYTES), "error"))
    except Malformed:
        return "without saying why"


def error_name(text: str) -> str:
    """Return a hostile error name of RFC 6749 §4.1.2.1 where it looks like one."""
    plain = text.isascii() and text.replace("_", "").isalnum() and len(text) <= 64
    return text if plain else "an unknown error"
