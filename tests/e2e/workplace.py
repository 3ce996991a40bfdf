"""A real service process, and people with workstations of their own that use it.

Everything is what a person would have: the installed command, a home directory, a PATH, a port on
loopback. Nothing of the tests' own environment reaches a process that is started here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.faketime import clock
from tests.e2e.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PATIENCE = 60.0
REASON = "End-to-end tests of the migration scripts"
APPROVER = "sam@acme.example"


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return stdout as the one JSON object that it must be."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def run(
    command: Sequence[str | Path], *, environment: Mapping[str, str], cwd: Path, stdin: str = ""
) -> Finished:
    """Run a command without a terminal."""
    done = subprocess.run(
        list(map(str, command)),
        env=dict(environment),
        cwd=cwd,
        input=stdin.encode(),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    return Finished(
        done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Service:
    """The service on this machine: a data directory, a port, and a process while it runs.

    `port` is the issuer's. With `behind`, the service listens on that port, and whoever listens on `port` passes
    calls on, or doesn't.
    """

    command: Path
    directory: Path
    policy: str = ""
    later: str = ""
    behind: int = 0
    port: int = field(default_factory=free_port)
    config: str = ""
    process: subprocess.Popen[bytes] | None = None
    _people: int = 0

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def issuer(self) -> str:
        """The address that people's configuration names."""
        return f"http://localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the operator's shell has; `later` moves its clock."""
        shell = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.directory), "LANG": "C.UTF-8"}
        return {**shell, **(clock(self.later) if self.later else {})}

    def operate(self, *arguments: str | Path) -> Finished:
        """Run `gatekeeper service ARGUMENTS --data DIR`."""
        command = [self.command, "service", *arguments, "--data", self.data]
        return run(command, environment=self.environment, cwd=self.directory)

    def init(self) -> Finished:
        """Make keys, database and policy; keep the two configuration lines."""
        self.directory.mkdir(parents=True, exist_ok=True)
        extra: list[str | Path] = []
        if self.policy:
            folder = self.directory / "policy"
            folder.mkdir()
            (folder / "catalogue.toml").write_text(self.policy)
            extra = ["--policy", folder]
        done = self.operate("init", "--issuer", self.issuer, *extra)
        self.config = done.out
        return done

    def start(self) -> None:
        """Start the process and wait until it serves."""
        log = (self.directory / "service.log").open("ab")
        listen = f"127.0.0.1:{self.behind or self.port}"
        command = [self.command, "service", "start", "--data", self.data, "--listen", listen]
        if self.behind:
            command += ["--behind-proxy", "127.0.0.1"]
        self.process = subprocess.Popen(
            list(map(str, command)),
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        ends_at = time.monotonic() + PATIENCE
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > ends_at:
                raise AssertionError(f"the service did not start:\n{self.log}")
            time.sleep(0.05)

    def _serves(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.behind or self.port}/readyz", timeout=5
            ) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def log(self) -> str:
        """What the service said."""
        return (self.directory / "service.log").read_text(errors="replace")

    def stop(self) -> int:
        """Ask it to end (SIGTERM) and return its exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def invite(self, subject: str, *options: str) -> str:
        """Return a one-time code."""
        done = self.operate("invite", subject, *options, "--json")
        assert done.status == 0, done
        code: str = done.json()["code"]
        return code

    def approve(self, request: str, *options: str) -> str:
        """Approve a request as the other person; return the grant's id."""
        done = self.operate("review", "approve", request, "--as", APPROVER, *options)
        assert done.status == 0, done
        found = re.search(r"\bG-\d+\b", done.out + done.err)
        assert found, done
        return found[0]

    def next_subject(self) -> str:
        """Name a person whom the service doesn't know yet."""
        self._people += 1
        return f"ada+{self._people}@acme.example"


@dataclass
class Workstation:
    """One person's home on this machine, with `gatekeeper` and the tools on its PATH."""

    command: Path
    home: Path
    path: Sequence[Path]
    service: Service
    subject: str
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "work").mkdir(exist_ok=True)
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(self.service.config)

    @property
    def config_file(self) -> Path:
        """The person's own configuration."""
        return self.home / ".config" / "gatekeeper" / "config.toml"

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.home / ".local" / "state" / "gatekeeper"

    @property
    def environment(self) -> dict[str, str]:
        """What the person's shell has."""
        places = [self.command.parent, *self.path, Path("/usr/bin"), Path("/bin")]
        return {
            "PATH": ":".join(map(str, places)),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "GATEKEEPER_CREDENTIAL_STORE": "file",
            **self.extra,
        }

    def gatekeeper(
        self,
        *arguments: str | Path,
        before: Sequence[str] = (),
        later: str = "",
        cwd: Path | None = None,
        stdin: str = "",
        **environment: str,
    ) -> Finished:
        """Run the command. `before` goes in front of it; `later` is by how much its clock is ahead (`+16m`)."""
        return run(
            [*before, self.command, *arguments],
            environment={**self.environment, **(clock(later) if later else {}), **environment},
            cwd=cwd or self.home / "work",
            stdin=stdin,
        )

    def terminal(self, *arguments: str | Path, **environment: str) -> Terminal:
        """Run the command on a terminal."""
        return Terminal(
            [str(self.command), *map(str, arguments)],
            environment={**self.environment, **environment},
            cwd=self.home / "work",
        )

    def sign_in(self, *options: str) -> Finished:
        """Get a code from the operator and redeem it."""
        return self.gatekeeper(
            "login", "--code", self.service.invite(self.subject, "--group", "dev"), *options
        )

    def request(self, tool: str, *options: str) -> str:
        """Ask for a tool; return the request's id."""
        done = self.gatekeeper("request", tool, "--reason", REASON, "--for", "30d", "--json", *options)
        assert done.status == 0, done
        request: str = done.json()["id"]
        return request

    def get_approved(self, tool: str, *options: str) -> str:
        """Ask, and have it approved; return the grant's id."""
        return self.service.approve(self.request(tool), *options)


@contextlib.contextmanager
def running(service: Service) -> Iterator[Service]:
    """Initialise and start a service, and end it afterwards whatever happens."""
    done = service.init()
    assert done.status == 0, done
    service.start()
    try:
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.process.terminate()
            try:
                service.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                os.kill(service.process.pid, signal.SIGKILL)
                service.process.wait()
