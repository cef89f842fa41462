"""Every table of every room, gathered so that Alembic can compare them with the database."""

import dialplan.routes.tables  # noqa: F401  (imported for the tables they declare)
from runtime.database import metadata

__all__ = ["metadata"]
