"""Rows as they are kept, for those who change them by force."""

import sqlalchemy as sa

from runtime.database import Instant


def raw(table: sa.Table) -> sa.TableClause:
    """The table with its values as they are in the rows."""
    return sa.table(
        table.name,
        *(sa.column(one.name, sa.BigInteger() if isinstance(one.type, Instant) else one.type) for one in table.c),
    )
