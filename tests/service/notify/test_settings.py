"""What service.toml may say about notifications, and mail over TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.service.notify.parts import MailServer, listening

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.notify.mail import Mail
from gatekeeper.service.notify.news import ASKS, KINDS, TELLS, News
from gatekeeper.service.notify.settings import STARTTLS, MailSettings, parse_notify
from gatekeeper.service.notify.target import NotTaken, TargetDown
from gatekeeper.service.notify.targets import targets_of
from gatekeeper.service.settings import load_settings

SERVICE = """
issuer = "http://localhost:8750"
[[notify]]
kind = "webhook"
url = "https://hooks.acme.example/gatekeeper"
secret_file = "secret"
[[notify]]
kind = "slack"
name = "slack-security"
url_file = "slack"
on = ["break_glass.used"]
[[notify]]
kind = "teams"
url_file = "slack"
[[notify]]
kind = "email"
smtp = "smtp.acme.example"
from = "gatekeeper@acme.example"
login = "gatekeeper"
password_file = "secret"
"""
NEWS = News(
    id="gatekeeper-1-2",
    kind="request.approved",
    at=2,
    title="Approved",
    facts=(("Grant", "G-1"),),
    words="",
    url="https://gatekeeper.acme.example/requests/R-1",
    data={},
    to="ada@acme.example",
)


def test_four_targets_of_service_toml(tmp_path: Path) -> None:
    """Each kind, its default kinds of message, and secrets that are read from files of the owner's alone."""
    (tmp_path / "service.toml").write_text(SERVICE)
    for name, text in (("secret", "sixteen characters"), ("slack", "https://hooks.acme.example/T/B/x\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    settings = load_settings(tmp_path).notify
    assert [(one.name, one.on) for one in settings] == [
        ("webhook", KINDS),
        ("slack-security", ("break_glass.used",)),
        ("teams", ASKS),
        ("email", (*ASKS, *TELLS)),
    ]
    mail = settings[3].mail
    assert mail is not None
    assert (mail.host, mail.port, mail.security) == ("smtp.acme.example", 587, STARTTLS)
    assert [one.personal for one in targets_of(settings)] == [False, False, False, True]
    for name, content, mode, words in (
        ("secret", "short", 0o600, "fewer than 16"),
        ("secret", "sixteen characters", 0o640, "open to others"),
        ("slack", "http://hooks.acme.example/", 0o600, "can't be called"),
    ):
        path = tmp_path / name
        before = path.read_text()
        path.write_text(content)
        path.chmod(mode)
        with pytest.raises(GatekeeperError, match=words) as caught:
            targets_of(settings)
        assert caught.value.code == "GK101"
        path.write_text(before)
        path.chmod(0o600)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"kind": "slack"}, "as [[notify]]"),
        (["slack"], "as [[notify]]"),
        ([{"kind": "slak"}], "Did you mean slack?"),
        ([{"kind": "slack", "url": "https://x"}], "unknown key url"),
        ([{"kind": "slack"}], "needs url_file"),
        ([{"kind": "slack", "url_file": 1}], "must be a text"),
        ([{"kind": "slack", "url_file": "f", "on": ["request.create"]}], "Did you mean request.created?"),
        ([{"kind": "slack", "url_file": "f", "on": []}], "must be a list"),
        ([{"kind": "slack", "url_file": "f"}] * 2, "two targets are called slack"),
        ([{"kind": "email", "smtp": "h:0", "from": "a@b.example"}], "HOST:PORT"),
        ([{"kind": "email", "smtp": "h", "from": "a"}], "mail address"),
        ([{"kind": "email", "smtp": "h", "from": "a@b.example", "security": "none"}], "on this machine"),
        ([{"kind": "email", "smtp": "h", "from": "a@b.example", "login": "x"}], "come together"),
    ],
)
def test_what_is_wrong_is_named(raw: object, words: str, tmp_path: Path) -> None:
    """GK101, with the section, the key and what was probably meant."""
    with pytest.raises(GatekeeperError) as caught:
        parse_notify(raw, data=tmp_path)
    assert caught.value.code == "GK101"
    assert words in f"{caught.value} {caught.value.remedy}"


def test_mail_is_encrypted_before_the_password_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STARTTLS with a certificate that is checked; a server without either gets neither password nor mail."""
    ca, context = _authority(tmp_path)
    settings = MailSettings(
        host="localhost", port=1, security=STARTTLS, sender="gatekeeper@acme.example", login="gatekeeper"
    )

    def send(server: MailServer) -> None:
        with listening(server):
            one = settings.replace(port=server.port)
            Mail(one, name="email", on=TELLS, password="a password").send(NEWS, now=2)

    trusted, strange, plain = MailServer(context), MailServer(context), MailServer()
    with pytest.raises(TargetDown):
        send(strange)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    with pytest.raises(TargetDown):
        send(plain)
    assert (strange.mails, strange.logins, plain.mails, plain.logins) == ([], [], [], [])
    send(trusted)
    assert trusted.encrypted == [True]
    assert len(trusted.logins) == 1
    [(to, mail)] = trusted.mails
    assert (to, mail["Message-ID"]) == ("ada@acme.example", "<gatekeeper-1-2@acme.example>")
    with pytest.raises(NotTaken, match="the address is none"):
        Mail(settings, name="email", on=TELLS, password="").send(
            NEWS.replace(to="a@b\nBcc: c@d.example"), now=2
        )


def _authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for localhost: its file, and a server's context with it."""
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
    path, secret = folder / "ca.pem", folder / "key.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return path, context
