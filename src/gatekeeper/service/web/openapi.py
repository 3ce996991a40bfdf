"""`/openapi.json` (OpenAPI 3.1), made from the table of operations and the schemas of the bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper import __version__
from gatekeeper.service.web.answers import answer_json
from gatekeeper.service.web.auth import Auth
from gatekeeper.service.web.operations import Answer
from gatekeeper.service.web.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from gatekeeper.service.web.calls import Call
    from gatekeeper.service.web.operations import Operation, Parameter

_NONCE = {
    "description": "The nonce for the next DPoP proof (RFC 9449 §8).",
    "schema": {"type": "string"},
}
_REFUSAL_WORDS = {
    400: "The call can't be understood, or (under /oauth) is refused.",
    401: "Sign in, or prove the device key with the nonce of this answer.",
    403: "Refused.",
    404: "There is no such thing, or it is another's.",
    408: "The body came too slowly.",
    409: "It has moved on.",
    412: "It was changed meanwhile.",
    413: "The body is too long.",
    415: "The body has another media type.",
    422: "Outside what policy allows.",
    429: "Wait before the next call.",
    500: "A bug; the reference stands in the service's log.",
    503: "Not now.",
}


async def document(call: Call) -> Response:
    """Answer with the document."""
    return answer_json(
        render_openapi(call.service.operations, issuer=call.service.issuer),
        headers={"cache-control": "public, max-age=3600"},
    )


def documented_path(path: str) -> str:
    """Return a path as OpenAPI writes it, which has no word for a parameter that takes slashes."""
    return path.replace(":path}", "}")


def render_openapi(operations: Iterable[Operation], *, issuer: str) -> dict[str, object]:
    """Return the document of a service at `issuer`."""
    paths: dict[str, dict[str, object]] = {}
    for operation in operations:
        paths.setdefault(documented_path(operation.path), {})[operation.method.lower()] = _operation(
            operation
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gatekeeper",
            "version": __version__,
            "summary": "Approvals for AI assistants",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "dpop": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "DPoP",
                    "description": "A DPoP proof (RFC 9449) by the device key, with the server's nonce.",
                },
                "provisioning": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the directory's provisioning client (RFC 7644 §2).",
                },
                "token": {
                    "type": "http",
                    "scheme": "DPoP",
                    "description": "An access token of /oauth/token, bound to the device key.",
                },
            },
        },
    }


def _operation(operation: Operation) -> dict[str, object]:
    answers = {str(answer.status): _answer(answer) for answer in operation.answers}
    oauth = operation.path.startswith("/oauth/")
    proven: tuple[int, ...] = () if operation.auth is Auth.PUBLIC or oauth else (400, 401, 503)
    for status in sorted({*operation.refusals, *proven, 500}):
        answers[str(status)] = _refusal(status, operation)
    rendered: dict[str, object] = {
        "operationId": operation.id,
        "description": operation.words,
        "security": _security(operation.auth),
        "responses": answers,
    }
    if operation.parameters:
        rendered["parameters"] = [_parameter(one) for one in operation.parameters]
    if operation.body is not None:
        media_type, schema = operation.body
        rendered["requestBody"] = {"required": True, "content": {media_type: {"schema": _ref(schema)}}}
    return rendered


def _security(auth: Auth) -> list[dict[str, list[str]]]:
    match auth:
        case Auth.PUBLIC:
            return []
        case Auth.PROOF:
            return [{"dpop": []}]
        case Auth.DEVICE:
            return [{"dpop": [], "token": []}]
        case Auth.SESSION:
            return [{"session": []}]
        case Auth.SCIM:
            return [{"provisioning": []}]


def _answer(answer: Answer) -> dict[str, object]:
    rendered: dict[str, object] = {"description": answer.words, "headers": {"DPoP-Nonce": _NONCE}}
    if answer.media_type:
        schema = _ref(answer.schema) if answer.schema else {"type": "string"}
        rendered["content"] = {answer.media_type: {"schema": schema}}
    return rendered


def _refusal(status: int, operation: Operation) -> dict[str, object]:
    kind, schema = "application/problem+json", "Problem"
    if operation.path.startswith("/oauth/"):
        kind, schema = "application/json", "OAuthError"
    elif operation.auth is Auth.SCIM:
        kind, schema = "application/scim+json", "ScimError"
    words = _REFUSAL_WORDS[status]
    return _answer(Answer(status=status, words=words, media_type=kind, schema=schema))


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.words,
        "schema": {"type": parameter.kind},
    }


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
