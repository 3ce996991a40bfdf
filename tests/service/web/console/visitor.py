"""Somebody at the console without a browser: a session's cookie, forms with its token, and a passkey."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.fakes.authenticator import Authenticator
from tests.service.local import ISSUER, LocalService

from gatekeeper.documents.address import host_of
from gatekeeper.documents.api import NewRequest
from gatekeeper.service.access.requests import create_request
from gatekeeper.service.people.console_sessions import start_session
from gatekeeper.service.people.roles import ConsoleRoles
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.policy.folder import current_policy

if TYPE_CHECKING:
    import httpx

ROLES = ConsoleRoles(auditors=("audit",), operators=("platform",))
POLICY = """
[organisation]
name = "Acme"
[defaults]
min_reason = 10
reviews = [{ from = ["group:ai-security"], needed = 1 }]
[tools.claude]
[tools.codex]
[tools.gemini]
seats = 1
[tools.aider]
access = "open"
[zones.frontier-models]
remotes = ["github.com/acme/llama-*"]
"""
GROUPS = {
    "developer": ("dev",),
    "approver": ("ai-security",),
    "auditor": ("audit",),
    "operator": ("platform",),
}
_OPTIONS = re.compile(r'data-options="([^"]*)"')


class Visitor:
    """A person with a session that began `age` seconds ago."""

    def __init__(
        self,
        local: LocalService,
        name: str,
        *,
        groups: tuple[str, ...] = (),
        method: Any = "invite",
        age: int = 0,
    ) -> None:
        self.local = local
        with local.store.write() as tx:
            self.subject = ensure_subject(tx, name, groups=groups, now=local.now)
            self._cookie, self.session = start_session(
                tx,
                subject=self.subject,
                method=method,
                auth_time=local.now - age,
                provider_sid="",
                now=local.now,
                random_bytes=local.service.authority.random_bytes,
            )
        self.passkey = Authenticator(rp_id=host_of(ISSUER), origin=ISSUER)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Look at a page."""
        return self.local.send(
            "GET",
            path,
            headers={"cookie": f"__Host-gatekeeper={self._cookie}", "accept": "text/html"} | headers,
        )

    def post(self, path: str, /, *, from_origin: str = ISSUER, **fields: str) -> httpx.Response:
        """Send a form; field names with dashes come as they are in `fields`."""
        headers = {
            "cookie": f"__Host-gatekeeper={self._cookie}",
            "origin": from_origin,
            "accept": "text/html",
            "content-type": "application/x-www-form-urlencoded",
        }
        content = urlencode({"csrf": self.session.csrf} | fields)
        return self.local.send("POST", path, headers=headers, content=content)

    def call(self, path: str, members: dict[str, Any]) -> httpx.Response:
        """Call the API from a page of ours."""
        headers = {
            "cookie": f"__Host-gatekeeper={self._cookie}",
            "origin": ISSUER,
            "x-csrf-token": self.session.csrf,
            "content-type": "application/json",
        }
        return self.local.send("POST", path, headers=headers, content=json.dumps(members).encode())

    def register(self) -> httpx.Response:
        """Register the passkey."""
        begun = self.post("/passkeys", name="Key")
        if begun.status_code != 303:
            return begun
        where = begun.headers["location"]
        return self.post(where, credential=self.passkey.create(options_of(self.get(where))))

    def choose(self, act: str, *ids: str, **fields: str) -> httpx.Response:
        """Choose what is to be done."""
        picked = {f"pick-{one}": "1" for one in ids}
        return self.post("/acts", **({"act": act} | picked | fields))

    def confirm(self, where: str, **wrong: Any) -> httpx.Response:
        """Confirm a list with the passkey."""
        return self.post(where, credential=self.passkey.get(options_of(self.get(where)), **wrong))


def options_of(page: httpx.Response) -> dict[str, Any]:
    """Return what a page asks the authenticator for."""
    found = _OPTIONS.search(page.text)
    assert found is not None, page.text
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


def ask(local: LocalService, name: str, *, tool: str = "claude", reason: str = "To read the tests.") -> str:
    """Let somebody ask for a tool; return the request's id."""
    with local.store.write() as tx:
        subject = ensure_subject(tx, name, groups=("dev",), now=local.now)
        request, _ = create_request(
            tx,
            policy=current_policy(tx, now=local.now),
            subject=subject,
            new=NewRequest(tool=tool, reason=reason),
            idempotency_key="",
            now=local.now,
        )
    return request.id
