"""From an ASGI call to a handler and back: who calls, which operation, and every error as an answer of ours.

Nothing gets out without the headers set here, and no exception gets out at all.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.routing import Route

from gatekeeper.errors import GatekeeperError
from gatekeeper.service import logs, metrics
from gatekeeper.service.oauth.nonces import make_nonce
from gatekeeper.service.people.devices import EPHEMERAL
from gatekeeper.service.web.auth import Auth, prove, provision, sign_in
from gatekeeper.service.web.browsers import enter
from gatekeeper.service.web.calls import Call
from gatekeeper.service.web.problems import HttpFault, answer_error, log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gatekeeper.service.web.calls import Service, SignedInCall
    from gatekeeper.service.web.operations import Operation

# The API shows nothing in a browser, so a browser is told to do nothing with it.
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
# Whoever restarts a process that doesn't answer must not be told to wait.
_WATCHED = frozenset(("/healthz", "/readyz"))
_HSTS = "max-age=63072000"


class Endpoint:
    """The operations of one address, by method."""

    def __init__(self, service: Service, operations: dict[str, Operation]) -> None:
        self._service = service
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call. Raises whatever the handler raises; the envelope answers it."""
        request = Request(scope, receive)
        # RFC 9110 §9.3.2: HEAD is GET without the body, which the server leaves out.
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            allowed = ", ".join(sorted(self._operations))
            raise HttpFault(405, "This address doesn't take this method.", headers={"allow": allowed})
        scope["gatekeeper.operation"] = operation.id
        call = Call(service=self._service, request=request, now=self._service.clock())
        response = await _answer(operation, call)
        await response(scope, receive, send)


async def _answer(operation: Operation, call: Call) -> Response:
    match operation.auth:
        case Auth.PUBLIC:
            return await operation.handler(call)
        case Auth.PROOF:
            return await operation.handler(prove(call))
        case Auth.DEVICE:
            return await operation.handler(_allowed(operation, await sign_in(call)))
        case Auth.SESSION:
            entered = await enter(call)
            return await operation.handler(entered) if isinstance(entered, Call) else entered
        case Auth.SCIM:
            return await operation.handler(provision(call))


def _allowed(operation: Operation, call: SignedInCall) -> SignedInCall:
    """Keep CI jobs to what is meant for them: a job asks for nothing, and decides nothing."""
    if call.device.state == EPHEMERAL and not operation.workloads:
        raise HttpFault(403, "This call is not for CI jobs. A person makes it for the workload.")
    return call


def routes_of(service: Service, operations: Iterable[Operation]) -> list[Route]:
    """Return the routes of operations, one for each address."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [Route(path, Endpoint(service, methods)) for path, methods in by_path.items()]


class Envelope:
    """The outermost layer: headers on every answer, a fresh nonce among them, and an answer for every error."""

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        self._app = app
        self._service = service
        self._headers = dict(_HEADERS)
        if service.issuer.startswith("https:"):
            self._headers["strict-transport-security"] = _HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, and see to it that an answer gets out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        status = 0
        request_id = logs.begin_call()
        begun = time.perf_counter()

        async def sealed(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                self._seal(headers)
            await send(message)

        try:
            self._check_rate(scope)
            await self._app(scope, receive, sealed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer and the log the rest
            if started:
                log.error("an answer broke off", exc_info=error)
                return
            await answer_error(error, path=scope["path"])(scope, receive, sealed)
        finally:
            _note(scope, status=status, seconds=time.perf_counter() - begun)

    def _check_rate(self, scope: Scope) -> None:
        """Refuse an address that calls too often; whoever watches over this process is always answered.

        Raises:
            GatekeeperError: GK603, with the fact `retry_after` in seconds.
        """
        limiter = self._service.limiter
        if limiter is None or scope["path"] in _WATCHED:
            return
        wait_for = limiter.wait_for(_address_of(scope))
        if wait_for:
            raise GatekeeperError(
                "GK603", "Too many calls come from this address.", facts={"retry_after": wait_for}
            )

    def _seal(self, headers: MutableHeaders) -> None:
        for name, value in self._headers.items():
            headers.setdefault(name, value)  # a page has a policy of its own
        headers["dpop-nonce"] = make_nonce(self._service.nonce_secret, now=self._service.clock())
        headers.setdefault("cache-control", "no-store")


def _note(scope: Scope, *, status: int, seconds: float) -> None:
    """Count an answer and, where calls are logged, log it: what was asked for, never what was sent."""
    operation = str(scope.get("gatekeeper.operation", ""))
    metrics.count_call(operation, status=status, seconds=seconds)
    if logs.calls.isEnabledFor(logging.INFO):
        facts = {
            "method": scope["method"],
            "path": scope["path"][:200],
            "operation": operation,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "address": _address_of(scope),
        }
        logs.calls.info("call", extra={"facts": facts})


def _address_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's form
    """Refuse an address that there isn't; whoever answers errors answers this one. Raises `HttpFault` 404."""
    raise HttpFault(404, "There is nothing at this address.")
