"""The grant type `refresh_token`: a new access token, or with `resource` and `scope` a launch token.

Refresh tokens are bound to the device key and not rotated. With `resource=<issuer>/launch` (RFC 8707) and
`scope=launch:TOOL` one call renews: sign-in, standing and issuance in one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import TokenAnswer
from gatekeeper.documents.launch_token import audience_of, scope_of
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.oauth.launch import launch
from gatekeeper.service.people.sessions import ACCESS_FOR, issue_access, use_refresh
from gatekeeper.service.policy.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from gatekeeper.service.issue.authority import Authority

GRANT_TYPE = "refresh_token"
_MAX_TOOL = 64


def renew(
    tx: Connection, authority: Authority, form: Mapping[str, str], *, token: str, jkt: str, now: int
) -> TokenAnswer:
    """Answer a refresh of the hostile `token` with the proved key `jkt`.

    Raises:
        GatekeeperError: GK201, GK202, no sign-in; GK3xx, GK4xx, no launch token, with what helps to go on;
            GK604, a call that can't be understood.
    """
    subject, device = use_refresh(tx, token, jkt=jkt, now=now)
    resource = form.get("resource", "")
    if not resource:
        if form.get("scope"):
            raise _malformed("invalid_scope", "A scope comes with its resource.")
        return TokenAnswer(
            access_token=issue_access(tx, device=device, now=now),
            token_type="DPoP",  # noqa: S106 - RFC 9449's word
            expires_in=ACCESS_FOR,
            subject=subject.id,
            name=subject.name,
            device=device.id,
        )
    if resource != audience_of(authority.issuer):
        raise _malformed("invalid_target", "This service issues nothing for that resource.")
    issued = launch(
        tx,
        authority,
        subject=subject,
        device=device,
        word=tool_of(form.get("scope", "")),
        lease_for=_lease_of(form.get("lease", "")),
        now=now,
    )
    return TokenAnswer(
        access_token=issued.token,
        token_type="DPoP",  # noqa: S106 - RFC 9449's word
        expires_in=issued.expires_at - now,
        scope=scope_of(issued.tool),
        subject=subject.id,
        name=subject.name,
        device=device.id,
    )


def tool_of(scope: str) -> str:
    """Return the word for a tool in a hostile scope of one (`launch:TOOL`). Raises `GatekeeperError` GK604."""
    prefix = scope_of("")
    word = scope.removeprefix(prefix)
    printable = word.isascii() and word.isprintable() and " " not in word
    if word == scope or not word or len(word) > _MAX_TOOL or not printable:
        raise _malformed("invalid_scope", f"The scope must be {prefix}TOOL, for one tool.")
    return word


def _lease_of(text: str) -> int | None:
    """Read the lease that is asked for, in seconds or as a duration (`72h`). Policy caps it; it is never refused."""
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 10:
        seconds = int(text)
    else:
        try:
            seconds = parse_duration(text)
        except GatekeeperError as error:
            raise _malformed("invalid_request", "The lease is no duration.") from error
    if seconds <= 0:
        raise _malformed("invalid_request", "The lease is no duration.")
    return seconds


def _malformed(error: str, detail: str) -> GatekeeperError:
    return GatekeeperError("GK604", detail, facts={"error": error})
