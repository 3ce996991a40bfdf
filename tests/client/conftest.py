"""A service to talk to, a workstation in memory, and settings that bind the two."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.fakes.service import NOW, ServiceSimulator
from tests.fakes.world import FakeWorld

from gatekeeper.client.http import Http
from gatekeeper.client.signin import sign_in_with_code
from gatekeeper.workstation.settings import Settings

STATE = "/home/ada/.local/state/gatekeeper"
DIRECTORY = f"{STATE}/profiles/default"

Configure = Callable[..., Settings]


@pytest.fixture
def service() -> Iterator[ServiceSimulator]:
    """Run an honest service with one root key."""
    with ServiceSimulator() as simulator:
        yield simulator


@pytest.fixture
def world() -> FakeWorld:
    """Make an empty workstation."""
    return FakeWorld(now=NOW)


@pytest.fixture
def configure(service: ServiceSimulator) -> Configure:
    """Return a builder of settings that pin the service."""
    return lambda **changes: settings_for(service).replace(**changes)


@pytest.fixture
def settings(configure: Configure) -> Settings:
    """Return settings that pin the service."""
    return configure()


@pytest.fixture
def http(settings: Settings) -> Iterator[Http]:
    """Return the way to the service."""
    with Http(settings.service, ca_bundle="", timeout=5) as opened:
        yield opened


@pytest.fixture
def signed_in(world: FakeWorld, settings: Settings) -> Settings:
    """Sign ada in, and return the settings."""
    sign_in_with_code(world, settings, code="CODE-1", device_name="laptop")
    return settings


def settings_for(service: ServiceSimulator) -> Settings:
    """Make settings that pin a service."""
    return Settings(
        service=service.issuer,
        trust_roots=service.pins,
        trust_threshold=service.roots.threshold,
        min_root_version=0,
        profile="default",
        credential_store="file",
        allow_file_store=True,
        verifier="own",
        ca_bundle="",
        offline=False,
        no_input=True,
        managed=False,
        state_directory=STATE,
        origins=(),
    )
