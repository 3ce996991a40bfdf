"""A whole service on loopback that a real browser can reach, and the browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import random
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gatekeeper.documents.api import NewRequest
from gatekeeper.service.access.request_rows import get_request, pending_requests
from gatekeeper.service.access.requests import create_request
from gatekeeper.service.app import make_app, make_service
from gatekeeper.service.audit.log import record
from gatekeeper.service.keys.signer import load_keys
from gatekeeper.service.operate import review
from gatekeeper.service.operate.init import init_service
from gatekeeper.service.people.devices import devices_of, enrol, touch_device
from gatekeeper.service.people.invites import create_invite
from gatekeeper.service.people.roles import ConsoleRoles
from gatekeeper.service.people.subjects import Subject, ensure_subject
from gatekeeper.service.policy.files import PolicyFiles
from gatekeeper.service.policy.folder import apply_policy, current_policy
from gatekeeper.service.settings import default_database
from gatekeeper.service.store.transactions import open_store

NOW = 1_800_000_000
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POLICY = """
[organisation]
name = "Acme"
help = "#ai-approvals"
[defaults]
duration = "30d"
max_duration = "90d"
min_reason = 20
reviews = [{ from = ["group:ai-security"], needed = 1 }]
[tools.claude]
alternatives = ["aider"]
[tools.codex]
[tools.gemini]
seats = 2
[tools.copilot]
access = "closed"
[tools.aider]
access = "open"
[zones.frontier-models]
remotes = ["github.com/acme/llama-*", "git.acme.example/research/**"]
reviews = [{ from = ["group:ai-security"], needed = 1 }, { from = ["group:model-safety"], needed = 1 }]
[zones.training-data]
remotes = ["github.com/acme/datasets-*"]
assisted = "never"
"""
ROLES = ConsoleRoles(auditors=("audit",), operators=("platform",))
PEOPLE = {
    "developer": ("ada@acme.example", "Ada", ("dev",)),
    "approver": ("sam@acme.example", "Sam", ("ai-security",)),
    "second": ("mira@acme.example", "Mira", ("model-safety",)),
    "auditor": ("noor@acme.example", "Noor", ("audit",)),
    "operator": ("kim@acme.example", "Kim", ("platform", "ai-security")),
}


class Console:
    """A service at `issuer`, on a port of its own. Its clock stands still until `now` is moved."""

    def __init__(self, data: Path, *, policy: str = POLICY, now: int = NOW) -> None:
        self.now = now
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        # Passkeys need a name: browsers know none for an IP address.
        self.issuer = f"http://localhost:{self._listener.getsockname()[1]}"
        init_service(data, issuer=self.issuer, policy=PolicyFiles(catalogue=policy), now=now)
        self.store = open_store(default_database(data))
        self.service = make_service(
            self.store,
            load_keys(data),
            issuer=self.issuer,
            clock=lambda: self.now,
            random_bytes=os.urandom,
            console=ROLES,
        )
        config = uvicorn.Config(
            make_app(self.service), loop="asyncio", ws="none", lifespan="on", log_config=None
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()

    def close(self) -> None:
        """Drain and stop."""
        self._server.should_exit = True
        self._thread.join(30)
        self._listener.close()

    def person(self, role: str) -> Subject:
        """Return the person of a role, made where there is none."""
        name, display, groups = PEOPLE[role]
        with self.store.write() as tx:
            return ensure_subject(tx, name, display=display, groups=groups, now=self.now)

    def colleague(self, name: str, *, groups: tuple[str, ...]) -> Subject:
        """Return another person."""
        with self.store.write() as tx:
            return ensure_subject(
                tx, f"{name.lower()}@acme.example", display=name, groups=groups, now=self.now
            )

    def code(self, role: str) -> str:
        """Make a one-time code for the console."""
        subject = self.person(role)
        with self.store.write() as tx:
            return create_invite(
                tx, subject=subject, purpose="console", expires_at=self.now + 3600, now=self.now
            )

    def ask(
        self, subject: Subject, tool: str, reason: str, *, zones: tuple[str, ...] = (), duration: str = ""
    ) -> str:
        """Ask for a tool; return the request's id."""
        new = NewRequest(tool=tool, reason=reason, zones=zones, duration=duration, ticket="")
        with self.store.write() as tx:
            policy = current_policy(tx, now=self.now)
            request, _ = create_request(
                tx, policy=policy, subject=subject, new=new, idempotency_key="", now=self.now
            )
        return request.id

    def approve(self, request: str, *, by: str = "kim@acme.example", reason: str = "Fine.") -> None:
        """Approve by the operator's hand."""
        review.approve(self.store, request, as_name=by, duration="", zones=None, reason=reason, now=self.now)

    def deny(self, request: str, *, by: str = "kim@acme.example", reason: str) -> None:
        """Deny by the operator's hand."""
        review.deny(self.store, request, as_name=by, reason=reason, now=self.now)

    def use(self, people: list[Subject], chance: random.Random) -> None:
        """Record a month of launch tokens and refusals, and that the devices were seen."""
        with self.store.write() as tx:
            for one in people:
                for device in devices_of(tx, one.id):
                    touch_device(tx, device, self.now - chance.randrange(9 * 86_400))
            for day in range(30):
                at = self.now - day * 86_400
                weekend = (at // 86_400 + 3) % 7 >= 5
                for _ in range(chance.randrange(3, 9) if weekend else chance.randrange(40, 80) - day):
                    record(
                        tx,
                        at=at,
                        actor=chance.choice(people).id,
                        act="launch_token.issued",
                        object="claude",
                        detail={},
                    )
                for code in chance.choices(["GK301", "GK302", "GK303", "GK308"], weights=[6, 2, 3, 1], k=2):
                    record(
                        tx,
                        at=at,
                        actor=chance.choice(people).id,
                        act="launch_token.refused",
                        object="codex",
                        detail={"code": code},
                    )

    def apply(self, catalogue: str) -> None:
        """Apply another version of the policy."""
        with self.store.write() as tx:
            files = PolicyFiles(catalogue=catalogue)
            apply_policy(tx, files, by="kim@acme.example", now=self.now, effective_at=self.now)

    def state_of(self, request: str) -> str:
        """Return the state of a request."""
        with self.store.read() as tx:
            return get_request(tx, request, now=self.now).state

    def newest_request(self) -> str:
        """Return the id of the request that came last and waits."""
        with self.store.read() as tx:
            return pending_requests(tx, now=self.now)[-1].id

    def enrol(self, subject: Subject, name: str, key: str) -> None:
        """Enrol a device."""
        with self.store.write() as tx:
            enrol(tx, subject=subject, name=name, jkt=key, now=self.now)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser; where there is none, skip loudly, and fail under CI=true."""
    found = shutil.which("chromium")
    if found is None:
        words = "Chromium is missing (tests/e2e/system.sh brings it)"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def authenticator(page: Page) -> None:
    """Give the page's browser a security key that verifies its user, through the DevTools protocol."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "usb",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def sign_in(context: BrowserContext, console: Console, role: str) -> Page:
    """Sign in with a one-time code; return the page that follows."""
    page = context.new_page()
    page.goto(f"{console.issuer}/sign-in")
    page.get_by_label("One-time code").fill(console.code(role))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
    return page


def register_passkey(page: Page, name: str = "Key on the desk") -> None:
    """Register a passkey of the page's authenticator."""
    page.goto("/devices")
    page.get_by_label("New passkey").fill(name)
    page.get_by_role("button", name="Register it").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("cell", name=name, exact=True).wait_for()
