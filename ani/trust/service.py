"""What staff do with the policy of trust of a service profile."""

from sqlalchemy.engine import Engine

from ani.trust import store
from ani.trust.trust import DEFAULT_POLICY, Demand, TrustRow
from runtime.clock import Clock
from runtime.database import reading, transaction


def policy_of(engine: Engine, profile_id: int) -> dict[TrustRow, tuple[Demand, bool]]:
    """Each row with its demand, and whether the profile says so itself."""
    with reading(engine) as conn:
        own = store.policy(conn, profile_id)
    return {row: (own.get(row, demand), row in own) for row, demand in DEFAULT_POLICY.items()}


def set_demand(engine: Engine, clock: Clock, profile_id: int, row: TrustRow, demand: Demand, by: str) -> None:
    """Let a profile demand this where the row applies, from the next call on."""
    with transaction(engine) as conn:
        store.set_rule(conn, profile_id, row, demand, by, clock.now())
