"""A workstation with configuration files, as an administrator and a person would leave them."""

from __future__ import annotations

import pytest
from tests.fakes.world import FakeWorld

from gatekeeper.strict import render_json

MANAGED = "/etc/gatekeeper/managed.json"
DROP_IN = "/etc/gatekeeper/managed.d"
SYSTEM = "/etc/gatekeeper/config.toml"
USER = "/home/ada/.config/gatekeeper/config.toml"
STATE = "/home/ada/.local/state/gatekeeper"
PIN = "A" * 42 + "E"
PIN_2 = "B" * 42 + "E"
PIN_3 = "C" * 42 + "E"


class Workstation(FakeWorld):
    """FakeWorld, and the hands that write configuration."""

    def write(self, path: str, text: str, *, uid: int = 1000, mode: int = 0o644) -> None:
        """Put a file; a second time it is another one by its stat."""
        self.files[path] = text.encode()
        self.owners[path], self.modes[path] = uid, mode
        self.changes[path] = self.changes.get(path, 0) + 1

    def manage(self, path: str = MANAGED, **members: object) -> None:
        """Put a managed file as device management does."""
        self.manage_text(render_json(members).decode(), path)

    def manage_text(self, text: str, path: str = MANAGED) -> None:
        """Put the bytes of a managed file."""
        self.write(path, text, uid=0)
        for directory in ("/etc/gatekeeper", DROP_IN):
            self.owners[directory], self.modes[directory] = 0, 0o755

    def user(self, text: str) -> None:
        """Put the person's config.toml."""
        self.write(USER, text)

    def system(self, text: str) -> None:
        """Put the machine's config.toml."""
        self.write(SYSTEM, text, uid=0)


@pytest.fixture
def world() -> Workstation:
    """Make a workstation without configuration."""
    return Workstation()
