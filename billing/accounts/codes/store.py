"""The SQL of access codes that end."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account_line


def end_code(conn: Connection, *, account_id: int, ani: str, at: datetime, by: str, note: str) -> bool:
    """Clear the code of an account on a line; false when there is none.

    The line as it was with it stays in a row that has ended, with the note. The row that goes on keeps its id, and so
    what else is set for the account on this line.
    """
    is_it = sa.and_(
        account_line.c.account_id == account_id,
        account_line.c.ani == ani,
        account_line.c.removed_at.is_(None),
        account_line.c.access_code_hash.is_not(None),
    )
    kept = ("account_id", "ani", "access_code_hash", "added_at", "code_set_at")
    ended = {"removed_at": at, "removed_by": by, "remove_note": note}
    row = conn.execute(sa.select(*(account_line.c[name] for name in kept)).where(is_it).with_for_update()).first()
    if row is None:
        return False
    conn.execute(sa.update(account_line).where(is_it).values(access_code_hash=None, code_set_at=None))
    conn.execute(sa.insert(account_line), dict(zip(kept, row, strict=True)) | ended)
    return True
