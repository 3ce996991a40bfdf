"""Sign in with a one-time code, and sign out.

The order is the safety: the root document is verified to the pins before the code is sent, so that no other
service learns it; the device key is stored before the code is sent, so that a lost answer can be had again
with the same key; and what stood here before stays until the new sign-in holds.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gatekeeper.client.catalogue import ASKED, refresh_catalogue
from gatekeeper.client.credentials import (
    Credential,
    KeyringSilent,
    Stored,
    delete_credential,
    load_credential,
    save_credential,
)
from gatekeeper.client.requests import me
from gatekeeper.client.root import refresh_root, require_current
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.client.session import USUAL_TIMEOUT, Session, find_credential, key_of, open_http, prompt_time
from gatekeeper.client.turn import own_turn
from gatekeeper.documents.api import Problem
from gatekeeper.errors import GatekeeperError, TrustError
from gatekeeper.strict import b64url_encode, render_json
from gatekeeper.trust.sign import SigningKey
from gatekeeper.values import Value
from gatekeeper.workstation.keeping import (
    remove_catalogue,
    remove_device,
    remove_record,
    remove_tokens,
    save_backoff,
    save_device,
)
from gatekeeper.workstation.state import DeviceState, device_mark, profile_directory, save_high_water

if TYPE_CHECKING:
    from gatekeeper.client.http import Http
    from gatekeeper.documents.api import TokenAnswer
    from gatekeeper.trust.chain import TrustedRoot
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World

INVITE = "urn:gatekeeper:grant-type:invite"
NONCE = "nonce.json"
REPEAT_WITHIN = 600  # seconds in which the service gives the same key the same device again


class SignedIn(Value):
    """Who is signed in now, on which device, and where the credential stands.

    `stored` is None where the credential stays where it was. `catalogue_missing` says why the catalogue could not be had yet, "" where it was.
    """

    subject: str
    name: str
    device: str
    device_name: str
    service: str
    stored: Stored | None
    catalogue_missing: str = ""


class SignedOut(Value):
    """What is forgotten. `revoked` says whether the service ended the sign-in, `why` why it could not be asked."""

    revoked: bool
    why: str = ""


def sign_in_with_code(world: World, settings: Settings, *, code: str, device_name: str) -> SignedIn:
    """Redeem a one-time code: enrol this device, keep its credential and make its state, in place of any before.

    Raises:
        TrustError: what the service offers doesn't hold to the pins; the code was not sent.
        ServiceRefused: GK203 or GK206, the code; what was here stays.
        ServiceUnreachable: no usable answer; with the same code it can be repeated for ten minutes.
        GatekeeperError: GK100 an unusable code or name, GK203 what can be no code, GK101, GK104 configuration, GK205 no place for the
            credential, GK106, GK701 the disk.
    """
    code, device_name = code.strip(), device_name.strip()
    if not code or not device_name or len(code) > 256 or len(device_name) > 128:
        raise GatekeeperError(
            "GK100", "A one-time code and a device name of at most 128 characters are needed."
        )
    if not code.isascii():
        raise GatekeeperError("GK203", "The code holds characters that no code has.")
    directory = profile_directory(settings.state_directory, settings.profile)
    with open_http(settings, timeout=USUAL_TIMEOUT) as http, own_turn(world, directory):
        now = world.now()
        root = refresh_root(world, settings, http, directory, now=now, force=True)
        require_current(root, now=now)
        prompt_for = prompt_time(world, settings)
        credential = _with_pending_key(world, settings, code=code, now=now, prompt_for=prompt_for)
        answer = _redeem(world, settings, http, credential, code=code, device_name=device_name)
        return finish(world, settings, http, root, credential, answer, device_name=device_name, now=now)


def finish(  # noqa: PLR0917 - what a sign-in is made of
    world: World,
    settings: Settings,
    http: Http,
    root: TrustedRoot,
    credential: Credential,
    answer: TokenAnswer,
    *,
    device_name: str,
    now: int,
) -> SignedIn:
    """Keep what the service gave for the pending key of `credential`, and make the state. In the own turn alone.

    Raises:
        GatekeeperError: as `sign_in_with_code`; what was here may be gone.
    """
    directory = profile_directory(settings.state_directory, settings.profile)
    signed_in = Credential(
        issuer=settings.service,
        device_key_jwk=credential.pending_jwk,
        refresh_token=answer.refresh_token,
        subject=answer.subject,
        name=answer.name,
        device=answer.device,
        device_name=device_name,
        # Should the state not be writable now, the same code must find this very key again.
        pending_code=credential.pending_code,
        pending_at=credential.pending_at,
    )
    stored = save_credential(world, settings, signed_in, prompt_for=prompt_time(world, settings))
    session = Session(settings, world, http, signed_in)
    _make_state(world, directory, session)
    missing = _first_catalogue(session, root, now=now)
    return SignedIn(
        subject=answer.subject,
        name=answer.name,
        device=answer.device,
        device_name=device_name,
        service=settings.service,
        stored=stored,
        catalogue_missing=missing,
    )


def sign_in_again(world: World, settings: Settings) -> SignedIn | None:
    """Bind this state to this device anew with the credential that is kept; None where none is, or it is over.

    For a state that was copied, moved or damaged: whoever holds the device key needs no second code.

    Raises:
        TrustError, ServiceUnreachable, GatekeeperError: as `sign_in_with_code`; what was here stays.
    """
    directory = profile_directory(settings.state_directory, settings.profile)
    with open_http(settings, timeout=USUAL_TIMEOUT) as http, own_turn(world, directory):
        try:
            credential = find_credential(world, settings, prompt_for=prompt_time(world, settings))
        except KeyringSilent:
            return None
        if credential is None or not credential.refresh_token:
            return None
        now = world.now()
        root = refresh_root(world, settings, http, directory, now=now, force=True)
        require_current(root, now=now)
        session = Session(settings, world, http, credential)
        try:
            me(session)
        except ServiceRefused:
            return None
        _make_state(world, directory, session)
        missing = _first_catalogue(session, root, now=now)
    return SignedIn(
        subject=credential.subject,
        name=credential.name,
        device=credential.device,
        device_name=credential.device_name,
        service=settings.service,
        stored=None,
        catalogue_missing=missing,
    )


def sign_out(world: World, settings: Settings) -> SignedOut:
    """End the sign-in, as far as the service can be reached, and forget the credential and what was built on it.

    The chain of root documents stays: it is not personal, and forgetting it would forget its version.

    Raises:
        KeyringSilent: the keyring may still hold the credential; the launch tokens are gone already.
        GatekeeperError: GK701, something can't be deleted; GK106.
    """
    directory = profile_directory(settings.state_directory, settings.profile)
    with own_turn(world, directory):
        _forget_state(world, directory)
        prompt_for = prompt_time(world, settings)
        credential = find_credential(world, settings, prompt_for=prompt_for)
        outcome = SignedOut(revoked=False, why="nobody was signed in")
        if credential is not None and credential.refresh_token:
            outcome = _revoke(world, settings, credential)
        delete_credential(world, settings, prompt_for=prompt_for)
        remove_record(world, f"{directory}/{NONCE}")
    return outcome


def _with_pending_key(
    world: World, settings: Settings, *, code: str, now: int, prompt_for: float
) -> Credential:
    """Store the key that the code will be sent with, beside the credential in use. The same code has the same key."""
    try:
        standing = load_credential(world, settings, prompt_for=prompt_for)
    except KeyringSilent:
        standing = None  # saving says whether there is another place
    mark = b64url_encode(sha256(f"gatekeeper code 1\0{code}".encode()).digest()[:16])
    credential = standing or Credential(issuer=settings.service)
    fresh = 0 <= now - credential.pending_at < REPEAT_WITHIN
    key = credential.pending_jwk or credential.device_key_jwk
    if key and credential.pending_code == mark and fresh:
        return credential.replace(pending_jwk=key)
    key = render_json(SigningKey.generate().private_jwk()).decode("ascii")
    credential = credential.replace(pending_jwk=key, pending_code=mark, pending_at=now)
    save_credential(world, settings, credential, prompt_for=prompt_for)
    return credential


def _redeem(
    world: World, settings: Settings, http: Http, credential: Credential, *, code: str, device_name: str
) -> TokenAnswer:
    session = Session(settings, world, http, credential.replace(device_key_jwk=credential.pending_jwk))
    try:
        answer = session.token({"grant_type": INVITE, "code": code, "device_name": device_name})
    except ServiceUnreachable as error:
        problem = error.facts.get("problem")
        if isinstance(problem, Problem) and problem.code == "GK206":
            # 429 is no refusal for a launch; for whoever types codes it is the answer.
            raise ServiceRefused("GK206", problem.detail or problem.title, facts=error.facts) from error
        error.remedy = error.remedy or "repeat the same command within 10 minutes"
        raise
    if not (answer.refresh_token and answer.subject and answer.device):
        raise ServiceUnreachable("GK602", f"{settings.service} answered without a sign-in.")
    return answer


def _make_state(world: World, directory: str, session: Session) -> None:
    """Make the folder this device's. Launch tokens go first: they are bound to another key, or to another machine."""
    _forget_state(world, directory)
    mark = device_mark(world, directory)
    if not mark:
        raise GatekeeperError("GK106", f"{directory} can't be told from a copy of it.")
    credential = session.credential
    save_device(
        world,
        directory,
        DeviceState(
            mark=mark,
            issuer=credential.issuer,
            subject=credential.subject,
            name=credential.name,
            device=credential.device,
            jkt=key_of(credential.device_key_jwk).kid,
            device_name=credential.device_name,
        ),
    )
    save_backoff(world, directory, 0)


def _first_catalogue(session: Session, root: TrustedRoot, *, now: int) -> str:
    """Fetch the catalogue. It can follow later, so only a lie about it is an error."""
    try:
        catalogue = refresh_catalogue(session, root, subject=session.credential.subject, now=now, force=True)
    except TrustError:
        raise
    except (ServiceRefused, ServiceUnreachable) as error:
        return error.detail
    # The only signed time there is so far; the own clock may be wrong.
    save_high_water(session.world, session.directory, catalogue.issued_at)
    return ""


def _forget_state(world: World, directory: str) -> None:
    remove_tokens(world, directory, "")
    remove_device(world, directory)
    remove_catalogue(world, directory)
    for name in (ASKED, "backoff.json", "highwater.json", "standing.json"):
        remove_record(world, f"{directory}/{name}")


def _revoke(world: World, settings: Settings, credential: Credential) -> SignedOut:
    try:
        with open_http(settings, timeout=USUAL_TIMEOUT) as http:
            Session(settings, world, http, credential).revoke()
    except GatekeeperError as error:
        return SignedOut(revoked=False, why=error.detail)
    return SignedOut(revoked=True)
