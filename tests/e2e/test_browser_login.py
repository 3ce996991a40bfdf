"""`gatekeeper login` with a browser: the installed command, a real service, the real identity provider."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from tests.e2e.workplace import Service, Workstation, free_port
from tests.fakes.browser import Browser, Page
from tests.fakes.provider import CLIENT_SECRET, RealProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = '[organisation]\nname = "Acme"\nhelp = "#ai"\n[tools.claude]\n[tools.aider]\naccess = "open"\n'


class Company:
    """A service, its provider, and what they need of each other."""

    def __init__(self, service: Service, provider: RealProvider) -> None:
        self.service = service
        self.provider = provider

    def sessions(self) -> int:
        """Count the console sessions that stand."""
        database = sqlite3.connect(self.service.data / "gatekeeper.db")
        try:
            query = "SELECT count(*) FROM console_sessions WHERE ended_at IS NULL"
            return int(database.execute(query).fetchone()[0])
        finally:
            database.close()


@pytest.fixture(scope="module")
def company(command: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Run a service that people sign in to with the real provider."""
    place = tmp_path_factory.mktemp("company")
    service = Service(command=command, directory=place / "service", policy=POLICY, port=free_port())
    with RealProvider(
        redirect_uris=(f"{service.issuer}/sign-in/return",),
        backchannel_logout_uri=f"{service.issuer}/sign-in/backchannel-logout",
        backchannel_logout_session_required=True,
        post_logout_redirect_uris=[f"{service.issuer}/sign-in"],
    ) as provider:
        assert service.init().status == 0
        (service.data / "oidc.secret").write_text(CLIENT_SECRET)
        settings = service.data / "service.toml"
        settings.write_text(settings.read_text() + provider.section(device_grant=True))
        service.start()
        try:
            yield Company(service, provider)
        finally:
            service.stop()


def workstation(company: Company, command: Path, home: Path, **extra: str) -> Workstation:
    """Return a workstation where nobody is signed in."""
    return Workstation(
        command=command, home=home, path=[], service=company.service, subject="", extra=dict(extra)
    )


def test_a_browser_signs_a_workstation_in(company: Company, command: Path, tmp_path: Path) -> None:
    """The browser that the command opens walks provider and consent, and brings the code back to its port."""
    asked = tmp_path / "asked"
    os.mkfifo(asked)
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {asked}\n')
    opener.chmod(0o755)
    ada = workstation(company, command, tmp_path / "ada", BROWSER=f"{opener} %s")
    with ada.terminal("login", "--device-name", "ada-laptop") as terminal:
        page, browser = _asked(company, asked.read_text(), "ada")
        assert "ada-laptop" in page.text
        assert "ada@acme.example" in page.text
        assert "Back to the terminal" in browser.submit(page, decision="allow").text
        assert terminal.finish() == 0
        assert "Signed in as ada@acme.example on ada-laptop" in terminal.screen
    status = ada.gatekeeper("status", "--json")
    assert status.json()["subject"] == "ada@acme.example"
    assert ada.gatekeeper("check", "aider", "--format", "json").json()["results"][0]["code"] != "GK201"


def test_no_in_the_browser_is_no_at_the_terminal(company: Company, command: Path, tmp_path: Path) -> None:
    """It ends with GK207 and exit 4, and nothing was enrolled."""
    asked = tmp_path / "asked"
    os.mkfifo(asked)
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {asked}\n')
    opener.chmod(0o755)
    ada = workstation(company, command, tmp_path / "ada", BROWSER=f"{opener} %s")
    with ada.terminal("login", "--oidc") as terminal:
        page, browser = _asked(company, asked.read_text(), "ada")
        browser.submit(page, decision="refuse")
        assert terminal.finish() == 4
        assert "GK207" in terminal.screen
    assert ada.gatekeeper("status").status == 4


def test_over_ssh_the_code_is_pasted(company: Company, command: Path, tmp_path: Path) -> None:
    """Without a browser the address is shown; the code of its last page is pasted."""
    sam = workstation(company, command, tmp_path / "sam", SSH_CONNECTION="192.0.2.1 1 192.0.2.2 22")
    with sam.terminal("login") as terminal:
        terminal.expect("Paste the code")
        url = re.search(r"http://localhost:\S+/oauth/authorize\S+", terminal.screen)
        assert url
        page, browser = _asked(company, url[0], "sam")
        shown = browser.submit(page, decision="allow")
        code = re.search(r'value="(gkc_[^"]+)"', shown.text)
        assert code, shown.text
        terminal.type(code[1].encode() + b"\r")
        assert terminal.finish() == 0
        assert "Signed in as sam@acme.example" in terminal.screen


def test_a_code_is_typed_elsewhere(company: Company, command: Path, tmp_path: Path) -> None:
    """`login --device` shows a code and goes on once it was confirmed."""
    ada = workstation(company, command, tmp_path / "ada")
    with ada.terminal("login", "--device") as terminal:
        terminal.expect("Only there")
        code = re.search(r"type: ([A-Z]{4}-[A-Z]{4})", terminal.screen)
        assert code
        page, browser = _asked(company, f"{company.service.issuer}/sign-in/device", "ada")
        page = browser.submit(page, user_code=code[1])
        assert "Signed in" in browser.submit(page, decision="allow").text
        assert terminal.finish() == 0


def test_without_a_terminal_nobody_is_asked(company: Company, command: Path, tmp_path: Path) -> None:
    """A script, CI and --no-input get words and exit 2 instead of a browser."""
    ada = workstation(company, command, tmp_path / "ada")
    for arguments in (("login",), ("login", "--oidc"), ("--no-input", "login", "--oidc")):
        done = ada.gatekeeper(*arguments)
        assert done.status == 2, done
        assert "gatekeeper login --code" in done.err


def test_a_logout_at_the_provider_ends_the_console_session(company: Company) -> None:
    """The provider itself calls the service, and the session is over."""
    browser = Browser()
    browser.sign_in_at(browser.open(f"{company.service.issuer}/sign-in/provider?next=/healthz"), "sam")
    before = company.sessions()
    page = browser.open(f"{company.provider.issuer}/session/end")
    browser.submit(page, logout="yes")
    assert company.sessions() < before
    assert browser.open(f"{company.service.issuer}/sign-in?next=/healthz").path == "/sign-in"


def _asked(company: Company, url: str, login: str) -> tuple[Page, Browser]:
    browser = Browser()
    page = browser.open(url)
    if page.path == "/sign-in":
        page = browser.open(f"{company.service.issuer}/sign-in/provider?next={_path(url)}")
        page = browser.sign_in_at(page, login)
    return page, browser


def _path(url: str) -> str:
    return quote("/" + url.split("/", 3)[3], safe="")
