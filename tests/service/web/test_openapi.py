"""The document of the API, and that it is true."""

from __future__ import annotations

import re
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route
from tests.service.audit_parts import keep_now
from tests.service.local import CLIENT, LocalService
from tests.service.web.console.visitor import Visitor

from gatekeeper.codes import CODES
from gatekeeper.service.web.auth import Auth
from gatekeeper.service.web.console.pages import PAGES
from gatekeeper.service.web.console.static_files import PATH
from gatekeeper.service.web.openapi import documented_path
from gatekeeper.service.web.problems import STATUS
from gatekeeper.service.web.routes import OPERATIONS
from gatekeeper.service.web.sign_in_routes import SIGN_IN_PAGES


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
        (documented_path(operation.path), operation.method) for operation in OPERATIONS
    }
    pages = {page.path for page in PAGES} | {page.path for page in SIGN_IN_PAGES} | {PATH}
    routed = {route.path for route in local.app.routes if isinstance(route, Route)} - pages
    assert {documented_path(path) for path in routed} == set(paths)
    for operation in OPERATIONS:
        in_path = {one.name for one in operation.parameters if one.place == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", documented_path(operation.path)))
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
    fits(station.call("GET", "/v1/requests?role=reviewer"), "get", "/v1/requests")
    fits(station.call("GET", "/v1/requests?role=x"), "get", "/v1/requests")
    text, terms = b'{"text": "x"}', "/v1/terms/{tool}"
    fits(station.call("POST", "/v1/requests/R-1/reply", body=text), "post", "/v1/requests/{request}/reply")
    fits(station.call("GET", "/v1/terms/claude"), "get", terms)
    statement = b'{"statement": "x"}'
    fits(station.call("POST", "/v1/terms/claude/accept", body=statement), "post", f"{terms}/accept")
    local.approve("R-1")
    fits(station.call("GET", "/v1/requests/R-1"), "get", "/v1/requests/{request}")
    fits(station.call("GET", "/v1/grants"), "get", "/v1/grants")
    fits(station.call("POST", "/v1/requests/R-1/cancel"), "post", "/v1/requests/{request}/cancel")
    fits(station.launch("claude"), "post", "/oauth/token")
    fits(station.launch("codex"), "post", "/oauth/token")
    keep_now(local)
    fits(local.send("GET", "/v1/audit/tile/0/000.p/1"), "get", "/v1/audit/tile/{level}/{number}")
    fits(local.send("GET", "/v1/audit/tile/0/000"), "get", "/v1/audit/tile/{level}/{number}")
    bundle = station.call("GET", "/v1/audit/tile/entries/000.p/1")
    fits(bundle, "get", "/v1/audit/tile/entries/{number}")
    fits(local.send("GET", "/v1/audit/proof?index=0"), "get", "/v1/audit/proof")
    fits(local.send("GET", "/v1/audit/proof"), "get", "/v1/audit/proof")
    fits(local.send("GET", "/v1/audit/checkpoint"), "get", "/v1/audit/checkpoint")
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
    asked = {"client_id": CLIENT, "device_name": "x"}
    path = "/oauth/device_authorization"
    fits(station.form(path, asked), "post", path)
    fits(station.form("/oauth/revoke", {"client_id": CLIENT, "token": "x"}), "post", "/oauth/revoke")
    kim = Visitor(local, "kim@acme.example", groups=("platform",), method="oidc")
    reviewed = kim.call("/v1/requests/R-1/reviews", {"verdict": "approve"})
    fits(reviewed, "post", "/v1/requests/{request}/reviews")
    revoked = kim.call("/v1/grants/G-1/revoke", {"reason": "The project ended."})
    fits(revoked, "post", "/v1/grants/{grant}/revoke")
    # Those of the directory's client are held to the document in `test_scim`.
    others = [operation for operation in OPERATIONS if operation.auth is not Auth.SCIM]
    assert seen == {(one.method.lower(), documented_path(one.path)) for one in others}


def test_every_status_belongs_to_a_code() -> None:
    """The table of statuses names real codes alone, and every code that a caller may be told of."""
    assert set(STATUS) <= set(CODES)
    assert {code for code in CODES if code[2] in "34"} <= set(STATUS) | {
        "GK304",  # what the launch decides by itself
        "GK305",
        "GK306",
    }
