"""The service as a process of its own: start, stop, drain, and what keeps it from starting."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatekeeper.trust.dpop import make_proof
from gatekeeper.trust.sign import SigningKey

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from gatekeeper.cli.app import main; sys.exit(main(sys.argv[1:]))",
    "service",
]
CLIENT = {"client_id": "gatekeeper-cli"}


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the processes share compiled modules, wherever the tests themselves don't write any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "compiled"))
        yield


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the service to its end."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


class Running:
    """A service process that answers."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        made = run("init", "--issuer", self.issuer, "--data", str(data))
        assert made.returncode == 0, made.stderr
        self.config = made.stdout
        self.process = subprocess.Popen(
            [*COMMAND, "start", "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.first_line = self.process.stderr.readline()

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(sig)
        return self.process.wait(timeout=30)

    def nonce(self) -> str:
        """Return the nonce of this moment."""
        return httpx.get(f"{self.issuer}/healthz").headers["dpop-nonce"]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Give a service process; it is gone afterwards."""
    service = Running(tmp_path / "svc")
    yield service
    if service.process.poll() is None:
        service.process.kill()
    service.process.communicate()


def enrolled(service: Running) -> tuple[SigningKey, str, str]:
    """Enrol a device and return its key and tokens."""
    code = json.loads(run("invite", "ada@acme.example", "--json", "--data", str(service.data)).stdout)["code"]
    key, url = SigningKey.generate(), f"{service.issuer}/oauth/token"
    answer = httpx.post(
        url,
        data={
            **CLIENT,
            "grant_type": "urn:gatekeeper:grant-type:invite",
            "code": code,
            "device_name": "laptop",
        },
        headers={
            "dpop": make_proof(
                key, method="POST", url=url, now=0, jti=os.urandom(8).hex(), nonce=service.nonce()
            )
        },
    )
    assert answer.status_code == 200, answer.text
    return key, answer.json()["access_token"], answer.json()["refresh_token"]


def call(
    service: Running, key: SigningKey, token: str, method: str, path: str, **more: Any
) -> httpx.Response:
    """Call the API with a token and its proof."""
    url = service.issuer + path
    proof = make_proof(
        key, method=method, url=url, now=0, jti=os.urandom(8).hex(), nonce=service.nonce(), access_token=token
    )
    headers = {"authorization": f"DPoP {token}", "dpop": proof}
    return httpx.request(method, url, headers=headers, timeout=60, **more)


def test_it_serves_until_sigterm_and_ends_well(running: Running) -> None:
    """It says where it serves, answers, and ends with success; stdout stays empty."""
    assert f"serving on {running.issuer}" in running.first_line
    assert str(running.process.pid) in running.first_line
    assert httpx.get(f"{running.issuer}/readyz").json() == {"status": "ready"}
    assert running.stop() == 0
    stdout, stderr = running.process.communicate()
    assert (stdout, stderr) == ("", "stopped\n")


def test_init_prints_the_two_lines_alone(running: Running) -> None:
    """stdout of init is exactly the clients' configuration."""
    first, second = running.config.splitlines()
    assert first == f'service = "{running.issuer}"'
    assert second.startswith('trust_roots = ["')
    assert len(second) == len('trust_roots = [""]') + 43


def test_ctrl_c_drains_too(running: Running) -> None:
    """Ctrl-C is how a person ends it: with success, without a traceback."""
    assert running.stop(signal.SIGINT) == 0
    assert "Traceback" not in running.process.communicate()[1]


def test_draining_answers_who_waits(running: Running) -> None:
    """A long-poll under way is answered with what stands, a call in the middle of its body is finished."""
    key, token, _ = enrolled(running)
    made = call(running, key, token, "POST", "/v1/requests", json={"tool": "claude", "reason": "x" * 30})
    assert made.json()["state"] == "pending"
    answers: list[httpx.Response] = []
    waiter = threading.Thread(
        target=lambda: answers.append(
            call(running, key, token, "GET", "/v1/requests/R-1", params={"wait": "30"})
        )
    )
    waiter.start()
    body = b"grant_type=x"
    with socket.create_connection(("127.0.0.1", running.port)) as slow:
        proof = make_proof(
            key,
            method="POST",
            url=f"{running.issuer}/oauth/token",
            now=0,
            jti="slow",
            nonce=running.nonce(),
        )
        head = (
            f"POST /oauth/token HTTP/1.1\r\nHost: x\r\nDPoP: {proof}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        slow.sendall(head.encode() + body[:5])
        waiter.join(1.0)
        assert waiter.is_alive()
        running.process.send_signal(signal.SIGTERM)
        waiter.join(20)
        slow.sendall(body[5:])
        slow.settimeout(20)
        received = b""
        while chunk := slow.recv(65_536):
            received += chunk
    assert running.process.wait(timeout=30) == 0
    assert [answer.json()["state"] for answer in answers] == ["pending"]
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"unsupported_grant_type" in received


def test_a_lock_of_another_process_stops_one_call_and_no_more(running: Running) -> None:
    """Whoever must write is asked to come again, by a status that is no refusal; health and reads are answered."""
    key, token, refresh = enrolled(running)
    url = f"{running.issuer}/oauth/token"
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": refresh}

    def renew() -> httpx.Response:
        proof = make_proof(key, method="POST", url=url, now=0, jti=os.urandom(8).hex(), nonce=running.nonce())
        return httpx.post(url, data=form, headers={"dpop": proof}, timeout=60)

    lock = sqlite3.connect(running.data / "gatekeeper.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    answers = [renew(), call(running, key, token, "POST", "/v1/requests", json={"tool": "claude"})]
    for answer in answers:
        members = answer.json()
        assert (answer.status_code, members["code"], members["retry_after"]) == (503, "GK603", 1)
        assert answer.headers["retry-after"] == "1"
        assert "error" not in members or members["error"] == "temporarily_unavailable"
    blocked = threading.Thread(target=renew)
    blocked.start()
    while blocked.is_alive():
        # Far more than the server's patience, and half of what an operator's command has.
        assert httpx.get(f"{running.issuer}/healthz", timeout=2.5).status_code == 200
    blocked.join()
    lock.execute("ROLLBACK")
    lock.close()
    assert renew().status_code == 200


def test_the_operator_decides_while_it_runs(running: Running) -> None:
    """Approve, revoke and list work on the same database, and take effect at the next call."""
    key, token, _ = enrolled(running)
    call(running, key, token, "POST", "/v1/requests", json={"tool": "claude", "reason": "x" * 30})
    data = ("--data", str(running.data))
    listed = json.loads(run("review", "list", "--json", *data).stdout)
    assert [(one["id"], one["subject"], one["state"]) for one in listed["requests"]] == [
        ("R-1", "ada@acme.example", "pending")
    ]
    own = run("review", "approve", "R-1", "--as", "ada@acme.example", *data)
    assert (own.returncode, own.stdout) == (3, "")
    assert "GK405" in own.stderr
    assert "G-1" in run("review", "approve", "R-1", "--as", "sam@acme.example", "--for", "7d", *data).stdout
    assert call(running, key, token, "GET", "/v1/grants").json()["grants"][0]["state"] == "active"
    revoked = run("review", "revoke", "G-1", "--as", "sam@acme.example", "--json", *data)
    assert json.loads(revoked.stdout)["state"] == "revoked"
    assert (
        call(running, key, token, "GET", "/v1/grants").json()["grants"][0]["ended_by"] == "sam@acme.example"
    )


def test_a_port_that_is_taken_is_said(running: Running) -> None:
    """A second start names the address and what to do, and the first goes on."""
    second = run("start", "--data", str(running.data))
    assert second.returncode == 7
    assert f"127.0.0.1:{running.port}" in second.stderr
    assert "GK106" in second.stderr
    assert httpx.get(f"{running.issuer}/healthz").status_code == 200


def test_a_service_that_cannot_be_served_does_not_start(tmp_path: Path) -> None:
    """No service, plain http to the network, an old database: each refused in words."""
    data = ("--data", str(tmp_path / "svc"))
    assert run("start", *data).returncode == 7
    assert run("init", "--issuer", f"http://localhost:{free_port()}", *data).returncode == 0
    refused = run("start", "--listen", "0.0.0.0:8750", *data)
    assert (refused.returncode, refused.stdout) == (7, "")
    assert "GK101" in refused.stderr
    with sqlite3.connect(tmp_path / "svc" / "gatekeeper.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'old'")
    old = run("start", *data)
    assert old.returncode == 7
    assert "migrate" in old.stderr


def test_the_help_works_without_the_extra(tmp_path: Path) -> None:
    """Where the service's packages are missing, help is there, and a command says which extra brings them."""
    hidden = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('sqlalchemy', 'alembic', 'starlette', 'uvicorn'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "from gatekeeper.cli.app import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )

    def without(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", hidden, "service", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    helped = without("start", "--help")
    assert helped.returncode == 0
    assert "--listen" in helped.stdout
    refused = without("init", "--data", str(tmp_path / "svc"))
    assert refused.returncode == 7
    assert "ai-gatekeeper[service]" in refused.stderr
    assert not (tmp_path / "svc").exists()
