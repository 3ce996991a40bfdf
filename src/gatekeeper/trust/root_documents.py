"""Root documents in full: what must hold before one is kept or published, and how the service writes them.

A launch types what it goes by (`chain`); renewal and the service demand that every purpose's keys are what they should
be. Signing is `sign`'s.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import (
    b64url_decode,
    b64url_encode,
    integer_of,
    object_of,
    optional_text,
    render_json,
    text_of,
)
from gatekeeper.trust import chain
from gatekeeper.trust.chain import (
    PublicKey,
    TrustedRoot,
    check_first,
    envelope_of,
    listed,
    parse_document,
    parse_keys,
)
from gatekeeper.trust.p256 import sha256
from gatekeeper.trust.published import render_public_jwk
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatekeeper.trust.chain import Verify

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


def verify_chain(
    documents: Sequence[bytes],
    *,
    pins: tuple[str, ...],
    pin_threshold: int,
    issuer: str,
    min_version: int,
    verify: Verify,
) -> TrustedRoot:
    """Walk a chain as `chain.verify_chain` does, each document typed in full: for what is kept or published. Errors alike."""
    for document in documents:
        try:
            parse_root_payload(envelope_of(document)[0])
        except Malformed as error:
            raise TrustError("GK501", f"A root document can't be accepted: {error.reason}.") from error
    return chain.verify_chain(
        documents,
        pins=pins,
        pin_threshold=pin_threshold,
        issuer=issuer,
        min_version=min_version,
        verify=verify,
    )


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
            root, signatures = parse_document(documents[at])
            check_first(root, signatures, pins=pins, pin_threshold=pin_threshold, verify=verify)
        except TrustError:
            continue
        return list(documents[at:])
    return []


def parse_root_payload(payload: Mapping[str, object]) -> RootDocument:
    """Type a hostile payload in full. Unknown members are passed over: they give no key a purpose.

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
        roots=parse_keys(payload, "roots"),
        approval=parse_keys(keys, "approval"),
        gateway=parse_keys(keys, "gateway"),
        status=parse_keys(keys, "status"),
        policy=parse_keys(keys, "policy"),
        log=tuple(parse_log_jwk(item) for item in listed(keys, "log")),
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
    """Read a hostile public JWK as `render_log_jwk` renders it, and nothing else. Raises `Malformed`."""
    if set(item) != _LOG_MEMBERS or (item["kty"], item["crv"], item["alg"]) != ("OKP", "Ed25519", "Ed25519"):
        raise Malformed("a log key is not for Ed25519")
    x = b64url_decode(text_of(item, "x"))
    if len(x) != 32 or item["kid"] != log_thumbprint(x):
        raise Malformed("a log key's kid is not its thumbprint")
    return LogPublicKey(kid=log_thumbprint(x), x=x)


def render_root_payload(root: RootDocument) -> dict[str, object]:
    """Render the payload that `parse_root_payload` reads back as the same document."""
    return {
        "version": root.version,
        "iss": root.issuer,
        "iat": root.issued_at,
        "exp": root.expires_at,
        "threshold": root.threshold,
        "roots": [render_public_jwk(key) for key in root.roots],
        "keys": {
            "approval": [render_public_jwk(key) for key in root.approval],
            "gateway": [render_public_jwk(key) for key in root.gateway],
            "status": [render_public_jwk(key) for key in root.status],
            "policy": [render_public_jwk(key) for key in root.policy],
            "log": [render_log_jwk(key) for key in root.log],
        },
        "log_origin": root.log_origin,
    }


def render_log_jwk(key: LogPublicKey) -> dict[str, object]:
    """Render the public JWK of a log key (RFC 8037; `alg` as RFC 9864 names it)."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": b64url_encode(key.x),
        "kid": key.kid,
        "alg": "Ed25519",
    }
