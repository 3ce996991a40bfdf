"""Access requests, grants, devices: the service's API as functions of a session.

Every function raises `ServiceRefused`, `ServiceUnreachable` as `Session.call`; GK602 among them where the body
isn't what the service sends. An id that is no request's is GK409, and is not sent: it would be part of an address.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from gatekeeper.client.answers import read_body
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.documents.api import (
    PENDING,
    parse_devices,
    parse_grants,
    parse_me,
    parse_request,
    parse_requests,
    render_new_request,
)
from gatekeeper.documents.terms import Acceptance, parse_terms, render_acceptance
from gatekeeper.errors import GatekeeperError
from gatekeeper.trust.statement import TERMS, make_statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.client.session import Session
    from gatekeeper.documents.api import DeviceView, GrantView, Me, NewRequest, RequestView
    from gatekeeper.documents.terms import TermsView

LONGEST_WAIT = 30  # seconds that one call may stay open
_PATIENCE = 15.0  # beyond which an open call is given up
_PAUSE = 2.0
_LONGEST_PAUSE = 30.0


def create_request(session: Session, new: NewRequest, key: str) -> tuple[RequestView, bool]:
    """Ask for a tool. False where the same request stood already. `key` makes a repeated call harmless."""
    reply = session.call(
        "POST", "/v1/requests", body=render_new_request(new), headers={"Idempotency-Key": key}
    )
    return read_body(reply, parse_request, service=session.settings.service), reply.status == 201


def list_requests(session: Session) -> tuple[RequestView, ...]:
    """Return the own requests."""
    return read_body(session.call("GET", "/v1/requests"), parse_requests, service=session.settings.service)


def get_request(session: Session, request_id: str, wait: int = 0) -> RequestView:
    """Return one request; with `wait`, as soon as it isn't pending any more, or after that many seconds."""
    wait = max(0, min(wait, LONGEST_WAIT))
    path = _path_of(request_id)
    timeout = wait + _PATIENCE if wait else None
    reply = session.call("GET", f"{path}?wait={wait}" if wait else path, timeout=timeout)
    return read_body(reply, parse_request, service=session.settings.service)


def cancel_request(session: Session, request_id: str) -> RequestView:
    """Withdraw a request."""
    reply = session.call("POST", f"{_path_of(request_id)}/cancel")
    return read_body(reply, parse_request, service=session.settings.service)


def reply_to(session: Session, request_id: str, text: str) -> RequestView:
    """Answer the question about a request."""
    reply = session.call("POST", f"{_path_of(request_id)}/reply", body={"text": text})
    return read_body(reply, parse_request, service=session.settings.service)


def list_inbox(session: Session) -> tuple[RequestView, ...]:
    """Return the requests that wait for one's review."""
    reply = session.call("GET", "/v1/requests?role=reviewer")
    return read_body(reply, parse_requests, service=session.settings.service)


def get_terms(session: Session, tool: str) -> TermsView:
    """Return the terms of a tool."""
    reply = session.call("GET", f"/v1/terms/{quote(tool, safe='')}")
    return read_body(reply, parse_terms, service=session.settings.service)


def accept_terms(session: Session, terms: TermsView, *, now: int) -> TermsView:
    """Accept the terms, by a statement that this device's key signs."""
    claims = Acceptance(
        issuer=session.settings.service,
        subject=session.credential.subject,
        tool=terms.tool,
        version=terms.version,
        sha256=terms.sha256,
        issued_at=now,
    )
    statement = make_statement(session.key, typ=TERMS, claims=render_acceptance(claims))
    reply = session.call(
        "POST", f"/v1/terms/{quote(terms.tool, safe='')}/accept", body={"statement": statement}
    )
    return read_body(reply, parse_terms, service=session.settings.service)


def list_grants(session: Session) -> tuple[GrantView, ...]:
    """Return the own grants, ended ones too."""
    return read_body(session.call("GET", "/v1/grants"), parse_grants, service=session.settings.service)


def me(session: Session) -> Me:
    """Return who the service says this is."""
    return read_body(session.call("GET", "/v1/me"), parse_me, service=session.settings.service)


def devices(session: Session) -> tuple[DeviceView, ...]:
    """Return the own devices."""
    return read_body(session.call("GET", "/v1/devices"), parse_devices, service=session.settings.service)


def wait_for(
    session: Session,
    request_id: str,
    timeout: float,
    on_poll: Callable[[RequestView], None] | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> RequestView:
    """Wait until a request is answered, a question about it waits, or `timeout` seconds are over; return it.

    `on_poll` hears every state seen. A service that is away for a while only makes the wait longer; one that is
    still away at the end is raised.
    """
    ends_at = clock() + timeout
    pause = _PAUSE
    while True:
        left = ends_at - clock()
        begun = clock()
        try:
            seen = get_request(session, request_id, wait=int(max(0, min(left, LONGEST_WAIT))))
        except ServiceUnreachable:
            if left <= pause:
                raise
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            continue
        if on_poll is not None:
            on_poll(seen)
        left = ends_at - clock()
        if seen.state != PENDING or left <= 0:
            return seen
        pause = _PAUSE
        if clock() - begun < 1:
            sleep(min(1.0, left))  # a service that doesn't wait must not be asked in a circle


def _path_of(request_id: str) -> str:
    number = request_id.removeprefix("R-")
    if number == request_id or not number.isascii() or not number.isdecimal() or len(number) > 18:
        raise GatekeeperError("GK409", "An access request's id looks like R-1.")
    return f"/v1/requests/{request_id}"
