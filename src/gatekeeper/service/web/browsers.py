"""Who calls from a browser: the session's cookie, and that a form is one of ours.

A form counts where three things hold: the session's cookie (SameSite=Lax), the issuer as its origin, and the token
that our own page carried, as its field `csrf` or in the header `x-csrf-token`. A page that somebody else made has
none but perhaps the first. The cookie is `__Host-`: https alone, this host alone, no path of its own.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.console_sessions import find_session, is_due, use_session
from gatekeeper.service.web.bodies import FORM, MOST_FIELDS, one_header, parse_form, read_body
from gatekeeper.service.web.calls import Call, SessionCall
from gatekeeper.service.web.problems import HttpFault

if TYPE_CHECKING:
    from starlette.types import Message

    from gatekeeper.service.people.console_sessions import ConsoleSession

SIGN_IN = "/sign-in"
SESSION_COOKIE = "gatekeeper"
_READING = frozenset(("GET", "HEAD"))
_MAX_COOKIE_CHARS = 128
_MAX_PATH_CHARS = 2048
_MOST_FIELDS = 1000  # the inbox sends one for each request that is chosen


async def enter(call: Call) -> SessionCall | Response:
    """Return the call of a signed-in browser, or the answer that leads one that isn't to the sign-in page.

    Raises:
        GatekeeperError: GK201, a form without a session.
        HttpFault: 403, the form is not one of ours; 4xx as `read_body`.
    """
    session = await session_of(call)
    reading = call.request.method in _READING
    if session is None:
        if not reading:
            raise GatekeeperError("GK201", "Nobody is signed in here any more.", remedy="Sign in again.")
        return _to_sign_in(call)
    request = call.request
    if not reading:
        check_origin(call)
        request = await _checked(call, session)
    return SessionCall(service=call.service, request=request, now=call.now, session=session)


async def session_of(call: Call) -> ConsoleSession | None:
    """Return the session of the hostile cookie that came with a call; None without one that holds."""
    cookie = cookie_of(call, SESSION_COOKIE)
    if not cookie:
        return None
    service = call.service
    try:
        session = await service.turns.read(lambda tx: find_session(tx, cookie, now=call.now))
        if is_due(session, now=call.now):
            session = await service.turns.write(lambda tx: use_session(tx, cookie, now=call.now))
    except GatekeeperError as error:
        if error.code != "GK201":
            raise
        return None
    return session


def check_origin(call: Call) -> None:
    """Refuse a form that comes from another page than ours. Raises `HttpFault` 403."""
    if one_header(call.request, "origin") != call.service.issuer:
        raise HttpFault(
            403, f"This form does not come from {call.service.issuer}. Open that address, and begin again."
        )


def cookie_of(call: Call, name: str) -> str:
    """Return a hostile cookie's value, "" without one; two of one name are none."""
    wanted = cookie_name(call, name)
    found = [
        value
        for header in call.request.headers.getlist("cookie")
        for part in header.split(";")
        for key, _, value in [part.strip().partition("=")]
        if key == wanted
    ]
    usable = len(found) == 1 and found[0].isascii() and len(found[0]) <= _MAX_COOKIE_CHARS
    return found[0] if usable else ""


def set_cookie(call: Call, response: Response, name: str, value: str, *, max_age: int) -> None:
    """Set a cookie of ours; `max_age` 0 takes it away."""
    response.set_cookie(
        cookie_name(call, name),
        value,
        max_age=max_age,
        path="/",
        secure=_is_secure(call),
        httponly=True,
        samesite="lax",
    )


def cookie_name(call: Call, name: str) -> str:
    """Return what a cookie is called: the prefix makes browsers keep it to https and this host."""
    return f"__Host-{name}" if _is_secure(call) else name


def own_path(text: str) -> str:
    r"""Return where to go on after signing in: a hostile path of ours, else the start page.

    What browsers might read as another host's ("//host", "/\host") is none.
    """
    plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    if not plain or not text.startswith("/") or text.startswith("//") or len(text) > _MAX_PATH_CHARS:
        return "/"
    parts = urlsplit(text)
    return text if not parts.netloc and not parts.scheme else "/"


async def _checked(call: Call, session: ConsoleSession) -> Request:
    """Return the request, readable once more, when its token is the session's."""
    given = one_header(call.request, "x-csrf-token")
    request = call.request
    if not given:
        body = await read_body(request, media_type=FORM)
        given = parse_form(body, most_fields=max(MOST_FIELDS, _MOST_FIELDS)).get("csrf", "")
        request = _again(request, body)
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), session.csrf.encode()):
        raise HttpFault(403, "The page was too old for this. Go back, load it anew, and repeat it.")
    return request


def _again(request: Request, body: bytes) -> Request:
    """Return a request whose body, already read, can be read by its handler."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


def _to_sign_in(call: Call) -> Response:
    url = call.request.url
    path = url.path + (f"?{url.query}" if url.query else "")
    target = f"{SIGN_IN}?next={quote(own_path(path), safe='')}"
    if one_header(call.request, "hx-request"):
        # A part of a page: the page itself has to go to the sign-in, not the part.
        return Response(status_code=204, headers={"hx-redirect": SIGN_IN})
    return RedirectResponse(target, status_code=303)


def _is_secure(call: Call) -> bool:
    return call.service.issuer.startswith("https:")
