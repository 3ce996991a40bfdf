"""A whole service for each test that asks for one, and each test of a store on both databases.

A test whose module makes stores or services runs twice, on SQLite and on a real PostgreSQL. What is about
SQLite's own files is marked `sqlite`, what is about the server `postgresql`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.postgres import Cluster, make_cluster
from tests.service.local import LocalService
from tests.service.store.parts import databases

_MAKERS = ("new_store", "LocalService", "url_of", "migrated_url_of", "Office")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on both databases where its module makes one."""
    only = [kind for kind in ("sqlite", "postgresql") if metafunc.definition.get_closest_marker(kind)]
    makes = "local" in metafunc.fixturenames or any(hasattr(metafunc.module, name) for name in _MAKERS)
    if only or (makes and "tmp_path" in metafunc.fixturenames):
        metafunc.parametrize("database_kind", only or ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give a PostgreSQL server."""
    server = make_cluster()
    yield server
    server.remove()


@pytest.fixture(autouse=True)
def database_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Say which database this test runs on, and take what it made away."""
    kind: str = getattr(request, "param", "sqlite")
    databases.cluster = request.getfixturevalue("cluster") if kind == "postgresql" else None
    yield kind
    databases.forget()
    databases.cluster = None


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalService]:
    """Give a service of its own, in this process."""
    service = LocalService(tmp_path / "svc")
    yield service
    service.close()
