"""Signing a workstation in by a browser: the page that asks, the code, and the code that is typed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.fakes.browser import Browser, Page
from tests.service.local import CLIENT, ISSUER, LocalService, Workstation

from gatekeeper.service.operate.invite import invite
from gatekeeper.service.people.provider import Provider
from gatekeeper.service.people.provider_settings import OidcSettings
from gatekeeper.strict import b64url_encode

VERIFIER = "v" * 43
CHALLENGE = b64url_encode(hashlib.sha256(VERIFIER.encode()).digest())
CALLBACK = "http://127.0.0.1:49152/callback"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def browser_of(local: LocalService, name: str = "ada@acme.example") -> Browser:
    """Return the browser of somebody who is signed in at the console."""
    browser = Browser(apps={ISSUER: local.app}, stops=("http://127.0.0.1",))
    page = browser.open(f"{ISSUER}/sign-in?next=/healthz")
    browser.submit(page, code=invite(local.store, name, console=True, now=local.now)[0])
    return browser


def asked(station: Workstation, **changes: str) -> str:
    """Return the address that a workstation opens."""
    given = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": CALLBACK,
        "state": "state-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "dpop_jkt": station.key.kid,
        "device_name": "laptop",
    } | changes
    return f"{ISSUER}/oauth/authorize?{urlencode(given)}"


def answer_of(page: Page) -> dict[str, str]:
    """Return what the browser would have brought to the workstation."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.stopped_at).query).items()}


def code_for(local: LocalService, station: Workstation, **changes: str) -> str:
    """Have somebody say yes; return the code."""
    browser = browser_of(local)
    return answer_of(browser.submit(browser.open(asked(station, **changes)), decision="allow"))["code"]


def redeem(station: Workstation, code: str, *, key: Any = None, **changes: str) -> Any:
    """Redeem a code."""
    form = {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    } | changes
    return station.form("/oauth/token", form, key=key)


def test_a_workstation_is_signed_in(local: LocalService) -> None:
    """The page names person and device; yes leads back with code, state and issuer; the code enrols the device."""
    station, browser = Workstation(local), browser_of(local)
    page = browser.open(asked(station, device_name="ada-laptop"))
    assert "ada-laptop" in page.text
    assert "ada@acme.example" in page.text
    assert "form-action 'self' http://127.0.0.1:49152;" in page.headers["content-security-policy"]
    back = browser.submit(page, decision="allow")
    assert back.stopped_at.startswith(CALLBACK + "?")
    given = answer_of(back)
    assert (given["state"], given["iss"]) == ("state-1", ISSUER)
    answer = redeem(station, given["code"]).json()
    assert answer["token_type"] == "DPoP"
    assert answer["name"] == "ada@acme.example"
    station.access, station.refresh = answer["access_token"], answer["refresh_token"]
    assert station.call("GET", "/v1/me").json()["device_name"] == "ada-laptop"
    assert station.launch("aider").status_code == 200


def test_no_leads_back_without_a_code(local: LocalService) -> None:
    """The workstation is told `access_denied`, and nothing can be redeemed."""
    browser = browser_of(local)
    page = browser.submit(browser.open(asked(Workstation(local))), decision="refuse")
    assert answer_of(page) == {"error": "access_denied", "state": "state-1", "iss": ISSUER}


def test_a_code_works_once(local: LocalService) -> None:
    """The same workstation can't redeem it again, and neither can a thief afterwards."""
    station = Workstation(local)
    code = code_for(local, station)
    assert redeem(station, code).status_code == 200
    again = redeem(station, code)
    assert (again.status_code, again.json()["code"], again.json()["error"]) == (400, "GK203", "invalid_grant")
    assert redeem(Workstation(local), code).json()["code"] == "GK203"


def test_a_code_is_over_after_a_minute(local: LocalService) -> None:
    """59 seconds are in time, 60 are not."""
    for wait, status in ((59, 200), (60, 400)):
        station = Workstation(local)
        code = code_for(local, station)
        local.now += wait
        assert redeem(station, code).status_code == status


@pytest.mark.parametrize("wrong", ["key", "verifier", "redirect_uri", "code"])
def test_a_code_is_bound_to_all_that_was_asked(local: LocalService, wrong: str) -> None:
    """Another key, verifier, address or code is refused; the right call still works afterwards."""
    station = Workstation(local)
    code = code_for(local, station)
    all_changes: dict[str, dict[str, Any]] = {
        "key": {"key": Workstation(local).key},
        "verifier": {"code_verifier": "w" * 43},
        "redirect_uri": {"redirect_uri": CALLBACK.replace("49152", "49153")},
        "code": {},
    }
    changes = all_changes[wrong]
    assert redeem(station, code + ("x" if wrong == "code" else ""), **changes).json()["code"] == "GK203"
    assert redeem(station, code).status_code == 200


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:49152/other"},
        {"redirect_uri": "http://127.0.0.1/callback"},
        {"redirect_uri": "http://127.0.0.1:49152/callback?x=1"},
        {"redirect_uri": "http://127.0.0.1:49152@evil.example/callback"},
        {"redirect_uri": "http://localhost:49152/callback"},
        {"redirect_uri": f"{ISSUER}/oauth/code?x"},
        {"client_id": "another"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"dpop_jkt": ""},
        {"state": ""},
        {"device_name": ""},
        {"device_name": "lap\u202etop"},
    ],
)
def test_a_wrong_request_is_shown_and_sent_nowhere(local: LocalService, changes: dict[str, str]) -> None:
    """Nobody is asked, and no address that isn't ours or loopback gets anything, not even an error."""
    page = browser_of(local).open(asked(Workstation(local), **changes))
    assert page.status == 400
    assert not page.stopped_at
    assert not page.forms


@pytest.mark.sqlite
def test_the_form_can_not_be_changed_on_the_way(local: LocalService) -> None:
    """What is sent with yes is read as strictly as what was asked."""
    browser = browser_of(local)
    page = browser.open(asked(Workstation(local)))
    after = browser.submit(page, decision="allow", redirect_uri="https://evil.example/callback")
    assert (after.status, after.stopped_at) == (400, "")


@pytest.mark.sqlite
def test_a_page_of_somebody_else_can_not_say_yes(local: LocalService) -> None:
    """The form takes our origin and the session's token."""
    browser = browser_of(local)
    page = browser.open(asked(Workstation(local)))
    assert browser.submit(page, decision="allow", headers={"origin": "https://evil.example"}).status == 403
    assert browser.submit(page, decision="allow", csrf="x").status == 403


def test_a_pasted_code_works_like_any(local: LocalService) -> None:
    """Over SSH the page warns, shows the code, and the workstation redeems it for that page's address."""
    station = Workstation(local)
    browser = browser_of(local)
    page = browser.open(asked(station, redirect_uri=f"{ISSUER}/oauth/code"))
    assert "Nobody else needs a code of yours" in page.text
    shown = browser.submit(page, decision="allow")
    code = parse_qs(urlsplit(shown.url).query)["code"][0]
    assert f'value="{code}"' in shown.text
    assert redeem(station, code).json()["code"] == "GK203"
    assert redeem(station, code, redirect_uri=f"{ISSUER}/oauth/code").status_code == 200


def test_signing_out_takes_the_code_back(local: LocalService) -> None:
    """A code of a session that has ended is worth nothing."""
    from gatekeeper.service.people.console_sessions import end_session

    station, browser = Workstation(local), browser_of(local)
    code = answer_of(browser.submit(browser.open(asked(station)), decision="allow"))["code"]
    with local.store.write() as tx:
        end_session(tx, browser.cookie("__Host-gatekeeper"), local.now)
    assert redeem(station, code).json()["code"] == "GK203"


@pytest.mark.sqlite
def test_the_metadata_says_what_there_is(local: LocalService) -> None:
    """RFC 8414: the code flow with S256 and `iss`; no device grant where it isn't turned on."""
    metadata = local.send("GET", "/.well-known/oauth-authorization-server").json()
    assert metadata["authorization_endpoint"] == f"{ISSUER}/oauth/authorize"
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "authorization_code" in metadata["grant_types_supported"]
    assert DEVICE_GRANT not in metadata["grant_types_supported"]
    assert "device_authorization_endpoint" not in metadata


# --- the device grant --------------------------------------------------------------------------------------------


@pytest.fixture
def typed(tmp_path: Path) -> Any:
    """Give a service that signs devices in by a typed code."""
    settings = OidcSettings(issuer="https://login.acme.example", client_id="gatekeeper", device_grant=True)
    service = LocalService(tmp_path / "typed", provider=Provider(settings))
    yield service
    service.close()


def begin(station: Workstation) -> dict[str, Any]:
    """Begin a device authorization."""
    answer = station.form("/oauth/device_authorization", {"client_id": CLIENT, "device_name": "build-box"})
    assert answer.status_code == 200, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


def poll(station: Workstation, device_code: str) -> Any:
    """Ask whether it was confirmed."""
    form = {"grant_type": DEVICE_GRANT, "client_id": CLIENT, "device_code": device_code}
    return station.form("/oauth/token", form)


def decide(local: LocalService, user_code: str, decision: str) -> Page:
    """Type the code in, and decide."""
    browser = browser_of(local)
    page = browser.submit(browser.open(f"{ISSUER}/sign-in/device"), user_code=user_code.lower())
    assert "build-box" in page.text
    assert "192.0.2.7" in page.text
    assert f">{user_code}<" in page.text
    return browser.submit(page, decision=decision)


def test_a_typed_code_signs_a_device_in_once(typed: LocalService) -> None:
    """It waits, slows down who asks too often, and gives a sign-in once."""
    station = Workstation(typed)
    begun = begin(station)
    assert begun["verification_uri"] == f"{ISSUER}/sign-in/device"
    assert poll(station, begun["device_code"]).json()["error"] == "authorization_pending"
    assert poll(station, begun["device_code"]).json()["error"] == "slow_down"
    assert decide(typed, begun["user_code"], "allow").status == 200
    assert poll(Workstation(typed), begun["device_code"]).json()["code"] == "GK203"
    answer = poll(station, begun["device_code"])
    assert answer.json()["name"] == "ada@acme.example"
    assert poll(station, begun["device_code"]).json()["code"] == "GK203"


def test_a_typed_code_that_is_refused_or_over(typed: LocalService) -> None:
    """Refused is told as `access_denied`, over as `expired_token`; a decided code can't be decided again."""
    station = Workstation(typed)
    begun = begin(station)
    decide(typed, begun["user_code"], "refuse")
    assert poll(station, begun["device_code"]).json()["error"] == "access_denied"
    browser = browser_of(typed)
    page = browser.submit(browser.open(f"{ISSUER}/sign-in/device"), user_code=begun["user_code"])
    assert "used, expired or wrong" in page.text
    begun = begin(station)
    typed.now += 600
    assert poll(station, begun["device_code"]).json()["error"] == "expired_token"


@pytest.mark.sqlite
def test_a_link_with_a_typed_code_shows_the_empty_form(typed: LocalService) -> None:
    """Whoever follows it is asked for a code, as without: the page names no device, and can't be said yes to."""
    station, browser = Workstation(typed), browser_of(typed)
    begun = begin(station)
    page = browser.open(f"{ISSUER}/sign-in/device?user_code={begun['user_code']}")
    assert page.status == 200
    assert begun["user_code"] not in page.text
    assert "build-box" not in page.text
    assert "Type the code" in page.text
    assert "verification_uri_complete" not in begun


@pytest.mark.sqlite
def test_a_typed_code_comes_with_the_forms_token(typed: LocalService) -> None:
    """Another page can't type it in for somebody, nor decide."""
    station, browser = Workstation(typed), browser_of(typed)
    begun = begin(station)
    page = browser.open(f"{ISSUER}/sign-in/device")
    assert browser.submit(page, user_code=begun["user_code"], csrf="x").status == 403
    given = {"user_code": begun["user_code"], "decision": "allow"}
    assert browser.submit(page, **given, csrf="x").status == 403
    assert browser.submit(page, **given, headers={"origin": "https://evil.example"}).status == 403
    assert poll(station, begun["device_code"]).json()["error"] == "authorization_pending"


@pytest.mark.sqlite
@pytest.mark.parametrize("decision", ["", "allow", "refuse"])
def test_guessing_typed_codes_is_limited(typed: LocalService, decision: str) -> None:
    """After a flood of wrong codes no code is looked up, not even a right one; decisions are guesses, too."""
    station, browser = Workstation(typed), browser_of(typed)
    begun = begin(station)
    csrf = browser.open(asked(station)).forms[0][2]["csrf"]

    def send(user_code: str, decision: str) -> Page:
        given = {"csrf": csrf, "user_code": user_code, "decision": decision}
        return browser.post(f"{ISSUER}/sign-in/device", given, headers={"origin": ISSUER})

    for _ in range(100):
        wrong = send("BBBB-BBBB", decision)
        assert (wrong.status, "used, expired or wrong" in wrong.text) == (400, True)
    for word in ("", "allow"):
        assert send(begun["user_code"], word).status == 429
    assert poll(station, begun["device_code"]).json()["error"] == "authorization_pending"


@pytest.mark.sqlite
def test_where_it_is_off_it_is_refused_in_words(local: LocalService) -> None:
    """Neither the endpoint nor the page serve."""
    station = Workstation(local)
    answer = station.form("/oauth/device_authorization", {"client_id": CLIENT, "device_name": "x"})
    assert (answer.json()["code"], answer.json()["error"]) == ("GK207", "unauthorized_client")
    assert "no device in by a typed code" in answer.json()["detail"]
    assert browser_of(local).open(f"{ISSUER}/sign-in/device").status == 404
