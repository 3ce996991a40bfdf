"""The document of the API, and that it is true."""

from __future__ import annotations

import re
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route
from tests.service.local import CLIENT, LocalService

from gatekeeper.codes import CODES
from gatekeeper.service.web.problems import STATUS
from gatekeeper.service.web.routes import OPERATIONS


def document(local: LocalService) -> dict[str, Any]:
    """Fetch the document."""
    fetched: dict[str, Any] = local.send("GET", "/openapi.json").json()
    return fetched


def test_the_document_is_openapi(local: LocalService) -> None:
    """It is valid OpenAPI 3.1."""
    OpenAPIV31SpecValidator(document(local)).validate()


def test_every_route_is_documented_and_every_document_routed(local: LocalService) -> None:
    """Paths, methods and path parameters are those that are served."""
    paths = document(local)["paths"]
    assert {(path, method.upper()) for path, item in paths.items() for method in item} == {
        (operation.path, operation.method) for operation in OPERATIONS
    }
    assert {route.path for route in local.app.routes if isinstance(route, Route)} == set(paths)
    for operation in OPERATIONS:
        in_path = {one.name for one in operation.parameters if one.place == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", operation.path))
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


def test_answers_are_what_the_document_says(local: LocalService) -> None:
    """Each operation's real answer fits its documented status, media type and schema, and so does a refusal."""
    whole = document(local)
    station = local.workstation()
    seen = set()

    def fits(answer: Any, method: str, path: str) -> None:
        documented = whole["paths"][path][method]["responses"][str(answer.status_code)]
        seen.add((method, path))
        if "content" not in documented:
            assert answer.content == b""
            return
        ((kind, content),) = documented["content"].items()
        assert answer.headers["content-type"].split(";")[0] == kind
        if "json" in kind:
            schema = {**content["schema"], "components": whole["components"]}
            Draft202012Validator(schema).validate(answer.json())

    fits(station.request(), "post", "/v1/requests")
    fits(station.request(), "post", "/v1/requests")
    fits(station.request(reason="x"), "post", "/v1/requests")
    for path in ("/v1/me", "/v1/devices", "/v1/requests", "/v1/catalogue"):
        fits(station.call("GET", path), "get", path)
    fits(station.call("GET", "/v1/requests/R-1"), "get", "/v1/requests/{request}")
    fits(station.call("GET", "/v1/requests/R-9"), "get", "/v1/requests/{request}")
    local.approve("R-1")
    fits(station.call("GET", "/v1/requests/R-1"), "get", "/v1/requests/{request}")
    fits(station.call("GET", "/v1/grants"), "get", "/v1/grants")
    fits(station.call("POST", "/v1/requests/R-1/cancel"), "post", "/v1/requests/{request}/cancel")
    fits(station.launch("claude"), "post", "/oauth/token")
    fits(station.launch("codex"), "post", "/oauth/token")
    for path in (
        "/status/0",
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwks.json",
        "/.well-known/gatekeeper/root/latest",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ):
        template = path.replace("/0", "/{number}").replace("latest", "{version}")
        fits(local.send("GET", path), "get", template)
    device = station.call("GET", "/v1/me").json()["device"]
    fits(station.call("POST", f"/v1/devices/{device}/revoke"), "post", "/v1/devices/{device}/revoke")
    fits(station.call("GET", "/v1/me"), "get", "/v1/me")
    fits(station.form("/oauth/revoke", {"client_id": CLIENT, "token": "x"}), "post", "/oauth/revoke")
    assert seen == {(operation.method.lower(), operation.path) for operation in OPERATIONS}


def test_every_status_belongs_to_a_code() -> None:
    """The table of statuses names real codes alone, and every code that a caller may be told of."""
    assert set(STATUS) <= set(CODES)
    assert {code for code in CODES if code[2] in "34"} <= set(STATUS) | {
        "GK304",  # what the launch decides by itself
        "GK305",
        "GK306",
        "GK407",  # a question comes with the console
    }
