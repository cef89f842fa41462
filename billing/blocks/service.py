"""What the subscriber of a line does about toll calls, by telephone and on the web; the report for staff (ANI-5).

Only a line that is on the account can be blocked from it, and only what a subscriber blocked can a subscriber lift.
"""

from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from ani.lockout.lockout import UNKNOWN_WAY, Limits, Tell, Way, tell_nobody
from ani.lockout.store import record_wrong
from ani.negative import service as negative
from ani.negative.block import Block, NegativeReason, NewBlock
from billing.accounts import service as account_service
from billing.accounts import store as account_store
from billing.accounts.account import AccountRefusal
from billing.blocks import store
from billing.blocks.block_report import Period, ReasonCount
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError
from runtime.keys import Pepper


def block_by_pin(
    engine: Engine,
    clock: Clock,
    pepper: Pepper,
    limits: Limits,
    ani: str,
    pin: str,
    *,
    way: Way = UNKNOWN_WAY,
    tell: Tell = tell_nobody,
) -> NegativeReason | AccountRefusal:
    """Block the line that calls, for one who keys the PIN of an account of this very line; gives the block's reason.

    A right PIN of another account is answered, and counted, as a wrong one.
    """
    account_id = account_service.check_pin(
        engine, clock, pepper, limits, ani, pin, may_redeem=False, way=way, tell=tell
    )
    if isinstance(account_id, AccountRefusal):
        return account_id
    now = clock.now()
    with transaction(engine) as conn:
        if not _is_on_line(conn, account_id, ani):
            record_wrong(conn, ani=ani, account_id=None, kind="pin", at=now, way=way)
            return AccountRefusal.WRONG_PIN
        wanted = NewBlock(ani, NegativeReason.SUBSCRIBER, "by telephone, with the PIN")
        negative.block_in(conn, now, wanted, f"subscriber, account row {account_id}")
    return NegativeReason.SUBSCRIBER


def block_own_line(
    engine: Engine,
    clock: Clock,
    *,
    account_number: str,
    ani: str,
    by: str,
    note: str = "",
    until: datetime | None = None,
    ends_calls: bool = False,
) -> bool:
    """Block a line (E.164) of the account for its holder, who is logged in already; false when it was blocked so.

    Raises NotFoundError for a line that is not on the account, BlockError.
    """
    with transaction(engine) as conn:
        _require_on_line(conn, account_number, ani)
        wanted = NewBlock(ani, NegativeReason.SUBSCRIBER, note, until, ends_calls)
        return negative.block_in(conn, clock.now(), wanted, by)


def lift_own_block(engine: Engine, clock: Clock, *, account_number: str, ani: str, by: str, note: str) -> list[Block]:
    """Lift what a subscriber blocked on a line of the account; blocks of any other reason stay. Raises as above."""
    with transaction(engine) as conn:
        _require_on_line(conn, account_number, ani)
        return negative.unblock_in(conn, clock.now(), ani, by, note, NegativeReason.SUBSCRIBER)


def report(engine: Engine, clock: Clock, period: Period) -> list[ReasonCount]:
    """Every reason, whether anything happened for it or not."""
    with reading(engine) as conn:
        blocked = store.lines_blocked(conn, clock.now())
        made, lifted = store.made(conn, period), store.lifted(conn, period)
        calls = store.calls(conn, period, tuple(NegativeReason))
    return [
        ReasonCount(
            reason,
            blocked.get(reason, 0),
            made.get(reason, 0),
            lifted.get(reason, 0),
            *calls.get(reason, (0, 0)),
        )
        for reason in NegativeReason
    ]


def _is_on_line(conn: Connection, account_id: int, ani: str) -> bool:
    return any(found.account_id == account_id for found in account_store.every_account_on_line(conn, ani))


def _require_on_line(conn: Connection, account_number: str, ani: str) -> None:
    account = account_store.account_by_number(conn, account_number)
    if account is None or not _is_on_line(conn, account.id, ani):
        raise NotFoundError(f"{ani} is not on account {account_number}")
