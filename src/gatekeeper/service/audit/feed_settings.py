"""The section `[audit]` of service.toml: where the log is fed to, live.

[audit]
syslog = "tls://siem.acme.example:6514"            # udp://, tcp:// or tls://; RFC 5424
webhook = { url = "https://siem.acme.example/gatekeeper", secret_file = "webhook-secret" }
"""

from __future__ import annotations

from difflib import get_close_matches
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gatekeeper.errors import GatekeeperError
from gatekeeper.strict import b64url_encode
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_KEYS = ("syslog", "webhook")
_WEBHOOK_KEYS = ("url", "secret_file")
_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
_MIN_SECRET = 16


class SyslogSettings(Value):
    """A syslog receiver: `scheme` is udp, tcp or tls."""

    scheme: str
    host: str
    port: int


class WebhookSettings(Value):
    """A webhook and the file of the secret that its calls are signed with."""

    url: str
    secret_file: Path


class AuditSettings(Value):
    """Where the log goes, besides the database."""

    syslog: SyslogSettings | None = None
    webhook: WebhookSettings | None = None


def parse_audit(raw: object, *, data: Path) -> AuditSettings:
    """Read the section; a relative `secret_file` lies in the service's directory.

    Raises:
        GatekeeperError: GK101, a key is unknown or its value can't be used.
    """
    members = _table(raw, "[audit]", _KEYS)
    syslog = members.get("syslog")
    webhook = members.get("webhook")
    return AuditSettings(
        syslog=_syslog(syslog) if syslog is not None else None,
        webhook=_webhook(webhook, data) if webhook is not None else None,
    )


def read_secret(path: Path) -> bytes:
    """Read a webhook's secret: at least 16 characters, white space around it ignored.

    Raises:
        GatekeeperError: GK101, the file can't be read, is open to others, or holds too little.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise GatekeeperError(
                "GK101", f"{path} is open to others than its owner.", remedy=f"chmod 600 {path}"
            )
        secret = path.read_bytes().strip()
    except OSError as error:
        raise GatekeeperError("GK101", f"{path}: {error.strerror}.") from error
    if len(secret) < _MIN_SECRET:
        raise GatekeeperError("GK101", f"{path} holds a secret of fewer than {_MIN_SECRET} characters.")
    return secret


def sink_id(address: str) -> str:
    """Return the key under which a sink's position is kept: another address begins anew."""
    return b64url_encode(sha256(address.encode()).digest())


def _table(raw: object, name: str, keys: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        raise GatekeeperError("GK101", f"service.toml: {name} is no table.")
    for key in raw:
        if key not in keys:
            near = get_close_matches(key, keys, n=1)
            meant = f" Did you mean {near[0]}?" if near else f" It takes {' and '.join(keys)}."
            raise GatekeeperError("GK101", f"service.toml: {name} doesn't know {key}.{meant}")
    return raw


def _syslog(value: object) -> SyslogSettings:
    wrong = GatekeeperError(
        "GK101", f"service.toml: audit.syslog: {value!r} is no udp://, tcp:// or tls:// address."
    )
    if not isinstance(value, str):
        raise wrong
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise wrong from None
    odd = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in _PORTS or not parts.hostname or odd:
        raise wrong
    return SyslogSettings(scheme=parts.scheme, host=parts.hostname, port=port or _PORTS[parts.scheme])


def _webhook(value: object, data: Path) -> WebhookSettings:
    members = _table(value, "audit.webhook", _WEBHOOK_KEYS)
    url, secret_file = members.get("url"), members.get("secret_file")
    if not isinstance(url, str) or not isinstance(secret_file, str) or not url or not secret_file:
        raise GatekeeperError("GK101", "service.toml: audit.webhook needs url and secret_file.")
    if urlsplit(url).scheme not in ("https", "http"):
        raise GatekeeperError("GK101", f"service.toml: audit.webhook.url: {url!r} is no https:// address.")
    return WebhookSettings(url=url, secret_file=data / secret_file)
