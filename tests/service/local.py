"""A whole service in this process, on a real store, and workstations that call it over ASGI.

`Workstation` is a second, small implementation of the client's side: it makes its own proofs, takes nonces from
answers, and can be told to do each step wrongly.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from tests.service.store.parts import databases, migrated_url_of

from gatekeeper.documents.launch_token import LaunchToken, parse_launch_token
from gatekeeper.service.app import make_app, make_service
from gatekeeper.service.keys.signer import load_keys
from gatekeeper.service.operate import review
from gatekeeper.service.operate.init import init_service
from gatekeeper.service.operate.invite import invite
from gatekeeper.service.people.provider import Provider
from gatekeeper.service.policy.files import PolicyFiles
from gatekeeper.service.settings import default_database
from gatekeeper.service.store.transactions import open_store
from gatekeeper.trust.chain import ApprovalKeys, public_key_of, verify_launch_token
from gatekeeper.trust.dpop import make_proof
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.published import PolicyKeys, StatusKeys
from gatekeeper.trust.sign import SigningKey

ISSUER = "https://gatekeeper.acme.example"
NOW = 1_800_000_000
POLICY = """
[organisation]
name = "Acme"
help = "#ai-approvals"
[defaults]
min_reason = 10
lease = "24h"
max_lease = "48h"
[tools.claude]
alternatives = ["aider"]
[tools.codex]
access = "closed"
[tools.aider]
access = "open"
[tools.gemini]
[zones.frontier-models]
remotes = ["github.com/acme/llama-*"]
[zones.training-data]
remotes = ["github.com/acme/datasets-*"]
"""
CLIENT = "gatekeeper-cli"
REASON = "To review pull requests faster."

_jtis = itertools.count()


class LocalService:
    """A service at `ISSUER` whose clock stands still until `now` is moved."""

    def __init__(
        self,
        data: Path,
        *,
        policy: str | PolicyFiles = POLICY,
        seed: int = 1,
        now: int = NOW,
        provider: Provider | None = None,
    ) -> None:
        self.now = now
        self.data = data
        database = migrated_url_of(data)
        files = PolicyFiles(catalogue=policy) if isinstance(policy, str) else policy
        self.made = init_service(data, issuer=ISSUER, policy=files, database=database, now=now)
        self.store = databases.opened(open_store(database or default_database(data)))
        self.service = make_service(
            self.store,
            load_keys(data),
            issuer=ISSUER,
            clock=lambda: self.now,
            random_bytes=random.Random(seed).randbytes,  # noqa: S311 - reproducible on purpose
            provider=provider,
        )
        self.app = make_app(self.service)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Any = None,
        content: Any = None,
        address: str = "192.0.2.7",
    ) -> httpx.Response:
        """Send one raw call."""

        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, client=(address, 40_000))
            async with httpx.AsyncClient(transport=transport, base_url=ISSUER, timeout=60) as client:
                return await client.request(method, path, headers=headers, content=content)

        return asyncio.run(one())

    def nonce(self) -> str:
        """Return the nonce of this moment, as any answer carries it."""
        return self.send("GET", "/healthz").headers["dpop-nonce"]

    def invite(self, name: str = "ada@acme.example", *, groups: tuple[str, ...] = ("dev",)) -> str:
        """Make a one-time code."""
        return invite(self.store, name, groups=groups, now=self.now)[0]

    def approve(self, request: str, *, by: str = "sam@acme.example", **narrow: Any) -> str:
        """Approve a request and return the grant's id."""
        options = {"duration": "", "zones": None, "reason": "Fine."} | narrow
        return review.approve(self.store, request, as_name=by, now=self.now, **options).grants[0].id

    def revoke(self, grant: str, *, by: str = "sam@acme.example", reason: str = "The project ended.") -> None:
        """Revoke a grant."""
        review.revoke(self.store, grant, as_name=by, reason=reason, now=self.now)

    def approval_keys(self) -> ApprovalKeys:
        """Return the keys that launch tokens verify with."""
        return ApprovalKeys(
            keys=tuple(public_key_of(k.public_jwk()) for k in self.service.authority.keys.approval)
        )

    def policy_keys(self) -> PolicyKeys:
        """Return the keys that catalogues verify with."""
        return PolicyKeys(
            keys=tuple(public_key_of(k.public_jwk()) for k in self.service.authority.keys.policy)
        )

    def status_keys(self) -> StatusKeys:
        """Return the keys that status lists verify with."""
        return StatusKeys(
            keys=tuple(public_key_of(k.public_jwk()) for k in self.service.authority.keys.status)
        )

    def verified(self, token: str) -> LaunchToken:
        """Verify and type a launch token as a workstation would."""
        return parse_launch_token(
            verify_launch_token(token.encode(), keys=self.approval_keys(), issuer=ISSUER, verify=verify_es256)
        )

    def workstation(self, name: str = "ada@acme.example", *, device: str = "laptop") -> Workstation:
        """Return a workstation that is signed in."""
        station = Workstation(self)
        answer = station.redeem(self.invite(name), device=device)
        assert answer.status_code == 200, answer.text
        return station


class Workstation:
    """A device key and what it got by it. The key `other` stands for somebody else's."""

    def __init__(self, service: LocalService, *, address: str = "192.0.2.7") -> None:
        self.service = service
        self.key = SigningKey.generate()
        self.address = address
        self.nonce = ""  # "" takes a fresh one for each proof
        self.access = ""
        self.refresh = ""

    def proof(
        self, method: str, path: str, /, *, token: str = "", key: SigningKey | None = None, **wrong: str
    ) -> str:
        """Make a proof for one call."""
        options = {
            "jti": f"jti-{next(_jtis)}",
            "nonce": self.nonce or self.service.nonce(),
            "url": ISSUER + path,
            "method": method,
        } | wrong
        return make_proof(key or self.key, now=self.service.now, access_token=token, **options)

    def form(
        self, path: str, fields: dict[str, str], *, key: SigningKey | None = None, proof: str = ""
    ) -> httpx.Response:
        """Send a form with a proof."""
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "dpop": proof or self.proof("POST", path, key=key),
        }
        return self.service.send(
            "POST", path, headers=headers, content=urlencode(fields), address=self.address
        )

    def redeem(self, code: str, *, device: str = "laptop") -> httpx.Response:
        """Redeem a one-time code, and keep what it gives."""
        answer = self.form(
            "/oauth/token",
            {
                "grant_type": "urn:gatekeeper:grant-type:invite",
                "client_id": CLIENT,
                "code": code,
                "device_name": device,
            },
        )
        if answer.status_code == 200:
            self.access, self.refresh = answer.json()["access_token"], answer.json()["refresh_token"]
        return answer

    def renew(self, **more: str) -> httpx.Response:
        """Refresh, and keep the new access token where one came."""
        answer = self.form(
            "/oauth/token",
            {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": self.refresh} | more,
        )
        if answer.status_code == 200 and "resource" not in more:
            self.access = answer.json()["access_token"]
        return answer

    def launch(self, tool: str, **more: str) -> httpx.Response:
        """Ask for a launch token."""
        return self.renew(resource=f"{ISSUER}/launch", scope=f"launch:{tool}", **more)

    def call(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Call the API with access token and proof."""
        whole = {
            "authorization": f"DPoP {self.access}",
            "dpop": self.proof(method, path.partition("?")[0], token=self.access),
            **({"content-type": "application/json"} if body is not None else {}),
            **(headers or {}),
        }
        return self.service.send(method, path, headers=whole, content=body, address=self.address)

    def request(self, tool: str = "claude", **more: Any) -> httpx.Response:
        """Ask for a tool."""
        import json

        members = {"tool": tool, "reason": REASON} | more
        return self.call("POST", "/v1/requests", body=json.dumps(members).encode())
