"""The schemas of the bodies, as JSON Schema. `documents.api` reads and writes what they describe; a test compares."""

from __future__ import annotations

_TEXT: dict[str, object] = {"type": "string"}
_TEXTS: dict[str, object] = {"type": "array", "items": _TEXT}
_WHOLE: dict[str, object] = {"type": "integer", "minimum": 0}
_AT: dict[str, object] = {"type": "integer", "minimum": 0, "description": "Unix seconds."}


def _object(required: dict[str, object], optional: dict[str, object] | None = None) -> dict[str, object]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def _list_of(name: str, schema: str) -> dict[str, object]:
    items = {"$ref": f"#/components/schemas/{schema}"}
    return _object({name: {"type": "array", "items": items}})


_PROBLEM_REQUIRED: dict[str, object] = {
    "type": _TEXT,
    "title": _TEXT,
    "status": _WHOLE,
    "code": {"type": "string", "pattern": "^GK[0-9]{3}$"},
}
_PROBLEM_OPTIONAL: dict[str, object] = {
    "detail": _TEXT,
    "tool": _TEXT,
    "rule": _TEXT,
    "request": _TEXT,
    "request_url": _TEXT,
    "by": _TEXT,
    "reason": _TEXT,
    "ref": _TEXT,
    "alternatives": _TEXTS,
    "retry_after": _WHOLE,
}
_JWK: dict[str, object] = _object(
    {"kty": _TEXT, "crv": _TEXT, "x": _TEXT, "y": _TEXT, "kid": _TEXT, "alg": _TEXT}, {"use": _TEXT}
)

# What the directory provisions is described by /scim/v2/Schemas itself; here, what an API document needs of it.
_SCIM: dict[str, object] = {"type": "object", "required": ["schemas"], "properties": {"schemas": _TEXTS}}


def _scim(required: dict[str, object], optional: dict[str, object]) -> dict[str, object]:
    return _object({"schemas": _TEXTS, **required}, optional)


SCHEMAS: dict[str, object] = {
    "TokenCall": _object(
        {"grant_type": _TEXT, "client_id": _TEXT},
        {
            "code": _TEXT,
            "device_name": _TEXT,
            "redirect_uri": _TEXT,
            "code_verifier": _TEXT,
            "device_code": _TEXT,
            "refresh_token": _TEXT,
            "resource": _TEXT,
            "scope": _TEXT,
            "lease": {"type": "string", "description": "Seconds, or a duration as `72h`; policy caps it."},
            "subject_token": {"type": "string", "description": "A CI platform's ID token (RFC 8693)."},
            "subject_token_type": _TEXT,
            "audience": _TEXT,
        },
    ),
    "TokenAnswer": _object(
        {"access_token": _TEXT, "token_type": {"const": "DPoP"}, "expires_in": _WHOLE},
        {
            "scope": _TEXT,
            "issued_token_type": _TEXT,
            "refresh_token": _TEXT,
            "sub": _TEXT,
            "name": _TEXT,
            "device": _TEXT,
            "checkpoint": _TEXT,
        },
    ),
    "DeviceCall": _object({"client_id": _TEXT, "device_name": _TEXT}),
    "DeviceAnswer": _object(
        {
            "device_code": _TEXT,
            "user_code": _TEXT,
            "verification_uri": _TEXT,
            "expires_in": _WHOLE,
            "interval": _WHOLE,
        }
    ),
    "RevocationCall": _object({"token": _TEXT, "client_id": _TEXT}, {"token_type_hint": _TEXT}),
    "Problem": _object(_PROBLEM_REQUIRED, _PROBLEM_OPTIONAL),
    "OAuthError": _object(
        {"error": _TEXT, "error_description": _TEXT, **_PROBLEM_REQUIRED}, _PROBLEM_OPTIONAL
    ),
    "Me": _object({"subject": _TEXT, "name": _TEXT, "groups": _TEXTS, "device": _TEXT, "device_name": _TEXT}),
    "Device": _object({"id": _TEXT, "name": _TEXT, "state": _TEXT, "enrolled_at": _AT, "seen_at": _AT}),
    "Devices": _list_of("devices", "Device"),
    "NewRequest": _object(
        {"tool": _TEXT, "reason": _TEXT},
        {
            "duration": _TEXT,
            "zones": _TEXTS,
            "ticket": _TEXT,
            "workload": _TEXT,
            "group": _TEXT,
            "subjects": _TEXTS,
            "terms": {"type": "string", "description": "The device's signed acceptance, a gk-terms+jwt."},
        },
    ),
    "Reply": _object({"text": _TEXT}),
    "Terms": _object(
        {"tool": _TEXT, "version": _WHOLE, "sha256": _TEXT, "text": _TEXT, "accepted": {"type": "boolean"}}
    ),
    "Acceptance": _object(
        {"statement": {"type": "string", "description": "The device's signed acceptance, a gk-terms+jwt."}}
    ),
    "Request": _object(
        {
            "id": _TEXT,
            "tool": _TEXT,
            "subject_name": _TEXT,
            "state": _TEXT,
            "reason": _TEXT,
            "duration": _TEXT,
            "zones": _TEXTS,
            "url": _TEXT,
            "created_at": _AT,
        },
        {
            "ticket": _TEXT,
            "grant": _TEXT,
            "decided_by": _TEXT,
            "decision_reason": _TEXT,
            "place": _WHOLE,
            "requester_name": _TEXT,
            "members": _TEXTS,
            "question": _TEXT,
            "question_by": _TEXT,
            "waits_for": _TEXTS,
            "notes": _TEXTS,
            "terms_needed": {"type": "boolean"},
            "break_glass": {"type": "boolean"},
            "verdict": _TEXT,
            "claimed_by": _TEXT,
            "device": _TEXT,
            "groups": _TEXTS,
            "precedent": _TEXT,
        },
    ),
    "NewReview": _object(
        {"verdict": {"enum": ["approve", "deny"]}},
        {"reason": _TEXT, "duration": _TEXT, "zones": _TEXTS},
    ),
    "NewRevocation": _object({"reason": _TEXT}),
    "Requests": _list_of("requests", "Request"),
    "Grant": _object(
        {
            "id": _TEXT,
            "tool": _TEXT,
            "subject_name": _TEXT,
            "state": _TEXT,
            "zones": _TEXTS,
            "starts_at": _AT,
            "ends_at": _AT,
        },
        {"request": _TEXT, "ended_by": _TEXT, "ended_reason": _TEXT, "kind": _TEXT, "place": _WHOLE},
    ),
    "Grants": _list_of("grants", "Grant"),
    "Metadata": _object(
        {
            "issuer": _TEXT,
            "authorization_endpoint": _TEXT,
            "token_endpoint": _TEXT,
            "jwks_uri": _TEXT,
            "response_types_supported": _TEXTS,
            "grant_types_supported": _TEXTS,
            "dpop_signing_alg_values_supported": _TEXTS,
            "code_challenge_methods_supported": _TEXTS,
            "authorization_response_iss_parameter_supported": {"const": True},
        },
        {"device_authorization_endpoint": _TEXT, "gatekeeper_sign_in": {"enum": ["code", "browser"]}},
    ),
    "KeySet": _object({"keys": {"type": "array", "items": _JWK}}),
    "RootDocument": _object(
        {
            "payload": _TEXT,
            "signatures": {
                "type": "array",
                "items": _object({"protected": _TEXT, "signature": _TEXT}),
            },
        }
    ),
    "LogProof": _object({"size": _WHOLE, "root": _TEXT, "proof": _TEXTS}, {"index": _WHOLE, "since": _WHOLE}),
    "State": _object({"status": _TEXT}),
    "OpenApi": {"type": "object"},
    "ScimUser": _scim(
        {"userName": _TEXT},
        {"id": _TEXT, "externalId": _TEXT, "displayName": _TEXT, "active": {"type": "boolean"}},
    ),
    "ScimGroup": _scim(
        {"displayName": _TEXT},
        {"id": _TEXT, "externalId": _TEXT, "members": {"type": "array", "items": {"type": "object"}}},
    ),
    "ScimPatch": _scim({"Operations": {"type": "array", "items": {"type": "object"}}}, {}),
    "ScimList": _scim(
        {"totalResults": _WHOLE},
        {
            "startIndex": _WHOLE,
            "itemsPerPage": _WHOLE,
            "Resources": {"type": "array", "items": {"type": "object"}},
        },
    ),
    "ScimDescription": _SCIM,
    "ScimError": _scim({"status": _TEXT}, {"detail": _TEXT, "scimType": _TEXT}),
}
