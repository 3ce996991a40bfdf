"""Signing in at the console, with a one-time code and with the real identity provider."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from tests.fakes.browser import Browser, Page
from tests.fakes.provider import CLIENT_ID, CLIENT_SECRET, RealProvider
from tests.service.local import ISSUER, LocalService

from gatekeeper.service.operate.invite import invite
from gatekeeper.service.people.console_sessions import IDLE_FOR, SESSION_FOR, find_session
from gatekeeper.service.people.provider import Provider
from gatekeeper.service.people.provider_settings import OidcSettings
from gatekeeper.service.people.subjects import ensure_subject, find_subject
from gatekeeper.service.store.tables.audit import audit_entries
from gatekeeper.service.store.tables.sign_ins import console_sessions, provider_sign_ins

# What is about the provider is the same on either database.
on_one = pytest.mark.sqlite
SESSION = "__Host-gatekeeper"
SIGN_IN = "__Host-gatekeeper-sign-in"
PROVIDER_SIGN_IN = f"{ISSUER}/sign-in/provider"


@pytest.fixture(scope="module")
def real() -> Iterator[RealProvider]:
    """Run the real provider, for all tests here."""
    with RealProvider(redirect_uris=(f"{ISSUER}/sign-in/return",)) as provider:
        yield provider


@pytest.fixture
def settings(real: RealProvider, tmp_path: Path) -> OidcSettings:
    """Return what service.toml says of the provider."""
    secret = tmp_path / "oidc.secret"
    secret.write_text(CLIENT_SECRET)
    return OidcSettings(
        issuer=real.issuer,
        client_id=CLIENT_ID,
        secret_file=secret,
        name="Acme",
        domains=("acme.example",),
        attributes=(("country", "country"),),
        require=(("groups", "gatekeeper"),),
    )


@pytest.fixture
def company(tmp_path: Path, settings: OidcSettings) -> Iterator[LocalService]:
    """Give a service that people sign in to with the real provider; its clock is the provider's."""
    service = LocalService(tmp_path / "svc", now=int(time.time()), provider=Provider(settings))
    yield service
    service.close()


def browser_of(local: LocalService) -> Browser:
    """Return a browser with nothing in it."""
    return Browser(apps={ISSUER: local.app})


def signed_in(
    local: LocalService, login: str, *, browser: Browser | None = None, query: str = ""
) -> tuple[Browser, Page]:
    """Sign somebody in at the provider, and go on to a page that is there for everybody."""
    browser = browser or browser_of(local)
    page = browser.open(f"{PROVIDER_SIGN_IN}?next=/healthz{query}")
    return browser, browser.sign_in_at(page, login)


def session_of(local: LocalService, browser: Browser) -> Any:
    """Return the session of a browser's cookie."""
    with local.store.read() as tx:
        return find_session(tx, browser.cookie(SESSION), now=local.now)


def acts(local: LocalService) -> list[str]:
    """Return what was recorded."""
    with local.store.read() as tx:
        return list(tx.execute(select(audit_entries.c.act).order_by(audit_entries.c.seq)).scalars())


def test_a_person_signs_in_with_the_provider(company: LocalService) -> None:
    """They come back to where they wanted to go, signed in as who the provider says, with what it says of them."""
    browser, page = signed_in(company, "ada")
    assert (page.path, page.status) == ("/healthz", 200)
    session = session_of(company, browser)
    assert session.method == "oidc"
    assert abs(session.auth_time - company.now) < 30
    assert session.subject.name == "ada@acme.example"
    assert session.subject.display == "Ada"
    assert session.subject.groups == ("dev", "gatekeeper")
    assert session.subject.attributes == (("country", "US"),)
    assert acts(company)[-2:] == ["account.linked", "session.started"]


@on_one
def test_the_session_is_kept_as_a_digest(company: LocalService) -> None:
    """Neither the cookie nor the sign-in's state stands in the store."""
    browser, _ = signed_in(company, "ada")
    with company.store.read() as tx:
        kept = [
            str(row) for table in (console_sessions, provider_sign_ins) for row in tx.execute(select(table))
        ]
    state = parse_qs(urlsplit(browser.seen[1].split(" ")[1]).query)["state"][0]
    assert kept
    for secret in (browser.cookie(SESSION), browser.cookie(SIGN_IN), state):
        assert secret
        assert all(secret not in row for row in kept)


@on_one
def test_a_person_without_the_group_stays_out(company: LocalService) -> None:
    """They hear what is missing, nobody is made of them, and it is recorded."""
    browser, page = signed_in(company, "guest")
    assert page.status == 403
    assert "groups must say gatekeeper" in page.text
    assert not browser.cookie(SESSION)
    with company.store.read() as tx:
        assert find_subject(tx, "guest@acme.example") is None
    assert acts(company)[-1] == "session.refused"


@on_one
def test_another_domain_stays_out(tmp_path: Path, settings: OidcSettings) -> None:
    """An address outside the configured domains signs nobody in."""
    provider = Provider(settings.replace(domains=("other.example",)))
    local = LocalService(tmp_path / "svc", now=int(time.time()), provider=provider)
    assert "acme.example don&#39;t sign in here" in signed_in(local, "ada")[1].text
    local.close()


@on_one
def test_an_answer_of_the_provider_works_once(company: LocalService) -> None:
    """The address that the provider sent the browser back to is worth nothing a second time, here or elsewhere."""
    browser, _ = signed_in(company, "ada")
    back = next(one for one in browser.seen if "/sign-in/return" in one).split(" ")[1]
    for other in (browser, browser_of(company)):
        page = other.open(back)
        assert page.status == 403
        assert "used before" in page.text or "not begun in this browser" in page.text
    # The code itself, under a state that is good: the provider refuses it.
    fresh = browser_of(company)
    begun = fresh.open(f"{PROVIDER_SIGN_IN}?next=/")
    state = parse_qs(urlsplit(fresh.seen[1].split(" ")[1]).query)["state"][0]
    assert begun.status == 200
    given = parse_qs(urlsplit(back).query)
    page = fresh.open(f"{ISSUER}/sign-in/return?code={given['code'][0]}&state={state}&iss={given['iss'][0]}")
    assert page.status == 403
    assert "refuses the code (invalid_grant)" in page.text


@on_one
def test_another_browser_can_not_take_the_answer(company: LocalService) -> None:
    """An answer that reaches a browser which began nothing signs nobody in: no one is signed in as the attacker."""
    attacker = Browser(apps={ISSUER: company.app}, stops=(f"{ISSUER}/sign-in/return",))
    stopped = attacker.sign_in_at(attacker.open(PROVIDER_SIGN_IN), "ada").stopped_at
    victim = browser_of(company)
    page = victim.open(stopped)
    assert page.status == 403
    assert not victim.cookie(SESSION)
    assert attacker.open(f"{ISSUER}/healthz").status == 200


@on_one
def test_a_sign_in_that_took_too_long_is_over(company: LocalService) -> None:
    """Ten minutes after it began, an answer is refused."""
    browser = Browser(apps={ISSUER: company.app}, stops=(f"{ISSUER}/sign-in/return",))
    back = browser.sign_in_at(browser.open(PROVIDER_SIGN_IN), "ada").stopped_at
    company.now += 600
    assert "ten minutes" in Browser.open(_like(browser, company), back).text


def _like(browser: Browser, local: LocalService) -> Browser:
    """Return the same browser, that stops nowhere."""
    same = browser_of(local)
    same._jar = browser._jar
    return same


@on_one
def test_an_answer_of_another_issuer_is_refused(company: LocalService, real: RealProvider) -> None:
    """`iss` (RFC 9207) must be the provider's, and must be there, as its metadata promises it."""
    for change in (f"iss={real.issuer}/", "iss=https://evil.example", "other=1"):
        browser = Browser(apps={ISSUER: company.app}, stops=(f"{ISSUER}/sign-in/return",))
        back = browser.sign_in_at(browser.open(PROVIDER_SIGN_IN), "ada").stopped_at
        kept = "&".join(one for one in back.split("?")[1].split("&") if not one.startswith("iss="))
        page = _like(browser, company).open(f"{ISSUER}/sign-in/return?{kept}&{change}")
        assert page.status == 403
        assert "(iss)" in page.text


@on_one
def test_a_refusal_at_the_provider_is_told(company: LocalService, real: RealProvider) -> None:
    """Whoever says no there is told so here, and nothing of the hostile description is shown."""
    browser = browser_of(company)
    browser.open(PROVIDER_SIGN_IN)
    state = parse_qs(urlsplit(browser.seen[1].split(" ")[1]).query)["state"][0]
    query = f"error=access_denied&error_description=%3Cscript%3E&state={state}&iss={real.issuer}"
    page = browser.open(f"{ISSUER}/sign-in/return?{query}")
    assert "access_denied" in page.text
    assert "script" not in page.text


@on_one
def test_a_rotated_key_is_found(company: LocalService, real: RealProvider) -> None:
    """A token under a key that wasn't known sends for the new keys, not sooner than ten seconds after the last time."""
    signed_in(company, "ada")
    real.restart()
    _, page = signed_in(company, "ada")
    assert "no key of its kid" in page.text
    company.now += 11
    browser, page = signed_in(company, "ada")
    assert page.status == 200
    assert session_of(company, browser)


@on_one
def test_while_the_provider_is_down_nothing_is_lost(company: LocalService, real: RealProvider) -> None:
    """The page says which host doesn't answer, a session goes on, one-time codes work; afterwards so does it."""
    browser, _ = signed_in(company, "ada")
    real.stop()
    try:
        company.now += 4000  # what is known of the provider is too old now
        other = Browser(apps={ISSUER: company.app}, stops=(real.issuer,))
        assert other.open(f"{PROVIDER_SIGN_IN}?next=/healthz").stopped_at  # its address is known for a day
        company.service.provider._metadata = None  # type: ignore[union-attr]
        page = other.open(f"{PROVIDER_SIGN_IN}?next=/healthz")
        assert page.status == 503
        assert f"127.0.0.1:{real.port} can&#39;t be reached" in page.text
        assert session_of(company, browser)
        code, _ = invite(company.store, "sam@acme.example", console=True, now=company.now)
        assert other.submit(page, code=code).path == "/healthz"
    finally:
        real.start()
    company.now = int(time.time()) + 11
    assert signed_in(company, "sam")[1].status == 200


@on_one
def test_a_provider_that_goes_down_in_between(company: LocalService, real: RealProvider) -> None:
    """The sign-in that was under way is refused with a code that says to come again; it is recorded."""
    browser = Browser(apps={ISSUER: company.app}, stops=(f"{ISSUER}/sign-in/return",))
    back = browser.sign_in_at(browser.open(PROVIDER_SIGN_IN), "ada").stopped_at
    real.stop()
    try:
        page = _like(browser, company).open(back)
    finally:
        real.start()
    assert page.status == 503
    assert "can&#39;t be reached" in page.text
    assert acts(company)[-1] == "session.refused"


@on_one
def test_a_step_up_is_a_new_proof(company: LocalService) -> None:
    """`max_age` makes the provider ask again once the last proof is too old; session and cookie stay, the time moves."""
    browser, _ = signed_in(company, "ada")
    before, cookie = session_of(company, browser), browser.cookie(SESSION)
    time.sleep(1.1)  # the provider's own clock, in whole seconds
    company.now = int(time.time())
    page = browser.open(f"{PROVIDER_SIGN_IN}?next=/healthz&max_age=0")
    assert 'name="login"' in page.text
    page = browser.sign_in_at(page, "ada")
    after = session_of(company, browser)
    assert page.path == "/healthz"
    assert after.id == before.id
    assert browser.cookie(SESSION) == cookie
    assert after.auth_time > before.auth_time
    assert acts(company)[-1] == "session.renewed"


def test_a_step_up_as_somebody_else_is_another_session(company: LocalService) -> None:
    """What one person began is not confirmed by another: their session is a new one, and the first is over."""
    browser, _ = signed_in(company, "ada")
    before, cookie = session_of(company, browser), browser.cookie(SESSION)
    time.sleep(1.1)
    company.now = int(time.time())
    browser.sign_in_at(browser.open(f"{PROVIDER_SIGN_IN}?next=/healthz&max_age=0"), "sam")
    after = session_of(company, browser)
    assert after.subject.name == "sam@acme.example"
    assert after.id != before.id
    assert cookie != browser.cookie(SESSION)
    assert acts(company)[-3:-1] == ["account.linked", "session.ended"]


def test_an_address_that_was_given_to_somebody_new(company: LocalService, real: RealProvider) -> None:
    """The account is who it is: another account with the same address doesn't inherit the subject."""
    signed_in(company, "ada")
    real.accounts["ada2"] = real.accounts["ada"]
    real.restart()
    company.now += 11
    _, page = signed_in(company, "ada2")
    assert page.status == 403
    assert "belongs to another account" in page.text


@on_one
def test_an_invited_person_keeps_their_subject(company: LocalService) -> None:
    """Whoever was invited before signs in as the same subject."""
    with company.store.write() as tx:
        known = ensure_subject(tx, "ada@acme.example", groups=("old",), now=company.now)
    browser, _ = signed_in(company, "ada")
    session = session_of(company, browser)
    assert session.subject.id == known.id
    assert session.subject.groups == ("dev", "gatekeeper")


# --- one-time codes, and sessions --------------------------------------------------------------------------------


def by_code(local: LocalService, code: str, **headers: str) -> tuple[Browser, Page]:
    """Sign in with a code on the page."""
    browser = browser_of(local)
    page = browser.open(f"{ISSUER}/sign-in?next=/healthz")
    return browser, browser.submit(page, headers=headers, code=code)


def console_code(local: LocalService, name: str = "ada@acme.example") -> str:
    """Make a code for the console."""
    return invite(local.store, name, console=True, now=local.now)[0]


def test_a_code_signs_a_browser_in_once(local: LocalService) -> None:
    """It leads on, works once, and the page without a provider offers none."""
    code = console_code(local)
    browser, page = by_code(local, code.lower())
    assert (page.path, page.status) == ("/healthz", 200)
    assert session_of(local, browser).method == "invite"
    assert session_of(local, browser).auth_time == local.now
    assert by_code(local, code)[1].status == 400
    assert "Sign in with" not in browser_of(local).open(f"{ISSUER}/sign-in").text.replace(
        "Sign in with the code", ""
    )


def test_codes_for_devices_and_for_browsers_are_two_kinds(local: LocalService) -> None:
    """Neither serves in place of the other."""
    assert by_code(local, local.invite())[1].status == 400
    from tests.service.local import Workstation

    assert Workstation(local).redeem(console_code(local)).json()["code"] == "GK203"


def test_guessing_codes_is_limited(local: LocalService) -> None:
    """The eleventh wrong code within ten minutes is told to wait; the right one still works."""
    for _ in range(10):
        assert by_code(local, "0000-0000-0000-0000")[1].status == 400
    assert by_code(local, "0000-0000-0000-0000")[1].status == 429
    assert by_code(local, console_code(local))[1].path == "/healthz"


def test_a_form_from_elsewhere_signs_nobody_in(local: LocalService) -> None:
    """Without our own origin a right code is not even looked at."""
    code = console_code(local)
    for origin in ("https://evil.example", "null"):
        assert by_code(local, code, origin=origin)[1].status == 403
    assert by_code(local, code)[1].path == "/healthz"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/a b",
        "/%0d",
        "/ü",
    ],
)
def test_nobody_is_sent_elsewhere(local: LocalService, target: str) -> None:
    """After signing in a browser goes to a path of ours, whatever the link said."""
    from urllib.parse import quote

    browser = Browser(apps={ISSUER: local.app}, stops=("https://", "http://", "javascript:"))
    page = browser.open(f"{ISSUER}/sign-in?next={quote(target)}")
    after = browser.submit(page, code=console_code(local)).stopped_at
    assert after in (f"{ISSUER}/", f"{ISSUER}/%0d")


def test_sessions_end(local: LocalService) -> None:
    """Two hours after the last use, and twelve after they began, however busy."""
    from gatekeeper.errors import GatekeeperError

    browser, _ = by_code(local, console_code(local))
    local.now += IDLE_FOR - 1
    assert browser.open(f"{ISSUER}/sign-in?next=/healthz").path == "/healthz"
    for _ in range(SESSION_FOR // IDLE_FOR - 1):
        local.now += IDLE_FOR - 100
        assert browser.open(f"{ISSUER}/sign-in?next=/healthz").path == "/healthz"
    local.now += IDLE_FOR - 100
    assert browser.open(f"{ISSUER}/sign-in?next=/healthz").path == "/sign-in"
    other, _ = by_code(local, console_code(local, "sam@acme.example"))
    local.now += IDLE_FOR
    with pytest.raises(GatekeeperError, match="GK201"):
        session_of(local, other)


def sign_out(local: LocalService, browser: Browser, *, csrf: str, origin: str = ISSUER) -> Page:
    """Send the form that signs out."""
    return browser.post(f"{ISSUER}/sign-out", {"csrf": csrf}, headers={"origin": origin})


def test_signing_out_takes_our_own_form(local: LocalService) -> None:
    """Another's origin, another session's token or none are refused; ours ends the session and takes the cookie."""
    browser, _ = by_code(local, console_code(local))
    stranger, _ = by_code(local, console_code(local, "sam@acme.example"))
    csrf = session_of(local, browser).csrf
    wrong = session_of(local, stranger).csrf
    assert sign_out(local, browser, csrf="").status == 403
    assert sign_out(local, browser, csrf=wrong).status == 403
    assert sign_out(local, browser, csrf=csrf, origin="https://evil.example").status == 403
    cookie = browser.cookie(SESSION)
    assert sign_out(local, browser, csrf=csrf).path == "/sign-in"
    assert not browser.cookie(SESSION)
    browser._jar.set(SESSION, cookie, domain="gatekeeper.acme.example", path="/")
    assert browser.open(f"{ISSUER}/sign-in?next=/healthz").path == "/sign-in"


def test_a_page_without_a_session_leads_to_the_sign_in_and_back(local: LocalService) -> None:
    """A link from a message works for whoever has to sign in first."""
    browser = browser_of(local)
    wanted = "/oauth/authorize?x=1"
    page = browser.open(ISSUER + wanted)
    assert page.path == "/sign-in"
    assert page.forms[0][2]["next"] == wanted


def test_a_deactivated_person_is_out(local: LocalService) -> None:
    """Their session ends with the next page, and no code lets them in."""
    from gatekeeper.service.people.standing import set_active

    browser, _ = by_code(local, console_code(local))
    code = console_code(local)
    with local.store.write() as tx:
        subject = find_subject(tx, "ada@acme.example")
        assert subject is not None
        set_active(tx, subject.id, active=False, now=local.now)
    assert browser.open(f"{ISSUER}/sign-in?next=/healthz").path == "/sign-in"
    assert by_code(local, code)[1].status == 400


def test_cookies_are_for_this_host_and_https_alone(local: LocalService) -> None:
    """The session's cookie is __Host-, Secure, HttpOnly and SameSite=Lax."""
    answer = local.send(
        "POST",
        "/sign-in/code",
        headers={"origin": ISSUER, "content-type": "application/x-www-form-urlencoded"},
        content=f"code={console_code(local)}",
    )
    given = answer.headers["set-cookie"].lower()
    assert given.startswith("__host-gatekeeper=")
    assert all(word in given for word in ("; secure", "; httponly", "; samesite=lax", "; path=/"))
    assert "domain" not in given
