"""The pages on which somebody signs a workstation in: asked by its browser, or by a code that they type.

    GET, POST /oauth/authorize     RFC 6749 §4.1.1, for whoever is signed in at the console
    GET       /oauth/code          shows a code, for a terminal without a browser
    GET, POST /sign-in/device      RFC 8628 §3.3, where [oidc] device_grant is true

The page names the device and the person, and nothing happens before they say so: a workstation that could skip it
would sign in whoever opened a link. A code is typed into the form and comes by POST; one that stands in an address is
ignored, because who sends the link is not who types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import RedirectResponse

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth.attempts import check_flood, count_attempt
from gatekeeper.service.oauth.authorize import FIELDS, read_request
from gatekeeper.service.people.authorizations import allow, decide_asked, find_asked
from gatekeeper.service.web.bodies import read_form
from gatekeeper.service.web.console.render import HEADERS, render_alone, render_problem_page
from gatekeeper.service.web.problems import HttpFault, problem_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.oauth.authorize import Asked
    from gatekeeper.service.people.authorizations import Polled
    from gatekeeper.service.web.calls import Call, SessionCall

PATH = "/oauth/authorize"
CODE_PATH = "/oauth/code"
DEVICE_PATH = "/sign-in/device"
_ALLOW = "allow"
_SHOWN_KEY_CHARS = 12
_MAX_CODE_CHARS = 256


def as_page(
    handler: Callable[[SessionCall], Awaitable[Response]],
) -> Callable[[SessionCall], Awaitable[Response]]:
    """Return the handler with its refusals as pages, for whoever looks at them is a person."""

    async def handle(call: SessionCall) -> Response:
        try:
            return await handler(call)
        except GatekeeperError as error:
            problem = problem_of(error, oauth=False)
            if problem.status >= 500:
                raise
            return render_problem_page(
                code=error.code, detail=error.detail, remedy=error.remedy, status=problem.status
            )

    return handle


@as_page
async def ask(call: SessionCall) -> Response:
    """Ask whether a workstation may sign in. Raises `GatekeeperError` GK100 as `read_request`."""
    query = call.request.url.query
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs):
        raise GatekeeperError("GK100", "The sign-in of a workstation can't begin: it says something twice.")
    asked = read_request(given, code_page=_code_page(call))
    answer = _question(
        call,
        action=PATH,
        device_name=asked.wish.device_name,
        jkt=asked.wish.jkt,
        fields=asked.fields(),
        by_hand=asked.pasted,
    )
    if not asked.pasted:
        # Browsers hold a form's redirect to form-action, too; this names the one port that waits for it.
        target = urlsplit(asked.wish.redirect_uri)
        policy = HEADERS["content-security-policy"]
        answer.headers["content-security-policy"] = policy.replace(
            "form-action 'self'", f"form-action 'self' {target.scheme}://{target.netloc}"
        )
    return answer


@as_page
async def decide(call: SessionCall) -> Response:
    """Take the person's word, and go back to the workstation with a code or without. Raises as `ask`."""
    form = await read_form(call.request)
    asked = read_request({name: form.get(name, "") for name in FIELDS}, code_page=_code_page(call))
    if form.get("decision") != _ALLOW:
        await call.service.turns.write(lambda tx: _note_refused(tx, call, asked.wish.jkt))
        return _see(asked.answer(call.service.issuer, error="access_denied"))
    code = await call.service.turns.write(lambda tx: _allowed(tx, call, asked))
    return _see(asked.answer(call.service.issuer, code=code))


async def show_code(call: Call) -> Response:
    """Show the code that came with the address. It says nothing that the address doesn't."""
    code = call.request.query_params.get("code", "")
    if (
        not code.isascii()
        or not code.replace("_", "").replace("-", "").isalnum()
        or len(code) > _MAX_CODE_CHARS
    ):
        return render_alone(
            "device_done.html",
            title="Not signed in",
            words="The sign-in was refused. You can close this page.",
        )
    return render_alone("authorized_code.html", title="Your code", code=code)


@as_page
async def ask_device(call: SessionCall) -> Response:
    """Ask for the code. One in the address is ignored: a link that held it would leave one click to phish for."""
    _check_device_grant(call)
    return _code_form(call)


@as_page
async def decide_device(call: SessionCall) -> Response:
    """Take the typed code and ask about what it stands for; with a decision, take the person's word about it."""
    _check_device_grant(call)
    form = await read_form(call.request)
    typed, decision = form.get("user_code", ""), form.get("decision", "")
    allowed = decision == _ALLOW
    if decision:
        asked = await call.service.turns.write(lambda tx: _decided(tx, call, typed, allowed))
    else:
        asked = await call.service.turns.write(lambda tx: _found(tx, call, typed))
    if isinstance(asked, GatekeeperError):
        return _code_form(call, asked)
    if not decision:
        return _question(
            call,
            action=DEVICE_PATH,
            device_name=asked.device_name,
            jkt=asked.jkt,
            fields={"user_code": asked.user_code},
            by_hand=True,
            address=asked.address,
        )
    if allowed:
        return render_alone(
            "device_done.html",
            title="Signed in",
            words=f"{asked.device_name} signs in within a few seconds. You can close this page.",
        )
    return render_alone("device_done.html", title="Not signed in", words="The device gets nothing.")


def _code_form(call: SessionCall, refusal: GatekeeperError | None = None) -> Response:
    return render_alone(
        "device_code.html",
        status=200 if refusal is None else problem_of(refusal, oauth=False).status,
        title="Sign a device in",
        action=DEVICE_PATH,
        csrf=call.session.csrf,
        problem="" if refusal is None else refusal.detail,
    )


def _question(
    call: SessionCall,
    *,
    action: str,
    device_name: str,
    jkt: str,
    fields: Mapping[str, str],
    by_hand: bool,
    address: str = "",
) -> Response:
    return render_alone(
        "authorize.html",
        title="Sign this device in?",
        action=action,
        device_name=device_name,
        key=jkt[:_SHOWN_KEY_CHARS],
        subject=call.session.subject,
        fields=fields,
        csrf=call.session.csrf,
        by_hand=by_hand,
        address=address,
        user_code=fields.get("user_code", ""),
    )


def _allowed(tx: Connection, call: SessionCall, asked: Asked) -> str:
    code = allow(tx, asked.wish, session=call.session, now=call.now)
    subject = call.session.subject.id
    detail = {
        "jkt": asked.wish.jkt,
        "by": "paste" if asked.pasted else "loopback",
        "session": call.session.id,
    }
    record(tx, at=call.now, actor=subject, act="authorization.allowed", object=subject, detail=detail)
    return code


def _note_refused(tx: Connection, call: SessionCall, jkt: str) -> None:
    subject = call.session.subject.id
    record(tx, at=call.now, actor=subject, act="authorization.refused", object=subject, detail={"jkt": jkt})


def _found(tx: Connection, call: SessionCall, typed: str) -> Polled | GatekeeperError:
    """Look a typed code up; a wrong one is counted (RFC 8628 §5.1), so the refusal is returned."""
    address = call.request.client.host if call.request.client is not None else ""
    try:
        check_flood(tx, address=address, now=call.now)
        return find_asked(tx, typed, now=call.now)
    except GatekeeperError as refusal:
        if refusal.code == "GK203":
            count_attempt(tx, address=address, now=call.now)
        return refusal


def _decided(tx: Connection, call: SessionCall, typed: str, allowed: bool) -> Polled | GatekeeperError:  # noqa: FBT001 - one caller
    """Decide about a typed code. It is looked up as by `_found`, or decisions would be guesses that nobody counts."""
    asked = _found(tx, call, typed)
    if isinstance(asked, GatekeeperError):
        return asked
    subject = call.session.subject
    decide_asked(tx, typed, subject=subject, allowed=allowed, now=call.now)
    act = "authorization.allowed" if allowed else "authorization.refused"
    detail = {"jkt": asked.jkt, "by": "device-code", "session": call.session.id}
    record(tx, at=call.now, actor=subject.id, act=act, object=subject.id, detail=detail)
    return asked


def _check_device_grant(call: Call) -> None:
    provider = call.service.provider
    if provider is None or not provider.settings.device_grant:
        raise HttpFault(
            404, "This service doesn't sign devices in by a typed code: [oidc] device_grant is off."
        )


def _code_page(call: Call) -> str:
    return call.service.issuer + CODE_PATH


def _see(target: str) -> Response:
    return RedirectResponse(target, status_code=303, headers=HEADERS)
