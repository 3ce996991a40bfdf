"""What a service runs with: exact issuers, and no plain http beyond this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.errors import GatekeeperError
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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gatekeeper.acme.example",
        "ftp://gatekeeper.acme.example",
        "http://gatekeeper.acme.example",
        "http://192.168.0.1:8750",
        "http://localhost.evil.example:8750",
        "https://ada@gatekeeper.acme.example",
        "https://gatekeeper.acme.example/path",
        "https://gatekeeper.acme.example?x=1",
        "https://gatekeeper.acme.example#x",
        "https://gatekeeper.acme.example:99999",
        "https://gatekeeper.acme.example:",
        "https://",
        "https://[::1",
    ],
)
def test_anything_else_is_no_issuer(text: str) -> None:
    """A path, a user, plain http to the network, or no address at all is GK101."""
    with pytest.raises(GatekeeperError, match="GK101"):
        parse_issuer(text)


@given(st.text(max_size=40))
def test_any_text_is_an_issuer_or_gk101(text: str) -> None:
    """No text raises anything but our error, and what is accepted is exact."""
    issuer = ""
    with contextlib.suppress(GatekeeperError):
        issuer = parse_issuer(text)
    if issuer:
        assert parse_issuer(issuer) == issuer


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


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.lists(st.text('abc"\\\n\x7f', max_size=5)),
)
def test_settings_read_back(tmp_path_factory: pytest.TempPathFactory, text: str, proxies: list[str]) -> None:
    """What is rendered is read as the same settings, whatever the texts hold."""
    data = tmp_path_factory.mktemp("svc")
    whole = ServiceSettings(
        data=data,
        issuer="http://localhost:8750",
        listen="127.0.0.1:8750",
        database=text or default_database(data),
        behind_proxy=tuple(proxies),
        tls_cert=text,
        tls_key="",
    )
    (data / FILE_NAME).write_text(render_settings(whole), "utf-8", newline="")
    assert load_settings(data) == whole


@pytest.mark.parametrize(
    "content",
    [
        "issuer = ",
        'listen = "127.0.0.1:1"',
        'issuer = "http://localhost:1"\nlisen = "x"',
        "issuer = 1",
        "\xff",
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    """A file that isn't TOML, or has wrong or unknown keys, is GK101."""
    (tmp_path / FILE_NAME).write_bytes(content.encode("latin-1"))
    with pytest.raises(GatekeeperError, match="GK101"):
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
