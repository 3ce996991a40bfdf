"""Errors as answers: RFC 6749 §5.2 under `/oauth`, RFC 9457 elsewhere, both with the stable code.

One table says which HTTP status a code has. A client reads the code; the status is for proxies and people.
A bug says nothing of itself but a reference, which the log has too.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from starlette.responses import Response

from gatekeeper.codes import CODES
from gatekeeper.documents.api import Problem, render_problem
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service import metrics
from gatekeeper.service.store.transactions import StoreBusy
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("gatekeeper.service")

OAUTH = "/oauth/"
SCIM_PATH = "/scim/"
_SCIM_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"

# What a code that isn't here means is not for a caller to hear of: it is a bug.
STATUS = {
    "GK100": 400,
    "GK106": 503,
    "GK201": 401,
    "GK202": 401,
    "GK203": 400,
    "GK206": 429,
    "GK207": 403,
    "GK208": 403,
    "GK301": 403,
    "GK302": 403,
    "GK303": 403,
    "GK307": 403,
    "GK308": 403,
    "GK309": 403,
    "GK310": 403,
    "GK311": 403,
    "GK401": 403,
    "GK402": 403,
    "GK403": 403,
    "GK404": 422,
    "GK405": 403,
    "GK406": 403,
    "GK407": 403,
    "GK408": 409,
    "GK409": 404,
    "GK410": 422,
    "GK411": 422,
    "GK504": 503,
    "GK603": 429,
    "GK604": 400,
    "GK605": 503,
    "GK901": 500,
}
# RFC 6749 §5.2: 400, unless otherwise specified. These are.
_OAUTH_STATUS = {"GK106": 503, "GK206": 429, "GK504": 503, "GK603": 429, "GK605": 503, "GK901": 500}
_OAUTH_ERROR = {
    "GK106": "temporarily_unavailable",
    "GK201": "invalid_grant",
    "GK202": "invalid_grant",
    "GK203": "invalid_grant",
    "GK206": "slow_down",
    "GK207": "access_denied",
    "GK208": "authorization_pending",
    "GK401": "authorization_pending",
    "GK504": "temporarily_unavailable",
    "GK603": "slow_down",
    "GK604": "invalid_request",
    "GK605": "temporarily_unavailable",
    "GK100": "invalid_request",
    "GK901": "server_error",
}
_TEXTS = ("tool", "rule", "request", "request_url", "by", "reason", "ref")
# Faults of a proof or token: they travel in WWW-Authenticate outside /oauth (RFC 6750 §3, RFC 9449 §7.1).
_CHALLENGES = frozenset(("use_dpop_nonce", "invalid_dpop_proof", "invalid_token"))


class HttpFault(GatekeeperError):
    """A call that is wrong as HTTP: an unknown address, method, media type or size (GK604)."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__("GK604", detail, facts={"status": status})
        self.headers = dict(headers or {})


def answer_error(error: Exception, *, path: str) -> Response:
    """Render any exception as an answer. What isn't an error of ours is a bug: logged whole, answered as GK901."""
    if isinstance(error, Malformed):
        error = GatekeeperError("GK604", f"The body can't be read: {error.reason}.")
    if isinstance(error, StoreBusy):
        error = _busy()
    if not isinstance(error, GatekeeperError) or error.code not in STATUS or error.code == "GK901":
        error = _bug(error, path)
    if path.startswith(SCIM_PATH):
        return _scim_error(error)
    metrics.count_refusal(error.code)
    problem = problem_of(error, oauth=path.startswith(OAUTH))
    headers = {"cache-control": "no-store"}
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    if isinstance(error, HttpFault):
        headers |= error.headers
    challenge = error.facts.get("error") or ("invalid_token" if problem.status == 401 else "")
    if not problem.error and challenge in _CHALLENGES:
        headers["www-authenticate"] = f'DPoP error="{challenge}", algs="ES256"'
    kind = "application/json" if problem.error else "application/problem+json"
    return Response(
        render_json(render_problem(problem)), status_code=problem.status, headers=headers, media_type=kind
    )


def _scim_error(error: GatekeeperError) -> Response:
    """Answer a directory's client as RFC 7644 §3.12 says; our code stands in the words."""
    status = _status_of(error, oauth=False)
    members: dict[str, object] = {
        "schemas": [_SCIM_SCHEMA],
        "status": str(status),
        "detail": f"{error.detail} ({error.code})",
    }
    scim_type = error.facts.get("scim_type")
    if isinstance(scim_type, str) and scim_type:
        members["scimType"] = scim_type
    headers = {"cache-control": "no-store"}
    retry_after = error.facts.get("retry_after")
    if isinstance(retry_after, int):
        headers["retry-after"] = str(retry_after)
    if isinstance(error, HttpFault):
        headers |= error.headers
    return Response(
        render_json(members), status_code=status, headers=headers, media_type="application/scim+json"
    )


def problem_of(error: GatekeeperError, *, oauth: bool) -> Problem:
    """Return the problem document of an error; its facts give the members that help the client to help."""
    facts = error.facts
    texts = {name: str(facts[name]) for name in _TEXTS if facts.get(name)}
    alternatives = facts.get("alternatives", ())
    retry_after = facts.get("retry_after")
    return Problem(
        code=error.code,
        status=_status_of(error, oauth=oauth),
        title=CODES[error.code].title,
        detail=error.detail,
        error=_oauth_error_of(error) if oauth else "",
        alternatives=tuple(alternatives) if isinstance(alternatives, (list, tuple)) else (),
        retry_after=retry_after if isinstance(retry_after, int) else None,
        **texts,
    )


def _status_of(error: GatekeeperError, *, oauth: bool) -> int:
    given = error.facts.get("status")
    if isinstance(given, int):
        return given
    if oauth:
        return _OAUTH_STATUS.get(error.code, 400)
    if error.facts.get("error") in _CHALLENGES:
        return 401
    return STATUS[error.code]


def _oauth_error_of(error: GatekeeperError) -> str:
    given = error.facts.get("error")
    return given if isinstance(given, str) and given else _OAUTH_ERROR.get(error.code, "access_denied")


def _busy() -> GatekeeperError:
    """Ask to wait, by a status that no client takes for a refusal: an operator's command holds the write lock."""
    return GatekeeperError(
        "GK603",
        "The service's database is in use by another process.",
        facts={"status": 503, "error": "temporarily_unavailable", "retry_after": 1},
    )


def _bug(error: Exception, path: str) -> GatekeeperError:
    ref = secrets.token_hex(6)
    log.error("bug %s while answering %s", ref, ascii(path), exc_info=error)
    return GatekeeperError(
        "GK901",
        "The service met a state that it should never meet. Its log tells more under the reference.",
        facts={"ref": ref},
    )
