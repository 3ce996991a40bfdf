"""Migrations: they lead to exactly the tables that the code declares, once, whoever runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Dialect, create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from tests.service.store.parts import at_once, databases, url_of

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import entries, record
from gatekeeper.service.store.migrate import is_current, upgrade
from gatekeeper.service.store.schema import metadata
from gatekeeper.service.store.transactions import Store, open_store

POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store without any table."""
    store = databases.opened(open_store(url_of(tmp_path)))
    yield store
    store.close()


def _schema(tx: Connection) -> set[tuple[str, ...]]:
    """Return every table and index as the sorted pieces of its definition: constraints have no order."""
    rows = tx.execute(
        text("SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL")
    ).scalars()
    return {_pieces(sql) for sql in rows if "alembic_version" not in sql and "sqlite_sequence" not in sql}


def _pieces(sql: str) -> tuple[str, ...]:
    # SQLite writes a column that was added before the closing bracket, with no space of its own.
    text_ = re.sub(r"\s+", " ", sql).strip().removesuffix(")").strip()
    return tuple(sorted(re.split(r"\s?,\s|\(\s", text_)))


def test_migrated_is_declared(store: Store) -> None:
    """Alembic finds no difference between the migrated database and the tables of the code."""
    upgrade(store)
    with store.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.sqlite
def test_migrated_is_declared_to_the_letter(store: Store) -> None:
    """The same, for what that comparison doesn't see: checks, names, autoincrement."""
    upgrade(store)
    declared = create_engine("sqlite://")
    metadata.create_all(declared)
    with store.read() as tx, declared.connect() as other:
        assert _schema(tx) == _schema(other)
    declared.dispose()


# Columns, constraints and indexes of a PostgreSQL database, each as the server itself writes it down.
_PG_SCHEMA = (
    "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default, is_identity"
    " FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
)


def _pg_schema(tx: Connection) -> set[tuple[object, ...]]:
    rows = [tuple(row) for query in _PG_SCHEMA for row in tx.execute(text(query))]
    return {row for row in rows if "alembic_version" not in row}


@pytest.mark.postgresql
def test_on_postgresql_migrated_is_declared(store: Store, tmp_path: Path) -> None:
    """The migrations make the very columns, constraints and indexes that the code's tables would."""
    upgrade(store)
    declared = databases.opened(open_store(url_of(tmp_path / "declared")))
    with declared.write() as other:
        metadata.create_all(other)
    with store.read() as tx, declared.read() as other:
        assert _pg_schema(tx) == _pg_schema(other)
        assert len(_pg_schema(tx)) > 200
    declared.close()


@pytest.mark.postgresql
def test_on_postgresql_the_audit_table_is_not_emptied(store: Store) -> None:
    """TRUNCATE, which no trigger of rows sees, is refused as well."""
    upgrade(store)
    with store.write() as tx:
        record(tx, at=1, actor="a", act="x.y", object="o", detail={"n": 1})

    def tamper() -> None:
        with store.write() as tx:
            tx.exec_driver_sql("TRUNCATE audit_entries CASCADE")

    with pytest.raises(IntegrityError, match="append-only"):
        tamper()
    with store.read() as tx:
        assert len(entries(tx)) == 1


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
    other = databases.opened(open_store(url_of(tmp_path)))
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
