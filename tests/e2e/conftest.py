"""The stage of the end-to-end tests: one install and one service a worker, one workstation a test."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e import faketime, parts
from tests.e2e.workplace import Service, Workstation, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
PROBE = (HERE / "probe.sh").read_bytes()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder; the first test of all may have to install the tools."""
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session", autouse=True)
def tidy_time() -> Iterator[None]:
    """Leave nothing of libfaketime's behind."""
    yield
    faketime.tidy()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def command(shared: Path) -> Path:
    """The `gatekeeper` command, from a wheel."""
    return parts.install_wheel(shared / "installed") / "gatekeeper"


@pytest.fixture(scope="session")
def npm_tools() -> Path:
    """The directory of the real `claude` and `codex`."""
    return parts.install_npm_tools()


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Further tools of the catalogue."""
    place = tmp_path_factory.mktemp("toolbox")
    for name in ("probe", "probe-approval", "probe-other"):
        (place / name).write_bytes(PROBE)
        (place / name).chmod(0o755)
    (place / "shut").write_text("#!/bin/sh\necho started\n")
    (place / "shut").chmod(0o755)
    return place


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the recent Node that `codex` needs."""
    return parts.node_directory(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="session")
def policy() -> str:
    """The organisation's catalogue for these tests."""
    digest = hashlib.sha256(PROBE).hexdigest()
    return (HERE / "catalogue.toml").read_text().replace("PROBE_SHA256", digest)


@pytest.fixture(scope="session")
def service(command: Path, policy: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that stays up. Tests that stop or disturb one use `own_service`."""
    with running(Service(command, tmp_path_factory.mktemp("service"), policy)) as started:
        yield started


@pytest.fixture
def own_service(command: Path, policy: str, tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own."""
    with running(Service(command, tmp_path / "service", policy)) as started:
        yield started


@pytest.fixture
def workstation_for(
    command: Path, npm_tools: Path, toolbox: Path, node: Path, tmp_path: Path
) -> Callable[[Service], Workstation]:
    """Make a new person's workstation, configured for a service and not signed in."""
    numbers = itertools.count()

    def make(service: Service) -> Workstation:
        home = tmp_path / f"home-{next(numbers)}"
        return Workstation(command, home, [toolbox, npm_tools, node], service, service.next_subject())

    return make


@pytest.fixture
def newcomer(service: Service, workstation_for: Callable[[Service], Workstation]) -> Workstation:
    """A person who has the configuration and nothing else."""
    return workstation_for(service)


@pytest.fixture
def ada(newcomer: Workstation) -> Workstation:
    """A person who is signed in and approved for nothing."""
    done = newcomer.sign_in()
    assert done.status == 0, done
    return newcomer


@pytest.fixture
def own_ada(own_service: Service, workstation_for: Callable[[Service], Workstation]) -> Workstation:
    """A signed-in person at a service of the test's own."""
    workstation = workstation_for(own_service)
    done = workstation.sign_in()
    assert done.status == 0, done
    return workstation
