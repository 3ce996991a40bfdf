"""What answers is not trusted: limits of size and time, no redirect, no compression, plain http at home only."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.fakes.service import (
    Answer,
    ServiceSimulator,
    compressed,
    cut,
    dripping,
    dripping_head,
    huge,
    redirect,
    slow,
)

from gatekeeper.client.http import Http
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.errors import GatekeeperError

ROOT = "/.well-known/gatekeeper/root/latest"


def test_an_answer_comes_as_it_is(service: ServiceSimulator, http: Http) -> None:
    """Status, body and lower-case headers are the service's, whatever the status."""
    reply = http.send("GET", ROOT)
    assert (reply.status, reply.body) == (200, service.documents[1])
    assert reply.headers["dpop-nonce"] == service.nonce
    assert http.send("GET", "/.well-known/gatekeeper/root/7").status == 404


@pytest.mark.parametrize("lie", [slow(60), dripping(0.05), dripping_head(0.05)])
def test_the_deadline_is_for_everything(service: ServiceSimulator, http: Http, lie: object) -> None:
    """A service that is late, or drips its head or body, is unreachable when the time is over, and not later."""
    service.lie("/", lie)  # type: ignore[arg-type]
    begun = time.monotonic()
    with pytest.raises(ServiceUnreachable) as caught:
        http.send("GET", ROOT, timeout=0.3)
    assert caught.value.code == "GK601"
    assert time.monotonic() - begun < 30  # the whole drip takes minutes


def test_a_call_after_a_late_one_works(service: ServiceSimulator, http: Http) -> None:
    """A call that was given up holds nothing that the next one needs."""
    service.lie("/", slow(0.5))
    with pytest.raises(ServiceUnreachable):
        http.send("GET", ROOT, timeout=0.1)
    service.honest()
    assert http.send("GET", ROOT).status == 200


def test_calls_share_an_end(service: ServiceSimulator, http: Http) -> None:
    """After `end_within` nothing is sent once the time is over."""
    http.end_within(0)
    with pytest.raises(ServiceUnreachable):
        http.send("GET", ROOT)
    assert service.calls == []


@pytest.mark.parametrize("lie", [huge, cut, compressed])
def test_a_body_that_cannot_be_read_is_no_answer(service: ServiceSimulator, http: Http, lie: object) -> None:
    """Too long, cut short or compressed: GK602, never part of a body."""
    service.lie("/", lie)  # type: ignore[arg-type]
    with pytest.raises(ServiceUnreachable) as caught:
        http.send("GET", ROOT)
    assert caught.value.code == "GK602"


def test_a_body_of_the_limit_is_read(service: ServiceSimulator, http: Http) -> None:
    """1 MiB is allowed, a byte more is not."""
    service.lie("/", lambda _: Answer(200, b"x" * 1024 * 1024))
    assert len(http.send("GET", ROOT).body) == 1024 * 1024
    service.lie("/", lambda _: Answer(200, b"x" * (1024 * 1024 + 1)))
    with pytest.raises(ServiceUnreachable):
        http.send("GET", ROOT)


def test_redirects_are_not_followed(service: ServiceSimulator, http: Http) -> None:
    """A redirect is handed back; the other address sees no call."""
    with ServiceSimulator() as other:
        service.lie("/", redirect(f"{other.issuer}/stolen"))
        assert http.send("GET", ROOT).status == 307
        assert other.calls == []


def test_a_closed_port_is_unreachable(service: ServiceSimulator, http: Http) -> None:
    """No listener: GK601, in the system's words."""
    service.stop()
    with pytest.raises(ServiceUnreachable) as caught:
        http.send("GET", ROOT)
    assert caught.value.code == "GK601"
    assert "refused" in caught.value.detail


def test_plain_http_is_for_loopback_alone() -> None:
    """A plain address of another machine is refused before anything is sent."""
    with pytest.raises(GatekeeperError) as caught:
        Http("http://gatekeeper.acme.example", ca_bundle="", timeout=1)
    assert caught.value.code == "GK101"


def test_loopback_goes_past_every_proxy(service: ServiceSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable never sees a call to this machine."""
    with ServiceSimulator() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.issuer)
        with Http(service.issuer, ca_bundle="", timeout=5) as http:
            assert http.send("GET", ROOT).status == 200
        assert proxy.calls == []


def test_an_https_service_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a proxy is configured, a service elsewhere is reached through it; the failure is GK601."""
    with ServiceSimulator() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.issuer)
        elsewhere = Http("https://gatekeeper.acme.example", ca_bundle="", timeout=5)
        with elsewhere as http, pytest.raises(ServiceUnreachable) as caught:
            http.send("GET", ROOT)
        assert proxy.calls == [("CONNECT", "gatekeeper.acme.example:443")]
    assert caught.value.code == "GK601"


def test_an_impossible_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable that is no address is GK101 with the variables' names."""
    monkeypatch.setenv("HTTPS_PROXY", "bogus://nowhere")
    with pytest.raises(GatekeeperError) as caught:
        Http("https://gatekeeper.acme.example", ca_bundle="", timeout=1)
    assert caught.value.code == "GK101"
    assert "HTTPS_PROXY" in caught.value.remedy


@pytest.mark.parametrize("by_variable", [True, False])
def test_certificates_that_cannot_be_used_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_variable: bool
) -> None:
    """A missing or empty bundle, from ca_bundle or SSL_CERT_FILE, is GK101 with the file."""
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    for path in (tmp_path / "missing.pem", empty):
        if by_variable:
            monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with pytest.raises(GatekeeperError) as caught:
            Http("https://localhost:1", ca_bundle="" if by_variable else str(path), timeout=1)
        assert caught.value.code == "GK101"
        assert str(path) in caught.value.detail


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for localhost that no system trusts: its file, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    path = tmp_path / "ca.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret = tmp_path / "key.pem"
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return path, context


def test_tls_is_checked(
    service: ServiceSimulator, authority: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown certificate is unreachable and said so; ca_bundle or SSL_CERT_FILE makes it known."""
    path, context = authority
    service.server.socket = context.wrap_socket(service.server.socket, server_side=True)
    address = service.issuer.replace("http://127.0.0.1", "https://localhost")
    with Http(address, ca_bundle="", timeout=5) as http, pytest.raises(ServiceUnreachable) as caught:
        http.send("GET", ROOT)
    assert caught.value.code == "GK601"
    assert "certificate" in caught.value.detail
    with Http(address, ca_bundle=str(path), timeout=5) as http:
        assert http.send("GET", ROOT).status == 200
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with Http(address, ca_bundle="", timeout=5) as http:
        assert http.send("GET", ROOT).status == 200
