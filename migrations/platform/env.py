"""Runs the platform's migrations on the control schema, one at a time over all deployments of this database."""

import sqlalchemy as sa
from alembic import context
from flask import current_app

LOCK = 7_461_001


def run() -> None:
    """Migrate inside one transaction, behind an advisory lock."""
    engine = current_app.extensions["sqlalchemy"].engine
    with engine.connect() as connection:
        connection.execute(sa.text("SET lock_timeout = '10s'"))
        connection.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS control"))
        connection.commit()
        context.configure(connection=connection, version_table_schema="control", transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
        # The connection goes back to a pool; the lock must not go with it.
        connection.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.execute(sa.text("RESET lock_timeout"))
        connection.commit()


run()
