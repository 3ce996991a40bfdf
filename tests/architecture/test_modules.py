"""What a warm launch loads: a reviewed list, so that the trusted base grows only on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.fakes.workstation import TRUST, RealWorkstation

from gatekeeper.documents.launch_token import Exclusion, Identity
from gatekeeper.workstation.posix import PosixWorld
from gatekeeper.workstation.tables import keep_tables

SOURCE = str(Path(__file__).parents[2] / "src")
OURS = [
    "gatekeeper",
    "gatekeeper.__main__",
    "gatekeeper.errors",
    "gatekeeper.strict",
    "gatekeeper.values",
    "gatekeeper.decision",
    "gatekeeper.decision.decide",
    "gatekeeper.decision.facts",
    "gatekeeper.documents",
    "gatekeeper.documents.launch_token",
    "gatekeeper.launch",
    "gatekeeper.launch.argv",
    "gatekeeper.launch.attempt",
    "gatekeeper.launch.find",
    "gatekeeper.trust",
    "gatekeeper.trust.chain",
    "gatekeeper.trust.p256",
    "gatekeeper.workstation",
    "gatekeeper.workstation.posix",
    "gatekeeper.workstation.settings",
    "gatekeeper.workstation.state",
]
# Parts of Python that a module of the launch path does without, and any other may need: each is a file of its own to
# find and run, as dear as a module of ours.
COLD = ["__future__", "errno"]
# What a launch loads in addition whose tool is an npm package, approved by a range of versions.
PACKAGE = ["gatekeeper.decision.versions", "gatekeeper.launch.recognise", *COLD]
# What a launch loads in addition whose token is not for everywhere.
WHERE = [
    "gatekeeper.decision.locations",
    "gatekeeper.decision.obstacles",
    "gatekeeper.launch.git_config",
    "gatekeeper.launch.git_files",
    "gatekeeper.launch.remotes",
    "gatekeeper.launch.repository",
    "gatekeeper.launch.ssh_hosts",
]
# Parts of Python: C code, and what a start without `site` hasn't loaded yet.
PYTHONS = ["_sha256", "_sha2", "gc"]
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


def prepared(place: Path, *, changes: Mapping[str, object], layout: str = "") -> RealWorkstation:
    """Make a workstation in a repository whose configuration was parsed already, by one cold start.

    `layout` is where the tool's executable lies, "" for npm's.
    """
    made = RealWorkstation(place, tool="exit 0", **changes)  # type: ignore[arg-type]
    if layout:
        made.lay_out(layout)
    keep_tables(PosixWorld(), str(made.profile), (TRUST.approval.public, TRUST.root_key.public))
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
BY_LAYOUT = {"identities": (Identity(native="claude"),)}


@pytest.mark.parametrize(
    ("layout", "changes", "more"),
    [
        ("share/claude/versions/2.1.3", BY_LAYOUT, []),
        ("", {}, PACKAGE),
        ("", EXCLUDING, [*PACKAGE, *WHERE]),
    ],
    ids=["everywhere", "package", "excluding"],
)
def test_a_warm_launch_loads_exactly_the_reviewed_modules(
    tmp_path: Path, layout: str, changes: dict[str, object], more: list[str]
) -> None:
    """Beyond bare Python, a launch loads the modules above and no other. Whoever adds one adds it here, with a reason."""
    workstation = prepared(tmp_path, layout=layout, changes=changes)
    loaded = set(modules_of(workstation, "run", "claude", "--version")["loaded"])
    assert loaded - set(PYTHONS) - set(WITHOUT_SITE) == {*OURS, *more}


@pytest.mark.parametrize("arguments", [("run", "claude"), ("run", "--result-file", "verdict.json", "claude")])
def test_no_launch_loads_what_is_slow(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """None of the forbidden modules is loaded, with a repository to read and with a result file either."""
    everything = modules_of(prepared(tmp_path, changes=EXCLUDING), *arguments)["all"]
    assert "gatekeeper.launch.repository" in everything
    assert not {name.split(".")[0] for name in everything} & set(FORBIDDEN)


def test_without_a_snapshot_the_list_would_be_longer(tmp_path: Path) -> None:
    """The comparison can fail: a launch that must parse TOML first loads what is forbidden."""
    everything = modules_of(RealWorkstation(tmp_path), "run", "claude")["all"]
    assert "tomllib" in everything
