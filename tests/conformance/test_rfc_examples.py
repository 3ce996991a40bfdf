"""The RFCs' own examples."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.published import load_published

from gatekeeper.errors import TrustError
from gatekeeper.strict import b64url_decode, b64url_encode, render_json
from gatekeeper.trust import library, p256_plain
from gatekeeper.trust.chain import ApprovalKeys, PublicKey, verify_launch_token
from gatekeeper.trust.dpop import DpopError, access_token_hash, verify_proof
from gatekeeper.trust.p256 import sha256
from gatekeeper.trust.root_documents import log_thumbprint


def _example(name: str) -> dict[str, Any]:
    found = [one for one in load_published("rfc/rfc-examples.json") if one["name"].startswith(name)]
    assert len(found) == 1
    example: dict[str, Any] = found[0]
    return example


def test_rfc_7515_a3_signature_holds_for_both_verifiers() -> None:
    """The ES256 example verifies, and not with another payload."""
    example = _example("RFC 7515 A.3")
    key = PublicKey(kid="", x=b64url_decode(example["jwk"]["x"]), y=b64url_decode(example["jwk"]["y"]))
    header, payload, signature = example["jws"].split(".")
    for verify in (p256_plain.verify_es256, library.verify_es256):
        assert verify(key, f"{header}.{payload}".encode(), b64url_decode(signature))
        assert not verify(key, f"{header}.{payload}A".encode(), b64url_decode(signature))


@pytest.mark.parametrize("name", ["RFC 7515 A.3", "RFC 8037 A.4"])
def test_rfc_tokens_are_no_launch_tokens(name: str) -> None:
    """A foreign token is refused by form, before anything asks whether its signature holds."""
    asked = []

    def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
        asked.append((key, message, signature))
        return True

    with pytest.raises(TrustError):
        verify_launch_token(
            _example(name)["jws"].encode(),
            keys=ApprovalKeys(keys=()),
            issuer="joe",
            verify=verify,
        )
    assert not asked


def test_rfc_7638_thumbprint_is_the_digest_of_the_required_members_in_order() -> None:
    """Our JSON and SHA-256 give the RFC's value for its RSA key, and RFC 8037's for Ed25519."""
    example = _example("RFC 7638 3.1")
    members = {name: example["jwk"][name] for name in ("e", "kty", "n")}
    assert b64url_encode(sha256(render_json(members))) == example["thumbprint"]
    edwards = _example("RFC 8037 A.3")
    assert log_thumbprint(b64url_decode(edwards["jwk"]["x"])) == edwards["thumbprint"]


def test_rfc_7636_challenge() -> None:
    """The PKCE example of appendix B, by the same SHA-256 and base64url."""
    example = _example("RFC 7636")
    assert b64url_encode(sha256(example["code_verifier"].encode())) == example["code_challenge"]


def test_rfc_9449_proof_holds_for_its_call_alone() -> None:
    """Figure 2 verifies for its method and address, gives the RFC's thumbprint, and no other call passes."""
    example = _example("RFC 9449")
    proof = verify_proof(example["proof"], method=example["htm"], url=example["htu"])
    assert (proof.jkt, proof.issued_at, proof.nonce) == (example["jkt"], example["iat"], "")
    for method, url in (("GET", example["htu"]), ("POST", "https://server.example.com/token2")):
        with pytest.raises(DpopError):
            verify_proof(example["proof"], method=method, url=url)


def test_rfc_9449_access_token_hash() -> None:
    """The `ath` of figure 12 belongs to the access token of the same section."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    assert access_token_hash(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
