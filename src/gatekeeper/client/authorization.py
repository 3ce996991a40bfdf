"""Sign in with a browser: an authorization code (RFC 6749, RFC 7636, RFC 8252), or a typed one (RFC 8628).

The order is the safety: the root document is verified to the pins before a browser is sent anywhere, and the device
key is made before it, so that the code is bound to it (`dpop_jkt`) and of no use to whoever sees it. What stood
here before stays until the new sign-in holds. No turn is held while people think: launches renew meanwhile.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from gatekeeper.client.answers import read_body
from gatekeeper.client.credentials import Credential, KeyringSilent, load_credential, save_credential
from gatekeeper.client.root import refresh_root, require_current
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.client.session import USUAL_TIMEOUT, Session, open_http, prompt_time
from gatekeeper.client.signin import SignedIn, finish
from gatekeeper.client.turn import own_turn
from gatekeeper.documents.api import Problem
from gatekeeper.documents.launch_token import CLIENT_ID
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import b64url_encode, integer_of, optional_text, parse_object, render_json, text_of
from gatekeeper.trust.sign import SigningKey
from gatekeeper.values import Value
from gatekeeper.workstation.state import profile_directory

if TYPE_CHECKING:
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World

METADATA = "/.well-known/oauth-authorization-server"
CODE_PAGE = "/oauth/code"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
BROWSER, CODE = "browser", "code"
_SECRET_BYTES = 32
_MAX_CODE_CHARS = 256
_MAX_METADATA_BYTES = 64 * 1024
_LONGEST_WAIT = 120  # seconds between two polls, whatever the service says


class Question(Value):
    """What a browser is sent to ask. `state` and `jkt` bind the answer to this attempt and this key."""

    service: str
    device_name: str
    challenge: str
    jkt: str
    state: str

    def url(self, redirect_uri: str) -> str:
        """Return the address to open, which sends the browser on to `redirect_uri`."""
        asked = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": redirect_uri,
            "state": self.state,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            "dpop_jkt": self.jkt,
            "device_name": self.device_name,
        }
        return f"{self.service}/oauth/authorize?{urlencode(asked)}"

    def code_of(self, answer: Mapping[str, str]) -> str:
        """Return the code in a hostile answer that reached the redirect address.

        Raises:
            GatekeeperError: GK207, it is a refusal, or of another attempt or another service (RFC 9207).
        """
        if not secrets.compare_digest(answer.get("state", "").encode(), self.state.encode()):
            raise GatekeeperError("GK207", "The browser's answer is of another sign-in.")
        if answer.get("iss") != self.service:
            raise GatekeeperError("GK207", "The browser's answer doesn't come from the configured service.")
        if "error" in answer or not answer.get("code"):
            raise GatekeeperError("GK207", "The sign-in was refused in the browser.")
        return answer["code"]


class DeviceCode(Value):
    """What to show, so that somebody confirms it elsewhere: a code, and the page where it is typed."""

    user_code: str
    page: str
    expires_in: int


def usual_sign_in(settings: Settings) -> str:
    """Return how people sign in here, as the service's metadata says; a hint, so anything unreadable is a code.

    Raises:
        ServiceUnreachable: no answer.
    """
    with open_http(settings, timeout=USUAL_TIMEOUT) as http:
        reply = http.send("GET", METADATA)
    try:
        members = parse_object(reply.body, max_bytes=_MAX_METADATA_BYTES)
        return BROWSER if optional_text(members, "gatekeeper_sign_in") == BROWSER else CODE
    except Malformed:
        return CODE


def sign_in_by_browser(
    world: World, settings: Settings, *, device_name: str, ask: Callable[[Question], tuple[str, str]]
) -> SignedIn:
    """Sign in with the code that `ask` gets, for the redirect address that it says; keep it in place of any before.

    Raises:
        TrustError: what the service offers doesn't hold to the pins; no browser was sent anywhere.
        ServiceRefused: GK203, the code; what was here stays.
        ServiceUnreachable, GatekeeperError: as `sign_in_with_code`, and what `ask` raises.
    """
    key = _new_key(world, settings, device_name)
    verifier = secrets.token_urlsafe(_SECRET_BYTES)
    question = Question(
        service=settings.service,
        device_name=device_name,
        challenge=b64url_encode(sha256(verifier.encode("ascii")).digest()),
        jkt=key.kid,
        state=secrets.token_urlsafe(_SECRET_BYTES),
    )
    code, redirect_uri = ask(question)
    code = code.strip()
    if not code or not code.isascii() or len(code) > _MAX_CODE_CHARS:
        raise GatekeeperError("GK203", "This can be no code of this service.", remedy="gatekeeper login")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return _redeem(world, settings, key, form, device_name=device_name)


def sign_in_by_device_code(
    world: World,
    settings: Settings,
    *,
    device_name: str,
    show: Callable[[DeviceCode], None],
    pause: Callable[[float], None],
) -> SignedIn:
    """Sign in once somebody confirmed the code that `show` is given; `pause` waits between two questions.

    Raises:
        TrustError: what the service offers doesn't hold to the pins.
        ServiceRefused: GK207, it was refused, or the organisation doesn't allow it; GK203, nobody confirmed it.
        ServiceUnreachable, GatekeeperError: as `sign_in_with_code`.
    """
    key = _new_key(world, settings, device_name)
    with open_http(settings, timeout=USUAL_TIMEOUT) as http:
        session = Session(settings, world, http, _pending(settings, key))
        reply = session.ask_for_device_code({"device_name": device_name})
    asked = read_body(reply, _parse_object, service=settings.service)
    try:
        device_code = text_of(asked, "device_code")
        wait, expires_in = min(integer_of(asked, "interval"), _LONGEST_WAIT), integer_of(asked, "expires_in")
        page, user_code = text_of(asked, "verification_uri"), text_of(asked, "user_code")
    except Malformed as error:
        raise ServiceUnreachable("GK602", f"What answers can't be read: {error.reason}.") from error
    if page.startswith(settings.service + "/"):
        show(DeviceCode(user_code=user_code, page=page, expires_in=expires_in))
    else:
        raise ServiceUnreachable("GK602", "What answers sends people to another address than the service's.")
    left = expires_in
    while True:
        pause(wait)
        left -= wait
        try:
            form = {"grant_type": DEVICE_GRANT, "device_code": device_code}
            return _redeem(world, settings, key, form, device_name=device_name)
        except ServiceRefused as refusal:
            if refusal.code != "GK208" or left <= 0:
                raise
            wait = _next_wait(refusal, wait)


def _parse_object(body: bytes) -> dict[str, object]:
    """Read a JSON object of an answer. Raises `Malformed`."""
    return parse_object(body, max_bytes=_MAX_METADATA_BYTES)


def _next_wait(refusal: ServiceRefused, wait: int) -> int:
    """Return how long to wait before the next question (RFC 8628 §3.5: five seconds more after slow_down)."""
    problem = refusal.facts.get("problem")
    if not isinstance(problem, Problem):
        return wait
    slower = wait + 5 if problem.error == "slow_down" else wait
    return min(max(slower, problem.retry_after or 0), _LONGEST_WAIT)


def _new_key(world: World, settings: Settings, device_name: str) -> SigningKey:
    """Make a device key, once the service holds to the pins. Raises as `sign_in_by_browser`."""
    if not device_name or len(device_name) > 128:
        raise GatekeeperError("GK100", "A device name of at most 128 characters is needed.")
    directory = profile_directory(settings.state_directory, settings.profile)
    with open_http(settings, timeout=USUAL_TIMEOUT) as http, own_turn(world, directory):
        now = world.now()
        require_current(refresh_root(world, settings, http, directory, now=now, force=True), now=now)
    return SigningKey.generate()


def _redeem(
    world: World, settings: Settings, key: SigningKey, form: Mapping[str, str], *, device_name: str
) -> SignedIn:
    """Redeem what a browser got, and keep what comes of it."""
    directory = profile_directory(settings.state_directory, settings.profile)
    with open_http(settings, timeout=USUAL_TIMEOUT) as http, own_turn(world, directory):
        now = world.now()
        root = require_current(refresh_root(world, settings, http, directory, now=now), now=now)
        session = Session(settings, world, http, _pending(settings, key))
        _check_place(world, settings, session.credential)
        answer = session.token(form)
        if not (answer.refresh_token and answer.subject and answer.device):
            raise ServiceUnreachable("GK602", f"{settings.service} answered without a sign-in.")
        credential = session.credential.replace(pending_jwk=session.credential.device_key_jwk)
        return finish(world, settings, http, root, credential, answer, device_name=device_name, now=now)


def _pending(settings: Settings, key: SigningKey) -> Credential:
    """Return a credential that has a key and nothing else."""
    return Credential(issuer=settings.service, device_key_jwk=render_json(key.private_jwk()).decode("ascii"))


def _check_place(world: World, settings: Settings, credential: Credential) -> None:
    """Make certain that there is a place for the key before the code is used up. Raises `GatekeeperError` GK205."""
    prompt_for = prompt_time(world, settings)
    try:
        standing = load_credential(world, settings, prompt_for=prompt_for)
    except KeyringSilent:
        standing = None  # saving says whether there is another place
    kept = standing or Credential(issuer=settings.service)
    kept = kept.replace(pending_jwk=credential.device_key_jwk, pending_code="", pending_at=world.now())
    save_credential(world, settings, kept, prompt_for=prompt_for)
