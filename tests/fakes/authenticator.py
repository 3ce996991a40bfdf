"""A second, small implementation of a passkey's side of WebAuthn, which can be told to do each step wrongly."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gatekeeper.strict import b64url_decode, b64url_encode

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey. `uses` is its counter."""

    def __init__(self, *, rp_id: str, origin: str) -> None:
        self.rp_id = rp_id
        self.origin = origin
        self.id = secrets.token_bytes(32)
        self.uses = 0
        self._key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: dict[str, Any], *, flags: int = PRESENT | VERIFIED, **wrong: str) -> str:
        """Return what a browser sends after `navigator.credentials.create`."""
        data = self._authenticator_data(flags | ATTESTED, **wrong) + self._attested()
        attestation = _map({"fmt": _text("none"), "attStmt": b"\xa0", "authData": _bytes(data)})
        response = {
            "clientDataJSON": b64url_encode(self._client_data("webauthn.create", options, **wrong)),
            "attestationObject": b64url_encode(attestation),
        }
        return self._credential(response)

    def get(self, options: dict[str, Any], *, flags: int = PRESENT | VERIFIED, **wrong: str) -> str:
        """Return what a browser sends after `navigator.credentials.get`."""
        self.uses += 1
        data = self._authenticator_data(flags, **wrong)
        client = self._client_data("webauthn.get", options, **wrong)
        signed = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": b64url_encode(client),
            "authenticatorData": b64url_encode(data),
            "signature": b64url_encode(signed),
        }
        return self._credential(response)

    def _credential(self, response: dict[str, str]) -> str:
        own = b64url_encode(self.id)
        return json.dumps(
            {
                "id": own,
                "rawId": own,
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
            }
        )

    def _client_data(self, made_by: str, options: dict[str, Any], **wrong: str) -> bytes:
        said = {
            "type": wrong.get("kind", made_by),
            "challenge": wrong.get("challenge", options["challenge"]),
            "origin": wrong.get("origin", self.origin),
            "crossOrigin": False,
        }
        return json.dumps(said).encode()

    def _authenticator_data(self, flags: int, **wrong: str) -> bytes:
        party = hashlib.sha256(wrong.get("rp_id", self.rp_id).encode()).digest()
        return party + bytes([flags]) + self.uses.to_bytes(4, "big")

    def _attested(self) -> bytes:
        numbers = self._key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        cose = b"\xa5\x01\x02\x03\x26\x20\x01\x21" + _bytes(x) + b"\x22" + _bytes(y)
        return bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose


def challenge_of(options: dict[str, Any]) -> bytes:
    """Return the bytes that the options ask to sign."""
    return b64url_decode(str(options["challenge"]))


def _text(text: str) -> bytes:
    return bytes([0x60 + len(text)]) + text.encode()


def _bytes(data: bytes) -> bytes:
    if len(data) < 256:
        return b"\x58" + bytes([len(data)]) + data
    return b"\x59" + len(data).to_bytes(2, "big") + data


def _map(members: dict[str, bytes]) -> bytes:
    return bytes([0xA0 + len(members)]) + b"".join(_text(name) + value for name, value in members.items())
