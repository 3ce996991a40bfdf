"""What a warm launch loads: a reviewed list, so that the trusted base grows only on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.workstation import RealWorkstation

SOURCE = str(Path(__file__).parents[2] / "src")
OURS = [
    "gatekeeper",
    "gatekeeper.__main__",
    "gatekeeper.codes",
    "gatekeeper.errors",
    "gatekeeper.strict",
    "gatekeeper.values",
    "gatekeeper.config",
    "gatekeeper.config.keys",
    "gatekeeper.config.layers",
    "gatekeeper.config.settings",
    "gatekeeper.decision",
    "gatekeeper.decision.decide",
    "gatekeeper.decision.facts",
    "gatekeeper.decision.freshness",
    "gatekeeper.decision.identity",
    "gatekeeper.decision.locations",
    "gatekeeper.decision.plan",
    "gatekeeper.decision.versions",
    "gatekeeper.documents",
    "gatekeeper.documents.launch_token",
    "gatekeeper.launch",
    "gatekeeper.launch.argv",
    "gatekeeper.launch.attempt",
    "gatekeeper.launch.find",
    "gatekeeper.launch.gather",
    "gatekeeper.launch.git_config",
    "gatekeeper.launch.git_files",
    "gatekeeper.launch.remotes",
    "gatekeeper.launch.ssh_hosts",
    "gatekeeper.launch.perform",
    "gatekeeper.launch.recognise",
    "gatekeeper.launch.repository",
    "gatekeeper.trust",
    "gatekeeper.trust.jws",
    "gatekeeper.trust.p256",
    "gatekeeper.trust.root",
    "gatekeeper.workstation",
    "gatekeeper.workstation.paths",
    "gatekeeper.workstation.posix",
    "gatekeeper.workstation.records",
    "gatekeeper.workstation.state",
    "gatekeeper.workstation.world",
]
# Parts of Python: C code, and what a start without `site` hasn't loaded yet.
PYTHONS = ["__future__", "_sha256", "_sha2", "binascii", "errno"]
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


@pytest.fixture
def workstation(tmp_path: Path) -> RealWorkstation:
    """Give a workstation whose configuration was parsed already, by one cold start."""
    made = RealWorkstation(tmp_path, tool="exit 0")
    subprocess.run(
        [sys.executable, "-m", "gatekeeper", "run", "claude"],
        env={**made.environment, "PYTHONPATH": SOURCE},
        check=True,
        timeout=60,
    )
    return made


def test_a_warm_launch_loads_exactly_the_reviewed_modules(workstation: RealWorkstation) -> None:
    """Beyond bare Python, a launch loads the modules above and no other. Whoever adds one adds it here, with a reason."""
    loaded = set(modules_of(workstation, "run", "claude", "--version")["loaded"])
    assert loaded - set(PYTHONS) - set(WITHOUT_SITE) == set(OURS)
    assert loaded <= {*OURS, *PYTHONS, *WITHOUT_SITE}


@pytest.mark.parametrize("arguments", [("run", "claude"), ("run", "--result-file", "verdict.json", "claude")])
def test_no_launch_loads_what_is_slow(workstation: RealWorkstation, arguments: tuple[str, ...]) -> None:
    """None of the forbidden modules is loaded, in a repository and with a result file either."""
    (workstation.place / ".git" / "objects").mkdir(parents=True)
    (workstation.place / ".git" / "refs").mkdir()
    (workstation.place / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (workstation.place / ".git" / "config").write_text('[remote "o"]\n\turl = git@github.com:acme/web.git\n')
    everything = modules_of(workstation, *arguments)["all"]
    assert not {name.split(".")[0] for name in everything} & set(FORBIDDEN)


def test_without_a_snapshot_the_list_would_be_longer(tmp_path: Path) -> None:
    """The comparison can fail: a launch that must parse TOML first loads what is forbidden."""
    everything = modules_of(RealWorkstation(tmp_path), "run", "claude")["all"]
    assert "tomllib" in everything
