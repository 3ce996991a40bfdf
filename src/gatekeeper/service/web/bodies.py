"""Reading what a caller sends: bounded in size and time, one media type, no parameter twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect

from gatekeeper.documents.api import MAX_CALL_BYTES
from gatekeeper.service.web.problems import HttpFault

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_SECONDS = 10.0
MOST_FIELDS = 32
# The rest of a refused body is never read, so the connection can't be used again.
_CLOSE = {"connection": "close"}
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
SCIM = "application/scim+json"


async def read_body(
    request: Request,
    *,
    media_type: str | tuple[str, ...],
    seconds: float = BODY_SECONDS,
    max_bytes: int = MAX_CALL_BYTES,
) -> bytes:
    """Read a hostile body of `media_type` (or one of several), at most 64 KiB, within `seconds` for all of it.

    Raises:
        HttpFault: 415 another media type, 413 too long (as soon as that is known), 408 too slow.
    """
    _check_media_type(request, media_type)
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > max_bytes:
        raise _too_long(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_long(max_bytes)
    except TimeoutError:
        raise HttpFault(408, "The body came too slowly.", headers=_CLOSE) from None
    except ClientDisconnect:
        raise HttpFault(400, "The body broke off.", headers=_CLOSE) from None
    return bytes(body)


async def read_form(
    request: Request, *, seconds: float = BODY_SECONDS, most_fields: int = MOST_FIELDS
) -> dict[str, str]:
    """Read a hostile form (RFC 6749 appendix B): UTF-8, every parameter once (§3.2), `most_fields` of them.

    Raises:
        HttpFault: as `read_body`; 400 where it is no form, or a parameter stands twice.
    """
    return parse_form(await read_body(request, media_type=FORM, seconds=seconds), most_fields=most_fields)


def parse_form(body: bytes, *, most_fields: int = MOST_FIELDS) -> dict[str, str]:
    """Read a hostile form that was received whole. Raises `HttpFault` 400 as `read_form`."""
    try:
        pairs = (
            parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=most_fields,
            )
            if body
            else []
        )
    except ValueError:
        raise HttpFault(400, "The body is no form.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise HttpFault(400, "A parameter stands twice.")
    return form


def one_header(request: Request, name: str) -> str:
    """Return a header that may stand at most once; "" where it is absent.

    Raises:
        HttpFault: 400, it stands twice: two readers could each take another one.
    """
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise HttpFault(400, f"The header {name} stands twice.")
    return values[0] if values else ""


def _check_media_type(request: Request, media_type: str | tuple[str, ...]) -> None:
    allowed = (media_type,) if isinstance(media_type, str) else media_type
    given, _, parameter = one_header(request, "content-type").partition(";")
    charset = parameter.strip().lower().replace('"', "")
    if given.strip().lower() not in allowed or charset not in ("", "charset=utf-8"):
        raise HttpFault(415, f"The body must be {allowed[0]}.", headers=_CLOSE)


def _too_long(max_bytes: int) -> HttpFault:
    return HttpFault(413, f"The body is longer than {max_bytes} bytes.", headers=_CLOSE)
