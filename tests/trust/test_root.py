"""The chain from the pins to the newest root document, and every way in which it doesn't hold."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import b64url_decode, b64url_encode, render_json
from gatekeeper.trust import chain, library, p256, p256_plain
from gatekeeper.trust.chain import MAX_ROOT_BYTES, ApprovalKeys, TrustedRoot
from gatekeeper.trust.published import (
    GatewayKeys,
    PolicyKeys,
    StatusKeys,
    gateway_keys,
    policy_keys,
    status_keys,
)
from gatekeeper.trust.root_documents import (
    RootDocument,
    parse_root_payload,
    render_root_payload,
    trim_chain,
    verify_chain,
)
from gatekeeper.trust.sign import LogKey, SigningKey, sign_root

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatekeeper.trust.chain import Verify

ISSUER = "https://gatekeeper.acme.example"
NOW = 1_800_000_000
A, B, C, D, E = (SigningKey.generate() for _ in range(5))
APPROVAL, GATEWAY, STATUS, POLICY = (SigningKey.generate() for _ in range(4))
LOG = LogKey.generate()
PINS = (A.kid, B.kid, C.kid)


def root(
    version: int = 1, roots: Sequence[SigningKey] = (A, B, C), threshold: int = 2, **changes: Any
) -> RootDocument:
    """Return a good payload with fields changed."""
    return RootDocument(
        version=version,
        issuer=ISSUER,
        issued_at=NOW,
        expires_at=NOW + 100 * 86_400,
        threshold=threshold,
        roots=tuple(key.public for key in roots),
        approval=(APPROVAL.public,),
        gateway=(GATEWAY.public,),
        status=(STATUS.public,),
        policy=(POLICY.public,),
        log=(LOG.public,),
        log_origin="gatekeeper.acme.example/log",
    ).replace(**changes)


def document(payload: RootDocument, *signers: SigningKey) -> bytes:
    """Sign a payload."""
    return sign_root(render_root_payload(payload), signers)


def verified(
    *documents: bytes,
    pins: tuple[str, ...] = PINS,
    pin_threshold: int = 2,
    min_version: int = 0,
    verify: Verify = library.verify_es256,
) -> TrustedRoot:
    """Verify a chain as a launch does."""
    return verify_chain(
        documents,
        pins=pins,
        pin_threshold=pin_threshold,
        issuer=ISSUER,
        min_version=min_version,
        verify=verify,
    )


def chain_of_launch(documents: list[bytes]) -> TrustedRoot:
    """Verify as a launch does, under one pin."""
    return chain.verify_chain(
        documents, pins=(A.kid,), pin_threshold=1, issuer=ISSUER, min_version=0, verify=library.verify_es256
    )


def code_of(call: Callable[[], object]) -> str:
    """Return the code of the refusal; that it is refused is part of every test that asks."""
    with pytest.raises(TrustError) as refused:
        call()
    return refused.value.code


@pytest.mark.parametrize("verify", [p256_plain.verify_es256, library.verify_es256], ids=["own", "library"])
def test_one_document_signed_by_enough_pins_is_trusted(verify: Verify) -> None:
    """And gives each key under its purpose, in the type of its purpose."""
    assert verified(document(root(), A, C), verify=verify) == TrustedRoot(
        version=1,
        issuer=ISSUER,
        issued_at=NOW,
        expires_at=NOW + 100 * 86_400,
        threshold=2,
        roots=(A.public, B.public, C.public),
        approval=ApprovalKeys(keys=(APPROVAL.public,)),
        keys=render_root_payload(root())["keys"],  # type: ignore[arg-type]
    )


def test_the_keys_of_every_other_purpose_have_its_type() -> None:
    """Typed where they are used, from what the chain proves."""
    trusted = verified(document(root(), A, C))
    assert gateway_keys(trusted) == GatewayKeys(keys=(GATEWAY.public,))
    assert status_keys(trusted) == StatusKeys(keys=(STATUS.public,))
    assert policy_keys(trusted) == PolicyKeys(keys=(POLICY.public,))


def test_a_launch_reads_what_it_goes_by_and_renewal_everything() -> None:
    """A bad key of another purpose stops no launch and is never used; a document with one is never kept or published."""
    uses = {
        "gateway": (GATEWAY, gateway_keys),
        "status": (STATUS, status_keys),
        "policy": (POLICY, policy_keys),
    }
    for purpose, (key, use) in uses.items():
        bad = {**key.public_jwk(), "x": D.public_jwk()["x"]}
        made = _signed(_keys(**{purpose: [bad]}), HEAD)
        trusted = chain_of_launch([made])
        assert trusted.approval == ApprovalKeys(keys=(APPROVAL.public,))
        assert code_of(lambda use=use, trusted=trusted: use(trusted)) == "GK501"  # type: ignore[misc]
        assert code_of(lambda made=made: verified(made, pins=(A.kid,), pin_threshold=1)) == "GK501"  # type: ignore[misc]


@pytest.mark.parametrize("purpose", ["gateway", "status", "policy"])
def test_a_launch_sees_that_a_key_stands_twice(purpose: str) -> None:
    """Also where it types only one of the two."""
    for twice in (APPROVAL, A):
        made = _signed(_keys(**{purpose: [twice.public_jwk()]}), HEAD)
        assert code_of(lambda made=made: chain_of_launch([made])) == "GK501"  # type: ignore[misc]
    for missing in ([{"kty": "EC"}], None, "keys", [GATEWAY.public_jwk()] * 17):
        made = _signed(_keys(**{purpose: missing}), HEAD)
        assert code_of(lambda made=made: chain_of_launch([made])) == "GK501"  # type: ignore[misc]


def test_one_pin_and_one_signature_suffice_where_that_is_configured() -> None:
    """The smallest installation: one root key, threshold 1."""
    assert verified(document(root(roots=(A,), threshold=1), A), pins=(A.kid,), pin_threshold=1).version == 1


@pytest.mark.parametrize(
    "signers", list(itertools.chain(*(itertools.combinations((A, B, C), n) for n in range(1, 4))))
)
def test_two_of_three_means_any_two(signers: tuple[SigningKey, ...]) -> None:
    """Every pair and all three pass; one alone doesn't."""
    made = document(root(), *signers)
    if len(signers) >= 2:
        assert verified(made).version == 1
    else:
        assert code_of(lambda: verified(made)) == "GK505"


def test_no_document_is_no_trust() -> None:
    """Nothing at all is refused, not believed."""
    assert code_of(verified) == "GK505"


def test_the_first_document_needs_pinned_signers_whatever_threshold_it_claims() -> None:
    """A document that says that one signature is enough doesn't lower what the configuration asks for."""
    assert code_of(lambda: verified(document(root(threshold=1), A))) == "GK505"
    assert code_of(lambda: verified(document(root(roots=(D, E, A), threshold=1), D, E, A))) == "GK505"
    assert verified(document(root(threshold=1), A), pin_threshold=1).threshold == 1


def test_the_first_document_must_meet_its_own_threshold_too() -> None:
    """Enough pins, but fewer signatures than the document itself demands."""
    assert code_of(lambda: verified(document(root(threshold=3), A, B))) == "GK501"
    assert verified(document(root(threshold=3), A, B, C)).threshold == 3


def test_a_stranger_is_no_signer() -> None:
    """A document by other roots, complete in itself, is not the pinned service's."""
    made = document(root(roots=(D, E), threshold=2), D, E)
    assert code_of(lambda: verified(made)) == "GK505"


def test_a_pinned_name_with_another_key_is_refused() -> None:
    """Claiming a pinned kid for one's own key fails, because a kid is the key's thumbprint."""
    payload = render_root_payload(root(roots=(D, B, C)))
    payload["roots"] = [{**D.public_jwk(), "kid": A.kid}, B.public_jwk(), C.public_jwk()]

    class Impostor:
        kid = A.kid
        sign = staticmethod(D.sign)

    assert code_of(lambda: verified(sign_root(payload, [Impostor(), B]))) == "GK501"
    # Without the false key in the list, the false signature is one of a root whose key is known.
    assert code_of(lambda: verified(sign_root(render_root_payload(root()), [Impostor(), B]))) == "GK501"


def test_a_pinned_signer_that_the_document_does_not_list_counts_for_nothing() -> None:
    """Its key is known by thumbprint alone, so its signature can't be checked."""
    assert code_of(lambda: verified(document(root(roots=(A, D), threshold=1), A, B, C))) == "GK505"


def test_a_signer_counts_once() -> None:
    """The same root twice is refused, and the same pin twice is one pin."""
    assert code_of(lambda: verified(document(root(threshold=1), A, A))) == "GK501"
    envelope = json.loads(document(root(threshold=1), A, A))
    assert len(envelope["signatures"]) == 2
    made = document(root(roots=(A,), threshold=1), A)
    assert code_of(lambda: verified(made, pins=(A.kid, A.kid))) == "GK505"


def test_a_key_listed_twice_does_not_fill_a_threshold() -> None:
    """The roots (A, A) with threshold 2 are one root."""
    payload = render_root_payload(root(roots=(A, A), threshold=2))
    assert code_of(lambda: verified(sign_root(payload, [A]), pin_threshold=1)) == "GK501"


def test_a_threshold_below_one_is_misuse() -> None:
    """A defect in the caller must not become trust in everybody."""
    made = document(root(), A, B)
    with pytest.raises(RuntimeError):
        verified(made, pin_threshold=0)
    with pytest.raises(RuntimeError):
        trim_chain([made], pins=PINS, pin_threshold=0, verify=library.verify_es256)


V1 = document(root(), A, B)
V2 = document(root(2, (A, B, D)), A, B)
V3 = document(root(3, (B, D, E)), B, D)
V4 = document(root(4, (B, D, E)), D, E)


def test_a_chain_is_walked_to_roots_that_nobody_pinned() -> None:
    """Each step needs two of the roots before and two of its own; the last rules, pins or not."""
    assert verified(V1, V2, V3, V4).roots == (B.public, D.public, E.public)
    assert verified(V1, V2, V3, V4, verify=p256_plain.verify_es256).version == 4


@pytest.mark.parametrize(
    ("name", "chain", "code"),
    [
        ("the newcomer signs for itself", (V1, document(root(2, (D, E)), D, E)), "GK501"),
        ("one of the old, both of the new", (V1, document(root(2, (A, D, E)), D, E, A)), "GK501"),
        ("both of the old, one of the new", (V1, document(root(2, (A, D, E)), A, B)), "GK501"),
        ("the new lowers the threshold to one", (V1, document(root(2, (D,), 1), D, A)), "GK501"),
        ("a version left out", (V1, V3), "GK501"),
        ("a version left out, however well signed", (V1, document(root(3), A, B, C)), "GK501"),
        ("the same version again", (V1, V1), "GK503"),
        ("the same version, other content", (V1, document(root(1, (A, B)), A, B)), "GK503"),
        ("backwards", (V1, V2, V1), "GK503"),
        ("another issuer later", (V1, document(root(2, issuer="https://other.acme.example"), A, B)), "GK502"),
        ("another issuer first", (document(root(issuer="https://other.acme.example"), A, B),), "GK502"),
        ("not from the pins on", (V3, V4), "GK505"),
        ("rubbish later", (V1, b"{}"), "GK501"),
    ],
)
def test_a_broken_step_refuses_the_whole_chain(name: str, chain: tuple[bytes, ...], code: str) -> None:
    """And with the code that says which way it is broken."""
    assert code_of(lambda: verified(*chain)) == code, name


def test_a_rotation_may_replace_everything_when_both_sides_sign() -> None:
    """Two of the old and two of the new, with nothing in common."""
    assert verified(V1, document(root(2, (D, E)), A, B, D, E)).roots == (D.public, E.public)


def test_a_version_below_the_least_is_a_rollback() -> None:
    """What was seen before, or what device management demands, is never undercut."""
    assert verified(V1, V2, min_version=2).version == 2
    assert code_of(lambda: verified(V1, V2, min_version=3)) == "GK503"


def test_expiry_is_not_judged_here() -> None:
    """An expired last document verifies; what that means is decided elsewhere."""
    assert verified(document(root(issued_at=1, expires_at=2), A, B)).expires_at == 2


def test_changed_pins_make_the_chain_void() -> None:
    """Pins that the first document doesn't answer to are not satisfied by how well the rest holds."""
    assert code_of(lambda: verified(V1, V2, V3, pins=(D.kid, E.kid))) == "GK505"
    assert code_of(lambda: verified(V1, V2, V3, pins=())) == "GK505"


def test_trim_keeps_what_the_pins_need() -> None:
    """Everything before the newest document that the pins alone accept goes, and nothing else."""
    keep = trim_chain([V1, V2, V3, V4], pins=PINS, pin_threshold=2, verify=library.verify_es256)
    assert keep == [V2, V3, V4]
    assert verified(*keep) == verified(V1, V2, V3, V4)
    assert trim_chain([], pins=PINS, pin_threshold=2, verify=library.verify_es256) == []
    assert trim_chain([V3, V4], pins=PINS, pin_threshold=2, verify=library.verify_es256) == []
    assert trim_chain([b"rubbish", V1], pins=PINS, pin_threshold=2, verify=library.verify_es256) == [V1]


# Who signs what, as a table, so that random chains cost no signatures: `verify` reads the made-up bytes.
POOL = (A, B, C, D, E)


class Scribe:
    """Signs with its name; `names_match` believes exactly that."""

    def __init__(self, key: SigningKey) -> None:
        self.kid = key.kid

    def sign(self, message: bytes) -> bytes:
        """Return name and digest."""
        return self.kid.encode() + p256.sha256(message)


def names_match(key: Any, message: bytes, signature: bytes) -> bool:
    """Verify what a Scribe signs."""
    return bool(signature == key.kid.encode() + p256.sha256(message))


@st.composite
def chains(draw: st.DrawFn) -> list[bytes]:
    """Chains of up to four steps with any roots, thresholds and signers; about a quarter of them hold."""
    made = []
    for version in range(1, draw(st.integers(2, 5))):
        roots = draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=4, unique=True))
        signers = draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=5, unique=True))
        payload = root(version, roots, draw(st.integers(1, min(2, len(roots)))))
        made.append(sign_root(render_root_payload(payload), [Scribe(key) for key in signers]))
    return made


@given(chains(), st.lists(st.sampled_from(POOL), min_size=1, max_size=4, unique=True), st.integers(1, 2))
def test_trimming_never_changes_what_is_trusted(
    made: list[bytes], pinned: list[SigningKey], threshold: int
) -> None:
    """Where the whole chain holds, what trim leaves gives the same root; and every walk follows the rules."""
    pins = tuple(key.kid for key in pinned)
    keep = trim_chain(made, pins=pins, pin_threshold=threshold, verify=names_match)
    assert keep == made[len(made) - len(keep) :]
    try:
        whole = verified(*made, pins=pins, pin_threshold=threshold, verify=names_match)
    except TrustError:
        return
    assert verified(*keep, pins=pins, pin_threshold=threshold, verify=names_match) == whole
    _check_by_hand(made, set(pins), threshold)


def _check_by_hand(made: list[bytes], pins: set[str], threshold: int) -> None:
    """TUF's rule, told a second time without the code under test."""
    before = pins
    needed = threshold
    for text in made:
        envelope = json.loads(text)
        payload = json.loads(b64url_decode(envelope["payload"]))
        signers = {json.loads(b64url_decode(one["protected"]))["kid"] for one in envelope["signatures"]}
        own = {jwk["kid"] for jwk in payload["roots"]}
        if before is pins:
            signers &= own
        assert len(signers & before) >= needed
        assert len(signers & own) >= payload["threshold"]
        before, needed = own, payload["threshold"]


def test_any_change_of_one_byte_refuses() -> None:
    """Every position of one document: no byte is without meaning."""
    made = document(root(roots=(A,), threshold=1), A)

    def once(text: bytes) -> TrustedRoot:
        return verified(text, pins=(A.kid,), pin_threshold=1)

    assert once(made).version == 1
    for at, byte in enumerate(made):
        for change in (byte ^ 1, ord("A"), ord('"')):
            if change != byte:
                changed = made[:at] + bytes((change,)) + made[at + 1 :]
                assert code_of(lambda: once(changed)) in {"GK501", "GK502", "GK505"}  # noqa: B023 - called at once


def _signed(payload: bytes, head: dict[str, object], key: SigningKey = A) -> bytes:
    body, protected = b64url_encode(payload), b64url_encode(json.dumps(head).encode())
    signature = b64url_encode(key.sign(f"{protected}.{body}".encode()))
    return json.dumps(
        {"payload": body, "signatures": [{"protected": protected, "signature": signature}]}
    ).encode()


GOOD: dict[str, Any] = render_root_payload(root(roots=(A,), threshold=1))
HEAD: dict[str, object] = {"alg": "ES256", "typ": "gk-root+json", "kid": A.kid}


def _good(**changes: object) -> bytes:
    kept = {name: member for name, member in {**GOOD, **changes}.items() if member is not None}
    return json.dumps(kept).encode()


def _keys(**changes: object) -> bytes:
    kept = {name: member for name, member in {**GOOD["keys"], **changes}.items() if member is not None}
    return _good(keys=kept)


def _envelope(**changes: object) -> bytes:
    return json.dumps({**json.loads(_signed(_good(), HEAD)), **changes}).encode()


def _in_signature(**changes: object) -> bytes:
    one = {**json.loads(_signed(_good(), HEAD))["signatures"][0], **changes}
    return _envelope(signatures=[{name: member for name, member in one.items() if member is not None}])


DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "alg none": (_signed(_good(), {**HEAD, "alg": "none"}), "GK501"),
    "typ of a token": (_signed(_good(), {**HEAD, "typ": "gk-approval+jwt"}), "GK502"),
    "no typ": (_signed(_good(), {"alg": "ES256", "kid": A.kid}), "GK501"),
    "jwk in the header": (_signed(_good(), {**HEAD, "jwk": A.public_jwk()}), "GK501"),
    "crit in the header": (_signed(_good(), {**HEAD, "crit": ["b64"]}), "GK501"),
    "an unprotected header": (_in_signature(header={"kid": A.kid}), "GK501"),
    "no protected header": (_in_signature(protected=None), "GK501"),
    "no signature member": (_in_signature(signature=None), "GK501"),
    "an empty signature": (_in_signature(signature=""), "GK501"),
    "no signatures": (_envelope(signatures=[]), "GK501"),
    "signatures null": (_envelope(signatures=None), "GK501"),
    "signatures of texts": (_envelope(signatures=["x"]), "GK501"),
    "a member too many": (_envelope(extra=1), "GK501"),
    "payload as an object": (_envelope(payload=GOOD), "GK501"),
    "flattened": (render_json({"payload": "", "protected": "", "signature": ""}), "GK501"),
    "compact": (b"AAAA.AAAA.AAAA", "GK501"),
    "a list": (b"[" + _signed(_good(), HEAD) + b"]", "GK501"),
    "something after": (_signed(_good(), HEAD) + b"{}", "GK501"),
    "too long": (_signed(_good(), HEAD) + b" " * MAX_ROOT_BYTES, "GK501"),
    "UTF-16": (_signed(_good(), HEAD).decode().encode("utf-16"), "GK501"),
    "payload with a member twice": (_signed(b'{"version":9,' + _good()[1:], HEAD), "GK501"),
    **{
        f"payload without {name}": (_signed(_good(**{name: None}), HEAD), "GK501")
        for name in ("version", "iss", "iat", "exp", "threshold", "roots", "keys")
    },
    **{
        f"no {name} keys": (_signed(_keys(**{name: None}), HEAD), "GK501")
        for name in ("approval", "gateway", "status", "policy", "log")
    },
    "version 0": (_signed(_good(version=0), HEAD), "GK501"),
    "version a text": (_signed(_good(version="1"), HEAD), "GK501"),
    "version true": (_signed(_good(version=True), HEAD), "GK501"),
    "version a float": (_signed(_good(version=1.0), HEAD), "GK501"),
    "threshold 0": (_signed(_good(threshold=0), HEAD), "GK501"),
    "threshold above the roots": (_signed(_good(threshold=2), HEAD), "GK501"),
    "exp before iat": (_signed(_good(exp=1), HEAD), "GK501"),
    "no root": (_signed(_good(roots=[]), HEAD), "GK501"),
    "a private root": (_signed(_good(roots=[A.private_jwk()]), HEAD), "GK501"),
    "a key without kid": (
        _signed(_keys(approval=[{k: v for k, v in APPROVAL.public_jwk().items() if k != "kid"}]), HEAD),
        "GK501",
    ),
    "a key off the curve": (_signed(_keys(approval=[{**APPROVAL.public_jwk(), "y": "AAAA"}]), HEAD), "GK501"),
    "a key for two purposes": (_signed(_keys(gateway=[APPROVAL.public_jwk()]), HEAD), "GK501"),
    "a root as an approval key": (_signed(_keys(approval=[A.public_jwk()]), HEAD), "GK501"),
    "an approval key in the log": (_signed(_keys(log=[APPROVAL.public_jwk()]), HEAD), "GK501"),
    "a log key as an approval key": (_signed(_keys(approval=[LOG.public_jwk()]), HEAD), "GK501"),
    "a log key of another kid": (_signed(_keys(log=[{**LOG.public_jwk(), "kid": "x"}]), HEAD), "GK501"),
    "a short log key": (_signed(_keys(log=[{**LOG.public_jwk(), "x": "AAAA"}]), HEAD), "GK501"),
    "too many keys": (
        _signed(_keys(approval=[SigningKey.generate().public_jwk() for _ in range(17)]), HEAD),
        "GK501",
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_signed_but_foreign_document_is_refused(name: str) -> None:
    """Each is signed by the pinned root, so that only the rules for its form refuse it."""
    text, code = DOCUMENTS[name]
    assert code_of(lambda: verified(text, pins=(A.kid,), pin_threshold=1)) == code


def test_what_the_hostile_documents_start_from_is_accepted() -> None:
    """So each refusal above is for its name; unknown members and purposes pass and give no key a purpose."""
    for text in (_signed(_good(), HEAD), _signed(_good(later=[1]), HEAD), _signed(_keys(later=[1]), HEAD)):
        assert verified(text, pins=(A.kid,), pin_threshold=1).approval.keys == (APPROVAL.public,)


def test_more_than_sixteen_signatures_are_refused_unseen() -> None:
    """A signature costs a millisecond, so their number is bounded before the first is checked."""
    asked: list[bytes] = []

    def count(_: object, message: bytes, signature: bytes) -> bool:
        asked.append(message + signature)
        return True

    one = json.loads(_signed(_good(), HEAD))["signatures"][0]
    heads = [b64url_encode(json.dumps({**HEAD, "kid": f"k{number}"}).encode()) for number in range(16)]
    others = [{**one, "protected": head} for head in heads]
    sixteen, seventeen = _envelope(signatures=[one, *others[:15]]), _envelope(signatures=[one, *others])
    assert code_of(lambda: verified(seventeen, pins=(A.kid,), pin_threshold=1, verify=count)) == "GK501"
    assert not asked
    assert verified(sixteen, pins=(A.kid,), pin_threshold=1, verify=count).version == 1
    assert len(asked) == 1


def test_a_known_root_with_a_bad_signature_spoils_the_document() -> None:
    """Even when enough others hold: someone changed something. A stranger's is passed over."""
    envelope = json.loads(document(root(), A, B, C))
    envelope["signatures"][2]["signature"] = envelope["signatures"][1]["signature"]
    assert code_of(lambda: verified(json.dumps(envelope).encode())) == "GK501"
    envelope = json.loads(document(root(), A, B, D))
    envelope["signatures"][2]["signature"] = envelope["signatures"][1]["signature"]
    assert verified(json.dumps(envelope).encode()).version == 1


@given(st.binary(max_size=300))
def test_hostile_bytes_are_refused_and_nothing_else_is_raised(text: bytes) -> None:
    """Whatever it is."""
    assert code_of(lambda: verified(text)) == "GK501"


def test_payload_round_trip() -> None:
    """Rendered and read back, a payload is the same, through JSON too."""
    for payload in (root(), root(7, (A, D), 1, log=(), log_origin="", gateway=())):
        assert parse_root_payload(render_root_payload(payload)) == payload
        assert parse_root_payload(json.loads(render_json(render_root_payload(payload)))) == payload
    with pytest.raises(Malformed):
        parse_root_payload({})


def test_joserfc_verifies_our_documents() -> None:
    """An independent library reads the General JSON Serialization that we sign, signature by signature."""
    text = json.loads(document(root(), A, B))

    def key_for(key: SigningKey) -> ECKey:
        return ECKey.import_key(json.loads(render_json(key.public_jwk())))

    for at, key in enumerate((A, B)):
        one = {"payload": text["payload"], "signatures": [text["signatures"][at]]}
        theirs = joserfc_jws.deserialize_json(one, key_for(key), algorithms=["ES256"])  # type: ignore[call-overload]
        assert json.loads(theirs.payload) == render_root_payload(root())
        with pytest.raises(BadSignatureError):
            joserfc_jws.deserialize_json(one, key_for(C), algorithms=["ES256"])  # type: ignore[call-overload]
