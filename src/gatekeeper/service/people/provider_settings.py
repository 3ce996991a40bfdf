"""The section `[oidc]` of service.toml: which identity provider people sign in with, and what its claims mean.

[oidc]
issuer = "https://login.acme.example"
client_id = "gatekeeper"
client_secret_file = "oidc.secret"    # in the service's directory; without one the client is public
name = "Acme"                         # of the button
domains = ["acme.example"]            # of the addresses that count
[oidc.claims]                         # which claim says what; "" for none
email = "email"
[oidc.groups]                         # what the provider calls a group = what policy calls it
"0b53…" = "dev"
[oidc.attributes]                     # the policy's attribute = the provider's claim
country = "ctry"
[oidc.require]                        # what a claim must say (or hold, where it is a list)
hd = "acme.example"
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.outbound import NoAnswer, check_url
from gatekeeper.values import Value

_KEYS = (
    "issuer",
    "client_id",
    "client_secret_file",
    "name",
    "scopes",
    "domains",
    "trust_email",
    "only_mapped_groups",
    "max_age",
    "device_grant",
    "claims",
    "groups",
    "attributes",
    "require",
)
_SCOPES = ("openid", "email", "profile")
_MAX_SECRET_CHARS = 512
_MOST_AGE = 30 * 86_400


class Claims(Value):
    """Which claim says what; "" for none. Roles count before groups."""

    name: str = "name"
    email: str = "email"
    groups: str = "groups"
    roles: str = "roles"


class OidcSettings(Value):
    """The provider. `secret_file` is absolute, None for a public client; `max_age` is in seconds, None for any."""

    issuer: str
    client_id: str
    secret_file: Path | None = None
    name: str = "your organisation"
    scopes: tuple[str, ...] = _SCOPES
    domains: tuple[str, ...] = ()  # in lower case; none is any
    trust_email: bool = False  # whether an address counts that the provider doesn't call verified
    only_mapped_groups: bool = False
    max_age: int | None = None
    device_grant: bool = False
    claims: Claims = Claims()
    groups: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    require: tuple[tuple[str, str], ...] = ()


def parse_oidc(raw: object, *, data: Path) -> OidcSettings:
    """Read `[oidc]`; a relative `client_secret_file` lies in the service's directory `data`.

    Raises:
        GatekeeperError: GK101, naming the key.
    """
    if not isinstance(raw, dict):
        raise _unusable("oidc", "write it as a table, [oidc]")
    _check_keys(raw, _KEYS, "oidc")
    issuer = _text(raw, "issuer")
    try:
        check_url(issuer)
    except NoAnswer as error:
        raise _unusable("oidc.issuer", error.why) from error
    if "?" in issuer or "#" in issuer or "{" in issuer:
        raise _unusable("oidc.issuer", "it must be one tenant's exact issuer, as its tokens say it")
    secret = _text(raw, "client_secret_file", "")
    scopes = _texts(raw, "scopes", _SCOPES)
    if "openid" not in scopes or any(not one.isascii() or " " in one for one in scopes):
        raise _unusable("oidc.scopes", '"openid" must be among them, and none may hold a space')
    claims = raw.get("claims", {})
    if not isinstance(claims, dict):
        raise _unusable("oidc.claims", "write it as a table, [oidc.claims]")
    _check_keys(claims, ("name", "email", "groups", "roles"), "oidc.claims")
    return OidcSettings(
        issuer=issuer,
        client_id=_text(raw, "client_id"),
        secret_file=(data / secret).absolute() if secret else None,
        name=_text(raw, "name", "your organisation"),
        scopes=scopes,
        domains=tuple(one.lower().lstrip("@") for one in _texts(raw, "domains", ())),
        trust_email=_flag(raw, "trust_email"),
        only_mapped_groups=_flag(raw, "only_mapped_groups"),
        max_age=_age(raw),
        device_grant=_flag(raw, "device_grant"),
        claims=Claims(**{name: _text(claims, name, default) for name, default in _defaults().items()}),
        groups=_pairs(raw, "groups"),
        attributes=_pairs(raw, "attributes"),
        require=_pairs(raw, "require"),
    )


def read_secret(settings: OidcSettings) -> str:
    """Return the client's secret, "" for a public client. Read at each use, so that it can be replaced.

    Raises:
        GatekeeperError: GK101, the file can't be read, or doesn't hold one line.
    """
    path = settings.secret_file
    if path is None:
        return ""
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise _unusable("oidc.client_secret_file", f"{path} can't be read: {why}") from error
    if not text or len(text) > _MAX_SECRET_CHARS or not text.isprintable():
        raise _unusable("oidc.client_secret_file", f"{path} must hold the secret in one line")
    return text


def _defaults() -> dict[str, str]:
    usual = Claims()
    return {"name": usual.name, "email": usual.email, "groups": usual.groups, "roles": usual.roles}


def _check_keys(raw: Mapping[str, object], keys: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in keys:
            near = get_close_matches(str(key), keys, n=1)
            remedy = f"Did you mean {near[0]}?" if near else ""
            raise GatekeeperError("GK101", f"{where}.{key}: unknown key.", remedy=remedy)


def _text(raw: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = raw.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise _unusable(f"oidc.{name}", "it must be a text" + (", and is missing" if value is None else ""))
    if not value.isprintable():
        raise _unusable(f"oidc.{name}", "it holds control characters")
    return value


def _texts(raw: Mapping[str, object], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = raw.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _unusable(f"oidc.{name}", "it must be a list of texts")
    return tuple(map(str, value))


def _pairs(raw: Mapping[str, object], name: str) -> tuple[tuple[str, str], ...]:
    value = raw.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(one, str) and one for one in value.values()):
        raise _unusable(f"oidc.{name}", f"write it as a table of texts, [oidc.{name}]")
    return tuple((str(key), str(one)) for key, one in value.items())


def _flag(raw: Mapping[str, object], name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise _unusable(f"oidc.{name}", "it must be true or false")
    return value


def _age(raw: Mapping[str, object]) -> int | None:
    value = raw.get("max_age")
    if value is None:
        return None
    if type(value) is not int or not 0 < value <= _MOST_AGE:
        raise _unusable("oidc.max_age", f"it must be a number of seconds, at most {_MOST_AGE}")
    return value


def _unusable(key: str, why: str) -> GatekeeperError:
    return GatekeeperError("GK101", f"{key}: {why}.")
