"""Somebody who has the database itself."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine


@pytest.fixture
def rogue(engine: Engine) -> Iterator[Engine]:
    """Somebody who may do anything to the database: no trigger and no foreign key stops him."""
    rogue = sa.create_engine(engine.url)
    if engine.dialect.name == "sqlite":
        with rogue.begin() as conn:
            for name in conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
                conn.exec_driver_sql(f"DROP TRIGGER {name}")
    else:
        sa.event.listen(rogue, "begin", lambda conn: conn.exec_driver_sql("SET session_replication_role = replica"))
    yield rogue
    rogue.dispose()
