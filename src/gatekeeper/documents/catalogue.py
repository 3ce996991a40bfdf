"""The signed catalogue (`gk-catalogue+jwt`): the organisation's tools and the words that people read.

A launch is decided by its token alone; the catalogue supplies names, alternatives and a rule's words.
Its version never falls (a client refuses an older one), and it ends after 24 hours.
"""

from __future__ import annotations

from gatekeeper.documents.launch_token import Identity, parse_identities
from gatekeeper.documents.launch_token_rendered import render_identities
from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import (
    integer_of,
    object_of,
    objects_of,
    optional_text,
    text_map_of,
    text_of,
    texts_of,
)
from gatekeeper.trust.published import catalogue_audience_of
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.trust.published import VerifiedPolicy

OPEN = "open"
APPROVAL = "approval"
CLOSED = "closed"
ACCESS_CLASSES = (OPEN, APPROVAL, CLOSED)


class CatalogueTool(Value):
    """One tool as people see it. `executables` are names, never paths; `alternatives` are tool ids.

    `stopped` is the reason for which it stands still for now, "" where it doesn't.
    """

    id: str
    name: str
    vendor: str
    vendor_name: str
    access: str
    executables: tuple[str, ...]
    identities: tuple[Identity, ...]
    alternatives: tuple[str, ...] = ()
    zones_refused: tuple[str, ...] = ()
    max_duration: str = ""
    min_reason: int = 0
    stopped: str = ""


class Catalogue(Value):
    """The tools of one policy version, for one subject. Times are Unix seconds."""

    issuer: str
    subject: str
    version: int
    issued_at: int
    expires_at: int
    jti: str
    organisation: str
    help: str
    tools: tuple[CatalogueTool, ...]
    rules: tuple[tuple[str, str], ...] = ()

    def tool(self, word: str) -> CatalogueTool | None:
        """Return the tool whose id, else whose executable, is `word`."""
        for tool in self.tools:
            if tool.id == word:
                return tool
        for tool in self.tools:
            if word in tool.executables:
                return tool
        return None

    def words_of(self, rule: str) -> str:
        """Return the words of a rule, or "" where it has none."""
        return dict(self.rules).get(rule, "")


def parse_catalogue(verified: VerifiedPolicy) -> Catalogue:
    """Type the claims of a verified catalogue.

    Raises:
        TrustError: GK502, a required claim is missing or has the wrong shape.
    """
    claims = verified.claims
    try:
        organisation = object_of(claims, "organisation")
        return Catalogue(
            issuer=text_of(claims, "iss"),
            subject=text_of(claims, "sub"),
            version=integer_of(claims, "version"),
            issued_at=integer_of(claims, "iat"),
            expires_at=integer_of(claims, "exp"),
            jti=text_of(claims, "jti"),
            organisation=optional_text(organisation, "name"),
            help=optional_text(organisation, "help"),
            tools=tuple(_parse_tool(item) for item in objects_of(claims, "tools")),
            rules=tuple(text_map_of(claims, "rules").items()),
        )
    except Malformed as error:
        raise TrustError("GK502", f"catalogue: {error.reason}") from error


def _parse_tool(item: Mapping[str, object]) -> CatalogueTool:
    access = text_of(item, "access")
    if access not in ACCESS_CLASSES:
        raise Malformed("access is no access class")
    return CatalogueTool(
        id=text_of(item, "id"),
        name=text_of(item, "name"),
        vendor=text_of(item, "vendor"),
        vendor_name=text_of(item, "vendor_name"),
        access=access,
        executables=texts_of(item, "executables"),
        identities=parse_identities(item),
        alternatives=texts_of(item, "alternatives"),
        zones_refused=texts_of(item, "zones_refused"),
        max_duration=optional_text(item, "max_duration"),
        min_reason=integer_of(item, "min_reason"),
        stopped=optional_text(item, "stopped"),
    )


def render_catalogue(catalogue: Catalogue) -> dict[str, object]:
    """Render the claims that `parse_catalogue` reads back as the same catalogue."""
    return {
        "iss": catalogue.issuer,
        "sub": catalogue.subject,
        "aud": catalogue_audience_of(catalogue.issuer),
        "jti": catalogue.jti,
        "iat": catalogue.issued_at,
        "nbf": catalogue.issued_at - 300,
        "exp": catalogue.expires_at,
        "version": catalogue.version,
        "organisation": {"name": catalogue.organisation, "help": catalogue.help},
        "tools": [_render_tool(tool) for tool in catalogue.tools],
        "rules": dict(catalogue.rules),
    }


def _render_tool(tool: CatalogueTool) -> dict[str, object]:
    return {
        "id": tool.id,
        "name": tool.name,
        "vendor": tool.vendor,
        "vendor_name": tool.vendor_name,
        "access": tool.access,
        "executables": list(tool.executables),
        "identity": render_identities(tool.identities),
        "alternatives": list(tool.alternatives),
        "zones_refused": list(tool.zones_refused),
        "max_duration": tool.max_duration,
        "min_reason": tool.min_reason,
        "stopped": tool.stopped,
    }
