"""A CI platform on loopback: an OpenID Connect issuer with real keys, that serves discovery and keys and counts.

Its tokens carry the claims that GitHub Actions and GitLab write. What a test wants wrong, it changes: a claim,
a header, the key that signs.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from joserfc import jws
from joserfc.jwk import ECKey, KeyParameters, RSAKey

GITHUB_CLAIMS = {
    "sub": "repo:acme/web:ref:refs/heads/main",
    "repository": "acme/web",
    "repository_id": "4711",
    "repository_owner": "acme",
    "repository_owner_id": "42",
    "event_name": "push",
    "ref": "refs/heads/main",
    "ref_type": "branch",
    "environment": "production",
    "run_id": "900",
    "run_attempt": "1",
    "runner_environment": "github-hosted",
}
GITLAB_CLAIMS = {
    "sub": "project_path:acme/web:ref_type:branch:ref:main",
    "namespace_id": "7",
    "project_id": "22",
    "project_path": "acme/web",
    "pipeline_source": "push",
    "pipeline_id": "500",
    "job_id": "501",
    "ref": "main",
    "ref_type": "branch",
    "ref_protected": "true",
}
_made: dict[str, RSAKey | ECKey] = {}


class Platform:
    """One issuer. `keys` are published; the last one signs."""

    def __init__(self) -> None:
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.platform = self
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.keys: list[RSAKey | ECKey] = [platform_key("one")]
        self.asked: list[str] = []
        self.tokens_asked: list[str] = []  # the audiences that jobs asked for
        self.job_token = ""  # what a job gets at the address for ID tokens
        self.discovery: dict[str, Any] = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        self.down = False
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def token(
        self,
        audience: object,
        *,
        now: int,
        key: RSAKey | ECKey | None = None,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Make a token of GitHub's form; `changes` replace claims, None leaves one out."""
        signer = key or self.keys[-1]
        members = {
            "iss": self.issuer,
            "aud": audience,
            "jti": "job-1",
            "iat": now,
            "nbf": now - 300,
            "exp": now + 600,
            **(GITHUB_CLAIMS if claims is None else claims),
            **changes,
        }
        alg = "RS256" if isinstance(signer, RSAKey) else "ES256"
        wanted = {"typ": "JWT", "alg": alg, "kid": signer.kid, "x5t": "abc", **(header or {})}
        payload = json.dumps({name: value for name, value in members.items() if value is not None})
        algorithms = [str(wanted["alg"])]
        registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
        return jws.serialize_compact(wanted, payload, signer, algorithms=algorithms, registry=registry)


def platform_key(name: str, kind: str = "RSA") -> RSAKey | ECKey:
    """Return a key, made once: RSA keys take their time."""
    known = _made.get(name)
    if known is None:
        parameters: KeyParameters = {"kid": name, "use": "sig"}
        known = (
            RSAKey.generate_key(2048, parameters)
            if kind == "RSA"
            else ECKey.generate_key("P-256", parameters)
        )
        _made[name] = known
    return known


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    platform: Platform


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Serve discovery, keys, and ID tokens to jobs."""
        platform = self.server.platform
        path = self.path.partition("?")[0]
        platform.asked.append(path)
        if platform.down:
            self.send_error(503)
        elif path == "/.well-known/openid-configuration":
            self._answer(platform.discovery)
        elif path == "/keys":
            self._answer({"keys": [key.as_dict(private=False) for key in platform.keys]})
        elif path == "/token" and self.headers.get("Authorization") == "Bearer runner-secret":
            platform.tokens_asked.append(self.path.partition("audience=")[2])
            self._answer({"count": 1, "value": platform.job_token})
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def _answer(self, members: Mapping[str, Any]) -> None:
        body = json.dumps(members).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
