"""What is deployed: the files parse, run what there is, and confine it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from typer.main import get_command

from gatekeeper.cli.service.app import app

DEPLOY = Path(__file__).parents[2] / "deploy"


def _start_options() -> set[str]:
    start: Any = get_command(app)
    return {option for parameter in start.commands["start"].params for option in parameter.opts}


def _kubernetes() -> dict[str, Any]:
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    assert [one["apiVersion"] for one in documents] == ["apps/v1", "v1", "policy/v1"]
    return {one["kind"]: one for one in documents}


def _options(arguments: list[str]) -> set[str]:
    return {one.partition("=")[0] for one in arguments if one.startswith("--")}


def test_what_is_started_knows_its_options() -> None:
    """Unit, image, compose file and manifest start the service with options that it has."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "gatekeeper.service")
    command = unit["Service"]["ExecStart"].split()
    assert command[1:3] == ["service", "start"]
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["gatekeeper"]["command"]
    container = _kubernetes()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    for arguments in (command, compose, container["args"]):
        assert "start" in arguments
        assert _options(arguments) <= _start_options()
        assert "--data" in _options(arguments)


def test_the_manifest_hangs_together() -> None:
    """Selectors meet labels, every mount has its volume, ports have names that exist, nothing runs as root."""
    found = _kubernetes()
    spec = found["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    for selector in (
        spec["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    volumes = {volume["name"] for volume in pod["volumes"]}
    (container,) = pod["containers"]
    for one in (container, *pod["initContainers"]):
        assert {mount["name"] for mount in one["volumeMounts"]} <= volumes
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert one["securityContext"]["allowPrivilegeEscalation"] is False
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert found["Service"]["spec"]["ports"][0]["targetPort"] in ports
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert spec["replicas"] >= 2


def test_the_compose_file_hangs_together() -> None:
    """Two replicas and a database on one network, secrets from files, no password in the open."""
    text = (DEPLOY / "compose.yaml").read_text()
    found = yaml.safe_load(text)
    assert found["services"]["gatekeeper"]["deploy"]["replicas"] == 2
    for service in found["services"].values():
        assert set(service["networks"]) <= set(found["networks"])
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in found["volumes"]
    assert "POSTGRES_PASSWORD:" not in text
    assert found["services"]["gatekeeper"]["read_only"] is True


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """Where there is systemd: no unknown key, and an exposure that it calls OK."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "gatekeeper.service"
    program = "/opt/gatekeeper/bin/gatekeeper"
    unit.write_text((DEPLOY / "gatekeeper.service").read_text().replace(program, "/bin/true"))
    found = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
