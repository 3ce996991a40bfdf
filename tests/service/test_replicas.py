"""Several processes of one service: no matter which one answers, nothing that was answered is lost, one at a time works."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.store.parts import url_of
from tests.service.test_process import CLIENT, COMMAND, free_port, run

from gatekeeper.trust.dpop import make_proof
from gatekeeper.trust.sign import SigningKey

pytestmark = pytest.mark.timeout(300)  # several processes each, on whatever else the machine does


class Replica:
    """One service process (or several behind one socket) that answers on a port of its own."""

    def __init__(self, data: Path, issuer: str, port: int, *options: str) -> None:
        self.address = f"http://127.0.0.1:{port}"
        # All replicas are one service behind one address; here the proxy in front is left out.
        self.process = subprocess.Popen(
            [
                *COMMAND,
                *("start", "--data", str(data), "--listen", f"127.0.0.1:{port}"),
                *("--behind-proxy", "127.0.0.1", *options),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.issuer = issuer
        self.lines: list[str] = []
        self.read_until("serving on")

    def read_until(self, words: str) -> str:
        """Read the log up to a line with these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError(f"no {words!r} in {self.lines}")

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(sig)
        return self.process.wait(timeout=30)

    def token(self, key: SigningKey, form: dict[str, str], *, timeout: float = 60) -> httpx.Response:
        """Call the token endpoint with a proof for the one issuer."""
        nonce = httpx.get(f"{self.address}/healthz").headers["dpop-nonce"]
        url = f"{self.issuer}/oauth/token"
        proof = make_proof(key, method="POST", url=url, now=0, jti=os.urandom(8).hex(), nonce=nonce)
        return self.send(form, proof, timeout=timeout)

    def send(self, form: dict[str, str], proof: str, *, timeout: float = 60) -> httpx.Response:
        """Call the token endpoint with this proof."""
        return httpx.post(
            f"{self.address}/oauth/token", data={**CLIENT, **form}, headers={"dpop": proof}, timeout=timeout
        )


@pytest.fixture
def data(tmp_path: Path, database_kind: str) -> Path:
    """A service that was made, on the database of this test."""
    data = tmp_path / "svc"
    database = ("--database", url_of(tmp_path)) if database_kind == "postgresql" else ()
    made = run("init", "--issuer", "https://gatekeeper.acme.example", "--data", str(data), *database)
    assert made.returncode == 0, made.stderr
    return data


@pytest.fixture
def started(data: Path) -> Iterator[Any]:
    """Give what starts replicas; all are gone afterwards."""
    replicas: list[Replica] = []

    def start(*options: str) -> Replica:
        replicas.append(Replica(data, "https://gatekeeper.acme.example", free_port(), *options))
        return replicas[-1]

    yield start
    for replica in replicas:
        replica.process.kill()
        replica.process.wait()
        assert replica.process.stderr is not None
        replica.process.stderr.close()


def _code(data: Path) -> str:
    answer = run("invite", "ada@acme.example", "--json", "--data", str(data))
    code: str = json.loads(answer.stdout)["code"]
    return code


def _invited(code: str) -> dict[str, str]:
    return {"grant_type": "urn:gatekeeper:grant-type:invite", "code": code, "device_name": "laptop"}


def _renewal(refresh: str, **more: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": refresh, **more}


def test_a_sign_in_on_one_is_renewed_on_another(data: Path, started: Any) -> None:
    """Nonces, proofs and sign-ins belong to the service, not to a process: nothing sticks."""
    one, other = started(), started()
    key = SigningKey.generate()
    signed_in = one.token(key, _invited(_code(data)))
    assert signed_in.status_code == 200, signed_in.text
    refresh = signed_in.json()["refresh_token"]
    nonce = httpx.get(f"{one.address}/healthz").headers["dpop-nonce"]
    url = "https://gatekeeper.acme.example/oauth/token"
    proof = make_proof(key, method="POST", url=url, now=0, jti="once", nonce=nonce)
    assert other.send(_renewal(refresh), proof).status_code == 200
    again = one.send(_renewal(refresh), proof)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_dpop_proof")
    launch = {"resource": "https://gatekeeper.acme.example/launch", "scope": "launch:claude"}
    refused = other.token(key, _renewal(refresh, **launch))
    assert refused.json()["code"] == "GK301"
    assert [one.stop(), other.stop()] == [0, 0]


def test_what_was_answered_survives_a_kill(data: Path, started: Any) -> None:
    """Killed right after it answered: the sign-in stands with the other, and the database is sound."""
    one, other = started(), started()
    key = SigningKey.generate()
    signed_in = one.token(key, _invited(_code(data)))
    one.process.kill()
    assert signed_in.status_code == 200
    assert other.token(key, _renewal(signed_in.json()["refresh_token"])).status_code == 200


@pytest.mark.sqlite
def test_processes_behind_one_socket(data: Path, started: Any) -> None:
    """Two processes answer one port; one that is killed is replaced; SIGTERM ends all with success."""
    metrics = free_port()
    service = started("--workers", "2", "--log-format", "json", "--metrics", f"127.0.0.1:{metrics}")
    children = _children(service.process.pid)
    assert len(children) == 2
    os.kill(children[0], signal.SIGKILL)
    line = json.loads(service.read_until("unexpectedly"))
    assert (line["level"], line["logger"]) == ("error", "gatekeeper.service")
    key = SigningKey.generate()
    assert service.token(key, _invited(_code(data))).status_code == 200
    shown = httpx.get(f"http://127.0.0.1:{metrics}/metrics").text
    assert 'gatekeeper_calls_total{operation="token",status="200"} 1.0' in shown
    assert "gatekeeper_devices_active 1.0" in shown
    assert httpx.get(f"{service.address}/metrics").status_code == 404
    assert service.stop() == 0
    assert not any(_is_alive(pid) for pid in children)


@pytest.mark.sqlite
def test_processes_do_not_outlive_the_first(data: Path, started: Any) -> None:
    """When the first process is killed, the others drain and end by themselves: nobody serves unsupervised."""
    service = started("--workers", "2")
    # A descriptor of a process can be read once it has ended, whenever its number is given back.
    children = [os.pidfd_open(pid) for pid in _children(service.process.pid)]
    assert len(children) == 2
    service.process.kill()
    try:
        for child in children:
            assert select.select([child], [], [], 60)[0], "it serves on, unsupervised"
    finally:
        for child in children:
            os.close(child)
        service.process.communicate(timeout=60)


@pytest.mark.sqlite
def test_the_log_tells_of_calls_and_of_no_secret(data: Path, started: Any) -> None:
    """As JSON each call is one line with its id, which the answer has too; codes, tokens and queries stay out."""
    service = started("--log-format", "json")
    key, code = SigningKey.generate(), _code(data)
    answer = service.token(key, _invited(code))
    service.process.send_signal(signal.SIGTERM)
    lines = service.process.communicate(timeout=60)[1]
    calls = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    mine = [call for call in calls if call.get("request_id") == answer.headers["x-request-id"]]
    assert [(call["operation"], call["status"], call["path"]) for call in mine] == [
        ("token", 200, "/oauth/token")
    ]
    for secret in (code, answer.json()["access_token"], answer.json()["refresh_token"]):
        assert secret not in lines


@pytest.mark.sqlite
def test_a_service_that_runs_is_not_restored(data: Path, started: Any, tmp_path: Path) -> None:
    """Not beneath its feet; once it has stopped, it is."""
    service = started()
    file = tmp_path / "backup.tar"
    assert run("backup", str(file), "--data", str(data)).returncode == 0
    refused = run("restore", str(file), "--data", str(data))
    assert (refused.returncode, "stop it first" in refused.stderr) == (7, True)
    assert service.stop() == 0
    assert run("restore", str(file), "--data", str(data)).returncode == 0


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in re.findall(r"\d+", found)]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
