"""The import contracts hold, and each of them notices the breach that it is there for.

A contract that can't fail protects nothing, so the source is copied, one forbidden import is planted, and
import-linter has to name the contract.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = [contract["name"] for contract in PROJECT["tool"]["importlinter"]["contracts"]]

# contract -> (the file that breaks it, the line that does)
BREACHES: dict[str, tuple[str, str]] = {
    "Layers": ("decision/decide.py", "import gatekeeper.launch.attempt"),
    "The service, by feature": ("service/access/requests.py", "import gatekeeper.service.oauth.token"),
    "Pure modules have no effects": ("decision/decide.py", "import time"),
    "A launch is light": ("workstation/state.py", "import json"),
    "cryptography has one home": ("client/renew.py", "import cryptography"),
    "httpx has one importer": ("client/renew.py", "import httpx"),
    "keyring has one importer": ("client/signin.py", "import keyring"),
    "rich has one importer": ("cli/app.py", "import rich.console"),
    "platformdirs has one importer": ("config/load.py", "import platformdirs"),
    "cedarpy has one importer": ("service/policy/folder.py", "import cedarpy"),
    "jinja2 has one importer": ("service/web/sign_in.py", "import jinja2"),
    "webauthn has one importer": ("service/web/step_up.py", "import webauthn"),
    "One door to the service": ("cli/app.py", "import gatekeeper.service.app"),
    "The service is no workstation": ("service/access/requests.py", "import gatekeeper.workstation.state"),
    "No cycles": ("codes.py", "import gatekeeper.cli.app"),
}


def _lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [command, "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def _broken(report: str) -> set[str]:
    """Return the names that import-linter lists as broken."""
    return {
        line.removesuffix(" BROKEN").strip()
        for line in report.splitlines()
        if line.rstrip().endswith(" BROKEN")
    }


def test_every_contract_holds() -> None:
    """The tree as it stands keeps all of them."""
    done = _lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_contract_has_a_breach_that_shows_it() -> None:
    """A new contract comes with its breach."""
    assert set(BREACHES) == set(CONTRACTS)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source and the contracts, to be damaged."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_breach_is_found(copy: Path, contract: str) -> None:
    """Planting the forbidden import breaks just this contract's name, among others perhaps."""
    file, line = BREACHES[contract]
    target = copy / "src" / "gatekeeper" / file
    target.write_text(f"{target.read_text()}\n\ndef _breach() -> None:\n    {line}\n")
    done = _lint(copy)
    assert done.returncode != 0, done.stdout
    assert contract in _broken(done.stdout), done.stdout + done.stderr
