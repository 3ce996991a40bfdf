"""DPoP proofs: made and verified for one call, in the narrow profile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey

from gatekeeper.strict import b64url_decode, b64url_encode
from gatekeeper.trust.dpop import DpopError, Proof, access_token_hash, make_proof, verify_proof
from gatekeeper.trust.sign import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = SigningKey.generate()
OTHER = SigningKey.generate()
NOW = 1_800_000_000
URL = "https://gatekeeper.acme.example/oauth/token"
TOKEN = "opaque-access-token"


def good(**changes: Any) -> str:
    """Make a good proof."""
    given_: dict[str, Any] = {"method": "POST", "url": URL, "now": NOW, "jti": "j-1", **changes}
    return make_proof(KEY, **given_)


def verified(proof: str, **changes: Any) -> Proof:
    """Verify for the same call."""
    given_: dict[str, Any] = {"method": "POST", "url": URL, **changes}
    return verify_proof(proof, **given_)


def test_a_proof_proves_its_key_and_call() -> None:
    """Thumbprint, jti, time and nonce come back; the thumbprint is the enrolled key's kid."""
    assert verified(good(nonce="n-1")) == Proof(jkt=KEY.kid, jti="j-1", issued_at=NOW, nonce="n-1")
    assert verified(good()).nonce == ""


def test_a_proof_with_an_access_token_is_for_that_token() -> None:
    """`ath` must be there and right when a token is used, and absent when none is."""
    proof = good(access_token=TOKEN)
    assert verified(proof, access_token=TOKEN).jkt == KEY.kid
    for token in ("another", "", TOKEN + " ", "é"):
        with pytest.raises(DpopError):
            verified(proof, access_token=token)
    with pytest.raises(DpopError):
        verified(good(), access_token=TOKEN)


@pytest.mark.parametrize(
    "call",
    [
        {"method": "GET"},
        {"method": "post"},
        {"url": "https://gatekeeper.acme.example/oauth/token/"},
        {"url": "https://gatekeeper.acme.example/oauth/revoke"},
        {"url": "http://gatekeeper.acme.example/oauth/token"},
        {"url": "https://gatekeeper.acme.example:443/oauth/token"},
        {"url": "https://GATEKEEPER.acme.example/oauth/token"},
        {"url": "https://other.acme.example/oauth/token"},
    ],
)
def test_a_proof_is_for_one_call(call: dict[str, str]) -> None:
    """Method and address are compared exactly; nothing is normalised."""
    assert verified(good()).jkt == KEY.kid
    with pytest.raises(DpopError):
        verified(good(), **call)


def test_query_and_fragment_do_not_count() -> None:
    """RFC 9449 §4.2: `htu` is without them, whichever side has them."""
    assert verified(good(url=URL + "?a=1#b")).jkt == KEY.kid
    assert verified(good(), url=URL + "?wait=30").jkt == KEY.kid
    assert json.loads(b64url_decode(good(url=URL + "?a=1").split(".")[1]))["htu"] == URL


def _signed(header: object, claims: object, key: SigningKey = KEY) -> str:
    message = ".".join(b64url_encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{message}.{b64url_encode(key.sign(message.encode()))}"


JWK = {name: KEY.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
HEADER: dict[str, Any] = {"typ": "dpop+jwt", "alg": "ES256", "jwk": JWK}
CLAIMS: dict[str, Any] = {"jti": "j-1", "htm": "POST", "htu": URL, "iat": NOW}


def _without(members: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != name}


PROOFS: dict[str, str] = {
    "typ JWT": _signed({**HEADER, "typ": "JWT"}, CLAIMS),
    "typ of a token": _signed({**HEADER, "typ": "at+jwt"}, CLAIMS),
    "alg none": _signed({**HEADER, "alg": "none"}, CLAIMS),
    "alg HS256": _signed({**HEADER, "alg": "HS256"}, CLAIMS),
    **{f"no {name}": _signed(_without(HEADER, name), CLAIMS) for name in HEADER},
    **{
        f"member {name}": _signed({**HEADER, name: "x"}, CLAIMS)
        for name in ("kid", "jku", "x5c", "crit", "b64", "zip")
    },
    "a private jwk": _signed({**HEADER, "jwk": {**JWK, "d": KEY.private_jwk()["d"]}}, CLAIMS),
    "a jwk with kid": _signed({**HEADER, "jwk": {**JWK, "kid": KEY.kid}}, CLAIMS),
    "a jwk with alg": _signed({**HEADER, "jwk": {**JWK, "alg": "ES256"}}, CLAIMS),
    "a symmetric jwk": _signed({**HEADER, "jwk": {"kty": "oct", "k": "AAAA"}}, CLAIMS),
    "a jwk of another": _signed({**HEADER, "jwk": {name: OTHER.public_jwk()[name] for name in JWK}}, CLAIMS),
    "a jwk off the curve": _signed({**HEADER, "jwk": {**JWK, "y": JWK["x"]}}, CLAIMS),
    "a jwk that is text": _signed({**HEADER, "jwk": KEY.kid}, CLAIMS),
    **{f"claim {name} missing": _signed(HEADER, _without(CLAIMS, name)) for name in CLAIMS},
    "jti empty": _signed(HEADER, {**CLAIMS, "jti": ""}),
    "jti long": _signed(HEADER, {**CLAIMS, "jti": "j" * 129}),
    "jti a number": _signed(HEADER, {**CLAIMS, "jti": 1}),
    "iat a float": _signed(HEADER, {**CLAIMS, "iat": NOW + 0.5}),
    "iat a text": _signed(HEADER, {**CLAIMS, "iat": str(NOW)}),
    "nonce a number": _signed(HEADER, {**CLAIMS, "nonce": 1}),
    "nonce long": _signed(HEADER, {**CLAIMS, "nonce": "n" * 257}),
    "htm a list": _signed(HEADER, {**CLAIMS, "htm": ["POST"]}),
    "htu with query": _signed(HEADER, {**CLAIMS, "htu": URL + "?a=1"}),
    "ath without a token": _signed(HEADER, {**CLAIMS, "ath": access_token_hash(TOKEN)}),
    "ath empty": _signed(HEADER, {**CLAIMS, "ath": ""}),
    "claims a list": _signed(HEADER, [CLAIMS]),
    "header a list": _signed([HEADER], CLAIMS),
    "too long": _signed(HEADER, {**CLAIMS, "x": "a" * 3000}),
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_signed_but_foreign_proof_is_refused(name: str) -> None:
    """Each is signed with the key that it is about, so that only the profile refuses."""
    with pytest.raises(DpopError) as refused:
        verified(PROOFS[name])
    assert refused.value.code == "GK604"
    assert refused.value.reason


def test_what_the_hostile_proofs_start_from_is_accepted() -> None:
    """So each refusal above is for the change that its name tells; a claim that nobody knows is passed over."""
    assert verified(_signed(HEADER, CLAIMS)).jkt == KEY.kid
    assert verified(_signed(HEADER, {**CLAIMS, "unknown": 1})).jkt == KEY.kid
    assert verified(_signed(HEADER, {**CLAIMS, "x": "a" * 2000})).jkt == KEY.kid


def test_any_change_of_one_byte_refuses_or_is_about_another_key() -> None:
    """No change leaves a proof for this key."""
    proof = good()
    for at, char in enumerate(proof):
        for change in (chr(ord(char) ^ 1), "A", "=", "é"):
            if change != char:
                with pytest.raises(DpopError):
                    verified(proof[:at] + change + proof[at + 1 :])


@pytest.mark.parametrize(
    "change",
    [lambda p: p + "=", lambda p: p + ".x", lambda p: p.rpartition(".")[0], lambda p: " " + p, lambda _: ""],
)
def test_another_shape_is_refused(change: Callable[[str], str]) -> None:
    """One proof has one spelling."""
    with pytest.raises(DpopError):
        verified(change(good()))


@given(st.text(max_size=200))
def test_hostile_text_is_refused_and_nothing_else_is_raised(proof: str) -> None:
    """Whatever stands in the header of a call."""
    with pytest.raises(DpopError):
        verified(proof)


def test_joserfc_verifies_our_proofs() -> None:
    """With the key from the proof's own header, as RFC 9449 says."""
    proof = good(nonce="n", access_token=TOKEN)
    header = json.loads(b64url_decode(proof.split(".")[0]))
    theirs = joserfc_jws.deserialize_compact(proof, ECKey.import_key(header["jwk"]), algorithms=["ES256"])
    assert json.loads(theirs.payload) == {**CLAIMS, "nonce": "n", "ath": access_token_hash(TOKEN)}
    assert ECKey.import_key(header["jwk"]).thumbprint() == KEY.kid
