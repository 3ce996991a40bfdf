"""The credential as one item: the value, and its text as a keyring or a file holds it.

Where it stands is for `credentials`. The text holds a private key: it is never shown and never logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.errors import Malformed
from gatekeeper.strict import object_of, optional_integer, optional_text, parse_object, render_json, text_of
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ITEM_BYTES = 16 * 1024
# Windows keeps at most 2,560 bytes of UTF-16 in one credential; ours stays below that.
_TEXTS = ("refresh_token", "subject", "name", "device", "device_name", "pending_code")
_KEYS = ("device_key_jwk", "pending_jwk")


class Credential(Value):
    """What signs this device in. `device_key_jwk` is a private JWK as JSON text; never shown, never logged.

    `refresh_token` is "" before the first sign-in. `pending_jwk` is a key that a one-time code was sent with and
    no answer came yet; `pending_code` tells which code (a hash), `pending_at` when; they outlast the sign-in, so
    that the code finds its key again.
    """

    issuer: str
    device_key_jwk: str = ""
    refresh_token: str = ""
    subject: str = ""
    name: str = ""
    device: str = ""
    device_name: str = ""
    pending_jwk: str = ""
    pending_code: str = ""
    pending_at: int = 0

    def __repr__(self) -> str:
        return f"Credential(issuer={self.issuer!r}, device={self.device!r})"


def render_item(credential: Credential) -> bytes:
    """Render what `parse_item` reads back as the same credential; empty members are left out."""
    members: dict[str, object] = {"issuer": credential.issuer}
    for name in (*_TEXTS, "pending_at"):
        if getattr(credential, name):
            members[name] = getattr(credential, name)
    for name in _KEYS:
        if getattr(credential, name):
            members[name] = parse_object(getattr(credential, name).encode(), max_bytes=MAX_ITEM_BYTES)
    return render_json(members)


def parse_item(item: bytes, *, issuer: str) -> Credential | None:
    """Read an item that may be hostile. One that is unusable, or for another issuer, counts as none."""
    try:
        members = parse_object(item, max_bytes=MAX_ITEM_BYTES)
        if text_of(members, "issuer") != issuer:
            return None
        return Credential(
            issuer=issuer,
            device_key_jwk=_jwk_text(members, "device_key_jwk"),
            refresh_token=optional_text(members, "refresh_token"),
            subject=optional_text(members, "subject"),
            name=optional_text(members, "name"),
            device=optional_text(members, "device"),
            device_name=optional_text(members, "device_name"),
            pending_jwk=_jwk_text(members, "pending_jwk"),
            pending_code=optional_text(members, "pending_code"),
            pending_at=optional_integer(members, "pending_at") or 0,
        )
    except Malformed:
        return None


def _jwk_text(members: Mapping[str, object], name: str) -> str:
    return render_json(object_of(members, name)).decode("ascii", "replace") if name in members else ""
