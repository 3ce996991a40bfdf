"""A service with reviews by a group, and people in every role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.local import LocalService
from tests.service.web.console.visitor import POLICY, ROLES

from gatekeeper.service.app import make_app


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalService]:
    """Give a service with a console."""
    made = LocalService(tmp_path / "svc", policy=POLICY)
    made.service = made.service.replace(console=ROLES)
    made.app = make_app(made.service)
    yield made
    made.close()
