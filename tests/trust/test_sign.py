"""Signing keys: what they sign verifies, what they render comes back, and nothing shows the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.signing import KEY, OTHER, launch_claims

from gatekeeper.errors import Malformed
from gatekeeper.strict import b64url_decode, b64url_encode
from gatekeeper.trust import library, p256_plain
from gatekeeper.trust.p256 import N
from gatekeeper.trust.sign import LogKey, SigningKey, sign_token

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = LogKey.generate()


@given(st.binary(max_size=200))
def test_what_a_key_signs_verifies_under_it_alone(message: bytes) -> None:
    """Raw 64 bytes, for both verifiers; another key and another message don't hold."""
    signature = KEY.sign(message)
    for verify in (p256_plain.verify_es256, library.verify_es256):
        assert verify(KEY.public, message, signature)
        assert not verify(OTHER.public, message, signature)
        assert not verify(KEY.public, message + b"x", signature)


def test_private_jwk_round_trip() -> None:
    """A key that was stored and read back is the same key and signs for the same kid."""
    again = SigningKey.from_jwk(KEY.private_jwk())
    assert again.public == KEY.public
    assert again.private_jwk() == KEY.private_jwk()
    assert library.verify_es256(KEY.public, b"m", again.sign(b"m"))


@pytest.mark.parametrize("shard", range(4))
def test_small_coordinates_keep_their_leading_zeros(shard: int) -> None:
    """RFC 7518 §6.2.1.2: coordinates and d are always 32 octets; a lost zero would change the kid."""
    found = 0
    for secret in range(1 + shard * 300, 300 + shard * 300):
        key = SigningKey(ec.derive_private_key(secret, ec.SECP256R1()))
        jwk = key.private_jwk()
        assert [len(b64url_decode(str(jwk[name]))) for name in ("x", "y", "d")] == [32, 32, 32]
        assert SigningKey.from_jwk(jwk).kid == key.kid
        found += key.public.x[0] == 0 or key.public.y[0] == 0
    assert found


JWKS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "no d": lambda j: {name: member for name, member in j.items() if name != "d"},
    "d of another": lambda j: {**j, "d": OTHER.private_jwk()["d"]},
    "d zero": lambda j: {**j, "d": b64url_encode(bytes(32))},
    "d the order": lambda j: {**j, "d": b64url_encode(N.to_bytes(32, "big"))},
    "d + n": lambda j: {**j, "d": b64url_encode(b"\xff" * 32)},
    "d short": lambda j: {**j, "d": b64url_encode(b"\x01")},
    "d long": lambda j: {**j, "d": b64url_encode(b"\0" + b64url_decode(j["d"]))},
    "d a number": lambda j: {**j, "d": 7},
    "kid of another": lambda j: {**j, "kid": OTHER.kid},
    "public half of another": lambda j: {**OTHER.public_jwk(), "d": j["d"]},
    "a member too many": lambda j: {**j, "key_ops": ["sign"]},
    "nothing": lambda _: {},
}


@pytest.mark.parametrize("name", JWKS)
def test_a_stored_key_that_is_not_whole_is_refused(name: str) -> None:
    """A torn or edited credential is `Malformed`, never a key that signs for somebody else."""
    with pytest.raises(Malformed):
        SigningKey.from_jwk(JWKS[name](KEY.private_jwk()))


@pytest.mark.parametrize(
    "name", [name for name in JWKS if name not in {"d the order", "d + n", "d zero", "d of another"}]
)
def test_a_stored_log_key_that_is_not_whole_is_refused(name: str) -> None:
    """The same for Ed25519."""
    with pytest.raises(Malformed):
        LogKey.from_jwk(JWKS[name](LOG.private_jwk()))
    with pytest.raises(Malformed):
        LogKey.from_jwk({**LOG.private_jwk(), "d": LogKey.generate().private_jwk()["d"]})


def test_the_log_key_signs_and_comes_back() -> None:
    """Ed25519, verified with the library; its kid survives storage."""
    again = LogKey.from_jwk(LOG.private_jwk())
    assert again.public == LOG.public
    public = Ed25519PublicKey.from_public_bytes(LOG.public.x)
    public.verify(again.sign(b"checkpoint"), b"checkpoint")
    with pytest.raises(InvalidSignature):
        public.verify(again.sign(b"checkpoint"), b"another")
    assert LOG.public_jwk()["alg"] == "Ed25519"


def test_no_representation_shows_a_secret() -> None:
    """Keys end up in logs and tracebacks by accident; the private half must not."""
    for key in (KEY, LOG):
        secret = str(key.private_jwk()["d"])
        number = str(int.from_bytes(b64url_decode(secret), "big"))
        for shown in (repr(key), str(key), f"{key}"):
            assert secret not in shown
            assert number not in shown
            assert key.kid in shown


def test_a_key_on_another_curve_is_misuse() -> None:
    """secp256k1 has coordinates of the same size, so the curve is asked for by name."""
    for curve in (ec.SECP256K1(), ec.SECP384R1()):
        with pytest.raises(RuntimeError):
            SigningKey(ec.generate_private_key(curve))


def test_a_token_that_nobody_would_read_is_not_signed() -> None:
    """Too long for its verifiers is the signer's bug, found where it is made; a catalogue may be longer."""
    claims = launch_claims(x="a" * 16_384)
    with pytest.raises(RuntimeError):
        sign_token(KEY, typ="gk-approval+jwt", claims=claims)
    assert sign_token(KEY, typ="gk-catalogue+jwt", claims=claims)
