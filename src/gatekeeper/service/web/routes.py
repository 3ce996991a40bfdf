"""The one table of operations: what there is, and what each demands of its caller.

The application's routes, the authentication and `/openapi.json` are made from it, so that nothing is served
that isn't documented and nothing is documented that isn't served.
"""

from __future__ import annotations

from gatekeeper.service.web import devices, discovery, grants, openapi, requests, tokens
from gatekeeper.service.web.auth import Auth
from gatekeeper.service.web.bodies import FORM, JSON
from gatekeeper.service.web.operations import Answer, Operation, Parameter

_JOSE = "application/jose+json"
_REQUEST = Parameter(name="request", place="path", words="The request's id, `R-1`.")
_HAVE = Parameter(name="If-None-Match", place="header", words="The tag of the document that the caller has.")
_SAME = Answer(status=304, words="The caller has this very document.", media_type="")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="token",
        method="POST",
        path="/oauth/token",
        handler=tokens.token,
        auth=Auth.PROOF,
        words="The one place that issues: enrol a device with a one-time code, renew the sign-in, or get a launch token "
        "(`resource` and `scope`). RFC 6749, RFC 8707, RFC 9449.",
        body=(FORM, "TokenCall"),
        answers=(Answer(status=200, words="A token.", schema="TokenAnswer"),),
        refusals=(400, 408, 413, 415, 429, 503),
    ),
    Operation(
        id="revokeToken",
        method="POST",
        path="/oauth/revoke",
        handler=tokens.revocation,
        auth=Auth.PROOF,
        words="Sign out: end the sign-in that a token belongs to. RFC 7009.",
        body=(FORM, "RevocationCall"),
        answers=(Answer(status=200, words="Ended, or never was.", media_type=""),),
        refusals=(400, 408, 413, 415, 503),
    ),
    Operation(
        id="me",
        method="GET",
        path="/v1/me",
        handler=devices.me,
        words="Who the caller is.",
        answers=(Answer(status=200, words="The subject and the device.", schema="Me"),),
    ),
    Operation(
        id="listDevices",
        method="GET",
        path="/v1/devices",
        handler=devices.devices,
        words="The subject's devices, revoked ones included.",
        answers=(Answer(status=200, words="The devices, the newest first.", schema="Devices"),),
    ),
    Operation(
        id="revokeDevice",
        method="POST",
        path="/v1/devices/{device}/revoke",
        handler=devices.revoke,
        words="Revoke one of the subject's own devices.",
        parameters=(Parameter(name="device", place="path", words="The device's id."),),
        answers=(Answer(status=200, words="The device, revoked.", schema="Device"),),
        refusals=(404,),
    ),
    Operation(
        id="catalogue",
        method="GET",
        path="/v1/catalogue",
        handler=grants.catalogue,
        words="The subject's signed catalogue: a compact JWS of type `gk-catalogue+jwt`.",
        parameters=(_HAVE,),
        answers=(Answer(status=200, words="The catalogue.", media_type="application/jwt"), _SAME),
    ),
    Operation(
        id="createRequest",
        method="POST",
        path="/v1/requests",
        handler=requests.create,
        words="Ask for a tool. While one of the same scope is pending, that one is answered.",
        parameters=(
            Parameter(
                name="Idempotency-Key",
                place="header",
                words="Kept for 24 hours; another body under it is refused.",
            ),
        ),
        body=(JSON, "NewRequest"),
        answers=(
            Answer(status=201, words="The request that was made.", schema="Request"),
            Answer(status=200, words="The request that is pending already.", schema="Request"),
        ),
        refusals=(400, 403, 408, 413, 415, 422),
    ),
    Operation(
        id="listRequests",
        method="GET",
        path="/v1/requests",
        handler=requests.listing,
        words="The subject's requests.",
        answers=(Answer(status=200, words="The requests, the newest first.", schema="Requests"),),
    ),
    Operation(
        id="showRequest",
        method="GET",
        path="/v1/requests/{request}",
        handler=requests.show,
        words="One request; with `wait`, as soon as it is answered, or when the time is over.",
        parameters=(
            _REQUEST,
            Parameter(name="wait", place="query", words="Seconds to wait, 30 at most.", kind="integer"),
        ),
        answers=(Answer(status=200, words="The request.", schema="Request"),),
        refusals=(400, 404),
    ),
    Operation(
        id="cancelRequest",
        method="POST",
        path="/v1/requests/{request}/cancel",
        handler=requests.cancel,
        words="Take a pending request back.",
        parameters=(_REQUEST,),
        answers=(Answer(status=200, words="The request, cancelled.", schema="Request"),),
        refusals=(404, 409),
    ),
    Operation(
        id="listGrants",
        method="GET",
        path="/v1/grants",
        handler=grants.listing,
        words="The subject's grants, ended ones included.",
        answers=(Answer(status=200, words="The grants, the newest first.", schema="Grants"),),
    ),
    Operation(
        id="statusList",
        method="GET",
        path="/status/{number}",
        handler=discovery.status_list,
        auth=Auth.PUBLIC,
        words="A Token Status List: a compact JWS of type `statuslist+jwt`, two bits an entry.",
        parameters=(Parameter(name="number", place="path", words="The list's number."), _HAVE),
        answers=(Answer(status=200, words="The list.", media_type="application/statuslist+jwt"), _SAME),
        refusals=(404,),
    ),
    Operation(
        id="metadata",
        method="GET",
        path="/.well-known/oauth-authorization-server",
        handler=discovery.metadata,
        auth=Auth.PUBLIC,
        words="The authorization server's metadata. RFC 8414.",
        answers=(Answer(status=200, words="The metadata.", schema="Metadata"),),
    ),
    Operation(
        id="gatewayKeys",
        method="GET",
        path="/.well-known/jwks.json",
        handler=discovery.jwks,
        auth=Auth.PUBLIC,
        words="The keys that gateways verify gateway tokens with, and no other. RFC 7517.",
        answers=(Answer(status=200, words="The key set.", schema="KeySet"),),
    ),
    Operation(
        id="rootDocument",
        method="GET",
        path="/.well-known/gatekeeper/root/{version}",
        handler=discovery.root_document,
        auth=Auth.PUBLIC,
        words="A root document: JWS General JSON of type `gk-root+json`.",
        parameters=(Parameter(name="version", place="path", words="The version, or `latest`."), _HAVE),
        answers=(
            Answer(status=200, words="The root document.", media_type=_JOSE, schema="RootDocument"),
            _SAME,
        ),
        refusals=(404,),
    ),
    Operation(
        id="health",
        method="GET",
        path="/healthz",
        handler=discovery.health,
        auth=Auth.PUBLIC,
        words="The process runs.",
        answers=(Answer(status=200, words="It does.", schema="State"),),
    ),
    Operation(
        id="readiness",
        method="GET",
        path="/readyz",
        handler=discovery.readiness,
        auth=Auth.PUBLIC,
        words="Calls may be sent here: store and root document stand.",
        answers=(Answer(status=200, words="They do.", schema="State"),),
        refusals=(503,),
    ),
    Operation(
        id="openapi",
        method="GET",
        path="/openapi.json",
        handler=openapi.document,
        auth=Auth.PUBLIC,
        words="This document.",
        answers=(Answer(status=200, words="OpenAPI 3.1.", schema="OpenApi"),),
    ),
)
