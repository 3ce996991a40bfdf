"""Wycheproof against both verifiers and the strict profile, each with a closed list of outcomes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from tests.conformance.published import load_wycheproof
from tests.trust import by_tables

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import b64url_decode, b64url_encode
from gatekeeper.trust import library, p256_plain
from gatekeeper.trust.chain import ApprovalKeys, PublicKey, public_key_of, thumbprint, verify_launch_token
from gatekeeper.trust.published import peek_kid

if TYPE_CHECKING:
    from gatekeeper.trust.chain import Verify

VERIFIERS = pytest.mark.parametrize(
    "verify",
    [p256_plain.verify_es256, by_tables.verify_es256, library.verify_es256],
    ids=["own", "tables", "library"],
)


def _key(group: dict[str, Any]) -> PublicKey:
    point = bytes.fromhex(group["publicKey"]["uncompressed"])
    assert len(point) == 65
    return PublicKey(kid="", x=point[1:33], y=point[33:])


@VERIFIERS
def test_every_raw_signature_case_has_its_outcome(verify: Verify) -> None:
    """All 262 IEEE P1363 cases: the valid hold, the invalid don't, and there is no third result."""
    outcomes = Counter(
        (case["result"], verify(_key(group), bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])))
        for group, case in load_wycheproof("ecdsa_secp256r1_sha256_p1363_test.json")
    )
    assert outcomes == {("valid", True): 173, ("invalid", False): 89}


@VERIFIERS
def test_every_der_case_that_has_a_raw_form_has_its_outcome(verify: Verify) -> None:
    """The 484 DER cases, brought to r ‖ s where strict DER and 32 bytes allow it; what doesn't fit is invalid."""
    outcomes: Counter[tuple[str, str]] = Counter()
    for group, case in load_wycheproof("ecdsa_secp256r1_sha256_test.json"):
        try:
            r, s = decode_dss_signature(bytes.fromhex(case["sig"]))
            raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        except (ValueError, OverflowError):
            outcomes[case["result"], "no raw form"] += 1
        else:
            outcomes[case["result"], str(verify(_key(group), bytes.fromhex(case["msg"]), raw))] += 1
    assert outcomes == {("valid", "True"): 174, ("invalid", "False"): 75, ("invalid", "no raw form"): 235}


def _jose_keys(group: dict[str, Any]) -> list[dict[str, Any]]:
    jwk = group.get("public") or group["private"]
    return [one for one in jwk.get("keys", [jwk]) if one.get("crv") == "P-256"]


@VERIFIERS
@pytest.mark.parametrize(
    ("name", "tried"),
    [
        ("json_web_signature_test.json", 401),
        ("json_web_crypto_test.json", 49),
        ("json_web_key_test.json", 26),
    ],
)
def test_no_published_jws_passes_as_a_launch_token(verify: Verify, name: str, tried: int) -> None:
    """Whatever its signature is worth: with the case's own key under the case's own kid, the profile refuses."""
    count = 0
    for group, case in load_wycheproof(name):
        if "jws" not in case:
            continue
        text = case["jws"] if isinstance(case["jws"], str) else str(case["jws"])
        token = text.encode()
        keys = []
        for jwk in _jose_keys(group):
            try:
                x, y = b64url_decode(jwk["x"]), b64url_decode(jwk["y"])
            except Malformed:
                continue
            keys.append(PublicKey(kid=peek_kid(token) or jwk.get("kid", ""), x=x, y=y))
        count += 1
        with pytest.raises(TrustError) as refused:
            verify_launch_token(
                token,
                keys=ApprovalKeys(keys=tuple(keys)),
                issuer="https://gatekeeper.acme.example",
                verify=verify,
            )
        assert refused.value.code == "GK501"
    assert count == tried


@VERIFIERS
def test_es256_signatures_of_the_jose_file_have_their_outcome(verify: Verify) -> None:
    """Below the profile, the ES256 signatures of canonical compact cases hold exactly where they are valid.

    Two cases hold that Wycheproof calls invalid: their *key* says that it is for something else, and
    the test after this one shows where that is refused.
    """
    outcomes: Counter[tuple[str, str, bool]] = Counter()
    for group, case in load_wycheproof("json_web_signature_test.json"):
        segments = case["jws"].split(".") if isinstance(case["jws"], str) else []
        keys = _jose_keys(group)
        if not keys or len(segments) != 3:
            continue
        try:
            signature = b64url_decode(segments[2])
        except Malformed:
            continue
        key = PublicKey(kid="", x=b64url_decode(keys[0]["x"]), y=b64url_decode(keys[0]["y"]))
        holds = verify(key, f"{segments[0]}.{segments[1]}".encode(), signature)
        outcomes[group["comment"], case["result"], holds] += 1
    assert {outcome for outcome in outcomes if outcome[2]} == {
        ("es256", "valid", True),
        ("SpecialCaseEs256", "valid", True),
        ("ec_key_for_encryption", "invalid", True),
    }
    assert not [outcome for outcome in outcomes if outcome[1:] == ("valid", False)]
    assert outcomes["SpecialCaseEs256", "invalid", False] > 15


def _ours(jwk: dict[str, Any]) -> dict[str, Any]:
    """Bring a published key as near to our profile as can be: our kid, and no `use` that says nothing new."""
    near = {**jwk}
    if near.get("use") == "sig":
        del near["use"]
    try:
        near["kid"] = thumbprint(b64url_decode(jwk["x"]), b64url_decode(jwk["y"]))
    except Malformed:
        near["kid"] = "unreadable"
    return near


def test_published_keys_that_must_not_verify_are_no_keys_of_ours() -> None:
    """A key for another use, algorithm, curve or type, or off the curve, is refused before any signature."""
    outcomes: dict[int, str] = {}
    cases = load_wycheproof("json_web_key_test.json") + [
        (group, case)
        for group, case in load_wycheproof("json_web_signature_test.json")
        if group["comment"] in {"es256", "ec_key_for_encryption"}
    ]
    for group, case in cases:
        jwk = group.get("public") or group["private"]
        if jwk.get("crv") not in {"P-256", "P-521", "P-384", "secp256k1"}:
            continue
        try:
            public_key_of(_ours(jwk))
        except Malformed:
            outcomes[case["tcId"]] = "refused"
        else:
            outcomes[case["tcId"]] = "accepted"
    accepted = {tc for tc, outcome in outcomes.items() if outcome == "accepted"}
    assert accepted == {case["tcId"] for group, case in cases if group["comment"] == "es256"}
    assert {19, 20, 21, 22, 23, 24, 354, 356} <= set(outcomes)


def test_a_kid_is_always_the_thumbprint() -> None:
    """The published kids are free text, which our keys never have."""
    for group, _ in load_wycheproof("json_web_signature_test.json"):
        for jwk in _jose_keys(group):
            near = _ours(jwk)
            with pytest.raises(Malformed):
                public_key_of({**near, "kid": jwk.get("kid", "")})
            assert near["kid"] == b64url_encode(b64url_decode(near["kid"]))
