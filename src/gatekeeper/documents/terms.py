"""What a device signs when its person accepts a tool's terms, and the terms as the service sends them. Pure."""

from __future__ import annotations

from gatekeeper.errors import Malformed
from gatekeeper.strict import integer_of, parse_object, text_of
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TERMS_BYTES = 1024 * 1024


class TermsView(Value):
    """The terms of a tool; `accepted` says whether whoever asks has accepted this text."""

    tool: str
    version: int
    sha256: str
    text: str
    accepted: bool


class Acceptance(Value):
    """The claims of a statement of type `gk-terms+jwt`. `subject` is an id, `issued_at` Unix seconds."""

    issuer: str
    subject: str
    tool: str
    version: int
    sha256: str
    issued_at: int


def parse_acceptance(claims: Mapping[str, object]) -> Acceptance:
    """Read verified claims. Raises `Malformed`."""
    return Acceptance(
        issuer=text_of(claims, "iss"),
        subject=text_of(claims, "sub"),
        tool=text_of(claims, "tool", max_chars=64),
        version=integer_of(claims, "version"),
        sha256=text_of(claims, "sha256", max_chars=64),
        issued_at=integer_of(claims, "iat"),
    )


def render_acceptance(acceptance: Acceptance) -> dict[str, object]:
    """Render as `parse_acceptance` reads."""
    return {
        "iss": acceptance.issuer,
        "sub": acceptance.subject,
        "tool": acceptance.tool,
        "version": acceptance.version,
        "sha256": acceptance.sha256,
        "iat": acceptance.issued_at,
    }


def parse_terms(body: bytes) -> TermsView:
    """Read the answer of GET /v1/terms/{tool}. Raises `Malformed`."""
    members = parse_object(body, max_bytes=MAX_TERMS_BYTES)
    accepted = members.get("accepted")
    if type(accepted) is not bool:
        raise Malformed("accepted is neither true nor false")
    return TermsView(
        tool=text_of(members, "tool", max_chars=64),
        version=integer_of(members, "version"),
        sha256=text_of(members, "sha256", max_chars=64),
        text=text_of(members, "text", max_chars=MAX_TERMS_BYTES),
        accepted=accepted,
    )


def render_terms(terms: TermsView) -> dict[str, object]:
    """Render as `parse_terms` reads."""
    return {
        "tool": terms.tool,
        "version": terms.version,
        "sha256": terms.sha256,
        "text": terms.text,
        "accepted": terms.accepted,
    }
