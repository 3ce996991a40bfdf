"""Keys that live elsewhere: AWS KMS (moto), Vault's Transit (a server that signs with real keys), an HSM (SoftHSM)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.keys.aws_kms import AwsKms
from gatekeeper.service.keys.elsewhere import Keeper, Reference, RemoteSigner, adopt
from gatekeeper.service.keys.pkcs11 import Hsm
from gatekeeper.service.keys.settings import SignerSettings, keepers_of, parse_reference, parse_signer
from gatekeeper.service.keys.vault import VaultTransit
from gatekeeper.service.outbound import send_now
from gatekeeper.trust.chain import public_key_of
from gatekeeper.trust.der import public_key_of_point, public_key_of_spki, raw_of_der
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.p256 import N
from gatekeeper.trust.sign import SigningKey

TOKEN = "hvs.not-to-be-shown"


class Transit(BaseHTTPRequestHandler):
    """As much of Vault's Transit engine as signing needs; its keys are real."""

    keys: dict[int, ec.EllipticCurvePrivateKey]
    sealed = False
    swapped = False

    def do_GET(self) -> None:
        """Return the key's public halves."""
        if self.path != "/v1/transit/keys/approval":
            self._answer(404, {"errors": []})
            return
        pem = {
            str(version): {
                "public_key": key.public_key()
                .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                .decode()
            }
            for version, key in self.keys.items()
        }
        self._answer(200, {"data": {"type": "ecdsa-p256", "keys": pem}})

    def do_POST(self) -> None:
        """Sign what is sent."""
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/v1/transit/sign/approval/sha2-256"
        assert sent["marshaling_algorithm"] == "jws"
        version = sent["key_version"]
        key = ec.generate_private_key(ec.SECP256R1()) if self.swapped else self.keys[version]
        raw = raw_of_der(key.sign(base64.b64decode(sent["input"]), ec.ECDSA(SHA256())))
        encoded = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        self._answer(200, {"data": {"signature": f"vault:v{version}:{encoded}"}})

    def _answer(self, status: int, members: object) -> None:
        if self.headers.get("x-vault-token") != TOKEN or self.sealed:
            status, members = 403, {"errors": ["permission denied"]}
        body = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _send(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    answer = send_now(method, url, headers=headers, body=body)
    return answer.status, answer.body


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[tuple[VaultTransit, type[Transit]]]:
    """A mount with one key of two versions, and the server to tamper with."""
    keys = {version: ec.generate_private_key(ec.SECP256R1()) for version in (1, 2)}
    handler = type("Handler", (Transit,), {"keys": keys})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (tmp_path / "token").write_text(TOKEN + "\n")
    yield (
        VaultTransit(
            address=f"http://127.0.0.1:{server.server_port}",
            mount="transit",
            token_file=tmp_path / "token",
            send=_send,
        ),
        handler,
    )
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[AwsKms, str]]:
    """A region with one key, as moto plays it."""
    import boto3  # type: ignore[import-untyped]
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("kms", region_name="eu-central-1")
        made = client.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        yield AwsKms(region="eu-central-1"), made["KeyMetadata"]["KeyId"]


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hsm]:
    """A token of SoftHSM's with one key pair labelled `approval`."""
    module = Path("/usr/lib/softhsm/libsofthsm2.so")
    if not module.exists() or not shutil.which("softhsm2-util"):
        words = "no SoftHSM on this machine: as root on Debian, apt-get install softhsm2"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    # The library reads its configuration once a process, so the key is made, and used, in processes of their own.
    subprocess.run(
        [
            *("softhsm2-util", "--init-token", "--free", "--label", "gatekeeper"),
            *("--pin", "1234", "--so-pin", "4321"),
        ],
        check=True,
        capture_output=True,
    )
    (tmp_path / "pin").write_text("1234\n")
    import pkcs11

    library = pkcs11.lib(str(module))
    library.reinitialize()
    with library.get_token(token_label="gatekeeper").open(rw=True, user_pin="1234") as session:
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC,
            {pkcs11.Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters("secp256r1")},
            local=True,
        )
        parameters.generate_keypair(label="approval", store=True)
    device = Hsm(module=module, token="gatekeeper", pin_file=tmp_path / "pin")
    yield device
    device.close()


def _signs(keeper: Keeper, reference: Reference) -> RemoteSigner:
    signer = adopt(keeper, reference)
    public = public_key_of(signer.public_jwk())
    assert public.kid == signer.kid
    for message in (b"", b"message", b"x" * 10_000):
        assert verify_es256(public, message, signer.sign(message))
    return signer


def test_aws_kms_signs(kms: tuple[AwsKms, str]) -> None:
    """What KMS signs in DER verifies as ES256's r ‖ s with the key that KMS shows."""
    keeper, name = kms
    signer = adopt(keeper, Reference(kind="aws-kms", name=name))
    public = public_key_of(signer.public_jwk())
    for message in (b"message", b"x" * 4096):
        assert verify_es256(public, message, signer.sign(message))


def test_aws_kms_gets_the_digest_of_what_is_long(kms: tuple[AwsKms, str]) -> None:
    """KMS takes 4,096 bytes; of more it is sent the digest, said to be one (moto can't do this, so a real key answers)."""
    from botocore.stub import Stubber  # type: ignore[import-untyped]

    key, message = ec.generate_private_key(ec.SECP256R1()), b"x" * 4097
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    asked = {
        "KeyId": "alias/x",
        "Message": sha256(message).digest(),
        "MessageType": "DIGEST",
        "SigningAlgorithm": "ECDSA_SHA_256",
    }
    with Stubber(kms[0]._client) as answers:
        answers.add_response("sign", {"Signature": key.sign(message, ec.ECDSA(SHA256()))}, asked)
        assert verify_es256(public_key_of_spki(spki), message, kms[0].sign("alias/x", message))


def test_aws_kms_that_refuses_is_said(kms: tuple[AwsKms, str]) -> None:
    """A key that isn't there is an error with a code, which a caller takes as `not now`."""
    with pytest.raises(GatekeeperError) as caught:
        adopt(kms[0], Reference(kind="aws-kms", name="alias/none"))
    assert caught.value.code == "GK106"


def test_vault_signs_with_the_version_that_is_named(vault: tuple[VaultTransit, type[Transit]]) -> None:
    """Each version is a key of its own here; a newer one there changes nothing."""
    one, two = (_signs(vault[0], Reference(kind="vault", name=f"approval:{version}")) for version in (1, 2))
    assert one.kid != two.kid


@pytest.mark.parametrize("name", ["approval", "approval:0", "approval:x", ":1", "approval:9", "none:1"])
def test_vault_names_that_are_none(vault: tuple[VaultTransit, type[Transit]], name: str) -> None:
    """A name without a version, or of no key, is said when the key is adopted."""
    with pytest.raises(GatekeeperError) as caught:
        adopt(vault[0], Reference(kind="vault", name=name))
    assert caught.value.code == "GK106"
    assert TOKEN not in str(caught.value)


def test_vault_that_is_sealed_or_away(vault: tuple[VaultTransit, type[Transit]], tmp_path: Path) -> None:
    """It refuses, its token is gone, nobody is there: each a code, and the token in none of the messages."""
    keeper, server = vault
    signer = adopt(keeper, Reference(kind="vault", name="approval:1"))
    server.sealed = True
    with pytest.raises(GatekeeperError, match="403"):
        signer.sign(b"x")
    (tmp_path / "token").unlink()
    with pytest.raises(GatekeeperError, match="token can't be read"):
        signer.sign(b"x")
    (tmp_path / "token").write_text(TOKEN)
    nobody = VaultTransit(
        address="http://127.0.0.1:9", mount="transit", token_file=tmp_path / "token", send=_send
    )
    with pytest.raises(GatekeeperError) as caught:
        nobody.sign("approval:1", b"x")
    assert caught.value.code == "GK106"
    assert TOKEN not in str(caught.value)


def test_a_keeper_with_another_key_is_found_out(vault: tuple[VaultTransit, type[Transit]]) -> None:
    """What is signed by another key than the one that was adopted never leaves the service."""
    keeper, server = vault
    signer = adopt(keeper, Reference(kind="vault", name="approval:1"))
    server.swapped = True
    with pytest.raises(GatekeeperError, match="isn't signed by the key that was adopted"):
        signer.sign(b"x")


def test_an_hsm_signs(hsm: Hsm) -> None:
    """Through PKCS #11: the point is read, r ‖ s needs no conversion, a lost session is opened again."""
    signer = _signs(hsm, Reference(kind="pkcs11", name="approval"))
    hsm.close()
    assert verify_es256(public_key_of(signer.public_jwk()), b"again", signer.sign(b"again"))
    with pytest.raises(GatekeeperError, match="no key of that label"):
        adopt(hsm, Reference(kind="pkcs11", name="none"))


def test_numbers_of_every_length_convert() -> None:
    """DER drops leading zeros and adds one before a high bit; r ‖ s has 32 bytes each, always."""
    for r, s in ((1, 1), (N - 1, 1), (1, N - 1), (2**255, 2**8), (2**247, 2**128)):
        assert raw_of_der(encode_dss_signature(r, s)) == r.to_bytes(32, "big") + s.to_bytes(32, "big")
    for r, s in ((0, 1), (1, 0), (N, 1), (1, N), (2**256, 1)):
        with pytest.raises(Malformed):
            raw_of_der(encode_dss_signature(r, s))
    for wrong in (b"", b"\x30", b"\x30\x06\x02\x01\x01\x02\x01"):
        with pytest.raises(Malformed):
            raw_of_der(wrong)


def test_only_p256_is_taken() -> None:
    """A key on another curve, of another kind, or damaged is none."""
    key = SigningKey.generate()
    point = b"\x04" + key.public.x + key.public.y
    assert public_key_of_point(point) == key.public
    assert public_key_of_point(b"\x04\x41" + point) == key.public
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    for wrong in (b"", b"junk", other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)):
        with pytest.raises(Malformed):
            public_key_of_spki(wrong)
    with pytest.raises(Malformed):
        public_key_of_point(b"\x04" + bytes(64))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([], "must be a table of keepers"),
        ({"vaul": {}}, "Did you mean vault?"),
        ({"vault": {"adress": "x"}}, "Did you mean address?"),
        ({"vault": {"address": "https://x"}}, "needs token_file"),
        ({"pkcs11": {"module": 1}}, "must be a text"),
        ({"aws-kms": "x"}, "must be a table"),
    ],
)
def test_a_configuration_that_is_wrong_is_said(raw: object, words: str) -> None:
    """Misspelt, missing or of another type: one message that names it."""
    with pytest.raises(GatekeeperError) as caught:
        parse_signer(raw)
    assert caught.value.code == "GK101"
    assert words in str(caught.value)


def test_a_keeper_that_is_not_configured_is_said(tmp_path: Path) -> None:
    """A key's file names a keeper, and service.toml says nothing of it."""
    with pytest.raises(GatekeeperError, match=r"no \[signer.vault\]"):
        keepers_of(SignerSettings(), data=tmp_path, send=_send)("vault")
    for wrong in ("", "vault", "vault:", "disk:x"):
        with pytest.raises(GatekeeperError):
            parse_reference(wrong)
    assert parse_reference("vault:approval:2") == Reference(kind="vault", name="approval:2")
