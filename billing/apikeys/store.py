"""The SQL of API keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.apikeys.apikey import ApiKey, Scope
from billing.apikeys.tables import api_key
from billing.operators.tables import operator
from runtime.prepared import Prepared

_KEY: sa.Select[Any] = sa.select(
    api_key.c.id,
    api_key.c.operator_id,
    operator.c.code,
    api_key.c.name,
    api_key.c.created_at,
    api_key.c.created_by,
    api_key.c.revoked_at,
    api_key.c.scopes,
).join_from(api_key, operator)
_FIND = Prepared(_KEY.add_columns(api_key.c.secret_hash).where(api_key.c.id == sa.bindparam("key_id")))


def find(conn: Connection, key_id: str) -> tuple[ApiKey, str] | None:
    """A key and the hash of its secret."""
    row = _FIND.first(conn, key_id=key_id)
    return None if row is None else (_key(row[:-1]), row[-1])


def add(conn: Connection, key: ApiKey, secret_hash: str) -> None:
    """Keep a new key."""
    conn.execute(
        sa.insert(api_key).values(
            id=key.id,
            operator_id=key.operator_id,
            name=key.name,
            secret_hash=secret_hash,
            created_at=key.created_at,
            created_by=key.created_by,
            scopes=" ".join(sorted(key.scopes)),
        )
    )


def revoke(conn: Connection, key_id: str, at: datetime, by: str, note: str) -> bool:
    """Revoke a key; false when there is none, or it was revoked before."""
    changed = conn.execute(
        sa.update(api_key)
        .where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=by, revoke_note=note)
    )
    return changed.rowcount == 1


def list_keys(conn: Connection) -> list[ApiKey]:
    """Every key, by operator and moment."""
    return [_key(row) for row in conn.execute(_KEY.order_by(operator.c.code, api_key.c.created_at))]


def _key(row: Sequence[Any]) -> ApiKey:
    values = [*row[:-1], frozenset(Scope(word) for word in row[-1].split())]
    return ApiKey(*values)
