"""The revision of the database against the one this program was made for."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from runtime.database import rehearsing, transaction
from runtime.faults import StaffError

_UPGRADE_LOCK = 0x746F6C6C
"""Any number nobody else uses on this database."""


class SchemaError(StaffError):
    """The database is not at the revision this program needs; the message says which command mends it."""


def alembic_config() -> Config:
    """Alembic's configuration, wherever the package is installed."""
    import migrations

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


@cache
def head_revision() -> str:
    """The revision this program was made for; read once, for it takes running every migration's module."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise SchemaError("this installation has no migrations; install it again")
    return head


@cache
def known_revisions() -> frozenset[str]:
    """Every revision this program can come from."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; none for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(engine: Engine) -> None:
    """Raise SchemaError unless the database is at the revision this program needs."""
    current, head = current_revision(engine), head_revision()
    if current is None:
        raise SchemaError("the database is empty: run `tollgate db upgrade`")
    if current not in known_revisions():
        raise SchemaError(f"the database is at revision {current}, which is newer than this program: install the newer")
    if current != head:
        raise SchemaError(
            f"the database is at revision {current}, this program needs {head}: run `tollgate db upgrade`"
        )


_WRITE_NOTHING = sa.text("UPDATE alembic_version SET version_num = version_num WHERE 1 = 0")


def require_writable(engine: Engine) -> None:
    """Raise what a writing transaction would raise where this process may not write; writes nothing."""
    with transaction(rehearsing(engine)) as connection:
        connection.execute(_WRITE_NOTHING)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database to a revision, in the connection's own transaction; another upgrade waits until it ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take the database back to a revision, in the connection's own transaction."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


def find_faults(engine: Engine) -> list[str]:
    """What is wrong with the database, a line each: its revision, tables that differ, a damaged SQLite file."""
    try:
        require_current(engine)
    except SchemaError as error:
        return [str(error)]
    from migrations.tables import metadata

    faults = []
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        if differences:
            faults.append(f"the tables differ from this program's in {len(differences)} places: restore them")
        if engine.dialect.name == "sqlite":
            answer = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            if answer != "ok":
                faults.append(f"the file is damaged: {answer}")
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                faults.append("a row names another that is not there: restore a backup")
    return faults
