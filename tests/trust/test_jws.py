"""The strict profile: what it accepts, and every way in which a well-signed token is still refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey
from tests.trust.signing import (
    APPROVAL,
    GATEWAY,
    ISSUER,
    KEY,
    NOW,
    OTHER,
    POLICY,
    STATUS,
    header,
    launch_claims,
    signed,
)

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import b64url_decode, b64url_encode, render_json
from gatekeeper.trust import chain, library, p256_plain, published
from gatekeeper.trust.chain import (
    ApprovalKeys,
    VerifiedApproval,
    public_key_of,
    thumbprint,
    verify_launch_token,
)
from gatekeeper.trust.published import (
    peek_kid,
    render_public_jwk,
    verify_catalogue,
    verify_gateway_token,
    verify_status_list,
)
from gatekeeper.trust.sign import SigningKey, sign_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.trust.chain import Verify

VERIFIERS = pytest.mark.parametrize(
    "verify", [p256_plain.verify_es256, library.verify_es256], ids=["own", "library"]
)


def verified(
    token: bytes, verify: Verify = library.verify_es256, keys: ApprovalKeys = APPROVAL
) -> VerifiedApproval:
    """Verify as a launch does."""
    return verify_launch_token(token, keys=keys, issuer=ISSUER, verify=verify)


def code_of(call: Callable[[], object]) -> str:
    """Return the code of the refusal; that it is refused is part of every test that asks."""
    with pytest.raises(TrustError) as refused:
        call()
    return refused.value.code


@VERIFIERS
def test_a_good_token_gives_its_claims(verify: Verify) -> None:
    """Kid and claims come back unchanged, from both verifiers."""
    token = sign_token(KEY, typ="gk-approval+jwt", claims=launch_claims()).encode()
    assert verified(token, verify) == VerifiedApproval(kid=KEY.kid, claims=launch_claims())


def _raw(claims: dict[str, Any]) -> bytes:
    return json.dumps(claims).encode()


GOOD = _raw(launch_claims())
HEAD = json.dumps(header()).encode()

# Header bytes, payload bytes, the code. Each is signed with the right key over exactly these bytes.
HEADERS: dict[str, tuple[bytes, str]] = {
    "alg none": (_raw(header(alg="none")), "GK501"),
    "alg HS256": (_raw(header(alg="HS256")), "GK501"),
    "alg ES384": (_raw(header(alg="ES384")), "GK501"),
    "alg in small letters": (_raw(header(alg="es256")), "GK501"),
    "alg a list": (_raw(header(alg=["ES256"])), "GK501"),
    "no alg": (_raw(header(alg=None)), "GK501"),
    "no typ": (_raw(header(typ=None)), "GK501"),
    "no kid": (_raw(header(kid=None)), "GK501"),
    "kid empty": (_raw(header(kid="")), "GK501"),
    "kid a number": (_raw(header(kid=1)), "GK501"),
    "kid unknown": (_raw(header(kid="NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")), "GK501"),
    "kid of another key": (_raw(header(kid=OTHER.kid)), "GK501"),
    "typ of a gateway token": (_raw(header(typ="at+jwt")), "GK502"),
    "typ of a catalogue": (_raw(header(typ="gk-catalogue+jwt")), "GK502"),
    "typ of a proof": (_raw(header(typ="dpop+jwt")), "GK502"),
    "typ with prefix": (_raw(header(typ="application/gk-approval+jwt")), "GK502"),
    "typ in capitals": (_raw(header(typ="GK-APPROVAL+JWT")), "GK502"),
    "typ JWT": (_raw(header(typ="JWT")), "GK502"),
    "typ a number": (_raw(header(typ=7)), "GK502"),
    **{
        f"member {name}": (_raw(header(**{name: value})), "GK501")
        for name, value in {
            "crit": ["exp"],
            "jwk": KEY.public_jwk(),
            "jku": "https://gatekeeper.acme.example/jwks",
            "x5u": "https://gatekeeper.acme.example/x",
            "x5c": ["AAAA"],
            "x5t": "AAAA",
            "x5t#S256": "AAAA",
            "zip": "DEF",
            "cty": "JWT",
            "b64": False,
            "url": "x",
            "nonce": "x",
        }.items()
    },
    "alg twice": (b'{"alg":"ES256",' + HEAD[1:], "GK501"),
    "kid twice, escaped": (HEAD[:-1] + b',"\\u006bid":"x"}', "GK501"),
    "a list": (b"[" + HEAD + b"]", "GK501"),
    "empty": (b"", "GK501"),
    "text": (b'"ES256"', "GK501"),
    "UTF-16": (HEAD.decode().encode("utf-16"), "GK501"),
    "BOM": (b"\xef\xbb\xbf" + HEAD, "GK501"),
    "something after": (HEAD + b"{}", "GK501"),
    "over 1 KiB": (HEAD[:-1] + b" " * 1024 + b"}", "GK501"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_signed_but_foreign_header_is_refused(name: str) -> None:
    """Each is signed with the right key, so that only the profile refuses."""
    head, code = HEADERS[name]
    token = signed(head, GOOD)
    message, _, signature = token.rpartition(b".")
    assert library.verify_es256(KEY.public, message, b64url_decode(signature.decode()))
    assert code_of(lambda: verified(token)) == code


def _deep(levels: int) -> bytes:
    return GOOD[:-1] + b',"deep":' + b"[" * levels + b"]" * levels + b"}"


PAYLOADS: dict[str, tuple[bytes, str]] = {
    "iss of another": (_raw(launch_claims(iss="https://other.acme.example")), "GK502"),
    "iss with slash": (_raw(launch_claims(iss=ISSUER + "/")), "GK502"),
    "iss in capitals": (_raw(launch_claims(iss=ISSUER.upper())), "GK502"),
    "iss a list": (_raw(launch_claims(iss=[ISSUER])), "GK502"),
    "no iss": (_raw(launch_claims(iss=None)), "GK502"),
    "aud of the catalogue": (_raw(launch_claims(aud=f"{ISSUER}/catalogue")), "GK502"),
    "aud a list of the right one": (_raw(launch_claims(aud=[f"{ISSUER}/launch"])), "GK502"),
    "aud the issuer": (_raw(launch_claims(aud=ISSUER)), "GK502"),
    "no aud": (_raw(launch_claims(aud=None)), "GK502"),
    **{f"no {name}": (_raw(launch_claims(**{name: None})), "GK501") for name in ("iat", "exp")},
    "exp a float": (_raw(launch_claims(exp=NOW + 1.5)), "GK501"),
    "exp a whole float": (_raw(launch_claims(exp=float(NOW + 60))), "GK501"),
    "exp a text": (_raw(launch_claims(exp=str(NOW + 60))), "GK501"),
    "exp true": (_raw(launch_claims(exp=True)), "GK501"),
    "exp negative": (_raw(launch_claims(exp=-1)), "GK501"),
    "exp of 400 digits": (GOOD.replace(str(NOW + 86_400).encode(), b"9" * 400), "GK501"),
    "exp with exponent": (GOOD.replace(str(NOW + 86_400).encode(), b"2e9"), "GK501"),
    "exp before iat": (_raw(launch_claims(exp=NOW - 1)), "GK501"),
    "exp before nbf": (_raw(launch_claims(nbf=NOW + 86_401)), "GK501"),
    "iat a float": (_raw(launch_claims(iat=NOW + 0.5)), "GK501"),
    "nbf a float": (_raw(launch_claims(nbf=NOW - 0.5)), "GK501"),
    "exp twice": (GOOD[:-1] + b',"exp":9999999999}', "GK501"),
    "aud twice": (b'{"aud":"https://gatekeeper.acme.example/launch",' + GOOD[1:], "GK501"),
    "a member deep inside twice": (GOOD[:-1] + b',"x":{"y":[{"z":1,"z":1}]}}', "GK501"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "GK501"),
    "UTF-16 without BOM": (GOOD.decode().encode("utf-16-le"), "GK501"),
    "BOM": (b"\xef\xbb\xbf" + GOOD, "GK501"),
    "Latin-1": (GOOD.replace(b'"u_1"', b'"\xe9"'), "GK501"),
    "a lone surrogate": (GOOD.replace(b'"u_1"', b'"\\ud800"'), "GK501"),
    "NaN": (GOOD[:-1] + b',"x":NaN}', "GK501"),
    "a trailing comma": (GOOD[:-1] + b",}", "GK501"),
    "something after": (GOOD + b"x", "GK501"),
    "too deep": (_deep(16), "GK501"),
    "far too deep": (_deep(2000), "GK501"),
    "a list": (b"[" + GOOD + b"]", "GK501"),
    "empty": (b"", "GK501"),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_signed_but_unsound_claims_are_refused(name: str) -> None:
    """Each is signed with the right key, so that only the profile refuses."""
    payload, code = PAYLOADS[name]
    token = signed(HEAD, payload)
    message, _, signature = token.rpartition(b".")
    assert library.verify_es256(KEY.public, message, b64url_decode(signature.decode()))
    assert code_of(lambda: verified(token)) == code


def test_what_the_hostile_payloads_start_from_is_accepted() -> None:
    """So each refusal above is for the change that its name tells, the deepest allowed nesting included."""
    for payload in (GOOD, _deep(15), GOOD[:-1] + b',"unknown":{"x":1}}'):
        assert verified(signed(HEAD, payload)).claims["jti"] == "j-1"


def _respelt(token: bytes) -> bytes:
    """Return the token with trailing bits of its signature set: other text, the same signature bytes."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1:]) ^ 1 :][:1]


SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "two segments": lambda t: t.rpartition(b".")[0],
    "four segments": lambda t: t + b".AAAA",
    "five segments": lambda t: t + b".AAAA.AAAA",
    "no signature": lambda t: t.rpartition(b".")[0] + b".",
    "padding": lambda t: t + b"==",
    "a newline after": lambda t: t + b"\n",
    "a space before": lambda t: b" " + t,
    "a NUL after": lambda t: t + b"\0",
    "standard alphabet": lambda t: t.replace(b"-", b"+").replace(b"_", b"/") + b"+",
    "not ASCII": lambda t: t + "é".encode(),
    "trailing bits": _respelt,
    "signature a byte short": lambda t: t[:-3],
    "signature twice as long": lambda t: t + t.rpartition(b".")[2],
    "nothing": lambda _: b"",
    "dots": lambda _: b"..",
    "JSON serialisation": lambda t: render_json(
        dict(zip(("protected", "payload", "signature"), t.decode().split("."), strict=True))
    ),
}


@VERIFIERS
@pytest.mark.parametrize("name", SHAPES)
def test_another_shape_of_a_good_token_is_refused(name: str, verify: Verify) -> None:
    """One token has one spelling."""
    token = signed(HEAD, GOOD)
    assert verified(token, verify).kid == KEY.kid
    changed = SHAPES[name](token)
    assert changed != token
    assert code_of(lambda: verified(changed, verify)) == "GK501"


def test_size_is_checked_before_anything_is_parsed() -> None:
    """16 KiB pass, one byte more doesn't, and then neither the form nor the signature is looked at."""
    fixed = len(signed(HEAD, GOOD[:-1] + b',"x":""}'))
    fill = (16 * 1024 - fixed) * 3 // 4
    good = signed(HEAD, GOOD[:-1] + b',"x":"' + b"a" * fill + b'"}')
    assert 16 * 1024 - 4 < len(good) <= 16 * 1024
    assert verified(good).kid == KEY.kid
    long = signed(HEAD, GOOD[:-1] + b',"x":"' + b"a" * (fill + 4) + b'"}')
    assert len(long) > 16 * 1024
    assert code_of(lambda: verified(long)) == "GK501"

    def never(*_: object) -> bool:
        raise RuntimeError("a signature was looked at")

    assert code_of(lambda: verified(b"." * 16_385, never)) == "GK501"
    assert code_of(lambda: verified(b"[" * 100_000, never)) == "GK501"


def test_any_change_of_one_byte_refuses() -> None:
    """Every position of one token, with eight other bytes each, has no second meaning."""
    token = sign_token(KEY, typ="gk-approval+jwt", claims=launch_claims()).encode()
    assert verified(token).kid == KEY.kid
    for at, byte in enumerate(token):
        for change in (byte ^ 1, byte ^ 2, byte ^ 32, ord("A"), ord("_"), ord("."), ord("="), 0):
            if change != byte:
                changed = token[:at] + bytes((change,)) + token[at + 1 :]
                assert code_of(lambda: verified(changed)) in {"GK501", "GK502"}  # noqa: B023 - called at once


def test_any_change_of_one_byte_refuses_with_our_own_verifier() -> None:
    """The same over every position, with the verifier that launches use."""
    token = sign_token(KEY, typ="gk-approval+jwt", claims=launch_claims()).encode()
    assert verified(token, p256_plain.verify_es256).kid == KEY.kid
    for at, byte in enumerate(token):
        changed = token[:at] + bytes((byte ^ 1,)) + token[at + 1 :]
        assert code_of(lambda: verified(changed, p256_plain.verify_es256)) in {"GK501", "GK502"}  # noqa: B023


def test_any_byte_left_out_or_put_in_refuses() -> None:
    """Every position again: one byte fewer, one more, and every cut."""
    token = signed(HEAD, GOOD)
    for at in range(len(token)):
        for changed in (token[:at] + token[at + 1 :], token[:at] + b"A" + token[at:], token[:at]):
            assert code_of(lambda: verified(changed)) in {"GK501", "GK502"}  # noqa: B023 - called at once


@given(st.binary(max_size=200) | st.text("ey.AJ-_0{}", max_size=60).map(str.encode))
def test_hostile_bytes_are_refused_and_nothing_else_is_raised(token: bytes) -> None:
    """No input reaches the caller as another exception; `peek_kid` never raises at all."""
    assert code_of(lambda: verified(token)) == "GK501"
    assert isinstance(peek_kid(token), str)


@given(
    st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8))
)
def test_hostile_claims_of_any_kind_are_refused_and_nothing_else_is_raised(claims: dict[str, object]) -> None:
    """Signed, whatever they are: a token without our claims is refused with a code."""
    assert code_of(lambda: verified(signed(HEAD, claims))) in {"GK501", "GK502"}


def test_age_is_not_judged_here() -> None:
    """An expired token and one from the future verify alike: freshness is decided from the claims."""
    token = signed(HEAD, GOOD)
    assert verified(token).claims == json.loads(GOOD)


def test_keys_of_another_purpose_are_misuse() -> None:
    """Mypy says so first; at run time it is a bug, not a verdict, even where the key itself is the same."""
    with pytest.raises(RuntimeError):
        verified(signed(HEAD, GOOD), keys=GATEWAY)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        verify_catalogue(
            b"",
            keys=STATUS,  # type: ignore[arg-type]
            issuer=ISSUER,
            verify=library.verify_es256,
        )


def _gateway(**changes: object) -> bytes:
    claims = launch_claims(aud="https://models.acme.example", **changes)
    return signed(header(typ="at+jwt"), claims)


def _catalogue(**changes: object) -> bytes:
    return signed(
        header(typ="gk-catalogue+jwt"), launch_claims(aud=f"{ISSUER}/catalogue", **{"version": 3, **changes})
    )


URI = f"{ISSUER}/status/1"


def _status(**changes: object) -> bytes:
    claims = {
        "sub": URI,
        "iat": NOW,
        "exp": NOW + 86_400,
        "ttl": 300,
        "status_list": {"bits": 2, "lst": "eNrbuRgAAhcBXQ"},
        **changes,
    }
    kept = {name: claim for name, claim in claims.items() if claim is not None}
    return signed(header(typ="statuslist+jwt"), kept)


def _open_gateway(token: bytes) -> object:
    return verify_gateway_token(
        token,
        keys=GATEWAY,
        issuer=ISSUER,
        audience="https://models.acme.example",
        verify=library.verify_es256,
    )


def _open_catalogue(token: bytes) -> object:
    return verify_catalogue(token, keys=POLICY, issuer=ISSUER, verify=library.verify_es256)


def _open_status(token: bytes) -> object:
    return verify_status_list(token, keys=STATUS, uri=URI, verify=library.verify_es256)


def test_the_sibling_tokens_verify_as_themselves() -> None:
    """Gateway token, catalogue and status list give their claims, each in its own type."""
    assert type(_open_gateway(_gateway())) is published.VerifiedGateway
    assert type(_open_catalogue(_catalogue())) is published.VerifiedPolicy
    assert type(_open_status(_status())) is published.VerifiedStatus


@pytest.mark.parametrize(
    ("reader", "token", "code"),
    [
        (_open_gateway, _catalogue(), "GK502"),
        (_open_gateway, signed(HEAD, GOOD), "GK502"),
        (_open_gateway, signed(header(typ="at+jwt"), launch_claims()), "GK502"),
        (_open_gateway, _gateway(iss="https://other.acme.example"), "GK502"),
        (_open_gateway, _gateway(scope=None), "GK502"),
        (_open_catalogue, _gateway(), "GK502"),
        (_open_catalogue, signed(header(typ="gk-catalogue+jwt"), launch_claims(version=3)), "GK502"),
        (_open_catalogue, _catalogue(version=3.0), "GK501"),
        (_open_catalogue, _catalogue(iss="https://other.acme.example"), "GK502"),
        (_open_status, _gateway(), "GK502"),
        (_open_status, _status(sub=f"{ISSUER}/status/2"), "GK502"),
        (_open_status, _status(aud=ISSUER), "GK502"),
        (_open_status, _status(exp=NOW - 1), "GK501"),
        (_open_status, _status(nbf=NOW + 86_401), "GK501"),
        (verified, _gateway(), "GK502"),
        (verified, _catalogue(), "GK502"),
        (verified, _status(), "GK502"),
    ],
)
def test_no_document_passes_as_its_sibling(
    reader: Callable[[bytes], object], token: bytes, code: str
) -> None:
    """Type, audience and subject tell them apart, even under one and the same key."""
    assert code_of(lambda: reader(token)) == code


@pytest.mark.parametrize(
    ("reader", "make", "typ"),
    [(_open_catalogue, _catalogue, "gk-catalogue+jwt"), (_open_status, _status, "statuslist+jwt")],
)
def test_larger_documents_have_their_own_bound(
    reader: Callable[[bytes], object], make: Callable[..., bytes], typ: str
) -> None:
    """A catalogue and a status list may be longer than a token, and have an end too."""
    limit = chain.MAX_BYTES[typ]
    good = make(x="a" * (limit * 3 // 4 - 2000))
    assert 16 * 1024 < len(good) <= limit
    assert reader(good)
    assert code_of(lambda: reader(make(x="a" * limit))) == "GK501"


def test_peek_kid_reads_what_the_header_claims() -> None:
    """Also of a token whose signature doesn't hold; and "" of what has no readable kid."""
    token = signed(header(kid="someone"), GOOD)[:-4] + b"AAAA"
    assert peek_kid(token) == "someone"
    for unreadable in (
        b"",
        b"..",
        b"a.b",
        signed(header(kid=None), GOOD),
        signed(header(kid=5), GOOD),
        b"\xff..",
    ):
        assert peek_kid(unreadable) == ""


def test_public_jwk_round_trip() -> None:
    """A rendered key is read back as itself, and its kid is the RFC 7638 thumbprint that joserfc computes."""
    for key in (KEY, OTHER):
        assert public_key_of(key.public_jwk()) == key.public
        assert render_public_jwk(key.public) == key.public_jwk()
        theirs = ECKey.import_key(json.loads(render_json(key.public_jwk())))
        assert theirs.thumbprint() == key.kid == thumbprint(key.public.x, key.public.y)


def _short(text: object) -> str:
    return b64url_encode(b64url_decode(str(text))[1:])


def _lacks(name: str) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda jwk: {member: value for member, value in jwk.items() if member != name}


JWKS: dict[str, Callable[[dict[str, object]], dict[str, object]]] = {
    "private": lambda j: {**j, "d": j["x"]},
    "use": lambda j: {**j, "use": "sig"},
    "key_ops": lambda j: {**j, "key_ops": ["verify"]},
    "RSA": lambda j: {**j, "kty": "RSA"},
    "OKP": lambda j: {**j, "kty": "OKP"},
    "P-384": lambda j: {**j, "crv": "P-384"},
    "alg ES384": lambda j: {**j, "alg": "ES384"},
    "alg none": lambda j: {**j, "alg": "none"},
    "kid of another": lambda j: {**j, "kid": OTHER.kid},
    "kid a number": lambda j: {**j, "kid": 1},
    "x a number": lambda j: {**j, "x": 1},
    "x short": lambda j: {**j, "x": _short(j["x"])},
    "x padded": lambda j: {**j, "x": f"{j['x']}="},
    "y another's": lambda j: {**j, "y": OTHER.public_jwk()["y"]},
    "swapped": lambda j: {**j, "x": j["y"], "y": j["x"]},
    "origin": lambda j: {
        **j,
        "x": b64url_encode(bytes(32)),
        "y": b64url_encode(bytes(32)),
        "kid": thumbprint(bytes(32), bytes(32)),
    },
    **{f"no {name}": _lacks(name) for name in ("kty", "crv", "x", "y", "kid", "alg")},
}


@pytest.mark.parametrize("name", JWKS)
def test_a_jwk_that_is_not_exactly_ours_is_no_key(name: str) -> None:
    """A private key published by mistake, another algorithm, a kid of one's own choice, no point: `Malformed`."""
    with pytest.raises(Malformed):
        public_key_of(JWKS[name](KEY.public_jwk()))


def test_joserfc_verifies_our_tokens() -> None:
    """An independent library reads what we sign, with the same header and the same claims."""
    for typ in chain.MAX_BYTES:
        token = sign_token(KEY, typ=typ, claims=launch_claims(name='Zoë ☃ "quoted" \\ \n'))
        public = ECKey.import_key(json.loads(render_json(KEY.public_jwk())))
        theirs = joserfc_jws.deserialize_compact(token, public, algorithms=["ES256"])
        assert theirs.headers() == {"alg": "ES256", "typ": typ, "kid": KEY.kid}
        assert json.loads(theirs.payload) == launch_claims(name='Zoë ☃ "quoted" \\ \n')
        with pytest.raises(BadSignatureError):
            joserfc_jws.deserialize_compact(
                token, ECKey.import_key(json.loads(render_json(OTHER.public_jwk()))), algorithms=["ES256"]
            )


@VERIFIERS
def test_we_verify_joserfcs_tokens(verify: Verify) -> None:
    """And the other way round: a token that joserfc signs in our profile passes."""
    private = json.loads(render_json(KEY.private_jwk()))
    token = joserfc_jws.serialize_compact(
        {"alg": "ES256", "typ": "gk-approval+jwt", "kid": KEY.kid}, GOOD, ECKey.import_key(private)
    )
    assert verified(token.encode(), verify).claims == json.loads(GOOD)


def test_a_key_that_left_the_set_verifies_nothing() -> None:
    """Dropping a compromised key is enough."""
    token = signed(HEAD, GOOD)
    assert code_of(lambda: verified(token, keys=ApprovalKeys(keys=(OTHER.public,)))) == "GK501"
    assert code_of(lambda: verified(token, keys=ApprovalKeys(keys=()))) == "GK501"


def test_a_signature_of_another_key_is_refused() -> None:
    """The forger has a key, and even names ours."""
    for key in (OTHER, SigningKey.generate()):
        assert code_of(lambda: verified(signed(HEAD, GOOD, key=key))) == "GK501"  # noqa: B023 - called at once
