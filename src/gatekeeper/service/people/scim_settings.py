"""The section `[scim]` of service.toml, and the bearer tokens by which the directory's client is known.

`token_file` holds one token a line, two at most, so that one can be replaced without a gap. It is read at each
call: a token that is taken out of it ends at once. Only its digests are compared, in constant time.
"""

from __future__ import annotations

import hmac
import os
import secrets
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value

DEFAULT_FILE = "scim.token"
MAX_TOKENS = 2
_PREFIX = "gks_"
_LEAST_CHARS = 32
_MAX_CHARS = 512
_KEYS = ("token_file",)


class ScimSettings(Value):
    """Provisioning, turned on. `token_file` is absolute."""

    token_file: Path


def parse_scim(raw: object, *, data: Path) -> ScimSettings:
    """Read `[scim]`; a relative `token_file` lies in the service's directory `data`.

    Raises:
        GatekeeperError: GK101, naming the key.
    """
    if not isinstance(raw, dict):
        raise GatekeeperError("GK101", "scim: write it as a table, [scim].")
    for key in raw:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            remedy = f"Did you mean {near[0]}?" if near else ""
            raise GatekeeperError("GK101", f"scim.{key}: unknown key.", remedy=remedy)
    name = raw.get("token_file", DEFAULT_FILE)
    if not isinstance(name, str) or not name:
        raise GatekeeperError("GK101", "scim.token_file: it must be the path of a file.")
    return ScimSettings(token_file=(data / name).absolute())


def load_tokens(path: Path) -> tuple[str, ...]:
    """Return the tokens of a file.

    Raises:
        GatekeeperError: GK101, it can't be read, holds more than two, or one that could be guessed.
    """
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise GatekeeperError(
            "GK101",
            f"scim.token_file: {path} can't be read: {getattr(error, 'strerror', None) or 'it is no text'}.",
            remedy="gatekeeper service scim-token",
        ) from error
    tokens = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(tokens) > MAX_TOKENS or any(not _LEAST_CHARS <= len(one) <= _MAX_CHARS for one in tokens):
        raise GatekeeperError(
            "GK101",
            f"scim.token_file: {path} must hold one or two tokens of at least {_LEAST_CHARS} characters.",
            remedy="gatekeeper service scim-token",
        )
    return tokens


def is_token(given: str, settings: ScimSettings) -> bool:
    """Say whether a hostile text is one of the tokens. GatekeeperError GK101 as `load_tokens`."""
    digest = _digest(given)
    # Every token is compared, so that the time says nothing of which one it was.
    return sum(hmac.compare_digest(digest, _digest(one)) for one in load_tokens(settings.token_file)) > 0


def make_token(settings: ScimSettings, *, keep: bool) -> str:
    """Make a token and put it into the file, readable by its owner alone; with `keep` the last one works on.

    Raises:
        GatekeeperError: GK101, the file there can't be read; GK106, it can't be written.
    """
    path = settings.token_file
    token = _PREFIX + secrets.token_urlsafe(32)
    kept = load_tokens(path)[:1] if keep and path.exists() else ()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("".join(f"{one}\n" for one in (token, *kept)))
        temporary.replace(path)
    except OSError as error:
        raise GatekeeperError("GK106", f"{path} can't be written: {error.strerror}.") from error
    return token


def token_of(header: str) -> str:
    """Return the bearer token of an Authorization header (RFC 6750 §2.1), "" where it holds none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
