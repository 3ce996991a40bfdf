"""Keys in HashiCorp Vault's or OpenBao's Transit engine (`ecdsa-p256`), named NAME:VERSION.

The version is part of the name: rotating a key there must not change which key signs here without its public half
being published first.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.keys.elsewhere import VAULT, unusable
from gatekeeper.strict import b64url_decode, object_of, parse_object, render_json, text_of
from gatekeeper.trust.der import public_key_of_spki

if TYPE_CHECKING:
    from gatekeeper.trust.chain import PublicKey

# Method, address, headers, body; the status and the body of the answer. Raises `GatekeeperError` where none came.
Send = Callable[[str, str, dict[str, str], bytes], tuple[int, bytes]]
_MAX_BYTES = 64 * 1024


class VaultTransit:
    """A mount of the Transit engine. Its token is read anew for each call: an agent renews the file."""

    def __init__(self, *, address: str, mount: str, token_file: Path, send: Send) -> None:
        self._base = f"{address.rstrip('/')}/v1/{quote(mount)}"
        self._token_file = token_file
        self._send = send

    def public_key(self, name: str) -> PublicKey:
        """Return the public half of NAME:VERSION."""
        key, version = _named(name)
        data = self._ask("GET", f"keys/{quote(key, safe='')}", b"")
        if text_of(data, "type") != "ecdsa-p256":
            raise Malformed("it is no key of the type ecdsa-p256")
        of_version = object_of(object_of(data, "keys"), version)
        return public_key_of_spki(text_of(of_version, "public_key").encode("utf-8"))

    def sign(self, name: str, message: bytes) -> bytes:
        """Sign with exactly this version."""
        key, version = _named(name)
        body = {
            "input": base64.b64encode(message).decode("ascii"),
            "key_version": int(version),
            "marshaling_algorithm": "jws",  # r ‖ s, base64url
        }
        data = self._ask("POST", f"sign/{quote(key, safe='')}/sha2-256", render_json(body))
        prefix, _, signature = text_of(data, "signature").rpartition(":")
        if prefix != f"vault:v{version}":
            raise Malformed("it was signed by another version of the key")
        return b64url_decode(signature)

    def _ask(self, method: str, path: str, body: bytes) -> dict[str, object]:
        try:
            token = self._token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise unusable(VAULT, f"its token can't be read from {self._token_file}") from error
        headers = {"x-vault-token": token, "x-vault-request": "true", "content-type": "application/json"}
        try:
            status, answer = self._send(method, f"{self._base}/{path}", headers, body)
        except GatekeeperError as error:
            raise unusable(VAULT, error.detail.rstrip(".")) from error
        if status != 200:
            raise unusable(VAULT, f"it answers {status}")
        return object_of(parse_object(answer, max_bytes=_MAX_BYTES), "data")


def _named(name: str) -> tuple[str, str]:
    key, colon, version = name.rpartition(":")
    if not colon or not key or not version.isascii() or not version.isdecimal() or int(version) < 1:
        raise Malformed("a key in Vault is named NAME:VERSION")
    return key, version
