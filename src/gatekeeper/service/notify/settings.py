"""The sections `[[notify]]` of service.toml: whom messages go to, and which.

[[notify]]
kind = "slack"                         # webhook, slack, teams or email
url_file = "slack-url"                 # whoever has this address can write there: it stands in a file of its own
on = ["request.created", "break_glass.used"]

[[notify]]
kind = "email"
smtp = "smtp.acme.example:587"
from = "gatekeeper@acme.example"
login = "gatekeeper"
password_file = "smtp-password"
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.notify.news import ASKS, KINDS, TELLS
from gatekeeper.values import Value

WEBHOOK, SLACK, TEAMS, EMAIL = "webhook", "slack", "teams", "email"
STARTTLS, TLS, PLAIN = "starttls", "tls", "none"
_BOTH = ("kind", "name", "on")
_KEYS = {
    WEBHOOK: ("url", "secret_file"),
    SLACK: ("url_file",),
    TEAMS: ("url_file",),
    EMAIL: ("smtp", "from", "login", "password_file", "security"),
}
_NEEDED = {
    WEBHOOK: ("url", "secret_file"),
    SLACK: ("url_file",),
    TEAMS: ("url_file",),
    EMAIL: ("smtp", "from"),
}
_DEFAULT_ON = {WEBHOOK: KINDS, SLACK: ASKS, TEAMS: ASKS, EMAIL: (*ASKS, *TELLS)}
_PORTS = {STARTTLS: 587, TLS: 465, PLAIN: 25}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_PLACE = re.compile(r"([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(?::([0-9]{1,5}))?")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class MailSettings(Value):
    """An SMTP server. `security` is starttls, tls or none; the last on this machine alone."""

    host: str
    port: int
    security: str
    sender: str
    login: str = ""
    password_file: Path | None = None


class TargetSettings(Value):
    """One target: a webhook with `url` and `secret_file`, a channel with `url_file`, or `mail`."""

    kind: str
    name: str
    on: tuple[str, ...]
    url: str = ""
    secret_file: Path | None = None
    url_file: Path | None = None
    mail: MailSettings | None = None


def parse_notify(raw: object, *, data: Path) -> tuple[TargetSettings, ...]:
    """Read the sections; a relative file lies in the service's directory `data`.

    Raises:
        GatekeeperError: GK101, naming the section and the key.
    """
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        raise GatekeeperError("GK101", "notify: write each target as [[notify]].")
    targets = tuple(_target(number, one, data) for number, one in enumerate(raw, 1))
    names = [one.name for one in targets]
    for name in names:
        if names.count(name) > 1:
            raise GatekeeperError("GK101", f"notify: two targets are called {name}: give each its own name.")
    return targets


def _target(number: int, raw: dict[str, object], data: Path) -> TargetSettings:
    where = f"notify, target {number}"
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise GatekeeperError(
            "GK101", f"{where}: kind must be one of {', '.join(_KEYS)}.", remedy=_meant(kind, tuple(_KEYS))
        )
    keys = (*_BOTH, *_KEYS[kind])
    for key in raw:
        if key not in keys:
            raise GatekeeperError("GK101", f"{where}: unknown key {key}.", remedy=_meant(key, keys))
    texts = {key: _text(where, key, value) for key, value in raw.items() if key != "on"}
    missing = [key for key in _NEEDED[kind] if not texts.get(key)]
    if missing:
        raise GatekeeperError("GK101", f"{where}: {kind} needs {' and '.join(missing)}.")
    name = texts.get("name", kind)
    if not _NAME.fullmatch(name):
        raise GatekeeperError("GK101", f"{where}: a name is small letters, digits and hyphens, at most 64.")
    return TargetSettings(
        kind=kind,
        name=name,
        on=_on(where, raw["on"]) if "on" in raw else _DEFAULT_ON[kind],
        url=texts.get("url", ""),
        secret_file=data / texts["secret_file"] if kind == WEBHOOK else None,
        url_file=data / texts["url_file"] if "url_file" in texts else None,
        mail=_mail(where, texts, data) if kind == EMAIL else None,
    )


def _mail(where: str, texts: dict[str, str], data: Path) -> MailSettings:
    security = texts.get("security", STARTTLS)
    if security not in _PORTS:
        raise GatekeeperError("GK101", f"{where}: security must be one of {', '.join(_PORTS)}.")
    place = _PLACE.fullmatch(texts["smtp"])
    port = int(place[2] or _PORTS[security]) if place else 0
    if place is None or not 0 < port <= 65_535:
        raise GatekeeperError("GK101", f"{where}: smtp is HOST or HOST:PORT.")
    host = place[1].strip("[]")
    if security == PLAIN and host not in _LOOPBACK:
        raise GatekeeperError("GK101", f'{where}: security = "none" is for a server on this machine.')
    if not _ADDRESS.fullmatch(texts["from"]):
        raise GatekeeperError("GK101", f"{where}: from must be a mail address.")
    login, password = texts.get("login", ""), texts.get("password_file", "")
    if bool(login) != bool(password):
        raise GatekeeperError("GK101", f"{where}: login and password_file come together.")
    return MailSettings(
        host=host,
        port=port,
        security=security,
        sender=texts["from"],
        login=login,
        password_file=data / password if password else None,
    )


def _on(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise GatekeeperError("GK101", f"{where}: on must be a list of kinds.", remedy=", ".join(KINDS))
    for kind in value:
        if not isinstance(kind, str) or kind not in KINDS:
            raise GatekeeperError("GK101", f"{where}: no kind {kind!r}.", remedy=_meant(kind, KINDS))
    return tuple(value)


def _text(where: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise GatekeeperError("GK101", f"{where}: {key} must be a text.")
    return value


def _meant(given: object, known: tuple[str, ...]) -> str:
    near = get_close_matches(str(given), known, n=1)
    return f"Did you mean {near[0]}?" if near else ""
