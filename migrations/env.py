"""Alembic's environment: runs in the transaction of the connection it is given."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.engine import Connection

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


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_render,
    )
    context.run_migrations()


def _render(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """A revision is frozen: it names the column's type in the database, not the type our code reads it with."""
    del context
    return "sa.BigInteger()" if kind == "type" and isinstance(item, database.Instant) else False


run()
