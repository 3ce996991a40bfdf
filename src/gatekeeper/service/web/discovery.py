"""What anyone may read: the server's metadata (RFC 8414), the gateway keys (RFC 7517), the root documents, the status lists."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.issue.authority import root_expires_at
from gatekeeper.service.oauth.code import DEVICE_GRANT_TYPE
from gatekeeper.service.oauth.token import GRANT_TYPES
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.web.answers import answer_document, answer_json
from gatekeeper.service.web.problems import HttpFault

if TYPE_CHECKING:
    from starlette.responses import Response

    from gatekeeper.service.web.calls import Call

_MAX_DIGITS = 9
_HOUR = {"cache-control": "public, max-age=3600"}


async def metadata(call: Call) -> Response:
    """Answer RFC 8414 §3.2."""
    issuer, provider = call.service.issuer, call.service.provider
    by_device: dict[str, object] = {}
    if provider is not None and provider.settings.device_grant:
        by_device = {"device_authorization_endpoint": f"{issuer}/oauth/device_authorization"}
    return answer_json(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/oauth/authorize",
            "token_endpoint": f"{issuer}/oauth/token",
            "revocation_endpoint": f"{issuer}/oauth/revoke",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [*GRANT_TYPES, *([DEVICE_GRANT_TYPE] if by_device else [])],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **by_device,
            # How people usually sign in here, for `gatekeeper login` without an option.
            "gatekeeper_sign_in": "code" if provider is None else "browser",
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "dpop_signing_alg_values_supported": ["ES256"],
        },
        headers=_HOUR,
    )


async def jwks(call: Call) -> Response:
    """Answer with the gateway keys alone: gateways that know only this page skip `aud` unless told."""
    keys = [{**key.public_jwk(), "use": "sig"} for key in call.service.authority.keys.gateway]
    return answer_json({"keys": keys}, headers=_HOUR)


async def root_document(call: Call) -> Response:
    """Answer with one version of the root document, which never changes, or with the latest."""
    wanted = str(call.request.path_params["version"])
    query = select(root_documents.c.document)
    if wanted == "latest":
        query = query.order_by(root_documents.c.version.desc()).limit(1)
    else:
        query = query.where(root_documents.c.version == _number(wanted))
    with call.service.store.read() as tx:
        document = tx.execute(query).scalar_one_or_none()
    if document is None:
        raise HttpFault(404, "There is no root document of this version.")
    return answer_document(
        call.request,
        bytes(document),
        media_type="application/jose+json",
        etag=f'"{sha256(document).hexdigest()[:32]}"',
        cache_control="no-cache" if wanted == "latest" else "public, max-age=86400, immutable",
    )


async def status_list(call: Call) -> Response:
    """Answer with one status list."""
    published = call.service.status_lists.get(_number(str(call.request.path_params["number"])), now=call.now)
    if published is None:
        raise HttpFault(404, "There is no status list of this number.")
    return answer_document(
        call.request,
        published.token.encode("ascii"),
        media_type="application/statuslist+jwt",
        etag=published.etag,
        cache_control="public, max-age=60",
    )


async def health(call: Call) -> Response:  # noqa: ARG001 - every handler has the same form
    """Answer that the process runs, whatever else doesn't."""
    return answer_json({"status": "ok"})


async def readiness(call: Call) -> Response:
    """Answer whether calls should be sent here: the store answers, the root document stands, and nobody stopped it.

    Raises:
        GatekeeperError: GK106 (503) the service is stopping or the store can't be used, GK504 (503) expired.
    """
    if call.service.waiting.stopping:
        raise GatekeeperError("GK106", "The service is stopping.")
    with call.service.store.read() as tx:
        root_expires_at(tx, now=call.now)
    return answer_json({"status": "ready"})


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > _MAX_DIGITS:
        raise HttpFault(404, "There is nothing at this address.")
    return int(text)
