"""Calls that their receiver can check: the secret, and the headers of Standard Webhooks.

HMAC-SHA256 over id, time and body: whoever has the secret knows that a call is ours, of that time and unchanged, and
drops the one whose id it has seen.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from gatekeeper.errors import GatekeeperError

MIN_SECRET = 16


def read_private(path: Path, *, least: int = 1) -> bytes:
    """Return what a file holds that only its owner may read, white space around it ignored.

    Raises:
        GatekeeperError: GK101, it can't be read, is open to others, or holds fewer than `least` bytes.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise GatekeeperError(
                "GK101", f"{path} is open to others than its owner.", remedy=f"chmod 600 {path}"
            )
        content = path.read_bytes().strip()
    except OSError as error:
        raise GatekeeperError("GK101", f"{path}: {error.strerror}.") from error
    if len(content) < least:
        raise GatekeeperError("GK101", f"{path} holds fewer than {least} characters.")
    return content


def signed_headers(secret: bytes, *, message: str, now: int, body: bytes) -> dict[str, str]:
    """Return the headers of a call with JSON. `message` is the same for each repetition, `now` is Unix seconds."""
    signed = f"{message}.{now}.".encode() + body
    signature = b64encode(hmac.digest(secret, signed, sha256)).decode("ascii")
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }
