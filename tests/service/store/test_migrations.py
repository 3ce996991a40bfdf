"""Migrations: they lead to exactly the tables that the code declares, once, whoever runs them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, Dialect, create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from tests.service.store.parts import at_once, url_of

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.migrate import is_current, upgrade
from gatekeeper.service.store.migrations.versions import v0001_first
from gatekeeper.service.store.schema import metadata
from gatekeeper.service.store.transactions import Store, open_store

POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store without any table."""
    store = open_store(url_of(tmp_path))
    yield store
    store.close()


def _schema(tx: Connection) -> set[tuple[str, ...]]:
    """Return every table and index as the sorted pieces of its definition: constraints have no order."""
    rows = tx.execute(
        text("SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL")
    ).scalars()
    return {_pieces(sql) for sql in rows if "alembic_version" not in sql and "sqlite_sequence" not in sql}


def _pieces(sql: str) -> tuple[str, ...]:
    return tuple(sorted(re.split(r",\s|\(\s", re.sub(r"\s+", " ", sql).strip().removesuffix(" )"))))


def test_migrated_is_declared(store: Store) -> None:
    """Alembic finds no difference between the migrated database and the tables of the code."""
    upgrade(store)
    with store.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrated_is_declared_to_the_letter(store: Store) -> None:
    """The same, for what that comparison doesn't see: checks, names, autoincrement."""
    upgrade(store)
    declared = create_engine("sqlite://")
    metadata.create_all(declared)
    with store.read() as tx, declared.connect() as other:
        assert _schema(tx) == _schema(other)
    declared.dispose()


def test_on_postgresql_migrated_is_declared() -> None:
    """The statements for PostgreSQL make the same tables and indexes, with the same types."""
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    with Operations.context(context):
        v0001_first.upgrade()
    made = {_pieces(one) for one in written.getvalue().split(";") if one.strip()}
    statements: list[CreateTable | CreateIndex] = []
    for table in metadata.sorted_tables:
        statements += [CreateTable(table), *map(CreateIndex, table.indexes)]
    assert made == {_pieces(str(one.compile(dialect=POSTGRESQL))) for one in statements}


def test_times_and_numbers_have_64_bits_everywhere() -> None:
    """PostgreSQL's INTEGER ends in 2038; ids that people type have up to ten digits."""
    columns = [column for table in metadata.sorted_tables for column in table.c]
    times = [c for c in columns if c.name.endswith("_at") or c.name in {"at", "last_exp"}]
    keys = [c for c in columns if c.autoincrement is True]
    assert len(times) > 20
    assert len(keys) > 4
    for column in (*times, *keys, *(c for c in columns if c.name in {"request", "grant"})):
        assert str(column.type.compile(POSTGRESQL)) == "BIGINT", column


def test_a_missing_column_would_be_found(store: Store) -> None:
    """The comparison can fail."""
    upgrade(store)
    with store.write() as tx:
        tx.exec_driver_sql("ALTER TABLE attempts DROP COLUMN count")
    with store.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) != []


def test_upgrading_again_changes_nothing(store: Store) -> None:
    """Migrations run once; what was stored stays."""
    assert not is_current(store)
    upgrade(store)
    assert is_current(store)
    with store.write() as tx:
        tx.exec_driver_sql("INSERT INTO attempts VALUES ('b', 1, 1)")
    upgrade(store)
    assert is_current(store)
    with store.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM attempts")).scalar_one() == 1


def _upgraded(store: Store) -> bool:
    upgrade(store)
    return is_current(store)


def test_two_that_upgrade_at_once_both_succeed(tmp_path: Path, store: Store) -> None:
    """The second waits for the first and finds nothing left to do."""
    other = open_store(url_of(tmp_path))
    outcomes = at_once(lambda: _upgraded(store), lambda: _upgraded(other))
    assert outcomes == [True, True]
    assert is_current(store)
    other.close()


def test_a_newer_database_is_refused(store: Store) -> None:
    """An older program doesn't touch what a newer one wrote."""
    upgrade(store)
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(GatekeeperError, match="9999") as caught:
        upgrade(store)
    assert caught.value.code == "GK101"
    assert not is_current(store)


def test_the_versions_are_part_of_the_package() -> None:
    """What an installed wheel needs lies inside the package, and there is an unbroken chain of it."""
    folder = resources.files("gatekeeper.service.store") / "migrations"
    versions = [p.name for p in (folder / "versions").iterdir() if p.name.startswith("v")]
    assert (folder / "env.py").is_file()
    assert min(versions) == "v0001_first.py"
