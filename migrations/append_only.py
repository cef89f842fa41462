"""Triggers that make the database itself refuse to change or remove a row that was written (CHG-8).

Revisions that were released use this module, so what it does is not changed: a new need gets a new function.
"""

from alembic import op

MESSAGE = "rows of this table are never changed or removed"
_POSTGRES_FUNCTION = "tollgate_append_only"


def protect(*tables: str) -> None:
    """Refuse UPDATE and DELETE (and TRUNCATE on PostgreSQL) on these tables."""
    if op.get_bind().dialect.name == "sqlite":
        for table in tables:
            for event in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{event} BEFORE {event.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table}: {MESSAGE}'); END"
                )
        return
    op.execute(
        f"CREATE FUNCTION {_POSTGRES_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '%: {MESSAGE}', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in tables:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_POSTGRES_FUNCTION}()"
        )


def release(*tables: str) -> None:
    """Take back what `protect` did, before the tables are dropped."""
    if op.get_bind().dialect.name == "sqlite":
        for table in tables:
            for event in ("update", "delete"):
                op.execute(f"DROP TRIGGER {table}_no_{event}")
        return
    for table in tables:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    op.execute(f"DROP FUNCTION {_POSTGRES_FUNCTION}()")


def protect_more(*tables: str) -> None:
    """As `protect`, where an earlier revision has protected some tables already."""
    if op.get_bind().dialect.name == "sqlite":
        protect(*tables)
        return
    for table in tables:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_POSTGRES_FUNCTION}()"
        )


def release_more(*tables: str) -> None:
    """Take back what `protect_more` did; tables that are protected still, stay so."""
    if op.get_bind().dialect.name == "sqlite":
        release(*tables)
        return
    for table in tables:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")


def protect_but(table: str, columns: tuple[str, ...]) -> None:
    """As `protect_more`, but only these columns cannot be changed; no row can be removed. `release_more` undoes it."""
    named = ", ".join(f'"{column}"' for column in columns)
    if op.get_bind().dialect.name == "sqlite":
        for event, of in (("update", f" OF {named}"), ("delete", "")):
            op.execute(
                f"CREATE TRIGGER {table}_no_{event} BEFORE {event.upper()}{of} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table}: {MESSAGE}'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OF {named} OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {_POSTGRES_FUNCTION}()"
    )
