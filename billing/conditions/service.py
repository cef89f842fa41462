"""Conditions, bypass codes, toll restrictions and modes: what calls ask, and what staff and account holders set."""

from datetime import datetime, timedelta

from sqlalchemy.engine import Connection, Engine

from ani.lockout.lockout import UNKNOWN_WAY, Limits, Tell, Way, tell_nobody
from ani.lockout.store import is_locked, record_wrong
from ani.typed_line import typed_line
from billing.accounts import store as account_store
from billing.accounts.account import Account
from billing.allowances import service as allowances
from billing.conditions import store
from billing.conditions.condition import (
    BadConditionError,
    ConditionRefusal,
    LineCondition,
    Mode,
    SpendBound,
    Terms,
    TollBlock,
    check_terms,
    is_bypass_code,
)
from billing.fraud.rules.fraud import longest_within
from billing.rating import Rate
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper

LONGEST_NOTE = 400


def longest(
    conn: Connection,
    now: datetime,
    bound: SpendBound,
    *,
    account_id: int,
    ani: str,
    rate: Rate,
    cap_ms: int,
    access_number: str = "",
    rings_for: timedelta = timedelta(0),
) -> tuple[int, int]:
    """How long a call may be that keeps within its spending limit, and what it may come to at most, whenever it is
    answered within `rings_for`.

    Calls that are up count with all they may come to, so that calls side by side never pass the limit together; none
    is counted with included units, which others may use up. Where money is held this is asked with the account locked.
    """
    context = allowances.without_bundles(conn, now, account_id, rate, access_number, rings_for)
    left_micros = bound.limit_micros
    if bound.since_at is not None:
        left_micros -= store.spent_micros(conn, account_id, ani, bound.since_at)
    return longest_within(rate, max(0, left_micros), cap_ms, context)


def check_bypass(
    engine: Engine,
    clock: Clock,
    pepper: Pepper,
    limits: Limits,
    *,
    account_id: int,
    ani: str,
    code: str,
    way: Way = UNKNOWN_WAY,
    tell: Tell = tell_nobody,
) -> ConditionRefusal | None:
    """None when the code opens toll calls of this account on this line; an account without a code has only wrong ones.

    A wrong one counts against the line and the account, as any wrong entry.
    """
    now = clock.now()
    with transaction(engine) as conn:
        if is_locked(conn, ani=ani, account_id=account_id, limits=limits, now=now, way=way, tell=tell):
            return ConditionRefusal.LOCKED
        line = store.line_terms(conn, account_id, ani)
        kept = None if line is None else store.bypass_hash(conn, line.account_line_id)
        if pepper.is_digest(kept, *_bypass(ani, account_id, code)):
            return None
        record_wrong(conn, ani=ani, account_id=account_id, kind="bypass-code", at=now, way=way)
    return ConditionRefusal.WRONG_BYPASS_CODE


def set_condition(engine: Engine, clock: Clock, *, number: str, line: str, terms: Terms, by: str) -> str:
    """Let an account pay for calls from one of its lines on these terms only; the terms before them end.

    Gives the line in E.164. Raises NotFoundError, StaffError for terms that cannot be.
    """
    try:
        check_terms(terms)
    except BadConditionError as error:
        raise StaffError(str(error)) from error
    with transaction(engine) as conn:
        ani, account_line_id = _line_of(conn, _account(conn, number), line)
        now = clock.now()
        store.end_condition(conn, account_line_id, by, "replaced", now)
        store.add_condition(conn, account_line_id, terms, by, now)
    return ani


def end_condition(engine: Engine, clock: Clock, *, number: str, line: str, by: str, note: str) -> str:
    """Let the line call on any terms again; gives it in E.164. Raises NotFoundError when it has no condition."""
    with transaction(engine) as conn:
        ani, account_line_id = _line_of(conn, _account(conn, number), line)
        if not store.end_condition(conn, account_line_id, by, note, clock.now()):
            raise NotFoundError(f"{ani} of account {number} has no condition")
    return ani


def list_conditions(engine: Engine, *, number: str | None = None, limit: int = 1000) -> list[LineCondition]:
    """Conditions in force, of one account or of all."""
    with reading(engine) as conn:
        account_id = None if number is None else _account(conn, number).id
        return store.conditions(conn, account_id, limit)


def set_bypass(engine: Engine, clock: Clock, pepper: Pepper, *, number: str, line: str, code: str, by: str) -> str:
    """Set the code by which an account opens toll calls on a restricted line; gives the line in E.164."""
    if not is_bypass_code(code):
        raise StaffError("bypass code: one to eight digits")
    with transaction(engine) as conn:
        account = _account(conn, number)
        ani, account_line_id = _line_of(conn, account, line)
        store.set_bypass(conn, account_line_id, pepper.digest(*_bypass(ani, account.id, code)), by, clock.now())
    return ani


def block_toll(engine: Engine, clock: Clock, *, ani: str, by: str, note: str) -> bool:
    """Restrict a line (E.164): toll calls go out by a bypass code only. False when it is restricted already."""
    _check_note(note)
    with transaction(engine) as conn:
        if store.current_toll_block(conn, ani) is not None:
            return False
        store.add_toll_block(conn, ani, by, note, clock.now())
    return True


def lift_toll(engine: Engine, clock: Clock, *, ani: str, by: str, note: str) -> None:
    """Lift the toll restriction of a line, with a note; raises NotFoundError when there is none."""
    _check_note(note)
    if not note.strip():
        raise StaffError("say why it is lifted")
    with transaction(engine) as conn:
        if not store.lift_toll_block(conn, ani, by, note, clock.now()):
            raise NotFoundError(f"{ani} has no toll restriction")


def toll_block_of(engine: Engine, ani: str) -> TollBlock | None:
    """The toll restriction of a line."""
    with reading(engine) as conn:
        return store.current_toll_block(conn, ani)


def set_mode(engine: Engine, clock: Clock, profile_id: int, mode: Mode, by: str) -> None:
    """Say what a service does with calls that no account pays for, from the next call on."""
    with transaction(engine) as conn:
        store.set_mode(conn, profile_id, mode, by, clock.now())


def mode_of(engine: Engine, profile_id: int) -> Mode:
    """What a service does with calls that no account pays for."""
    with reading(engine) as conn:
        return store.mode(conn, profile_id)


def _check_note(note: str) -> None:
    if len(note) > LONGEST_NOTE:
        raise StaffError(f"note: at most {LONGEST_NOTE} characters")


def _account(conn: Connection, number: str) -> Account:
    found = account_store.account_by_number(conn, number)
    if found is None:
        raise NotFoundError(f"no account {number}")
    return found


def _line_of(conn: Connection, account: Account, line: str) -> tuple[str, int]:
    ani = typed_line(line, account.home_country)
    terms = store.line_terms(conn, account.id, ani)
    if terms is None:
        raise NotFoundError(f"{ani} is not on account {account.number}")
    return ani, terms.account_line_id


def _bypass(ani: str, account_id: int, code: str) -> tuple[str, str, str, str]:
    return "bypass", ani, str(account_id), code
