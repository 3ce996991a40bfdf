"""The launch token's claims (`gk-approval+jwt`): the classes and `parse_`; `launch_token_rendered` holds `render_`.

Trust in the bytes is earned in `trust.chain`; here the claims get types. Unknown claims are ignored:
they may never widen. Whether the token may launch something now is for `decision`.
"""

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import (
    integer_of,
    object_of,
    objects_of,
    optional_integer,
    optional_text,
    text_map_of,
    text_of,
    texts_of,
)
from gatekeeper.trust.chain import TYP as TYP  # noqa: PLC0414 - a document says its type and reader
from gatekeeper.trust.chain import audience_of as audience_of  # noqa: PLC0414
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.trust.chain import VerifiedApproval

DETAIL_TYPE = "urn:gatekeeper:launch"
CLIENT_ID = "gatekeeper-cli"


def scope_of(tool: str) -> str:
    """Return the OAuth scope that asks for a launch token for `tool`."""
    return f"launch:{tool}"


class Identity(Value):
    """One way in which a tool is recognised. Every field that is set must hold.

    `npm` and `pypi` name a package, `native` the vendor's own installer layout; `versions` is a range in that
    ecosystem's syntax; `sha256` lists digests of the executable, one of which must match.
    """

    npm: str = ""
    pypi: str = ""
    native: str = ""
    publisher: str = ""
    versions: str = ""
    sha256: "tuple[str, ...]" = ()


class Exclusion(Value):
    """A pattern over canonical remotes that refuses, and the rule that says why."""

    pattern: str
    rule: str


class LaunchChanges(Value):
    """What a launch changes in the tool's environment and arguments; everything else stays as it is."""

    env_unset: "tuple[str, ...]" = ()
    env_set: "tuple[tuple[str, str], ...]" = ()
    args_prepend: "tuple[str, ...]" = ()


class LaunchToken(Value):
    """A short-lived signed proof that `subject` may launch `tool` on this device. Times are Unix seconds.

    `grant` is "" for an open tool, and `grant_ends` None. `fresh_for` is the soft limit in seconds.
    """

    issuer: str
    subject: str
    client_id: str
    jti: str
    issued_at: int
    not_before: int
    expires_at: int
    jkt: str
    status_index: int
    status_uri: str
    tool: str
    provider: str
    identities: "tuple[Identity, ...]"
    locations: "tuple[str, ...]"
    exclude: "tuple[Exclusion, ...]"
    launch: "LaunchChanges"
    confine: str
    grant: str
    grant_ends: "int | None"
    policy: str
    device: str
    name: str
    fresh_for: int


def parse_launch_token(verified: "VerifiedApproval") -> "LaunchToken":
    """Type the claims of a verified launch token.

    Raises:
        TrustError: GK502, a required claim is missing or has the wrong shape, or the scope names another tool.
    """
    claims = verified.claims
    try:
        return _parse(claims)
    except Malformed as error:
        raise TrustError("GK502", f"launch token: {error.reason}") from error


def _parse(claims: "Mapping[str, object]") -> "LaunchToken":
    details = objects_of(claims, "authorization_details")
    if len(details) != 1 or details[0].get("type") != DETAIL_TYPE:
        raise Malformed("authorization_details is not one launch")
    detail = details[0]
    gk = object_of(claims, "gk")
    if integer_of(gk, "v") != 1:
        raise Malformed("gk.v is not 1")
    tool = text_of(detail, "tool")
    if text_of(claims, "scope") != scope_of(tool):
        raise Malformed("scope names another tool")
    status = object_of(object_of(claims, "status"), "status_list")
    return LaunchToken(
        issuer=text_of(claims, "iss"),
        subject=text_of(claims, "sub"),
        client_id=text_of(claims, "client_id"),
        jti=text_of(claims, "jti"),
        issued_at=integer_of(claims, "iat"),
        not_before=integer_of(claims, "nbf"),
        expires_at=integer_of(claims, "exp"),
        jkt=text_of(object_of(claims, "cnf"), "jkt"),
        status_index=integer_of(status, "idx"),
        status_uri=text_of(status, "uri"),
        tool=tool,
        provider=text_of(detail, "provider"),
        identities=parse_identities(detail),
        locations=texts_of(detail, "locations"),
        exclude=tuple(
            Exclusion(pattern=text_of(item, "pattern"), rule=optional_text(item, "rule"))
            for item in objects_of(detail, "exclude")
        ),
        launch=parse_launch_changes(detail),
        confine=optional_text(detail, "confine"),
        grant=optional_text(gk, "grant"),
        grant_ends=optional_integer(gk, "grant_exp"),
        policy=text_of(gk, "policy"),
        device=text_of(gk, "device"),
        name=text_of(gk, "name"),
        fresh_for=integer_of(gk, "fresh"),
    )


def parse_identities(members: "Mapping[str, object]") -> "tuple[Identity, ...]":
    """Read `identity`: one object, or a list of alternatives. None at all is malformed: nothing would be checked.

    Raises:
        Malformed: no alternative, or one that names neither a package, a layout nor a digest.
    """
    raw = members.get("identity")
    items = objects_of({"identity": [raw] if isinstance(raw, dict) else raw}, "identity")
    identities = tuple(
        Identity(
            npm=optional_text(item, "npm"),
            pypi=optional_text(item, "pypi"),
            native=optional_text(item, "native"),
            publisher=optional_text(item, "publisher"),
            versions=optional_text(item, "versions"),
            sha256=texts_of(item, "sha256"),
        )
        for item in items
    )
    if not identities:
        raise Malformed("identity is missing")
    for one in identities:
        if not (one.npm or one.pypi or one.native or one.sha256):
            raise Malformed("an identity recognises nothing")
        if any(len(d) != 64 or d.strip("0123456789abcdef") for d in one.sha256):
            raise Malformed("identity.sha256 is no lower-case digest")
    return identities


def parse_launch_changes(members: "Mapping[str, object]") -> "LaunchChanges":
    """Read `launch`; absent means no change. Raises `Malformed`."""
    if members.get("launch") is None:
        return LaunchChanges()
    launch = object_of(members, "launch")
    env_set = text_map_of(launch, "env_set")
    env_unset = texts_of(launch, "env_unset")
    for name in (*env_set, *env_unset):
        if not name or "=" in name or "\0" in name:
            raise Malformed("launch names an impossible variable")
    if any("\0" in text for text in (*env_set.values(), *texts_of(launch, "args_prepend"))):
        raise Malformed("launch holds a NUL")
    return LaunchChanges(
        env_unset=env_unset,
        env_set=tuple(env_set.items()),
        args_prepend=texts_of(launch, "args_prepend"),
    )
