"""The policy of trust in SQL."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.trust.tables import trust_rule
from ani.trust.trust import Demand, OwnRule, TrustRow
from runtime.looks import Look
from runtime.prepared import Prepared

_POLICY = Prepared(
    sa.select(trust_rule.c.evidence, trust_rule.c.demand, trust_rule.c.set_at, trust_rule.c.set_by).where(
        trust_rule.c.service_profile_id == sa.bindparam("profile_id")
    )
)
HAS_OWN = Look(
    sa.select(trust_rule.c.evidence)
    .where(trust_rule.c.service_profile_id == sa.bindparam("profile_id"))
    .limit(sa.literal_column("1")),
    lambda row: row is not None,
)
"""Whether the profile `profile_id` demands anything otherwise than the default."""
_SET = sa.text(
    "INSERT INTO trust_rule (service_profile_id, evidence, demand, set_at, set_by)"
    " VALUES (:profile_id, :evidence, :demand, :set_at, :set_by)"
    " ON CONFLICT (service_profile_id, evidence)"
    " DO UPDATE SET demand = excluded.demand, set_at = excluded.set_at, set_by = excluded.set_by"
).bindparams(sa.bindparam("set_at", type_=trust_rule.c.set_at.type))


def own_rules(conn: Connection, profile_id: int) -> dict[TrustRow, OwnRule]:
    """What a profile demands otherwise than the default, and who said so."""
    rows = _POLICY.all(conn, profile_id=profile_id)
    return {TrustRow(row): OwnRule(Demand(demand), set_at, set_by) for row, demand, set_at, set_by in rows}


def policy(conn: Connection, profile_id: int) -> dict[TrustRow, Demand]:
    """What a profile demands otherwise than the default."""
    return {row: rule.demand for row, rule in own_rules(conn, profile_id).items()}


def set_rule(conn: Connection, profile_id: int, row: TrustRow, demand: Demand, by: str, at: datetime) -> None:
    """From now on a profile demands this where the row applies."""
    values = {"profile_id": profile_id, "evidence": row.value, "demand": demand.value, "set_at": at, "set_by": by}
    conn.execute(_SET, values)
