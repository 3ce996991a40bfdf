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

SCHEMAS: dict[str, object] = {
    "TokenCall": _object(
        {"grant_type": _TEXT, "client_id": _TEXT},
        {
            "code": _TEXT,
            "device_name": _TEXT,
            "refresh_token": _TEXT,
            "resource": _TEXT,
            "scope": _TEXT,
            "lease": {"type": "string", "description": "Seconds, or a duration as `72h`; policy caps it."},
        },
    ),
    "TokenAnswer": _object(
        {"access_token": _TEXT, "token_type": {"const": "DPoP"}, "expires_in": _WHOLE},
        {"scope": _TEXT, "refresh_token": _TEXT, "sub": _TEXT, "name": _TEXT, "device": _TEXT},
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
        {"tool": _TEXT, "reason": _TEXT}, {"duration": _TEXT, "zones": _TEXTS, "ticket": _TEXT}
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
        },
    ),
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
        {"request": _TEXT, "ended_by": _TEXT, "ended_reason": _TEXT},
    ),
    "Grants": _list_of("grants", "Grant"),
    "Metadata": _object(
        {
            "issuer": _TEXT,
            "token_endpoint": _TEXT,
            "jwks_uri": _TEXT,
            "response_types_supported": _TEXTS,
            "grant_types_supported": _TEXTS,
            "dpop_signing_alg_values_supported": _TEXTS,
        }
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
    "State": _object({"status": _TEXT}),
    "OpenApi": {"type": "object"},
}
