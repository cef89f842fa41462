"""Who looked at whose data, in SQL."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.access.access import Access, Action
from ani.access.tables import personal_access


def add(conn: Connection, subject_hashes: Sequence[str], access: Access) -> None:
    """Keep that somebody looked, for each name of the person."""
    rows = [
        {
            "subject_hash": one,
            "action": access.action.value,
            "at": access.at,
            "made_by": access.by,
            "reason": access.reason,
        }
        for one in subject_hashes
    ]
    conn.execute(sa.insert(personal_access), rows)


def accesses(conn: Connection, subject_hashes: Sequence[str], limit: int, action: Action | None = None) -> list[Access]:
    """Who looked, changed or erased, or only who did this one; the newest first."""
    found = conn.execute(
        sa.select(personal_access.c.at, personal_access.c.made_by, personal_access.c.action, personal_access.c.reason)
        .where(personal_access.c.subject_hash.in_(subject_hashes))
        .where(sa.true() if action is None else personal_access.c.action == action.value)
        .order_by(personal_access.c.at.desc(), personal_access.c.id.desc())
        .limit(limit)
    )
    return [Access(at, by, Action(action), reason) for at, by, action, reason in found]
