"""From the pins to a launch token: hostile bytes in, trusted keys and verified claims out.

**Tokens** (RFC 7515, RFC 8725). An allow-list stands in front of everything: size, three canonical segments, exactly
`alg`, `typ` and `kid` in the header, one algorithm, one type, keys of one purpose. Nothing in a token chooses how it
is verified. What is signed is then checked for issuer, audience, and times that make sense among themselves.

**Root documents**, which say whose keys count (TUF's rules, specification §5.3, on JWS General JSON, RFC 7515 §7.2.1):
the first needs enough *pinned* signers; each later one is the next version, signed by enough roots of the one before
*and* of its own.

Whether anything is too old is not decided here but in `decision.decide`; which claims there must be is for `documents`.
Types of token that no launch reads are `published`'s, and root documents in full `root_documents`'.
"""

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import (
    MAX_TOKEN_BYTES,
    b64url_decode,
    b64url_encode,
    integer_of,
    object_of,
    objects_of,
    optional_integer,
    parse_object,
    text_of,
)
from gatekeeper.trust.p256 import on_curve, sha256
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ALG = "ES256"
TYP = "gk-approval+jwt"

# A token is read per launch and travels in headers. A status list of 2^17 entries and a catalogue
# of many tools do neither, and may be larger.
_MOST_BYTES = 256 * 1024
MAX_BYTES = {
    TYP: MAX_TOKEN_BYTES,
    "at+jwt": MAX_TOKEN_BYTES,
    "statuslist+jwt": 64 * 1024,
    "gk-catalogue+jwt": _MOST_BYTES,
}
_KEY_MEMBERS = frozenset(("kty", "crv", "x", "y", "kid", "alg"))
_HEADER_MEMBERS = frozenset(("alg", "typ", "kid"))

ROOT_TYP = "gk-root+json"
MAX_ROOT_BYTES = 64 * 1024
MAX_SIGNATURES = 16
MAX_KEYS = 16
APPROVAL = "approval"
OTHER_PURPOSES = ("gateway", "status", "policy")


class PublicKey(Value):
    """A P-256 public key that a root document certifies (or pins). x, y: 32 bytes, big endian."""

    kid: str
    x: bytes
    y: bytes


if TYPE_CHECKING:
    Verify = Callable[[PublicKey, bytes, bytes], bool]
    # Of each signature of a root document the kid, what is signed, and the signature itself.
    Signatures = list[tuple[str, bytes, bytes]]


class ApprovalKeys(Value):
    """The keys that verify launch tokens. A type per purpose, so that no key verifies what is another's."""

    keys: "tuple[PublicKey, ...]"


class VerifiedApproval(Value):
    """Claims of a launch token whose signature, type, issuer and audience hold. Whether it is current is not said."""

    kid: str
    claims: "dict[str, object]"


def thumbprint(x: bytes, y: bytes) -> str:
    """Return the RFC 7638 thumbprint of a P-256 key: the required members, in the order of their names."""
    return _thumbprint(b64url_encode(x), b64url_encode(y))


def _thumbprint(x: str, y: str) -> str:
    return b64url_encode(sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode("ascii")))


def public_key_of(jwk: "Mapping[str, object]") -> "PublicKey":
    """Read a hostile JWK: exactly kty, crv, x, y, kid and alg, for ES256 and with its own thumbprint as `kid`.

    Raises:
        Malformed: any other member (a private `d` above all), another algorithm, or no point of the curve.
    """
    if jwk.keys() != _KEY_MEMBERS:
        raise Malformed("a key has not exactly kty, crv, x, y, kid and alg")
    if (jwk["kty"], jwk["crv"], jwk["alg"]) != ("EC", "P-256", ALG):
        raise Malformed("a key is not for ES256")
    text_x, text_y = text_of(jwk, "x"), text_of(jwk, "y")
    x, y = b64url_decode(text_x), b64url_decode(text_y)
    if not on_curve(x, y):
        raise Malformed("a key is no point of P-256")
    # Canonical, as the decoder demands, so the texts are what encoding the numbers again would give.
    kid = _thumbprint(text_x, text_y)
    if jwk["kid"] != kid:
        raise Malformed("a key's kid is not its thumbprint")
    return PublicKey(kid=kid, x=x, y=y)


def audience_of(issuer: str) -> str:
    """Return the audience of launch tokens, which is also the OAuth `resource` that asks for them."""
    return f"{issuer}/launch"


def verify_launch_token(
    token: bytes, *, keys: "ApprovalKeys", issuer: str, verify: "Verify"
) -> "VerifiedApproval":
    """Verify a hostile launch token (`gk-approval+jwt`, audience `<issuer>/launch`).

    Expired and not yet valid tokens verify: `decision.decide` judges age, because a clock that is wrong
    is told apart from a token that is old. Only times that contradict each other are refused.

    Raises:
        TrustError: GK501, it breaks the profile, its key is unknown or its signature doesn't hold;
            GK502, it is of another type, or signed for another issuer or audience.
    """
    exact = (("iss", issuer), ("aud", audience_of(issuer)))
    if type(keys) is not ApprovalKeys:
        raise RuntimeError(f"{type(keys).__name__} verify no launch token")
    kid, claims = verified_claims(token, typ=TYP, keys=keys.keys, exact=exact, verify=verify)
    return VerifiedApproval(kid=kid, claims=claims)


def parse_protected_header(segment: str, *, typ: str) -> str:
    """Return the `kid` of a hostile protected header that has exactly alg ES256, this `typ`, and a kid.

    Exactly: so `crit`, `jwk`, `jku`, `x5c`, `zip`, `cty`, `b64` and whatever comes next are refused.

    Raises:
        Malformed: it is not JSON, or has other members or another `alg`.
        TrustError: GK502, another `typ`.
    """
    header = parse_object(b64url_decode(segment), max_bytes=1024)
    if set(header) != _HEADER_MEMBERS:
        raise Malformed("the header has not exactly alg, typ and kid")
    if header["alg"] != ALG:
        raise Malformed("alg is not ES256")
    kid = text_of(header, "kid")
    # Told before the key is looked up: a key of another purpose is unknown here, and saying that
    # the type is wrong helps more than sending someone to look for a newer root document.
    if header["typ"] != typ:
        raise TrustError("GK502", f"A document of another type stands where {typ} is expected.")
    return kid


def segments_of(token: bytes) -> "list[str]":
    """Split a hostile compact token. Raises `Malformed`."""
    if len(token) > _MOST_BYTES or not token.isascii():
        raise Malformed("not a compact token")
    segments = token.decode("ascii").split(".")
    if len(segments) != 3:
        raise Malformed("not three segments")
    return segments


def verified_claims(
    token: bytes,
    *,
    typ: str,
    keys: "tuple[PublicKey, ...]",
    exact: "tuple[tuple[str, str], ...]",
    verify: "Verify",
) -> "tuple[str, dict[str, object]]":
    """Return kid and claims of a hostile token of this type, signed by one of these keys.

    Each claim of `exact` is one text, and the times agree among themselves. Which other claims there must be
    is for `documents`. Errors as `verify_launch_token`.
    """
    try:
        kid, claims = _signed(typ, token, keys, verify)
        for name, value in exact:
            # One exact text: a list would let a token for one reader be a token for several.
            if claims.get(name) != value:
                raise TrustError("GK502", f"A signed document is for another {name} than {value}.")
        _check_times(claims)
    except Malformed as error:
        raise TrustError("GK501", f"A signed document can't be accepted: {error.reason}.") from error
    return kid, claims


def _signed(
    typ: str, token: bytes, keys: "tuple[PublicKey, ...]", verify: "Verify"
) -> "tuple[str, dict[str, object]]":
    """Check form, type and signature. Nothing is parsed before its size, nor claims before their signature."""
    if len(token) > MAX_BYTES[typ]:
        raise Malformed(f"longer than {MAX_BYTES[typ]} bytes")
    header, payload, signature = segments_of(token)
    kid = parse_protected_header(header, typ=typ)
    key = next((key for key in keys if key.kid == kid), None)
    if key is None:
        raise Malformed("no key of this purpose has its kid")
    if not verify(key, f"{header}.{payload}".encode("ascii"), b64url_decode(signature)):
        raise Malformed("the signature does not hold")
    return kid, parse_object(b64url_decode(payload), max_bytes=MAX_BYTES[typ])


def _check_times(claims: "Mapping[str, object]") -> None:
    starts, ends = optional_integer(claims, "nbf") or 0, integer_of(claims, "exp")
    if starts > ends or integer_of(claims, "iat") > ends:
        raise Malformed("its times contradict each other")


# Root documents


class Root(Value):
    """A root document's payload as far as a launch goes by it, typed but not verified. Times are Unix seconds.

    `keys` holds the JWKs by purpose as they were signed; those of purposes that no launch knows are typed where they
    are used (`published`), and in full before a document is kept or signed (`root_documents`).
    """

    version: int
    issuer: str
    issued_at: int
    expires_at: int
    threshold: int
    roots: "tuple[PublicKey, ...]"
    approval: "ApprovalKeys"
    keys: "dict[str, object]"


class TrustedRoot(Root):
    """A root document whose chain to the pins holds. Whether it is expired is the reader's to decide."""


def verify_chain(
    documents: "Sequence[bytes]",
    *,
    pins: "tuple[str, ...]",
    pin_threshold: int,
    issuer: str,
    min_version: int,
    verify: "Verify",
) -> "TrustedRoot":
    """Walk hostile documents, consecutive versions with the oldest first, and return the newest as trusted.

    Pins are RFC 7638 thumbprints. Expiry is never checked here.

    Raises:
        TrustError: GK501, a document is malformed, skips a version, or is signed by too few roots of the
            one before or of its own, or by one of them badly; GK502, another issuer or type;
            GK503, a version that falls, or stands below `min_version`; GK505, no document at all, or too
            few pinned signers of the first.
    """
    if pin_threshold < 1:
        raise RuntimeError("a threshold below one trusts everybody")
    previous: Root | None = None
    for document in documents:
        root, signatures = parse_document(document)
        if root.issuer != issuer:
            raise TrustError("GK502", "The root document names another issuer.")
        if previous is None:
            check_first(root, signatures, pins=pins, pin_threshold=pin_threshold, verify=verify)
        else:
            _check_next(previous, root, signatures, verify=verify)
        previous = root
    if previous is None:
        raise TrustError("GK505", "There is no root document.")
    if previous.version < min_version:
        raise TrustError(
            "GK503", f"The root document has version {previous.version}, and {min_version} is the least."
        )
    return TrustedRoot(
        version=previous.version,
        issuer=previous.issuer,
        issued_at=previous.issued_at,
        expires_at=previous.expires_at,
        threshold=previous.threshold,
        roots=previous.roots,
        approval=previous.approval,
        keys=previous.keys,
    )


def check_first(
    root: "Root", signatures: "Signatures", *, pins: "tuple[str, ...]", pin_threshold: int, verify: "Verify"
) -> None:
    """Raise `TrustError` unless the pins alone accept a document: GK505 for too few of them, else as `verify_chain`."""
    signers = _signers(signatures, root.roots, verify=verify)
    # Sets, so that a pin or a signer that is named twice counts once.
    if len(signers & set(pins)) < pin_threshold:
        raise TrustError("GK505", "The first root document is signed by too few of the pinned root keys.")
    _check_threshold(root, signers)


def _check_next(previous: "Root", root: "Root", signatures: "Signatures", *, verify: "Verify") -> None:
    if root.version <= previous.version:
        raise TrustError("GK503", f"Root document {root.version} comes after {previous.version}.")
    if root.version != previous.version + 1:
        raise TrustError("GK501", f"Root document {previous.version + 1} is missing.")
    signers = _signers(signatures, (*previous.roots, *root.roots), verify=verify)
    _check_threshold(previous, signers)
    _check_threshold(root, signers)


def _check_threshold(root: "Root", signers: "set[str]") -> None:
    if len(signers & {key.kid for key in root.roots}) < root.threshold:
        raise TrustError(
            "GK501", f"A root document is signed by too few of the roots that version {root.version} names."
        )


def _signers(signatures: "Signatures", keys: "tuple[PublicKey, ...]", *, verify: "Verify") -> "set[str]":
    """Return the kids, among `keys`, that signed. One of them with a bad signature spoils the document.

    A signer that is not among them is passed over: the first document of a trimmed chain still
    carries the signatures of roots that only its predecessor named.
    """
    known = {key.kid: key for key in keys}
    signers = set()
    for kid, message, signature in signatures:
        if kid in known:
            if not verify(known[kid], message, signature):
                raise TrustError("GK501", "A signature of the root document doesn't hold.")
            signers.add(kid)
    return signers


def parse_document(document: bytes) -> "tuple[Root, Signatures]":
    """Read a hostile document: its payload, and what each signature claims. Nothing is verified. TrustError GK501, GK502."""
    try:
        payload, signatures = envelope_of(document)
        return _typed(payload), signatures
    except Malformed as error:
        raise TrustError("GK501", f"A root document can't be accepted: {error.reason}.") from error


def envelope_of(document: bytes) -> "tuple[dict[str, object], Signatures]":
    """Take a hostile document apart. Raises `Malformed`, and `TrustError` GK502 for another type."""
    members = parse_object(document, max_bytes=MAX_ROOT_BYTES)
    if set(members) != {"payload", "signatures"}:
        raise Malformed("it has not exactly payload and signatures")
    payload = text_of(members, "payload", max_chars=MAX_ROOT_BYTES)
    items = objects_of(members, "signatures")
    if not 1 <= len(items) <= MAX_SIGNATURES:
        raise Malformed("it has no signature, or too many")
    signatures = [_parse_signature(item, payload) for item in items]
    if len({kid for kid, _, _ in signatures}) != len(signatures):
        raise Malformed("a signer stands twice")
    return parse_object(b64url_decode(payload), max_bytes=MAX_ROOT_BYTES), signatures


def _parse_signature(item: "Mapping[str, object]", payload: str) -> "tuple[str, bytes, bytes]":
    if set(item) != {"protected", "signature"}:
        raise Malformed("a signature has not exactly protected and signature")
    protected = text_of(item, "protected")
    kid = parse_protected_header(protected, typ=ROOT_TYP)
    return kid, f"{protected}.{payload}".encode(), b64url_decode(text_of(item, "signature"))


def _typed(payload: "Mapping[str, object]") -> "Root":
    """Type a hostile payload as far as a launch goes by it. Unknown members are passed over: they give no key a purpose.

    Raises:
        Malformed: a member is missing or unusable, a threshold can't be met, or a key stands twice
            (under two purposes it would verify what is another's).
    """
    keys = object_of(payload, "keys")
    approval = parse_keys(keys, APPROVAL)
    root = Root(
        version=integer_of(payload, "version"),
        issuer=text_of(payload, "iss"),
        issued_at=integer_of(payload, "iat"),
        expires_at=integer_of(payload, "exp"),
        threshold=integer_of(payload, "threshold"),
        roots=parse_keys(payload, "roots"),
        approval=ApprovalKeys(keys=approval),
        keys=keys,
    )
    if root.version < 1 or root.issued_at > root.expires_at:
        raise Malformed("its version or its times are impossible")
    if not 1 <= root.threshold <= len(root.roots):
        raise Malformed("its threshold is impossible")
    kids = [key.kid for key in (*root.roots, *approval)]
    for purpose in OTHER_PURPOSES:
        kids += [text_of(jwk, "kid") for jwk in listed(keys, purpose)]
    if len(set(kids)) != len(kids):
        raise Malformed("a key stands twice")
    return root


def parse_keys(members: "Mapping[str, object]", name: str) -> "tuple[PublicKey, ...]":
    """Type the hostile keys of one purpose. Raises `Malformed`."""
    return tuple([public_key_of(item) for item in listed(members, name)])


def listed(members: "Mapping[str, object]", name: str) -> "tuple[dict[str, object], ...]":
    """Return the JWKs of one purpose. Raises `Malformed`."""
    items = objects_of(members, name)
    if members.get(name) is None or len(items) > MAX_KEYS:
        raise Malformed(f"{name} is missing or lists too many keys")
    return items
