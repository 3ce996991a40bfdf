"""Root documents: which keys sign what, and the chain from the pinned thumbprints to the newest one.

The rules are TUF's (specification §5.3), on JWS General JSON (RFC 7515 §7.2.1): the first document
needs enough *pinned* signers; each later one is the next version, signed by enough roots of the one
before *and* of its own. Expiry is not judged here: only the last document's counts, and
`decision.freshness` says what an expired one means. Fetching documents is `client.root`'s, rendering them `root_payload`'s.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import (
    b64url_decode,
    b64url_encode,
    integer_of,
    object_of,
    objects_of,
    optional_text,
    parse_object,
    render_json,
    text_of,
)
from gatekeeper.trust.jws import (
    ApprovalKeys,
    GatewayKeys,
    PolicyKeys,
    PublicKey,
    StatusKeys,
    parse_protected_header,
    public_key_of,
)
from gatekeeper.trust.p256 import sha256
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatekeeper.trust.jws import Verify

TYP = "gk-root+json"
MAX_ROOT_BYTES = 64 * 1024
MAX_SIGNATURES = 16
MAX_KEYS = 16
_LOG_MEMBERS = frozenset(("kty", "crv", "x", "kid", "alg"))


class LogPublicKey(Value):
    """An Ed25519 key that signs audit checkpoints. x: 32 bytes."""

    kid: str
    x: bytes


class RootDocument(Value):
    """The payload of a root document, typed but not verified. Times are Unix seconds."""

    version: int
    issuer: str
    issued_at: int
    expires_at: int
    threshold: int
    roots: tuple[PublicKey, ...]
    approval: tuple[PublicKey, ...]
    gateway: tuple[PublicKey, ...]
    status: tuple[PublicKey, ...]
    policy: tuple[PublicKey, ...]
    log: tuple[LogPublicKey, ...]
    log_origin: str


class TrustedRoot(Value):
    """A root document whose chain to the pins holds. Whether it is expired is the reader's to decide."""

    version: int
    issuer: str
    issued_at: int
    expires_at: int
    threshold: int
    roots: tuple[PublicKey, ...]
    approval: ApprovalKeys
    gateway: GatewayKeys
    status: StatusKeys
    policy: PolicyKeys
    log_origin: str
    log: tuple[LogPublicKey, ...] = ()


class _Envelope(Value):
    """A parsed document: its payload, and what each signature claims. Nothing is verified yet."""

    root: RootDocument
    signatures: tuple[tuple[str, bytes, bytes], ...]  # kid, what is signed, signature


def verify_chain(
    documents: Sequence[bytes],
    *,
    pins: tuple[str, ...],
    pin_threshold: int,
    issuer: str,
    min_version: int,
    verify: Verify,
) -> TrustedRoot:
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
    previous: RootDocument | None = None
    for document in documents:
        envelope = _parse(document)
        root = envelope.root
        if root.issuer != issuer:
            raise TrustError("GK502", "The root document names another issuer.")
        if previous is None:
            _check_first(envelope, pins=pins, pin_threshold=pin_threshold, verify=verify)
        else:
            _check_next(previous, envelope, verify=verify)
        previous = root
    if previous is None:
        raise TrustError("GK505", "There is no root document.")
    if previous.version < min_version:
        raise TrustError(
            "GK503", f"The root document has version {previous.version}, and {min_version} is the least."
        )
    return _trusted(previous)


def trim_chain(
    documents: Sequence[bytes], *, pins: tuple[str, ...], pin_threshold: int, verify: Verify
) -> list[bytes]:
    """Drop everything before the newest hostile document that the pins alone accept; [] where they accept none.

    What is left proves as much as the whole, so the state need not keep a history.
    """
    if pin_threshold < 1:
        raise RuntimeError("a threshold below one trusts everybody")
    for at in range(len(documents) - 1, -1, -1):
        try:
            _check_first(_parse(documents[at]), pins=pins, pin_threshold=pin_threshold, verify=verify)
        except TrustError:
            continue
        return list(documents[at:])
    return []


def _check_first(envelope: _Envelope, *, pins: tuple[str, ...], pin_threshold: int, verify: Verify) -> None:
    signers = _signers(envelope, envelope.root.roots, verify=verify)
    # Sets, so that a pin or a signer that is named twice counts once.
    if len(signers & set(pins)) < pin_threshold:
        raise TrustError("GK505", "The first root document is signed by too few of the pinned root keys.")
    _check_threshold(envelope.root, signers)


def _check_next(previous: RootDocument, envelope: _Envelope, *, verify: Verify) -> None:
    root = envelope.root
    if root.version <= previous.version:
        raise TrustError("GK503", f"Root document {root.version} comes after {previous.version}.")
    if root.version != previous.version + 1:
        raise TrustError("GK501", f"Root document {previous.version + 1} is missing.")
    signers = _signers(envelope, (*previous.roots, *root.roots), verify=verify)
    _check_threshold(previous, signers)
    _check_threshold(root, signers)


def _check_threshold(root: RootDocument, signers: set[str]) -> None:
    if len(signers & {key.kid for key in root.roots}) < root.threshold:
        raise TrustError(
            "GK501", f"A root document is signed by too few of the roots that version {root.version} names."
        )


def _signers(envelope: _Envelope, keys: tuple[PublicKey, ...], *, verify: Verify) -> set[str]:
    """Return the kids, among `keys`, that signed. One of them with a bad signature spoils the document.

    A signer that is not among them is passed over: the first document of a trimmed chain still
    carries the signatures of roots that only its predecessor named.
    """
    known = {key.kid: key for key in keys}
    signers = set()
    for kid, message, signature in envelope.signatures:
        if kid in known:
            if not verify(known[kid], message, signature):
                raise TrustError("GK501", "A signature of the root document doesn't hold.")
            signers.add(kid)
    return signers


def _parse(document: bytes) -> _Envelope:
    try:
        return _parse_envelope(document)
    except Malformed as error:
        raise TrustError("GK501", f"A root document can't be accepted: {error.reason}.") from error


def _parse_envelope(document: bytes) -> _Envelope:
    members = parse_object(document, max_bytes=MAX_ROOT_BYTES)
    if set(members) != {"payload", "signatures"}:
        raise Malformed("it has not exactly payload and signatures")
    payload = text_of(members, "payload", max_chars=MAX_ROOT_BYTES)
    items = objects_of(members, "signatures")
    if not 1 <= len(items) <= MAX_SIGNATURES:
        raise Malformed("it has no signature, or too many")
    signatures = tuple(_parse_signature(item, payload) for item in items)
    if len({kid for kid, _, _ in signatures}) != len(signatures):
        raise Malformed("a signer stands twice")
    root = parse_root_payload(parse_object(b64url_decode(payload), max_bytes=MAX_ROOT_BYTES))
    return _Envelope(root=root, signatures=signatures)


def _parse_signature(item: Mapping[str, object], payload: str) -> tuple[str, bytes, bytes]:
    if set(item) != {"protected", "signature"}:
        raise Malformed("a signature has not exactly protected and signature")
    protected = text_of(item, "protected")
    kid = parse_protected_header(protected, typ=TYP)
    return kid, f"{protected}.{payload}".encode(), b64url_decode(text_of(item, "signature"))


def parse_root_payload(payload: Mapping[str, object]) -> RootDocument:
    """Type a hostile payload. Unknown members are passed over: they give no key a purpose.

    Raises:
        Malformed: a member is missing or unusable, a threshold can't be met, or a key stands twice
            (under two purposes it would verify what is another's).
    """
    keys = object_of(payload, "keys")
    root = RootDocument(
        version=integer_of(payload, "version"),
        issuer=text_of(payload, "iss"),
        issued_at=integer_of(payload, "iat"),
        expires_at=integer_of(payload, "exp"),
        threshold=integer_of(payload, "threshold"),
        roots=_parse_keys(payload, "roots"),
        approval=_parse_keys(keys, "approval"),
        gateway=_parse_keys(keys, "gateway"),
        status=_parse_keys(keys, "status"),
        policy=_parse_keys(keys, "policy"),
        log=tuple(parse_log_jwk(item) for item in _listed(keys, "log")),
        log_origin=optional_text(payload, "log_origin"),
    )
    if root.version < 1 or root.issued_at > root.expires_at:
        raise Malformed("its version or its times are impossible")
    if not 1 <= root.threshold <= len(root.roots):
        raise Malformed("its threshold is impossible")
    kids = [
        key.kid
        for keys_ in (root.roots, root.approval, root.gateway, root.status, root.policy)
        for key in keys_
    ]
    if len(set(kids)) != len(kids):
        raise Malformed("a key stands twice")
    return root


def log_thumbprint(x: bytes) -> str:
    """Return the RFC 8037 §2 thumbprint of an Ed25519 key."""
    return b64url_encode(sha256(render_json({"crv": "Ed25519", "kty": "OKP", "x": b64url_encode(x)})))


def parse_log_jwk(item: Mapping[str, object]) -> LogPublicKey:
    """Read a hostile public JWK as `root_payload.render_log_jwk` renders it, and nothing else. Raises `Malformed`."""
    if set(item) != _LOG_MEMBERS or (item["kty"], item["crv"], item["alg"]) != ("OKP", "Ed25519", "Ed25519"):
        raise Malformed("a log key is not for Ed25519")
    x = b64url_decode(text_of(item, "x"))
    if len(x) != 32 or item["kid"] != log_thumbprint(x):
        raise Malformed("a log key's kid is not its thumbprint")
    return LogPublicKey(kid=log_thumbprint(x), x=x)


def _parse_keys(members: Mapping[str, object], name: str) -> tuple[PublicKey, ...]:
    return tuple(public_key_of(item) for item in _listed(members, name))


def _listed(members: Mapping[str, object], name: str) -> tuple[dict[str, object], ...]:
    items = objects_of(members, name)
    if members.get(name) is None or len(items) > MAX_KEYS:
        raise Malformed(f"{name} is missing or lists too many keys")
    return items


def _trusted(root: RootDocument) -> TrustedRoot:
    return TrustedRoot(
        version=root.version,
        issuer=root.issuer,
        issued_at=root.issued_at,
        expires_at=root.expires_at,
        threshold=root.threshold,
        roots=root.roots,
        approval=ApprovalKeys(keys=root.approval),
        gateway=GatewayKeys(keys=root.gateway),
        status=StatusKeys(keys=root.status),
        policy=PolicyKeys(keys=root.policy),
        log_origin=root.log_origin,
        log=root.log,
    )
