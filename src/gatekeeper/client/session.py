"""A signed-in conversation with the service: DPoP proofs, server nonces, access tokens.

Access tokens live in this object alone. The nonce is kept in the state, so that the first call of the next
process needs no challenge. An answer that the sign-in is over deletes every launch token before anybody hears
of it; what other refusals cost is for `renew`.
"""

from __future__ import annotations

import secrets
from time import monotonic
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode

from gatekeeper.client.answers import check_reply, new_nonce, read_body, unreadable, wants_nonce
from gatekeeper.client.ci import exchange_form, fetch_id_token, job_name, job_of, missing_token
from gatekeeper.client.credentials import (
    JOB,
    PROMPT_FOR,
    UNATTENDED_FOR,
    Credential,
    KeyringSilent,
    load_credential,
    save_credential,
)
from gatekeeper.client.http import Http
from gatekeeper.client.service_errors import ServiceRefused
from gatekeeper.documents.api import parse_token_answer
from gatekeeper.documents.launch_token import CLIENT_ID
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import parse_object, render_json
from gatekeeper.trust.dpop import make_proof
from gatekeeper.trust.sign import SigningKey
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.keeping import load_backoff, load_nonce, remove_tokens, save_backoff, save_nonce
from gatekeeper.workstation.state import load_device, profile_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.client.http import Reply
    from gatekeeper.documents.api import TokenAnswer
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World

TOKEN_PATH = "/oauth/token"  # noqa: S105 - an address
REVOKE_PATH = "/oauth/revoke"
DEVICE_PATH = "/oauth/device_authorization"
USUAL_TIMEOUT = 10.0
_EARLY = 30  # seconds before its end in which an access token is not used any more


class _Outgoing(Value):
    """One call before its proof: every attempt needs another. `access` is an access token, "" without."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    access: str
    timeout: float | None

    def __repr__(self) -> str:
        return f"_Outgoing({self.method} {self.path})"


class Session:
    """Calls as one device. `credential` may lack its refresh token while signing in."""

    def __init__(self, settings: Settings, world: World, http: Http, credential: Credential) -> None:
        """Prepare calls. GatekeeperError GK201 where the credential's key can't be used."""
        self.settings = settings
        self.world = world
        self.http = http
        self.credential = credential
        self.directory = profile_directory(settings.state_directory, settings.profile)
        self.key = key_of(credential.device_key_jwk)
        self._nonce = load_nonce(world, self.directory)
        self._access = ""
        self._access_until = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Make one call of the API, signed in.

        Raises:
            ServiceRefused: the service answered with a code.
            ServiceUnreachable: no answer that can be used.
            GatekeeperError: GK701, launch tokens that must go can't be deleted.
        """
        sent = dict(headers or {})
        data = None
        if body is not None:
            data, sent["Content-Type"] = render_json(dict(body)), "application/json"
        fresh = self._renew_access()
        outgoing = _Outgoing(
            method=method, path=path, headers=sent, body=data, access=self._access, timeout=timeout
        )
        try:
            return check_reply(self._send(outgoing), service=self.settings.service)
        except ServiceRefused as refusal:
            # An access token ends early where the service was restored or its store was cleared; a sign-in
            # that is over says so at the token endpoint, too.
            if refusal.code != "GK201" or fresh:
                self._forget_if_over(refusal)
                raise
        self._access = ""
        self._renew_access()
        again = outgoing.replace(access=self._access)
        try:
            return check_reply(self._send(again), service=self.settings.service)
        except ServiceRefused as refusal:
            self._forget_if_over(refusal)
            raise

    def token(self, form: Mapping[str, str], *, timeout: float | None = None) -> TokenAnswer:
        """Ask the token endpoint (RFC 6749 §3.2), as the public client. Errors as `call`."""
        reply = self._post_form(TOKEN_PATH, form, timeout)
        return read_body(reply, parse_token_answer, service=self.settings.service)

    def refresh(self, form: Mapping[str, str], *, timeout: float | None = None) -> TokenAnswer:
        """Ask the token endpoint with the refresh token, or as a CI job with its platform's token. Errors as `call`."""
        job = job_of(self.world.environment()) if self.settings.credential_store == JOB else None
        if job is not None:
            given = exchange_form(fetch_id_token(job, audience=self.settings.service), form)
        else:
            given = {"grant_type": "refresh_token", "refresh_token": self.credential.refresh_token, **form}
        try:
            return self.token(given, timeout=timeout)
        except ServiceRefused as refusal:
            self._forget_if_over(refusal)
            raise

    def ask_for_device_code(self, form: Mapping[str, str]) -> Reply:
        """Begin a sign-in that is confirmed elsewhere (RFC 8628 §3.1). Errors as `call`."""
        return self._post_form(DEVICE_PATH, form, None)

    def revoke(self, *, timeout: float | None = None) -> None:
        """Give the refresh token back (RFC 7009). Errors as `call`."""
        form = {"token": self.credential.refresh_token, "token_type_hint": "refresh_token"}
        self._post_form(REVOKE_PATH, form, timeout)

    def _post_form(self, path: str, form: Mapping[str, str], timeout: float | None) -> Reply:
        outgoing = _Outgoing(
            method="POST",
            path=path,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode({"client_id": CLIENT_ID, **form}).encode("ascii"),
            access="",
            timeout=timeout,
        )
        return check_reply(self._send(outgoing), service=self.settings.service)

    def _forget_if_over(self, refusal: ServiceRefused) -> None:
        if refusal.code.startswith("GK2"):
            remove_tokens(self.world, self.directory, "")

    def _renew_access(self) -> bool:
        """Have an access token; say whether it was issued just now."""
        if self._access and monotonic() < self._access_until:
            return False
        answer = self.refresh({})
        token = answer.access_token
        if answer.token_type.lower() != "dpop" or not _is_header_text(token):
            # A bearer token would be of use to whoever reads it on the way (RFC 9449 §5).
            raise unreadable(self.settings.service, "its access token isn't bound to this device")
        self._access = token
        self._access_until = monotonic() + max(0, answer.expires_in - _EARLY)
        return True

    def _send(self, outgoing: _Outgoing) -> Reply:
        reply = self._send_once(outgoing)
        if wants_nonce(reply):
            # Once: a service that asks again and again would hold a launch for ever.
            reply = self._send_once(outgoing)
        return reply

    def _send_once(self, outgoing: _Outgoing) -> Reply:
        proof = make_proof(
            self.key,
            method=outgoing.method,
            url=self.settings.service + outgoing.path,
            now=self.world.now(),
            jti=secrets.token_urlsafe(16),
            nonce=self._nonce,
            access_token=outgoing.access,
        )
        sent = {"Accept": "application/json", **outgoing.headers, "DPoP": proof}
        if outgoing.access:
            sent["Authorization"] = f"DPoP {outgoing.access}"
        reply = self.http.send(
            outgoing.method, outgoing.path, headers=sent, body=outgoing.body, timeout=outgoing.timeout
        )
        self._note(reply)
        return reply

    def _note(self, reply: Reply) -> None:
        """Keep what an answer says about the next call. A disk that refuses costs a challenge, no more."""
        nonce = new_nonce(reply)
        try:
            if nonce and nonce != self._nonce:
                self._nonce = nonce
                save_nonce(self.world, self.directory, nonce)
            if reply.status < 429 and nonce and load_backoff(self.world, self.directory):
                save_backoff(self.world, self.directory, 0)  # the service is back, whoever found out
        except GatekeeperError:
            return


def open_session(world: World, settings: Settings, *, timeout: float = USUAL_TIMEOUT) -> Session:
    """Return a session of the person who is signed in here, for a command that they typed.

    Raises:
        GatekeeperError: GK201, nobody is signed in; GK101, no service is configured, or the certificates can't
            be used; GK106, there is no home.
        KeyringSilent: the keyring is locked, slow or broken (GK601).
    """
    http = open_http(settings, timeout=timeout)
    credential = find_credential(world, settings, prompt_for=prompt_time(world, settings))
    if credential is None or not is_signed_in(credential, settings):
        raise GatekeeperError("GK201", missing_token(world.environment()) or "Nobody is signed in here.")
    return Session(settings, world, http, credential)


def find_credential(world: World, settings: Settings, *, prompt_for: float) -> Credential | None:
    """Return the credential, or None where nobody signed in. A CI job signs in here by itself.

    Raises:
        KeyringSilent: somebody signed in and no keyring answers.
        ServiceRefused, ServiceUnreachable: a job's token was refused, or nobody answers.
    """
    if settings.credential_store == JOB:
        return _job_credential(world, settings)
    try:
        return load_credential(world, settings, prompt_for=prompt_for)
    except KeyringSilent as silent:
        # Without a keyring and without a device there was never a sign-in.
        directory = profile_directory(settings.state_directory, settings.profile)
        if silent.missing and isinstance(load_device(world, directory), Absent):
            return None
        raise


def is_signed_in(credential: Credential | None, settings: Settings) -> bool:
    """Say whether a credential signs in: by its refresh token, or as a CI job's."""
    return credential is not None and (bool(credential.refresh_token) or settings.credential_store == JOB)


def _job_credential(world: World, settings: Settings) -> Credential:
    """Return the job's credential: a key made once a job, and whose workload the service says that it is."""
    kept = load_credential(world, settings)
    if kept is not None and kept.subject and kept.device:
        return kept
    key = render_json(SigningKey.generate().private_jwk()).decode("ascii")
    made = Credential(issuer=settings.service, device_key_jwk=key)
    with open_http(settings, timeout=USUAL_TIMEOUT) as http:
        answer = Session(settings, world, http, made).refresh({})
    if not (answer.subject and answer.device):
        raise unreadable(settings.service, "it answered a CI job without a sign-in")
    device_name = job_name(world.environment())
    signed_in = made.replace(
        subject=answer.subject, name=answer.name, device=answer.device, device_name=device_name
    )
    save_credential(world, settings, signed_in)
    return signed_in


def open_http(settings: Settings, *, timeout: float) -> Http:
    """Return the way to the configured service. GatekeeperError GK101 where none is configured."""
    if not settings.service:
        raise GatekeeperError(
            "GK101",
            "No service is configured.",
            remedy="set service in the file that gatekeeper config path names",
        )
    return Http(settings.service, ca_bundle=settings.ca_bundle, timeout=timeout)


def prompt_time(world: World, settings: Settings) -> float:
    """Return how long the keyring may take: long enough to ask its owner, where somebody is there."""
    attended = not settings.no_input and world.is_terminal(0) and world.is_terminal(2)
    return PROMPT_FOR if attended else UNATTENDED_FOR


def key_of(jwk: str) -> SigningKey:
    """Read a private key of the credential. GatekeeperError GK201 where it is damaged."""
    try:
        return SigningKey.from_jwk(parse_object(jwk.encode(), max_bytes=4096))
    except Malformed as error:
        raise GatekeeperError("GK201", f"The credential kept here is damaged: {error.reason}.") from error


def _is_header_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
