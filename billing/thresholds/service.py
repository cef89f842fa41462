"""Usage thresholds: how long a call may be at most, judged where it is authorised, and what staff set (ANI-6)."""

from datetime import UTC, datetime

from sqlalchemy.engine import Connection, Engine

from ani.negative import service as negative
from ani.negative.block import NegativeReason, NewBlock
from billing.operators import store as operator_store
from billing.thresholds import store
from billing.thresholds.threshold import (
    BadThresholdError,
    CreditTier,
    LineCaps,
    Talked,
    ThresholdRefusal,
    Thresholds,
    check_thresholds,
    longest,
)
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError

THE_GATEWAY = "gateway"


def within(
    conn: Connection, now: datetime, caps: LineCaps, ani: str, cap_ms: int
) -> tuple[int, ThresholdRefusal | None]:
    """How long a call from the line may be, and the threshold that says so.

    Calls that are up count with all they may last, so that calls side by side never pass a threshold together.
    """
    limits = caps.thresholds
    if limits.day_s is None and limits.month_s is None and limits.line_s is None:
        return longest(limits, Talked(), cap_ms)
    day_at = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return longest(limits, store.talked(conn, ani, day_at, day_at.replace(day=1)), cap_ms)


def within_locked(
    conn: Connection, now: datetime, caps: LineCaps, ani: str, cap_ms: int
) -> tuple[int, ThresholdRefusal | None]:
    """`within`, in the transaction that authorises the call: calls of one line wait for each other here."""
    store.queue_up(conn, ani)
    return within(conn, now, caps, ani, cap_ms)


def block_over_line(engine: Engine, clock: Clock, ani: str, caps: LineCaps) -> None:
    """A line that used up all it may: blocked until staff lift it with a note, and then counted anew."""
    minutes, rest_s = divmod(caps.thresholds.line_s or 0, 60)
    note = f"talked {minutes} min {rest_s} s" if rest_s else f"talked {minutes} min"
    with transaction(engine) as conn:
        negative.block_in(conn, clock.now(), NewBlock(ani, NegativeReason.OVER_THRESHOLD, note), THE_GATEWAY)


def set_thresholds(engine: Engine, clock: Clock, profile_id: int, tier: str, wanted: Thresholds, by: str) -> None:
    """Set all thresholds of a tier in a service, from the next call on; raises StaffError."""
    try:
        check_thresholds(tier, wanted)
    except BadThresholdError as error:
        raise StaffError(str(error)) from error
    with transaction(engine) as conn:
        store.set_thresholds(conn, profile_id, tier, wanted, by, clock.now())


def thresholds_of(engine: Engine, profile_id: int) -> dict[str, Thresholds]:
    """The thresholds of a service by tier; the empty tier holds where the line's own says nothing."""
    with reading(engine) as conn:
        return store.thresholds(conn, profile_id)


def set_tier(
    engine: Engine,
    clock: Clock,
    ani: str,
    tier: str,
    *,
    source: str,
    by: str,
    note: str = "",
    operator_code: str = "",
) -> None:
    """Give a line (E.164) a credit tier with an operator; raises StaffError, NotFoundError.

    Untold, it is the operator of the line's account; of a line without one, the only operator there is.
    """
    try:
        check_thresholds(tier, Thresholds())
    except BadThresholdError as error:
        raise StaffError(str(error)) from error
    if not 0 < len(source) <= 40 or len(note) > 400:
        raise StaffError("source: 1 to 40 characters; note: at most 400")
    with transaction(engine) as conn:
        operator_id = _operator_of(conn, ani, operator_code)
        store.add_tier(conn, operator_id, ani, CreditTier(tier, source, note, clock.now(), by))


def tiers_of(engine: Engine, ani: str) -> list[CreditTier]:
    """Every tier a line has or had with any operator, the newest first."""
    with reading(engine) as conn:
        return store.tiers(conn, ani)


def _operator_of(conn: Connection, ani: str, code: str) -> int:
    if code:
        named = operator_store.operator_named(conn, code)
        if named is None:
            raise NotFoundError(f"no operator {code}")
        return named.id
    found = store.operators_of_line(conn, ani) or [one.id for one in operator_store.operators(conn)]
    if len(found) != 1:
        raise StaffError("--operator: say with which operator the line has this tier")
    return found[0]
