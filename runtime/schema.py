"""The revision of the database against the one this program was made for."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine


class SchemaError(Exception):
    """The database is not at the revision this program needs; the message says which command mends it."""


def alembic_config() -> Config:
    """Alembic's configuration, wherever the package is installed."""
    import migrations

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def head_revision() -> str:
    """The revision this program was made for."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise SchemaError("this installation has no migrations; install it again")
    return head


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; none for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(engine: Engine) -> None:
    """Raise SchemaError unless the database is at the revision this program needs."""
    current = current_revision(engine)
    if current is None:
        raise SchemaError("the database is empty: run `tollgate db upgrade`")
    if current != head_revision():
        raise SchemaError(
            f"the database is at revision {current}, this program needs {head_revision()}: run `tollgate db upgrade`"
        )


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database to a revision, in the connection's own transaction."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take the database back to a revision, in the connection's own transaction."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)
