"""The launch token's claims as the service writes them: what `launch_token` reads back as the same token.

Apart from it, because no launch writes one.
"""

from __future__ import annotations

from gatekeeper.documents.launch_token import DETAIL_TYPE, audience_of, scope_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.documents.launch_token import Identity, LaunchChanges, LaunchToken


def render_identities(identities: tuple[Identity, ...]) -> list[dict[str, object]]:
    """Render alternatives as `parse_identities` reads them; unset fields are left out."""
    rendered = []
    for one in identities:
        item: dict[str, object] = {}
        for name in ("npm", "pypi", "native", "publisher", "versions"):
            if getattr(one, name):
                item[name] = getattr(one, name)
        if one.sha256:
            item["sha256"] = list(one.sha256)
        rendered.append(item)
    return rendered


def render_launch_changes(launch: LaunchChanges) -> dict[str, object]:
    """Render the changes as `parse_launch_changes` reads them."""
    return {
        "env_unset": list(launch.env_unset),
        "env_set": dict(launch.env_set),
        "args_prepend": list(launch.args_prepend),
    }


def render_launch_token(token: LaunchToken) -> dict[str, object]:
    """Render the claims that `parse_launch_token` reads back as the same token."""
    gk: dict[str, object] = {
        "v": 1,
        "policy": token.policy,
        "device": token.device,
        "name": token.name,
        "fresh": token.fresh_for,
    }
    if token.grant:
        gk["grant"] = token.grant
    if token.grant_ends is not None:
        gk["grant_exp"] = token.grant_ends
    detail: dict[str, object] = {
        "type": DETAIL_TYPE,
        "tool": token.tool,
        "provider": token.provider,
        "identity": render_identities(token.identities),
        "locations": list(token.locations),
        "exclude": [{"pattern": e.pattern, "rule": e.rule} for e in token.exclude],
        "launch": render_launch_changes(token.launch),
    }
    if token.confine:
        detail["confine"] = token.confine
    return {
        "iss": token.issuer,
        "sub": token.subject,
        "aud": audience_of(token.issuer),
        "client_id": token.client_id,
        "jti": token.jti,
        "iat": token.issued_at,
        "nbf": token.not_before,
        "exp": token.expires_at,
        "cnf": {"jkt": token.jkt},
        "scope": scope_of(token.tool),
        "status": {"status_list": {"idx": token.status_index, "uri": token.status_uri}},
        "authorization_details": [detail],
        "gk": gk,
    }
