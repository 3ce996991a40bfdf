"""What one service process runs with: `DIR/service.toml`, overridden by the options of `service start`.

The file holds `issuer`, `listen`, `database`, and optionally the sections of the features. The
issuer stands in every token, so it is exact: it is never taken from a call. The rules about where plain
http may be spoken are here, so that no combination of options speaks it to the network by accident.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from gatekeeper.documents.address import check_address
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.audit.feed_settings import AuditSettings, parse_audit
from gatekeeper.service.keys.settings import SignerSettings, parse_signer
from gatekeeper.service.notify.settings import TargetSettings, parse_notify
from gatekeeper.service.people.provider_settings import OidcSettings, parse_oidc
from gatekeeper.service.people.roles import ConsoleRoles, parse_console
from gatekeeper.service.people.scim_settings import ScimSettings, parse_scim
from gatekeeper.service.people.workloads import CiIssuer, parse_ci
from gatekeeper.service.store.address import parse_database, read_password
from gatekeeper.service.toml import parse_toml
from gatekeeper.values import Value

FILE_NAME = "service.toml"
DATABASE_NAME = "gatekeeper.db"
DEFAULT_LISTEN = "127.0.0.1:8750"
_KEYS = {
    "issuer",
    "listen",
    "database",
    "behind_proxy",
    "tls_cert",
    "tls_key",
    "database_password_file",
    "signer",
    "metrics",
    "ci",
    "scim",
    "oidc",
    "audit",
    "console",
    "notify",
}
_PORTS = {"http": 80, "https": 443}


class ServiceSettings(Value):
    """One service. `behind_proxy` lists the addresses of proxies whose X-Forwarded headers are believed."""

    data: Path
    issuer: str
    listen: str
    database: str
    behind_proxy: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    ci: tuple[CiIssuer, ...] = ()  # the platforms whose tokens are exchanged
    scim: ScimSettings | None = None  # None where no directory provisions
    oidc: OidcSettings | None = None  # None without an identity provider
    audit: AuditSettings = AuditSettings()  # where the audit log is fed to
    console: ConsoleRoles = ConsoleRoles()  # who audits and operates in the console
    notify: tuple[TargetSettings, ...] = ()  # whom messages go to
    database_password_file: str = ""  # absolute, or beside service.toml
    signer: SignerSettings = SignerSettings()  # how to reach keys that live elsewhere
    metrics: str = ""  # HOST:PORT where figures are shown to Prometheus; "" shows none


class Address(Value):
    """Where to listen."""

    host: str
    port: int


def default_database(data: Path) -> str:
    """Return the URL of the SQLite file in the data directory."""
    return f"sqlite:///{(data / DATABASE_NAME).absolute()}"


def parse_issuer(text: str) -> str:
    """Return the issuer as it must stand in every document; capitals and one slash at the end are forgiven.

    Raises:
        GatekeeperError: GK101, it is no address that every client accepts.
    """
    try:
        # Lower-casing turns some letters beyond ASCII into others within it: those are refused as they came.
        return check_address(text.removesuffix("/").lower() if text.isascii() else text)
    except Malformed as error:
        raise _unusable("issuer", f"{text!r}: {error.reason}") from error


def parse_listen(text: str) -> Address:
    """Read `HOST:PORT`, with an IPv6 address in brackets.

    Raises:
        GatekeeperError: GK101, it is neither.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise _unusable("listen", f"{text!r} is not HOST:PORT")
    return Address(host=host, port=int(port))


def is_loopback(host: str) -> bool:
    """Say whether a host, as written, is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(data: Path) -> ServiceSettings:
    """Read `DIR/service.toml`.

    Raises:
        GatekeeperError: GK101, there is none, or it is not what it must be; the message names the key.
    """
    path = data / FILE_NAME
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise GatekeeperError(
            "GK101",
            f"{data} holds no service: {FILE_NAME} is missing.",
            remedy=f"gatekeeper service init --data {data}",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise GatekeeperError("GK101", f"{path} can't be read: {error}") from error
    raw = parse_toml(text, file=str(path))
    unknown = sorted(set(raw) - _KEYS)
    if unknown:
        raise GatekeeperError("GK101", f"{path} holds unknown keys: {', '.join(unknown)}")
    issuer = parse_issuer(_text(raw, "issuer", ""))
    return ServiceSettings(
        data=data,
        issuer=issuer,
        listen=_text(raw, "listen", DEFAULT_LISTEN),
        database=_text(raw, "database", "") or default_database(data),
        behind_proxy=_proxies(raw),
        tls_cert=_text(raw, "tls_cert", ""),
        tls_key=_text(raw, "tls_key", ""),
        ci=parse_ci(raw["ci"], issuer=issuer) if "ci" in raw else (),
        oidc=parse_oidc(raw["oidc"], data=data) if "oidc" in raw else None,
        scim=parse_scim(raw["scim"], data=data) if "scim" in raw else None,
        audit=parse_audit(raw["audit"], data=data) if "audit" in raw else AuditSettings(),
        console=parse_console(raw["console"]) if "console" in raw else ConsoleRoles(),
        notify=parse_notify(raw["notify"], data=data) if "notify" in raw else (),
        database_password_file=_text(raw, "database_password_file", ""),
        signer=parse_signer(raw["signer"]) if "signer" in raw else SignerSettings(),
        metrics=_metrics(raw),
    )


def _metrics(raw: dict[str, object]) -> str:
    text = _text(raw, "metrics", "")
    if text:
        parse_listen(text)
    return text


def database_password(settings: ServiceSettings) -> str:
    """Return the database's password, "" where no file is named: the client library then looks for one itself.

    Raises:
        GatekeeperError: GK101, the file can't be used.
    """
    name = settings.database_password_file
    return read_password(settings.data / name) if name else ""


def render_settings(*, issuer: str, listen: str, database: str = "", password_file: str = "") -> str:
    """Render the file of a new service. An SQLite file lies beside it, wherever the directory is moved."""
    if database:
        parse_database(database)  # so that nothing but an address, and no password, gets into the file
    lines = [
        "# The issuer stands in every token: it is the address at which clients reach this service.",
        f'issuer = "{parse_issuer(issuer)}"',
        f'listen = "{listen}"',
        *([f"database = {_quoted(database)}"] if database else []),
        *([f"database_password_file = {_quoted(password_file)}"] if password_file else []),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a TOML string; a backslash, a quote or a control character in an address is nobody's intention."""
    if not text.isprintable() or '"' in text or "\\" in text:
        raise _unusable("database", "it holds a character that can't be written down")
    return f'"{text}"'


def check_serves(settings: ServiceSettings) -> Address:
    """Return where to listen, once it is certain that this serves the issuer, and plainly on loopback only.

    Raises:
        GatekeeperError: GK101, issuer and listen address disagree, or http would leave this machine.
    """
    issuer = urlsplit(settings.issuer)
    address = parse_listen(settings.listen)
    tls = bool(settings.tls_cert and settings.tls_key)
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise _unusable("tls_cert", "certificate and key come together")
    for proxy in settings.behind_proxy:
        _check_proxy(proxy)
    if not tls and not settings.behind_proxy:
        if issuer.scheme == "https":
            raise _unusable(
                "issuer",
                f"{settings.issuer} is https: name --tls-cert and --tls-key, or the proxy in front (--behind-proxy ADDRESS)",
            )
        if not is_loopback(address.host):
            raise _unusable(
                "listen",
                f"{settings.listen} is not loopback: plain http is spoken on loopback only. "
                "Name --tls-cert and --tls-key, or the proxy in front (--behind-proxy ADDRESS)",
            )
    if tls and issuer.scheme != "https":
        raise _unusable("issuer", f"{settings.issuer} is http, and a certificate is given")
    if is_loopback(issuer.hostname or "") and not settings.behind_proxy:
        _check_same_place(
            settings.issuer, issuer.hostname or "", issuer.port or _PORTS[issuer.scheme], address
        )
    return address


def _check_same_place(issuer: str, host: str, port: int, address: Address) -> None:
    """Refuse an issuer on loopback that this process doesn't serve: its tokens would name a stranger's address."""
    same_host = address.host in {host, "localhost", "0.0.0.0", "::"} or (  # noqa: S104
        host == "localhost" and is_loopback(address.host)
    )
    if not same_host or port != address.port:
        raise _unusable(
            "listen",
            f"the issuer is {issuer}, and {address.host}:{address.port} doesn't serve it. "
            f"Listen on port {port}, or make a service with another --issuer",
        )


def _check_proxy(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise _unusable("behind_proxy", f"{text!r} is no address and no network") from error


def _text(raw: dict[str, object], name: str, default: str) -> str:
    value = raw.get(name, default)
    if not isinstance(value, str):
        raise _unusable(name, "it must be a text")
    return value


def _proxies(raw: dict[str, object]) -> tuple[str, ...]:
    value = raw.get("behind_proxy", [])
    if not isinstance(value, list):
        raise _unusable("behind_proxy", "it must be a list of addresses")
    proxies = tuple(item for item in value if isinstance(item, str))
    if len(proxies) != len(value):
        raise _unusable("behind_proxy", "it must be a list of addresses")
    return proxies


def _unusable(key: str, why: str) -> GatekeeperError:
    return GatekeeperError("GK101", f"{key}: {why}.")
