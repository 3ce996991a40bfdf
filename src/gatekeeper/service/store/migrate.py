"""Bring a database to the schema of this program, in one transaction, whoever else tries at the same time."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.transactions import Store

_MIGRATIONS = Path(__file__).parent / "migrations"
# Alembic keeps the migration that is running in a global, so two threads must not migrate two databases at once.
_one_at_a_time = Lock()


def upgrade(store: Store) -> None:
    """Run every version that is missing; nothing happens where none is. All or nothing.

    Raises:
        GatekeeperError: GK101, the database was written by a newer gatekeeper; GK106, it can't be used.
    """
    with _one_at_a_time, store.write() as tx:
        _refuse_newer(tx)
        config = _config()
        config.attributes["connection"] = tx
        command.upgrade(config, "head")


def is_current(store: Store) -> bool:
    """Say whether the database has exactly the schema of this program."""
    with store.read() as tx:
        return _version_of(tx) == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    # Percent signs are interpolated by the configuration parser underneath.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _version_of(tx: Connection) -> str | None:
    return MigrationContext.configure(tx).get_current_revision()


def _refuse_newer(tx: Connection) -> None:
    version = _version_of(tx)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if version is not None and version not in known:
        raise GatekeeperError(
            "GK101",
            f"the database has schema version {version}, which this gatekeeper doesn't know: it is older",
        )
