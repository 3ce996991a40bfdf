"""ServiceSimulator: the service over real HTTP on loopback, with real keys, that lies on demand.

Honest until told otherwise: it signs what `protocol.md` says and checks every proof. `lie(path, how)` puts a
falsifier between its answer and the wire; `token_changes`, `catalogue_changes` and the key lists falsify what
is signed. Its clock is `now`, which the test moves. Nothing here waits for real time unless a lie does.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from gatekeeper.documents.api import (
    GrantView,
    Problem,
    RequestView,
    render_grant,
    render_problem,
    render_request,
)
from gatekeeper.documents.catalogue import APPROVAL, OPEN, Catalogue, CatalogueTool, render_catalogue
from gatekeeper.documents.checkpoint import render_checkpoint
from gatekeeper.documents.launch_token import CLIENT_ID, Exclusion, Identity, LaunchChanges, LaunchToken
from gatekeeper.documents.launch_token_rendered import render_launch_token
from gatekeeper.strict import b64url_encode, parse_object, render_json
from gatekeeper.trust.dpop import DpopError, Proof, verify_proof
from gatekeeper.trust.merkle import consistency_proof, leaf_hash, root_of
from gatekeeper.trust.root_documents import RootDocument, render_root_payload
from gatekeeper.trust.sign import LogKey, SigningKey, sign_root, sign_token

DAY = 24 * 3600
NOW = 1_800_000_000
INVITE = "urn:gatekeeper:grant-type:invite"


@dataclass(frozen=True)
class Answer:
    """One answer before it is sent. `pause` seconds are slept before each byte, `delay` before all of it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    pause: float = 0
    declared: int | None = None
    raw_head: bytes = b""


Lie = Callable[[Answer], Answer]


def html(_: Answer) -> Answer:
    """A captive portal's page."""
    return Answer(200, b"<!doctype html><title>Welcome to the hotel</title>", {"Content-Type": "text/html"})


def status(code: int, body: bytes = b"") -> Lie:
    """An answer of that status that has no code of ours."""
    return lambda _: Answer(code, body)


def coded(code: str, status_code: int, **members: object) -> Lie:
    """A problem with that code, under any status."""
    return lambda _: Answer(status_code, problem_body(code, status_code, **members))


def redirect(to: str) -> Lie:
    """A redirect."""
    return lambda _: Answer(307, b"", {"Location": to})


def huge(_: Answer) -> Answer:
    """A body of two mebibytes."""
    return Answer(200, b"{" + b" " * (2 * 1024 * 1024) + b"}")


def cut(answer: Answer) -> Answer:
    """A body that ends before its declared length."""
    return replace(answer, declared=len(answer.body) + 100)


def slow(seconds: float) -> Lie:
    """An answer that comes late."""
    return lambda answer: replace(answer, delay=seconds)


def dripping(seconds: float) -> Lie:
    """A body that comes byte by byte."""
    return lambda answer: replace(answer, pause=seconds)


def dripping_head(seconds: float) -> Lie:
    """A header that comes byte by byte and never ends."""
    return lambda answer: replace(
        answer, pause=seconds, raw_head=b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 10_000
    )


def compressed(answer: Answer) -> Answer:
    """A body that claims to be compressed."""
    return replace(answer, headers={**answer.headers, "Content-Encoding": "gzip"})


def forever_nonce(answer: Answer) -> Answer:
    """A challenge to every proof."""
    return Answer(401, problem_body("GK604", 401), {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"'})


def flipped(answer: Answer) -> Answer:
    """The honest answer with one character of its signed part changed."""
    at = len(answer.body) - 60
    other = b"A" if answer.body[at : at + 1] != b"A" else b"B"
    return replace(answer, body=answer.body[:at] + other + answer.body[at + 1 :])


def problem_body(code: str, status_code: int, **members: object) -> bytes:
    """Render a problem document."""
    return render_json(
        render_problem(Problem(code=code, status=status_code, title="no", **members))  # type: ignore[arg-type]
    )


@dataclass
class RootKeys:
    """Who signs a version of the root document, and how many must."""

    keys: list[SigningKey]
    threshold: int = 1


class LogBook:
    """The service's audit log: a tree over `entries`, empty and silent until a test fills it."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.origin = "gk.acme.example"

    def member(self, key: LogKey) -> dict[str, object]:
        """Return the token answer's member."""
        return {"checkpoint": self.note(key)} if self.entries else {}

    def note(self, key: LogKey) -> str:
        """Sign the head."""
        root = root_of(map(leaf_hash, self.entries))
        size = len(self.entries)
        return render_checkpoint(origin=self.origin, size=size, root=root, key=key.public, sign=key.sign)

    def proof(self, target: str) -> Answer:
        """Prove that the log grew, with the entries that there are now."""
        query = parse_qs(urlsplit(target).query)
        since, size = int(query["since"][0]), int(query["size"][0])
        if size > len(self.entries):
            return refuse("GK604", 404)

        def node(level: int, index: int) -> bytes:
            return root_of(map(leaf_hash, self.entries[index << level : (index + 1) << level]))

        hashes = [b64url_encode(one) for one in consistency_proof(since, size, node)]
        return Answer(200, render_json({"since": since, "size": size, "proof": hashes}))


class ServiceSimulator:
    """One service with one person, ada@acme.example, and the tools claude, codex and cursor-agent."""

    def __init__(self, *, root_keys: int = 1, threshold: int = 1) -> None:
        self.now = NOW
        self.log_book = LogBook()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.simulator = self
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.roots = RootKeys([SigningKey.generate() for _ in range(root_keys)], threshold)
        self.approval = SigningKey.generate()
        self.gateway = SigningKey.generate()
        self.status_key = SigningKey.generate()
        self.policy = SigningKey.generate()
        self.log = LogKey.generate()
        self.documents: dict[int, bytes] = {}
        self.publish_root(signers=self.roots.keys)
        self.codes: dict[str, str] = {"CODE-1": ""}  # code -> the key that redeemed it
        self.devices: dict[str, str] = {}  # key -> device id
        self.revoked: set[str] = set()
        self.standing: dict[str, str] = {"claude": "active", "codex": "GK301", "cursor-agent": "active"}
        self.access: dict[str, str] = {"claude": APPROVAL, "codex": APPROVAL, "cursor-agent": OPEN}
        self.requests: list[RequestView] = []
        self.catalogue_version = 1
        self.catalogue_changes: dict[str, object] = {}
        self.catalogue_key = self.policy
        self.token_changes: dict[str, object] = {}
        self.token_key = self.approval
        self.token_typ = "gk-approval+jwt"
        self.lease_for = DAY
        self.lies: dict[str, Lie] = {}
        self.nonce = "nonce-1"
        self.calls: list[tuple[str, str]] = []
        self.forms: list[dict[str, str]] = []
        self.proofs: set[str] = set()
        self.tokens_issued = 0
        self.lost_answers = 0  # so many token answers are computed and then not sent
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # what tests do

    def stop(self) -> None:
        """Stop serving; calls then meet a closed port."""
        if self._thread.is_alive():
            self.server.shutdown()
            self._thread.join()
        self.server.server_close()
        self.server.hang_up()

    def lie(self, path: str, how: Lie) -> None:
        """Falsify answers to paths that begin so, until `honest`."""
        self.lies[path] = how

    def honest(self) -> None:
        """Stop lying."""
        self.lies.clear()

    def calls_to(self, path: str) -> int:
        """Count the calls to paths that begin so."""
        return sum(1 for _, called in self.calls if called.startswith(path))

    @property
    def pins(self) -> tuple[str, ...]:
        """The thumbprints of the current root keys."""
        return tuple(key.kid for key in self.roots.keys)

    def publish_root(
        self,
        *,
        signers: list[SigningKey],
        version: int | None = None,
        lasts_for: int = 100 * DAY,
        issuer: str = "",
    ) -> bytes:
        """Publish the next root document, naming the current keys."""
        number = version if version is not None else max(self.documents, default=0) + 1
        payload = render_root_payload(
            RootDocument(
                version=number,
                issuer=issuer or self.issuer,
                issued_at=self.now,
                expires_at=self.now + lasts_for,
                threshold=self.roots.threshold,
                roots=tuple(key.public for key in self.roots.keys),
                approval=(self.approval.public,),
                gateway=(self.gateway.public,),
                status=(self.status_key.public,),
                policy=(self.policy.public,),
                log=(self.log.public,),
                log_origin="gk.acme.example",
            )
        )
        self.documents[number] = sign_root(payload, signers)
        return self.documents[number]

    # what it serves

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call, honestly or not."""
        with self._lock:
            path = urlsplit(target).path
            self.calls.append((method, path))
            honest = self._honest(method, target, headers, body)
            honest = replace(honest, headers={"DPoP-Nonce": self.nonce, **honest.headers})
            for prefix, how in self.lies.items():
                if path.startswith(prefix):
                    lied = how(honest)
                    return replace(lied, headers={"DPoP-Nonce": self.nonce, **lied.headers})
            return honest

    def _honest(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        path = urlsplit(target).path
        if path.startswith("/.well-known/gatekeeper/root/"):
            return self._root(path.rpartition("/")[2])
        if path == "/v1/audit/proof":
            return self.log_book.proof(target)
        access = headers.get("authorization", "").partition(" ")[2]
        try:
            proof = verify_proof(
                headers.get("dpop", ""), method=method, url=self.issuer + path, access_token=access
            )
        except DpopError as error:
            return refuse("GK604", 400, detail=error.detail)
        if proof.nonce != self.nonce:
            challenge = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"'}
            return Answer(400, problem_body("GK604", 400, error="use_dpop_nonce"), challenge)
        if proof.jti in self.proofs:
            return refuse("GK604", 400, detail="replayed")
        self.proofs.add(proof.jti)
        if path.startswith("/oauth/"):
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.forms.append(form)
            return self._revoke(form) if path == "/oauth/revoke" else self._token(form, proof)
        if access != f"access-{proof.jkt}" or proof.jkt in self.revoked:
            return refuse("GK202" if proof.jkt in self.revoked else "GK201", 401)
        return self._api(method, path, headers, body, proof)

    def _root(self, name: str) -> Answer:
        number = max(self.documents) if name == "latest" else int(name)
        if number not in self.documents:
            return refuse("GK604", 404)
        return Answer(200, self.documents[number])

    def _token(self, form: dict[str, str], proof: Proof) -> Answer:
        if form.get("client_id") != CLIENT_ID:
            return refuse("GK604", 400)
        answer = self._invite(form, proof) if form["grant_type"] == INVITE else self._refresh(form, proof)
        if self.lost_answers:
            self.lost_answers -= 1
            return Answer(504, b"lost")
        return answer

    def _invite(self, form: dict[str, str], proof: Proof) -> Answer:
        if self.codes.get(form["code"]) not in ("", proof.jkt):
            return refuse("GK203", 400)
        self.codes[form["code"]] = proof.jkt
        device = self.devices.setdefault(proof.jkt, f"d_{len(self.devices) + 1}")
        return self._tokens(proof.jkt, device, refresh_token=f"refresh-{proof.jkt}")

    def _tokens(self, jkt: str, device: str, **more: str) -> Answer:
        members = {"access_token": f"access-{jkt}", "token_type": "DPoP", "expires_in": 600}
        return good({**members, "sub": "u_ada", "name": "ada@acme.example", "device": device, **more})

    def _refresh(self, form: dict[str, str], proof: Proof) -> Answer:
        if proof.jkt in self.revoked:
            return refuse("GK202", 400)
        if form.get("refresh_token") != f"refresh-{proof.jkt}" or proof.jkt not in self.devices:
            return refuse("GK201", 400)
        device = self.devices[proof.jkt]
        if "resource" not in form:
            return self._tokens(proof.jkt, device)
        word = form["scope"].removeprefix("launch:")
        tool = {"agent": "cursor-agent"}.get(word, word)
        standing = self.standing.get(tool, "GK302")
        if standing != "active":
            return refuse(standing, 400, tool=tool)
        token = self._launch_token(tool, proof.jkt, device, int(form.get("lease", self.lease_for)))
        return good(
            {"access_token": token, "token_type": "DPoP", "expires_in": 600, "scope": f"launch:{tool}"}
            | self.log_book.member(self.log)
        )

    def _launch_token(self, tool: str, jkt: str, device: str, lease_for: int) -> str:
        self.tokens_issued += 1
        token = LaunchToken(
            issuer=self.issuer,
            subject="u_ada",
            client_id=CLIENT_ID,
            jti=f"t{self.tokens_issued}",
            issued_at=self.now,
            not_before=self.now - 300,
            expires_at=self.now + lease_for,
            jkt=jkt,
            status_index=1,
            status_uri=f"{self.issuer}/status/0",
            tool=tool,
            provider="acme",
            identities=(Identity(npm=f"@acme/{tool}"),),
            locations=("*",),
            exclude=(Exclusion(pattern="git.acme.example/secret/**", rule="zone:secret"),),
            launch=LaunchChanges(),
            confine="",
            grant="G-1",
            grant_ends=self.now + 30 * DAY,
            policy="catalogue@1",
            device=device,
            name="ada@acme.example",
            fresh_for=900,
        ).replace(**self.token_changes)
        return sign_token(self.token_key, typ=self.token_typ, claims=render_launch_token(token))

    def _revoke(self, form: dict[str, str]) -> Answer:
        self.devices = {
            jkt: device for jkt, device in self.devices.items() if form.get("token") != f"refresh-{jkt}"
        }
        return Answer(200)

    def _api(self, method: str, path: str, headers: Mapping[str, str], body: bytes, proof: Proof) -> Answer:
        match method, path.strip("/").split("/"):
            case "GET", ["v1", "catalogue"]:
                return self._catalogue(headers)
            case "GET", ["v1", "me"]:
                members = {"subject": "u_ada", "name": "ada@acme.example", "groups": ["dev"]}
                return good({**members, "device": self.devices[proof.jkt], "device_name": "laptop"})
            case "GET", ["v1", "devices"]:
                device = {"id": self.devices[proof.jkt], "name": "laptop", "state": "active"}
                return good({"devices": [{**device, "enrolled_at": NOW, "seen_at": NOW}]})
            case "GET", ["v1", "grants"]:
                return good({"grants": [render_grant(grant) for grant in self._grants()]})
            case "GET", ["v1", "requests"]:
                return good({"requests": [render_request(request) for request in self.requests]})
            case "POST", ["v1", "requests"]:
                return self._create(body)
            case "GET", ["v1", "requests", request]:
                found = [one for one in self.requests if one.id == request]
                return good(render_request(found[0])) if found else refuse("GK409", 404)
            case "POST", ["v1", "requests", request, "cancel"]:
                return self._cancel(request)
            case _:
                return refuse("GK604", 404)

    def _grants(self) -> list[GrantView]:
        return [
            GrantView(
                id=f"G-{number}",
                tool=tool,
                subject_name="ada@acme.example",
                state="active",
                zones=(),
                starts_at=NOW,
                ends_at=NOW + 30 * DAY,
            )
            for number, (tool, standing) in enumerate(self.standing.items(), 1)
            if standing == "active" and self.access[tool] == APPROVAL
        ]

    def _catalogue(self, headers: Mapping[str, str]) -> Answer:
        etag = f'"v{self.catalogue_version}"'
        if headers.get("if-none-match") == etag:
            return Answer(304, b"", {"ETag": etag})
        catalogue = Catalogue(
            issuer=self.issuer,
            subject="u_ada",
            version=self.catalogue_version,
            issued_at=self.now,
            expires_at=self.now + DAY,
            jti="c1",
            organisation="Acme",
            help="#ai-help",
            tools=tuple(self._tool(tool, access) for tool, access in self.access.items()),
        ).replace(**self.catalogue_changes)
        signed = sign_token(self.catalogue_key, typ="gk-catalogue+jwt", claims=render_catalogue(catalogue))
        return Answer(200, signed.encode(), {"ETag": etag})

    def _tool(self, tool: str, access: str) -> CatalogueTool:
        return CatalogueTool(
            id=tool,
            name=tool.title(),
            vendor="acme",
            vendor_name="Acme",
            access=access,
            executables={"cursor-agent": ("cursor-agent", "agent")}.get(tool, (tool,)),
            identities=(Identity(npm=f"@acme/{tool}"),),
        )

    def _create(self, body: bytes) -> Answer:
        members = parse_object(body, max_bytes=64 * 1024)
        standing = [one for one in self.requests if one.tool == members["tool"] and one.state == "pending"]
        if standing:
            return good(render_request(standing[0]))
        request = RequestView(
            id=f"R-{len(self.requests) + 1}",
            tool=str(members["tool"]),
            subject_name="ada@acme.example",
            state="pending",
            reason=str(members["reason"]),
            duration=str(members.get("duration", "30d")),
            zones=(),
            url=f"{self.issuer}/console/requests/R-{len(self.requests) + 1}",
            created_at=self.now,
        )
        self.requests.append(request)
        return replace(good(render_request(request)), status=201)

    def _cancel(self, wanted: str) -> Answer:
        for at, request in enumerate(self.requests):
            if request.id == wanted:
                self.requests[at] = request.replace(state="cancelled")
                return good(render_request(self.requests[at]))
        return refuse("GK409", 404)


def good(members: Mapping[str, object]) -> Answer:
    """An answer of JSON."""
    return Answer(200, render_json(dict(members)), {"Content-Type": "application/json"})


def refuse(code: str, status_code: int, **members: object) -> Answer:
    """A problem."""
    return Answer(status_code, problem_body(code, status_code, **members))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    simulator: ServiceSimulator

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.open: list[socket.socket] = []
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self.open.append(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """End the connections that are kept open, as a process that ends does."""
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """GET."""
        self._serve()

    def do_POST(self) -> None:
        """POST."""
        self._serve()

    def do_CONNECT(self) -> None:
        """Refuse to be a proxy, and remember who asked."""
        self.server.simulator.calls.append(("CONNECT", self.path))
        self.send_error(502)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.simulator.answer(self.command, self.path, headers, body)
        if answer.delay:
            time.sleep(answer.delay)
        if answer.raw_head:
            self._drip(answer.raw_head, answer.pause)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header(
            "Content-Length", str(len(answer.body) if answer.declared is None else answer.declared)
        )
        self.end_headers()
        if answer.pause:
            self._drip(answer.body, answer.pause)
        else:
            self.wfile.write(answer.body)
        if answer.declared is not None:
            self.close_connection = True

    def _drip(self, data: bytes, pause: float) -> None:
        for at in range(len(data)):
            time.sleep(pause)
            self.wfile.write(data[at : at + 1])
            self.wfile.flush()
