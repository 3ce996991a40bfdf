"""From an ASGI call to a handler and back: who calls, which operation, and every error as an answer of ours.

Nothing gets out without the headers set here, and no exception gets out at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.routing import Route

from gatekeeper.service.oauth.nonces import make_nonce
from gatekeeper.service.web.auth import Auth, prove, sign_in
from gatekeeper.service.web.calls import Call
from gatekeeper.service.web.problems import HttpFault, answer_error, log

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gatekeeper.service.web.calls import Service
    from gatekeeper.service.web.operations import Operation

# The API shows nothing in a browser, so a browser is told to do nothing with it.
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
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
            return await operation.handler(sign_in(call))


def routes_of(service: Service) -> list[Route]:
    """Return the routes of every operation, one for each address."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in service.operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [Route(path, Endpoint(service, operations)) for path, operations in by_path.items()]


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

        async def sealed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._seal(MutableHeaders(scope=message))
            await send(message)

        try:
            await self._app(scope, receive, sealed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer and the log the rest
            if started:
                log.error("an answer broke off", exc_info=error)
                return
            await answer_error(error, path=scope["path"])(scope, receive, sealed)

    def _seal(self, headers: MutableHeaders) -> None:
        for name, value in self._headers.items():
            headers[name] = value
        headers["dpop-nonce"] = make_nonce(self._service.nonce_secret, now=self._service.clock())
        headers.setdefault("cache-control", "no-store")


async def not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's form
    """Answer for an address that there isn't."""
    return answer_error(HttpFault(404, "There is nothing at this address."), path=request.url.path)
