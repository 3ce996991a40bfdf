"""Answers that went well: JSON of ours, signed documents, and the two halves of a conditional call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

NO_STORE = {"cache-control": "no-store"}


def answer_json(
    members: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] = NO_STORE
) -> Response:
    """Answer with one JSON object."""
    return Response(
        render_json(dict(members)), status_code=status, headers=dict(headers), media_type="application/json"
    )


def answer_document(
    request: Request, document: bytes, *, media_type: str, etag: str, cache_control: str
) -> Response:
    """Answer with a document, or with 304 where the caller has this very one (RFC 9110 §13.1.2)."""
    headers = {"etag": etag, "cache-control": cache_control}
    if has_current(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(document, headers=headers, media_type=media_type)


def has_current(request: Request, etag: str) -> bool:
    """Say whether the caller has the document with this tag (If-None-Match)."""
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in given.split(","))
