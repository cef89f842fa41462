"""Alembic's environment: runs in the transaction of the connection it is given."""

from alembic import context

from migrations.tables import metadata
from runtime import database, settings


def run() -> None:
    """Migrate the connection handed over by runtime.schema, or the configured database when run by hand."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        engine = database.create_engine(settings.load_settings().database.url)
        with database.transaction(engine) as connection:
            _migrate(connection)
    else:
        _migrate(connection)


def _migrate(connection: database.Connection) -> None:
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite"
    )
    context.run_migrations()


run()
