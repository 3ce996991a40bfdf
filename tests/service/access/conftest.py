"""An office for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.access.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office with a policy and people."""
    made = Office(tmp_path)
    yield made
    made.store.close()
