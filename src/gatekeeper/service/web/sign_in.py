"""The console's sign-in by a one-time code or the company's identity provider, and signing out.

The provider is asked by OpenID Connect: authorization code, PKCE, state, nonce, `iss`; Back-Channel Logout 1.0.

    GET  /sign-in?next=…                     the page
    POST /sign-in/code                       a one-time code
    GET  /sign-in/provider?next=&max_age=    to the provider; max_age asks for a fresh proof, for a step-up
    GET  /sign-in/return                     from the provider
    POST /sign-out                           from here alone
    POST /sign-in/backchannel-logout         from the provider itself
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.responses import RedirectResponse, Response

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth.console_code import redeem_at_console
from gatekeeper.service.oauth.provider_sign_in import enter, leave, note_refused
from gatekeeper.service.people.console_sessions import SESSION_FOR, end_session
from gatekeeper.service.people.provider import error_name
from gatekeeper.service.people.provider_accounts import lacks_claims, person_of
from gatekeeper.service.people.provider_tokens import not_accepted, verify_id_token, verify_logout_token
from gatekeeper.service.people.sign_ins import GOOD_FOR, begin_sign_in, take_sign_in
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.web.bodies import read_form
from gatekeeper.service.web.browsers import (
    SESSION_COOKIE,
    SIGN_IN,
    check_origin,
    cookie_of,
    own_path,
    session_of,
    set_cookie,
)
from gatekeeper.service.web.console.render import HEADERS, render_sign_in
from gatekeeper.service.web.problems import HttpFault, problem_of
from gatekeeper.strict import b64url_encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection
    from starlette.requests import Request

    from gatekeeper.service.people.provider import Provider
    from gatekeeper.service.people.provider_accounts import Person
    from gatekeeper.service.people.provider_tokens import SignedIn
    from gatekeeper.service.people.sign_ins import UnderWay
    from gatekeeper.service.web.calls import Call, SessionCall

log = logging.getLogger("gatekeeper.service")

BROWSER_COOKIE = "gatekeeper-sign-in"
RETURN = "/sign-in/return"
_BROWSER_BYTES = 32
_BROWSER_CHARS = 43
_MAX_QUERY_CHARS = 16_384
_MAX_DIGITS = 7
_PROVIDER_REFUSES = "the provider answers"


async def show(call: Call) -> Response:
    """Show the page; whoever is signed in already goes on."""
    next_path = own_path(call.request.query_params.get("next", "/"))
    if await session_of(call) is not None:
        return _see(next_path)
    return await _page(call, next_path=next_path)


async def by_code(call: Call) -> Response:
    """Begin a session with a one-time code. Raises `HttpFault` as `read_form`, and 403 for another's form."""
    check_origin(call)
    form = await read_form(call.request)
    next_path = own_path(form.get("next", "/"))
    client = call.request.client
    outcome = await call.service.turns.write(
        lambda tx: redeem_at_console(
            tx,
            code=form.get("code", ""),
            address=client.host if client is not None else "",
            random_bytes=call.service.authority.random_bytes,
            now=call.now,
        )
    )
    if isinstance(outcome, GatekeeperError):
        return await _page(call, next_path=next_path, problem=outcome)
    return _signed_in(call, outcome, next_path)


async def to_provider(call: Call) -> Response:
    """Send the browser to the provider (OpenID Connect Core §3.1.2.1)."""
    query = call.request.query_params
    next_path = own_path(query.get("next", "/"))
    provider = _provider(call)
    browser = cookie_of(call, BROWSER_COOKIE)
    if len(browser) != _BROWSER_CHARS:
        browser = b64url_encode(call.service.authority.random_bytes(_BROWSER_BYTES))
    ages = [age for age in (_age(query.get("max_age", "")), provider.settings.max_age) if age is not None]
    try:
        metadata = await provider.metadata(now=call.now)
    except GatekeeperError as error:
        log.warning("the identity provider can't be used: %s", error.detail)
        return await _page(call, next_path=next_path, problem=error)
    under_way = await call.service.turns.write(
        lambda tx: begin_sign_in(
            tx,
            browser=browser,
            next_path=next_path,
            max_age=min(ages, default=None),
            random_bytes=call.service.authority.random_bytes,
            now=call.now,
        )
    )
    asked = {
        "response_type": "code",
        "client_id": provider.settings.client_id,
        "redirect_uri": call.service.issuer + RETURN,
        "scope": " ".join(provider.settings.scopes),
        "state": under_way.state,
        "nonce": under_way.nonce,
        "code_challenge": under_way.challenge(),
        "code_challenge_method": "S256",
    }
    if under_way.max_age is not None:
        asked["max_age"] = str(under_way.max_age)
    joint = "&" if "?" in metadata.authorization_endpoint else "?"
    answer = _see(f"{metadata.authorization_endpoint}{joint}{urlencode(asked)}")
    set_cookie(call, answer, BROWSER_COOKIE, browser, max_age=GOOD_FOR)
    return answer


async def from_provider(call: Call) -> Response:
    """Take the provider's hostile answer (Core §3.1.2.5, RFC 9207), and begin or renew a session."""
    provider = _provider(call)
    under_way: UnderWay | None = None
    try:
        given = _parameters(call.request)
        browser = cookie_of(call, BROWSER_COOKIE)
        under_way = await call.service.turns.write(
            lambda tx: take_sign_in(tx, state=given.get("state", ""), browser=browser, now=call.now)
        )
        person, signed_in = await _vouched(call, provider, given, under_way)
        cookie = cookie_of(call, SESSION_COOKIE)
        cookie = await call.service.turns.write(
            lambda tx: enter(
                tx,
                person,
                signed_in,
                issuer=provider.settings.issuer,
                cookie=cookie,
                random_bytes=call.service.authority.random_bytes,
                now=call.now,
            )
        )
    except GatekeeperError as error:
        if error.code not in ("GK207", "GK605"):
            raise
        if under_way is not None:
            await _note(call, provider, error)
        return await _page(call, next_path=under_way.next if under_way else "/", problem=error)
    return _signed_in(call, cookie, under_way.next)


async def sign_out(call: SessionCall) -> Response:
    """End the session. The provider's own goes on: who uses that is none of ours."""
    cookie = cookie_of(call, SESSION_COOKIE)
    session = call.session

    def end(tx: Connection) -> None:
        end_session(tx, cookie, call.now)
        subject = session.subject.id
        record(tx, at=call.now, actor=subject, act="session.ended", object=session.id, detail={})

    await call.service.turns.write(end)
    answer = _see(SIGN_IN)
    set_cookie(call, answer, SESSION_COOKIE, "", max_age=0)
    return answer


async def backchannel_logout(call: Call) -> Response:
    """Take a hostile logout token (Back-Channel Logout §2.5): 200, or 400 where it doesn't hold."""
    provider = _provider(call)
    token = (await read_form(call.request)).get("logout_token", "")
    settings = provider.settings
    try:
        keys = await provider.keys_for(token, now=call.now)
        signed_out = verify_logout_token(
            token, keys=keys, issuer=settings.issuer, client_id=settings.client_id, now=call.now
        )
        await call.service.turns.write(lambda tx: leave(tx, signed_out, issuer=settings.issuer, now=call.now))
    except GatekeeperError as error:
        if error.code != "GK207":
            raise
        raise HttpFault(400, error.detail) from error
    return Response(status_code=200)


async def _vouched(
    call: Call, provider: Provider, given: Mapping[str, str], under_way: UnderWay
) -> tuple[Person, SignedIn]:
    """Return whom the provider vouches for. Raises `GatekeeperError` GK207, GK605."""
    settings = provider.settings
    metadata = await provider.metadata(now=call.now)
    if given.get("iss", "" if metadata.says_issuer else settings.issuer) != settings.issuer:
        # RFC 9207 §2.4: an answer of another provider than the one that was asked.
        raise not_accepted("the answer doesn't come from the provider that was asked (iss)")
    if "error" in given:
        raise not_accepted(f"{_PROVIDER_REFUSES}: {error_name(given['error'])}")
    redeemed = await provider.redeem(
        given.get("code", ""),
        verifier=under_way.verifier,
        redirect_uri=call.service.issuer + RETURN,
        now=call.now,
    )
    signed_in = verify_id_token(
        redeemed.id_token,
        keys=await provider.keys_for(redeemed.id_token, now=call.now),
        issuer=settings.issuer,
        client_id=settings.client_id,
        nonce=under_way.nonce,
        max_age=under_way.max_age,
        now=call.now,
    )
    claims = signed_in.claims
    if lacks_claims(settings, claims):
        more = await provider.userinfo(redeemed.access_token, account=signed_in.account, now=call.now)
        claims = {**more, **claims}
    return person_of(settings, signed_in.account, claims), signed_in


async def _page(call: Call, *, next_path: str, problem: GatekeeperError | None = None) -> Response:
    provider = call.service.provider
    organisation = await call.service.turns.read(lambda tx: current_policy(tx, now=call.now).organisation)
    words = "" if problem is None else " ".join(one for one in (problem.detail, problem.remedy) if one)
    return render_sign_in(
        next_path=next_path,
        problem=words,
        provider=provider.settings.name if provider is not None else "",
        organisation=organisation,
        status=200 if problem is None else problem_of(problem, oauth=False).status,
    )


async def _note(call: Call, provider: Provider, error: GatekeeperError) -> None:
    issuer = provider.settings.issuer
    await call.service.turns.write(lambda tx: note_refused(tx, error, issuer=issuer, now=call.now))
    log.warning("a sign-in at the identity provider was refused: %s", error.detail)


def _signed_in(call: Call, cookie: str, next_path: str) -> Response:
    answer = _see(next_path)
    set_cookie(call, answer, SESSION_COOKIE, cookie, max_age=SESSION_FOR)
    return answer


def _see(target: str) -> Response:
    return RedirectResponse(target, status_code=303, headers=HEADERS)


def _provider(call: Call) -> Provider:
    provider = call.service.provider
    if provider is None:
        raise HttpFault(404, "There is nothing at this address: service.toml has no [oidc].")
    return provider


def _parameters(request: Request) -> dict[str, str]:
    """Return the query's parameters, each once. Raises `GatekeeperError` GK207."""
    query = request.url.query
    pairs = parse_qsl(query, keep_blank_values=True) if len(query) <= _MAX_QUERY_CHARS else []
    given = dict(pairs)
    if len(given) != len(pairs):
        raise not_accepted("the provider's answer says something twice")
    return given


def _age(text: str) -> int | None:
    usable = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return int(text) if usable else None
