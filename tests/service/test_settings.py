"""What a service runs with: exact issuers, and no plain http beyond this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config.keys import BY_NAME, check_value
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.settings import (
    FILE_NAME,
    ServiceSettings,
    check_serves,
    default_database,
    is_loopback,
    load_settings,
    parse_issuer,
    parse_listen,
    render_settings,
)


def settings_of(issuer: str, listen: str, **more: object) -> ServiceSettings:
    """Return settings, otherwise ordinary."""
    return ServiceSettings(
        data=Path("/srv"), issuer=issuer, listen=listen, database="sqlite:////srv/g.db"
    ).replace(**more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://gatekeeper.acme.example", "https://gatekeeper.acme.example"),
        ("https://Gatekeeper.ACME.example:8443/", "https://gatekeeper.acme.example:8443"),
        ("http://localhost:8750", "http://localhost:8750"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://[::1]:8750", "http://[::1]:8750"),
    ],
)
def test_an_issuer_has_one_spelling(text: str, expected: str) -> None:
    """An issuer is made exact once, and is then its own spelling."""
    assert parse_issuer(text) == expected
    assert parse_issuer(expected) == expected


ADDRESSES = {
    "https://gatekeeper.acme.example": True,
    "https://gatekeeper.acme.example:8443": True,
    "https://192.168.0.1": True,
    "https://localhost": True,
    "http://localhost:8750": True,
    "http://127.9.0.1": True,
    "http://[::1]:8750": True,
    "https://[::1]": True,
    "": False,
    "gatekeeper.acme.example": False,
    "ftp://gatekeeper.acme.example": False,
    "https://": False,
    "https:///": False,
    "http://gatekeeper.acme.example": False,
    "http://192.168.0.1:8750": False,
    "http://localhost.evil.example:8750": False,
    "http://127.0.0.256": False,
    "https://ada@gatekeeper.acme.example": False,
    "https://gatekeeper.acme.example/path": False,
    "https://gatekeeper.acme.example//": False,
    "https://gatekeeper.acme.example?x=1": False,
    "https://gatekeeper.acme.example#x": False,
    "https://gatekeeper.acme.example:": False,
    "https://gatekeeper.acme.example:0": False,
    "https://gatekeeper.acme.example:0443": False,
    "https://gatekeeper.acme.example:99999": False,
    "https://[::1": False,
    "https://[2001:db8::1]": False,
    "http://[0:0:0:0:0:0:0:1]:80": False,
    "https://x y.example": False,
    "https://host!x": False,
    "https://g\u0430tekeeper.acme.example": False,  # a Cyrillic letter
    "https://gate\u212aeeper.acme.example": False,  # the Kelvin sign, which is "k" in lower case
    "https://gatekeeper.acme.example\n": False,
}


@pytest.mark.parametrize(("text", "taken"), ADDRESSES.items())
def test_service_and_client_take_the_same_addresses(text: str, taken: object) -> None:
    """What can be an issuer is what a client can be told, exactly as it stands; anything else is refused by both."""
    by_client, by_service = "", ""
    with contextlib.suppress(Malformed):
        by_client = str(check_value(BY_NAME["service"], text))
    with contextlib.suppress(GatekeeperError):
        by_service = parse_issuer(text)
    assert (by_client, by_service) == ((text, text) if taken else ("", ""))


@given(st.text(max_size=40) | st.text("aZ019.-_:[]/@ \u212a", max_size=12))
def test_any_text_is_an_issuer_or_gk101(text: str) -> None:
    """No text raises anything but our error, and what is accepted is exact, for clients too."""
    for prefix in ("", "https://", "http://"):
        issuer = ""
        with contextlib.suppress(GatekeeperError):
            issuer = parse_issuer(prefix + text)
        if issuer:
            assert parse_issuer(issuer) == issuer == check_value(BY_NAME["service"], issuer)


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1", ":8750", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "a:-1"]
)
def test_a_listen_address_is_host_and_port(text: str) -> None:
    """Anything else is GK101."""
    with pytest.raises(GatekeeperError, match="GK101"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("issuer", "listen", "more"),
    [
        ("http://localhost:8750", "127.0.0.1:8750", {}),
        ("http://localhost:8750", "[::1]:8750", {}),
        ("http://localhost:8750", "localhost:8750", {}),
        ("http://127.0.0.1:8750", "127.0.0.1:8750", {}),
        ("https://gatekeeper.acme.example", "127.0.0.1:8750", {"behind_proxy": ("127.0.0.1",)}),
        ("https://gatekeeper.acme.example", "0.0.0.0:8750", {"behind_proxy": ("10.0.0.0/8",)}),
        ("https://gatekeeper.acme.example", "0.0.0.0:443", {"tls_cert": "c", "tls_key": "k"}),
        ("https://localhost:8750", "127.0.0.1:8750", {"tls_cert": "c", "tls_key": "k"}),
    ],
)
def test_what_serves_its_issuer_is_taken(issuer: str, listen: str, more: dict[str, object]) -> None:
    """Loopback on the same port, or TLS, or a proxy that is named."""
    assert check_serves(settings_of(issuer, listen, **more)) == parse_listen(listen)


@pytest.mark.parametrize(
    ("issuer", "listen", "more"),
    [
        ("http://localhost:8750", "127.0.0.1:8751", {}),
        ("http://localhost:8750", "127.0.0.1:0", {}),
        ("http://localhost", "127.0.0.1:8750", {}),
        ("http://127.0.0.1:8750", "127.0.0.2:8750", {}),
        ("http://127.0.0.1:8750", "[::1]:8750", {}),
        ("http://localhost:8750", "0.0.0.0:8750", {}),
        ("http://localhost:8750", "192.168.0.1:8750", {}),
        ("https://gatekeeper.acme.example", "127.0.0.1:8750", {}),
        ("https://gatekeeper.acme.example", "0.0.0.0:8750", {}),
        ("https://gatekeeper.acme.example", "0.0.0.0:443", {"tls_cert": "c"}),
        ("https://gatekeeper.acme.example", "0.0.0.0:443", {"tls_key": "k"}),
        ("http://localhost:8750", "127.0.0.1:8750", {"tls_cert": "c", "tls_key": "k"}),
        ("https://gatekeeper.acme.example", "127.0.0.1:8750", {"behind_proxy": ("anyone",)}),
        ("https://gatekeeper.acme.example", "127.0.0.1:8750", {"behind_proxy": ("*",)}),
        ("https://localhost:8750", "127.0.0.1:8751", {"tls_cert": "c", "tls_key": "k"}),
    ],
)
def test_what_does_not_is_refused(issuer: str, listen: str, more: dict[str, object]) -> None:
    """Another port, plain http to the network, half a certificate, a proxy that could be anyone: GK101."""
    with pytest.raises(GatekeeperError, match="GK101"):
        check_serves(settings_of(issuer, listen, **more))


@pytest.mark.parametrize(
    ("issuer", "listen"),
    [("http://localhost:8750", "127.0.0.1:8750"), ("https://gatekeeper.acme.example", "[::1]:8750")],
)
def test_settings_read_back(tmp_path: Path, issuer: str, listen: str) -> None:
    """What is rendered is read as the same settings, with the database beside them."""
    text = render_settings(issuer=issuer, listen=listen)
    (tmp_path / FILE_NAME).write_text(text, "utf-8", newline="")
    assert load_settings(tmp_path) == settings_of(
        issuer, listen, data=tmp_path, database=default_database(tmp_path)
    )


def test_every_setting_is_read(tmp_path: Path) -> None:
    """Each key of the file arrives under its own name."""
    (tmp_path / FILE_NAME).write_text(
        'issuer = "https://gatekeeper.acme.example"\nlisten = "0.0.0.0:443"\ndatabase = "sqlite:////g.db"\n'
        'behind_proxy = ["10.0.0.1"]\ntls_cert = "c"\ntls_key = "k"\n'
    )
    assert load_settings(tmp_path) == ServiceSettings(
        data=tmp_path,
        issuer="https://gatekeeper.acme.example",
        listen="0.0.0.0:443",
        database="sqlite:////g.db",
        behind_proxy=("10.0.0.1",),
        tls_cert="c",
        tls_key="k",
    )


@pytest.mark.parametrize(
    "content",
    [
        "issuer = ",
        'listen = "127.0.0.1:1"',
        'issuer = "http://localhost:1"\nlisen = "x"',
        "issuer = 1",
        "\xff",
        "a = " + "9" * 5000,
        "a = 0x" + "f" * 5000,
        "a = " + "[" * 5000 + "]" * 5000,
        "a" + ".a" * 20_000 + " = 1",
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    """A file that isn't TOML, or has wrong or unknown keys or no end, is GK101."""
    (tmp_path / FILE_NAME).write_bytes(content.encode("latin-1"))
    with pytest.raises(GatekeeperError, match=r"^GK101: .{,500}$"):
        load_settings(tmp_path)


def test_no_service_names_the_way_to_one(tmp_path: Path) -> None:
    """Where there is none, the remedy is the command that makes one."""
    with pytest.raises(GatekeeperError) as caught:
        load_settings(tmp_path)
    assert "service init" in caught.value.remedy


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_this_machine(host: str) -> None:
    """The loopback addresses count, and their name; nothing that only looks like it does."""
    assert is_loopback(host)
    assert not is_loopback(host + ".evil.example")
