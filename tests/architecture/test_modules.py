"""What a warm launch loads: a reviewed list, so that the trusted base grows only on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.workstation import RealWorkstation

from gatekeeper.documents.launch_token import Exclusion

SOURCE = str(Path(__file__).parents[2] / "src")
OURS = [
    "gatekeeper",
    "gatekeeper.__main__",
    "gatekeeper.errors",
    "gatekeeper.strict",
    "gatekeeper.values",
    "gatekeeper.config",
    "gatekeeper.config.settings",
    "gatekeeper.decision",
    "gatekeeper.decision.decide",
    "gatekeeper.decision.facts",
    "gatekeeper.decision.freshness",
    "gatekeeper.decision.identity",
    "gatekeeper.decision.plan",
    "gatekeeper.decision.versions",
    "gatekeeper.documents",
    "gatekeeper.documents.launch_token",
    "gatekeeper.launch",
    "gatekeeper.launch.argv",
    "gatekeeper.launch.attempt",
    "gatekeeper.launch.find",
    "gatekeeper.launch.gather",
    "gatekeeper.launch.perform",
    "gatekeeper.launch.recognise",
    "gatekeeper.trust",
    "gatekeeper.trust.jws",
    "gatekeeper.trust.p256",
    "gatekeeper.trust.root",
    "gatekeeper.workstation",
    "gatekeeper.workstation.paths",
    "gatekeeper.workstation.posix",
    "gatekeeper.workstation.records",
    "gatekeeper.workstation.state",
    "gatekeeper.workstation.tables",
    "gatekeeper.workstation.world",
]
# What a launch loads in addition whose token is not for everywhere.
WHERE = [
    "gatekeeper.decision.locations",
    "gatekeeper.launch.git_config",
    "gatekeeper.launch.git_files",
    "gatekeeper.launch.remotes",
    "gatekeeper.launch.repository",
    "gatekeeper.launch.ssh_hosts",
]
# Parts of Python: C code, and what a start without `site` hasn't loaded yet.
PYTHONS = ["__future__", "_sha256", "_sha2", "binascii", "errno", "gc"]
WITHOUT_SITE = ["_collections_abc", "_stat", "genericpath", "os", "os.path", "posixpath", "stat"]
FORBIDDEN = [
    "typer",
    "click",
    "rich",
    "httpx",
    "keyring",
    "platformdirs",
    "cryptography",
    "dataclasses",
    "logging",
    "pathlib",
    "subprocess",
    "json",
    "re",
    "enum",
    "typing",
    "tomllib",
    "collections",
    "functools",
    "contextlib",
    "inspect",
    "socket",
    "ssl",
    "threading",
    "hashlib",
    "secrets",
]
LAUNCH = """
import sys
sys.path.insert(0, sys.argv.pop())
before = set(sys.modules)
from gatekeeper.__main__ import main
from gatekeeper.workstation.posix import PosixWorld
class Telling(PosixWorld):
    def execute(self, path, arguments, environment):
        loaded = sorted(set(sys.modules) - before)
        import json
        print(json.dumps({"loaded": loaded, "all": sorted(before) + loaded}))
        sys.exit(0)
main(sys.argv[1:], world=Telling())
"""


def modules_of(workstation: RealWorkstation, *arguments: str) -> dict[str, list[str]]:
    """Run a launch up to its exec, in a Python without site-packages, and return what it loaded."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCH, *arguments, SOURCE],
        env=workstation.environment,
        cwd=workstation.place,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return told


def prepared(place: Path, **changes: object) -> RealWorkstation:
    """Make a workstation in a repository whose configuration was parsed already, by one cold start."""
    made = RealWorkstation(place, tool="exit 0", **changes)  # type: ignore[arg-type]
    (place / ".git" / "objects").mkdir(parents=True)
    (place / ".git" / "refs").mkdir()
    (place / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (place / ".git" / "config").write_text('[remote "o"]\n\turl = git@github.com:acme/web.git\n')
    subprocess.run(
        [sys.executable, "-m", "gatekeeper", "run", "claude"],
        env={**made.environment, "PYTHONPATH": SOURCE},
        cwd=place,
        check=True,
        timeout=60,
    )
    return made


EXCLUDING = {"exclude": (Exclusion(pattern="github.com/acme/crown/**", rule="zone:crown"),)}


@pytest.mark.parametrize(("changes", "more"), [({}, []), (EXCLUDING, WHERE)], ids=["everywhere", "excluding"])
def test_a_warm_launch_loads_exactly_the_reviewed_modules(
    tmp_path: Path, changes: dict[str, object], more: list[str]
) -> None:
    """Beyond bare Python, a launch loads the modules above and no other. Whoever adds one adds it here, with a reason."""
    loaded = set(modules_of(prepared(tmp_path, **changes), "run", "claude", "--version")["loaded"])
    assert loaded - set(PYTHONS) - set(WITHOUT_SITE) == {*OURS, *more}


@pytest.mark.parametrize("arguments", [("run", "claude"), ("run", "--result-file", "verdict.json", "claude")])
def test_no_launch_loads_what_is_slow(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """None of the forbidden modules is loaded, with a repository to read and with a result file either."""
    everything = modules_of(prepared(tmp_path, **EXCLUDING), *arguments)["all"]
    assert "gatekeeper.launch.repository" in everything
    assert not {name.split(".")[0] for name in everything} & set(FORBIDDEN)


def test_without_a_snapshot_the_list_would_be_longer(tmp_path: Path) -> None:
    """The comparison can fail: a launch that must parse TOML first loads what is forbidden."""
    everything = modules_of(RealWorkstation(tmp_path), "run", "claude")["all"]
    assert "tomllib" in everything
