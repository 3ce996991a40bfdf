"""A whole service for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.local import LocalService


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalService]:
    """Give a service of its own, in this process."""
    service = LocalService(tmp_path / "svc")
    yield service
    service.close()
