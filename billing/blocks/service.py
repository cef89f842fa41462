"""What the subscriber of a line does about toll calls, by telephone and on the web; the report for staff (ANI-5).

Only a line that is on the account can be blocked from it, and only what a subscriber blocked can a subscriber lift.
"""

from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from ani.lockout.lockout import UNKNOWN_WAY, Limits, Tell, Way, tell_nobody
from ani.lockout.store import record_wrong
from ani.negative import service as negative
from ani.negative import store as negative_store
from ani.negative.block import Block, NegativeReason, NewBlock
from billing.accounts import service as account_service
from billing.accounts import store as account_store
from billing.accounts.account import AccountRefusal
from billing.blocks import store
from billing.blocks.block_report import Period, ReasonCount
from billing.blocks.own_block import Asker, OwnBlock, OwnBlockRefusal, OwnLift
from billing.ledger.transfer import ChangedReplayError
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


def ask_block(
    engine: Engine, clock: Clock, pepper: Pepper, limits: Limits, asker: Asker, wanted: NewBlock
) -> OwnBlock | OwnBlockRefusal | AccountRefusal:
    """Block the asker's line for who gives the PIN of an account of it, through a service; once for each request.

    What became of the block since (staff or he himself lifted it) is left as it is by a replay. Raises
    ChangedReplayError for another content, the line included, under the id of an earlier request.
    """
    hashes, now = pepper.digests("pin", asker.pin), clock.now()
    with transaction(engine) as conn:
        refusal = _proven(conn, clock, limits, asker, hashes)
        if refusal is not None:
            return refusal
        negative_store.lock(conn)
        before = _made_by(conn, asker)
        if before is None:
            if wanted.expires_at is not None and wanted.expires_at <= now:
                return OwnBlockRefusal.END_PAST
            negative_store.insert_blocks(conn, [wanted], asker.by, now)
            before = _made_by(conn, asker)
            if before is None:
                raise RuntimeError("a block that was just written is not there")
            return OwnBlock(before, is_replay=False)
    made = (before.ani, before.expires_at, before.note, before.ends_calls)
    if made != (wanted.ani, wanted.expires_at, wanted.note, wanted.ends_calls):
        raise ChangedReplayError("this id was used for another block")
    return OwnBlock(before, is_replay=True)


def ask_lift(
    engine: Engine, clock: Clock, pepper: Pepper, limits: Limits, asker: Asker, note: str
) -> OwnLift | OwnBlockRefusal | AccountRefusal:
    """Lift what a subscriber blocked on the asker's line, likewise; blocks of any other reason stay.

    A replay lifts nothing that was blocked since.
    """
    hashes, now = pepper.digests("pin", asker.pin), clock.now()
    with transaction(engine) as conn:
        refusal = _proven(conn, clock, limits, asker, hashes)
        if refusal is not None:
            return refusal
        negative_store.lock(conn)
        before = negative_store.blocks_lifted_by(conn, asker.by_any_key)
        if not before:
            lifted = negative.unblock_in(conn, now, asker.ani, asker.by, note, NegativeReason.SUBSCRIBER)
            return OwnLift(len(lifted), now, is_replay=False) if lifted else OwnBlockRefusal.NOT_BLOCKED
    if (before[0].ani, before[0].lift_note) != (asker.ani, note):
        raise ChangedReplayError("this id was used for another lift")
    return OwnLift(len(before), before[0].lifted_at or now, is_replay=True)


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


def _proven(
    conn: Connection, clock: Clock, limits: Limits, asker: Asker, pin_hashes: tuple[str, ...]
) -> AccountRefusal | None:
    """None for the PIN of an account of this operator that has this line; any other is a wrong one, and counted.

    The line is merely said: wrong PINs lock it for services, not for its subscriber at his telephone. They count for
    the service as they do for an access number.
    """
    way = Way(asker.service, is_vouched=False)
    answer = account_service.try_pin(
        conn, clock, limits, asker.ani, pin_hashes, operator_id=asker.operator_id, may_redeem=False, way=way
    )
    if isinstance(answer, AccountRefusal):
        return answer
    if _is_on_line(conn, answer, asker.ani):
        return None
    record_wrong(conn, ani=asker.ani, account_id=None, kind="pin", at=clock.now(), way=way)
    return AccountRefusal.WRONG_PIN


def _made_by(conn: Connection, asker: Asker) -> Block | None:
    return next(iter(negative_store.blocks_made_by(conn, asker.by_any_key)), None)


def _is_on_line(conn: Connection, account_id: int, ani: str) -> bool:
    return any(found.account_id == account_id for found in account_store.every_account_on_line(conn, ani))


def _require_on_line(conn: Connection, account_number: str, ani: str) -> None:
    account = account_store.account_by_number(conn, account_number)
    if account is None or not _is_on_line(conn, account.id, ani):
        raise NotFoundError(f"{ani} is not on account {account_number}")
