"""Alembic's entry point: runs the versions on the connection that `store.migrate` hands over.

There is no `alembic.ini`: the configuration is made in code, so that an installed wheel can migrate.
"""

from __future__ import annotations

from alembic import context

from gatekeeper.service.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite can't alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
