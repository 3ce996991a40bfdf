"""The operator's commands: their output, their JSON, their exit statuses."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.cli.app import main
from gatekeeper.documents.api import NewRequest
from gatekeeper.service.access.requests import create_request
from gatekeeper.service.audit.log import entries
from gatekeeper.service.operate.init import init_service
from gatekeeper.service.people.subjects import ensure_subject, find_subject
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.settings import default_database
from gatekeeper.service.store.transactions import Store, open_store

NOW = 1_800_000_000


class Operator:
    """Somebody at the service's own machine."""

    def __init__(self, data: Path, output: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._output = output

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; return exit status, stdout, stderr."""
        status = main(["service", *arguments, "--data", str(self.data)])
        out, err = self._output.readouterr()
        return status, out, err

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run a command that succeeds, and return its one JSON object."""
        status, out, _ = self.run(*arguments, "--json")
        assert status == 0
        members: dict[str, Any] = json.loads(out)
        assert members.pop("schema") == 1
        return members

    def store(self) -> Store:
        """Open the database."""
        return open_store(default_database(self.data))

    def asked(self, tool: str = "claude") -> str:
        """Let ada ask for a tool, just now by the real clock; return the request's id."""
        import time

        store, now = self.store(), int(time.time())
        with store.write() as tx:
            request, _ = create_request(
                tx,
                policy=current_policy(tx, now=now),
                subject=ensure_subject(tx, "ada@acme.example", now=now),
                new=NewRequest(tool=tool, reason="To review pull requests faster."),
                idempotency_key="",
                now=now,
            )
        store.close()
        return request.id


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Give an operator with a service that was made long ago."""
    init_service(tmp_path / "svc", issuer="http://localhost:8750", now=NOW - 400_000_000)
    return Operator(tmp_path / "svc", capsys)


def test_init_says_what_clients_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout is the two lines, or one object; hints go to stderr; a second init refuses and changes nothing."""
    made = Operator(tmp_path / "a" / "svc", capsys)
    status, out, err = made.run("init")
    assert (status, out.splitlines()[0]) == (0, 'service = "http://localhost:8750"')
    assert "service start" in err
    config = (made.data / "service.toml").read_bytes()
    assert made.run("init")[0] == 7
    assert (made.data / "service.toml").read_bytes() == config
    other = Operator(tmp_path / "b" / "svc", capsys).json(
        "init", "--issuer", "https://gatekeeper.acme.example"
    )
    assert other["service"] == "https://gatekeeper.acme.example"
    assert len(other["trust_roots"][0]) == 43
    assert other["trust_roots"][0] not in out


def test_the_root_key_can_be_made_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --root-key nothing of the root key lies in the service's directory, and status says offline."""
    made = Operator(tmp_path / "svc", capsys)
    stick = tmp_path / "stick.json"
    assert made.run("init", "--root-key", str(stick))[0] == 0
    assert stick.stat().st_mode & 0o777 == 0o600
    assert made.json("status")["root_online"] is False


def test_an_invitation_is_one_code(operator: Operator) -> None:
    """stdout is the code alone; JSON has the two members of the contract; the subject has its groups and attributes."""
    status, out, err = operator.run(
        "invite", "Ada@acme.example", "--group", "dev", "--attribute", "country=US", "--name", "Ada"
    )
    assert status == 0
    assert len(out.strip()) == 19
    assert f"gatekeeper login --code {out.strip()}" in err
    assert set(operator.json("invite", "ada@acme.example")) == {"code", "expires_at"}
    store = operator.store()
    with store.read() as tx:
        ada = find_subject(tx, "ada@acme.example")
    store.close()
    assert ada is not None
    assert (ada.display, ada.groups, ada.attributes) == ("Ada", ("dev",), (("country", "US"),))


@pytest.mark.parametrize("attribute", ["country", "a=1"])
def test_an_attribute_is_a_pair(operator: Operator, attribute: str) -> None:
    """Anything but KEY=VALUE, or a key twice, is a usage error."""
    status, out, err = operator.run(
        "invite", "ada@acme.example", "--attribute", attribute, "--attribute", "a=2"
    )
    assert (status, out) == (2, "")
    assert "GK100" in err


def test_a_review_from_the_list_to_the_end(operator: Operator) -> None:
    """List, approve narrower, suspend, resume, revoke: each says what became of it, in words and as JSON."""
    request = operator.asked()
    assert operator.run("review", "list")[1].split("\n")[1].split()[:2] == [request, "ada@acme.example"]
    assert [one["id"] for one in operator.json("review", "list")["requests"]] == [request]
    status, out, _ = operator.run("review", "approve", request, "--as", "sam@acme.example", "--for", "7d")
    assert (status, out.split(",")[0]) == (0, f"{request} approved: G-1")
    assert operator.json("review", "list") == {"requests": []}
    states = [
        operator.json("review", act, "G-1", "--as", "sam@acme.example", "--reason", "Because.")["state"]
        for act in ("suspend", "resume", "revoke")
    ]
    assert states == ["suspended", "active", "revoked"]
    status, _, err = operator.run("review", "resume", "G-1", "--as", "sam@acme.example")
    assert status == 3
    assert "GK408" in err


def test_a_denial_needs_its_reason(operator: Operator) -> None:
    """Without a reason it is a usage error; with one the request is denied."""
    request = operator.asked()
    assert operator.run("review", "deny", request, "--as", "sam@acme.example", "--reason", " ")[0] == 2
    assert operator.run("review", "deny", request, "--as", "sam@acme.example")[0] == 2
    denied = operator.json("review", "deny", request, "--as", "sam@acme.example", "--reason", "Use aider.")
    assert (denied["state"], denied["decided_by"], denied["decision_reason"]) == (
        "denied",
        "sam@acme.example",
        "Use aider.",
    )


def test_nobody_approves_their_own(operator: Operator) -> None:
    """In whatever spelling, the subject's own approval is refused and the request still waits."""
    request = operator.asked()
    status, out, err = operator.run("review", "approve", request, "--as", "ADA@acme.example")
    assert (status, out) == (3, "")
    assert "GK405" in err
    assert len(operator.json("review", "list")["requests"]) == 1


def test_whose_decision_it_is_must_be_said(operator: Operator) -> None:
    """Without --as there is no decision."""
    request = operator.asked()
    assert operator.run("review", "approve", request)[0] == 2
    assert len(operator.json("review", "list")["requests"]) == 1


def test_an_error_is_one_json_object_too(operator: Operator) -> None:
    """With --json an error is an object with its code on stdout."""
    status, out, _ = operator.run("review", "approve", "R-99", "--as", "sam@acme.example", "--json")
    assert (status, json.loads(out)["code"]) == (2, "GK409")


def test_the_policy_in_force_can_be_saved(operator: Operator, tmp_path: Path) -> None:
    """What `policy show` writes is a folder that init takes, unchanged; alone it prints the catalogue.toml."""
    folder = tmp_path / "policy"
    status, out, _ = operator.run("policy", "show", "--output", str(folder))
    assert (status, out) == (0, "")
    assert operator.run("policy", "show")[1] == (folder / "catalogue.toml").read_text("utf-8")
    assert {path.name for path in folder.iterdir()} == {"catalogue.toml", "access.cedar", "expect.toml"}
    again = Operator(tmp_path / "again", operator._output)
    assert again.run("init", "--policy", str(folder))[0] == 0
    assert again.json("policy", "show") == operator.json("policy", "show")
    assert operator.run("policy", "show", "--output", str(folder))[0] == 7


def test_keys_are_listed_and_never_shown(operator: Operator) -> None:
    """Each purpose has its key's thumbprint; nothing private is printed."""
    listed = operator.json("keys", "list")["keys"]
    assert [one["purpose"] for one in listed] == ["approval", "gateway", "status", "policy", "log"]
    assert all(len(one["kid"]) == 43 and one["signs"] for one in listed)
    shown = operator.run("keys", "list")[1]
    for path in (operator.data / "keys").iterdir():
        assert json.loads(path.read_bytes())["jwk"]["d"] not in shown


def test_a_root_is_reissued_by_its_key_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The next version, in words or JSON, recorded; another key or none is refused and publishes nothing."""
    made = Operator(tmp_path / "svc", capsys)
    stick = tmp_path / "stick.json"
    made.run("init", "--root-key", str(stick))
    Operator(tmp_path / "other", capsys).run("init")
    for wrong in ([], ["--root-key", str(tmp_path / "other" / "keys" / "root.json")]):
        status, out, err = made.run("keys", "reissue-root", *wrong)
        assert (status, out) == (7, "")
        assert "GK101" in err
        assert made.json("status")["root_version"] == 1
    status, out, _ = made.run("keys", "reissue-root", "--root-key", str(stick))
    assert (status, "Root document 2" in out) == (0, True)
    again = made.json("keys", "reissue-root", "--root-key", str(stick))
    seen = made.json("status")
    assert again == {"root_version": 3, "root_ends": seen["root_ends"]}
    store = made.store()
    with store.read() as tx:
        recorded = [
            (one.actor, dict(one.detail)["version"]) for one in entries(tx) if one.act == "root.reissued"
        ]
    store.close()
    assert recorded == [("operator", 2), ("operator", 3)]


def _remedies() -> list[str]:
    """Return the commands of the service that its own errors name, as they stand in the source."""
    import gatekeeper.service

    sources = Path(str(gatekeeper.service.__file__)).parent.rglob("*.py")
    return sorted(
        {
            one
            for path in sources
            for one in re.findall(r'remedy=f?"gatekeeper (service [^"]*)"', path.read_text())
        }
    )


def test_errors_name_commands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that a remedy names parses, with each of its options."""
    remedies = _remedies()
    assert "service keys reissue-root" in remedies
    assert len(remedies) > 3
    for remedy in remedies:
        # What stands in braces is an argument that the error fills in.
        words = [word for word in remedy.partition(" --")[0].split() if not word.startswith("{")]
        assert main([*words, "--help"]) == 0
        shown = capsys.readouterr().out
        assert f"gatekeeper {' '.join(words)} " in shown.replace("\n", " ")
        assert all(option in shown for option in re.findall(r"--[a-z-]+", remedy))


def test_status_counts(operator: Operator) -> None:
    """What waits and what is granted is counted, and the lines say it too."""
    operator.asked("codex")
    operator.run("review", "approve", operator.asked(), "--as", "sam@acme.example")
    seen = operator.json("status")
    assert (seen["pending"], seen["grants"], seen["devices"], seen["root_online"]) == (1, 1, 0, True)
    assert "root online" in operator.run("status")[1]


def test_migrating_twice_is_as_good_as_once(operator: Operator) -> None:
    """A current database is left as it is."""
    assert operator.json("migrate") == {"changed": False}


def test_no_service_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is none, each command says how to make one, and makes nothing."""
    nobody = Operator(tmp_path / "none", capsys)
    for command in (
        ["status"],
        ["invite", "ada@acme.example"],
        ["review", "list"],
        ["keys", "list"],
        ["start"],
    ):
        status, out, err = nobody.run(*command)
        assert (status, out) == (7, "")
        assert "GK101" in err
    assert not nobody.data.exists()


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command shows a line that can be run."""
    for command in (
        "init",
        "start",
        "invite",
        "status",
        "migrate",
        "review approve",
        "policy show",
        "keys list",
        "keys reissue-root",
    ):
        assert main(["service", *command.split(), "--help"]) == 0
        assert f"gatekeeper service {command}" in capsys.readouterr().out


def test_the_service_is_not_loaded_by_help() -> None:
    """The module of the commands alone imports none of the service's packages."""
    import subprocess

    code = (
        "import sys, gatekeeper.cli.service.app\n"
        "print([m for m in ('sqlalchemy', 'alembic', 'starlette', 'uvicorn', 'gatekeeper.service') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ids_fold_case(operator: Operator) -> None:
    """r-1 is R-1 and g-1 is G-1, for an operator as for everybody."""
    id_ = operator.asked().lower()
    assert operator.run("review", "approve", id_, "--as", "sam@acme.example")[0] == 0
    status, out, _ = operator.run("review", "suspend", "g-1", "--as", "sam@acme.example")
    assert (status, out.split()[0]) == (0, "G-1")
