"""Passkeys (WebAuthn Level 3): registered once, they confirm what their owner was shown.

The user is always verified (PIN, finger, face), attestation is not asked for, and the relying party is the
issuer's host: a passkey made here signs nothing elsewhere. Whoever calls has decided that this person may register
(`web.step_up`), and records it. A browser takes no IP address for a relying party, so there it is GK410.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, insert, select, update
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gatekeeper.documents.address import host_of
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import check_name
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.store.tables.console import passkeys
from gatekeeper.values import Value

MOST_PASSKEYS = 20
_TIMEOUT_MS = 120_000
_MAX_CREDENTIAL_CHARS = 16_384
_ALGORITHMS = [COSEAlgorithmIdentifier.ECDSA_SHA_256, COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256]


class Passkey(Value):
    """A passkey of a subject. `synced`: the authenticator keeps a copy elsewhere. Times are Unix seconds."""

    id: str
    subject: str
    name: str
    credential: bytes
    public_key: bytes
    sign_count: int
    synced: bool
    created_at: int
    used_at: int | None


class RelyingParty(Value):
    """Who asks: the issuer's host, and the origin of its pages."""

    id: str
    origin: str


def relying_party(issuer: str) -> RelyingParty:
    """Return the relying party of a service.

    Raises:
        GatekeeperError: GK410, the issuer is an IP address.
    """
    host = host_of(issuer)
    if host.startswith("[") or host.replace(".", "").isdecimal():
        raise GatekeeperError(
            "GK410",
            "Browsers know no passkeys for an IP address. Reach this service by a name (on this machine: localhost).",
        )
    parts = urlsplit(issuer)
    return RelyingParty(id=host, origin=f"{parts.scheme}://{parts.netloc}")


def passkeys_of(tx: Connection, subject_id: str) -> list[Passkey]:
    """Return a subject's passkeys, the newest first; removed ones are gone."""
    of_subject = select(passkeys).where(passkeys.c.subject == subject_id, passkeys.c.removed_at.is_(None))
    return [
        _typed(row) for row in tx.execute(of_subject.order_by(passkeys.c.created_at.desc(), passkeys.c.id))
    ]


def registration_options(
    subject: Subject, known: list[Passkey], *, party: RelyingParty, organisation: str, challenge: bytes
) -> dict[str, Any]:
    """Return what `navigator.credentials.create` takes, as JSON types."""
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=organisation or "gatekeeper",
        user_id=hashlib.sha256(subject.id.encode()).digest(),
        user_name=subject.name,
        user_display_name=subject.display,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=key.credential) for key in known],
        supported_pub_key_algs=_ALGORITHMS,
    )
    return dict(json.loads(options_to_json(options)))


def assertion_options(known: list[Passkey], *, party: RelyingParty, challenge: bytes) -> dict[str, Any]:
    """Return what `navigator.credentials.get` takes, as JSON types."""
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=key.credential) for key in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return dict(json.loads(options_to_json(options)))


def register_passkey(
    tx: Connection,
    credential: str,
    *,
    subject: Subject,
    name: str,
    party: RelyingParty,
    challenge: bytes,
    now: int,
) -> Passkey:
    """Keep the passkey that a hostile `credential` (JSON of the browser) brings for this challenge.

    Raises:
        GatekeeperError: GK405, it proves nothing; GK410, the passkey is known, or one too many; GK100, its name.
    """
    check_name(name, what="passkey's name", max_chars=128)
    if len(passkeys_of(tx, subject.id)) >= MOST_PASSKEYS:
        raise GatekeeperError("GK410", f"You have {MOST_PASSKEYS} passkeys. Remove one first.")
    _check_size(credential)
    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise _unproved() from error
    digest = _digest(verified.credential_id)
    if (
        tx.execute(select(passkeys.c.id).where(passkeys.c.credential_hash == digest)).one_or_none()
        is not None
    ):
        raise GatekeeperError("GK410", "This passkey is registered already.")
    made = {
        "id": "p_" + secrets.token_hex(16),
        "subject": subject.id,
        "name": name,
        "credential": verified.credential_id,
        "credential_hash": digest,
        "public_key": verified.credential_public_key,
        "sign_count": verified.sign_count,
        "synced": verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        "created_at": now,
    }
    tx.execute(insert(passkeys).values(**made))
    return _typed(tx.execute(select(passkeys).where(passkeys.c.id == made["id"])).one())


def verify_passkey(
    tx: Connection, credential: str, *, subject_id: str, party: RelyingParty, challenge: bytes, now: int
) -> Passkey:
    """Return the subject's passkey that signed this challenge, given the browser's hostile `credential`.

    A counter that doesn't grow (a copy of an authenticator) is refused (WebAuthn §7.2, step 22).

    Raises:
        GatekeeperError: GK405, no passkey of this subject signed this challenge, for us, with the user verified.
    """
    _check_size(credential)
    try:
        given = parse_authentication_credential_json(credential)
        digest = _digest(given.raw_id)
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise _unproved() from error
    # Only this subject's own: another's passkey, however valid its signature, confirms nothing here.
    own = (passkeys.c.credential_hash == digest) & (passkeys.c.subject == subject_id)
    row = tx.execute(select(passkeys).where(own, passkeys.c.removed_at.is_(None))).one_or_none()
    if row is None:
        raise _unproved()
    try:
        verified = verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise _unproved() from error
    counted = (passkeys.c.id == row.id) & (passkeys.c.sign_count == row.sign_count)
    changes = {"sign_count": verified.new_sign_count, "used_at": now}
    if tx.execute(update(passkeys).where(counted).values(**changes)).rowcount != 1:
        raise _unproved()
    return _typed(row).replace(**changes)


def remove_passkey(tx: Connection, passkey_id: str, *, subject_id: str, now: int) -> Passkey:
    """Remove one's own passkey, by an id that may be hostile.

    Raises:
        GatekeeperError: GK409, the subject has none of that id.
    """
    own = (passkeys.c.id == passkey_id) & (passkeys.c.subject == subject_id) & passkeys.c.removed_at.is_(None)
    row = tx.execute(select(passkeys).where(own)).one_or_none()
    if row is None or tx.execute(update(passkeys).where(own).values(removed_at=now)).rowcount != 1:
        raise GatekeeperError("GK409", "You have no such passkey.")
    return _typed(row)


def _check_size(credential: str) -> None:
    if len(credential) > _MAX_CREDENTIAL_CHARS:
        raise _unproved()


def _digest(credential_id: bytes) -> str:
    return hashlib.sha256(credential_id).hexdigest()


def _typed(row: Row[Any]) -> Passkey:
    return Passkey(
        id=row.id,
        subject=row.subject,
        name=row.name,
        credential=row.credential,
        public_key=row.public_key,
        sign_count=row.sign_count,
        synced=row.synced,
        created_at=row.created_at,
        used_at=row.used_at,
    )


def _unproved() -> GatekeeperError:
    return GatekeeperError("GK405", "The passkey didn't confirm this. Nothing was changed.")
