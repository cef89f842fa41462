"""The SQL of conditions. What calls of a line may come to is counted in full while they are up."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account, account_line
from billing.calls.tables import call, cdr
from billing.charging.tables import charging_session
from billing.conditions.condition import (
    Condition,
    LineCondition,
    LineTerms,
    Mode,
    SpendPeriod,
    Terms,
    TollBlock,
    joined,
)
from billing.conditions.tables import bypass_code, condition_ceiling, line_condition, service_mode, toll_block
from runtime.database import Instant
from runtime.looks import Look, Row
from runtime.prepared import Prepared

_CONDITION = (
    line_condition.c.id,
    line_condition.c.allowed,
    line_condition.c.denied,
    line_condition.c.long_distance_only,
    line_condition.c.hours,
    line_condition.c.zone,
    line_condition.c.spend_limit_micros,
    line_condition.c.spend_period,
    line_condition.c.note,
    line_condition.c.set_at,
    line_condition.c.set_by,
)
_IS_CURRENT = sa.and_(
    line_condition.c.account_line_id == account_line.c.id,
    line_condition.c.ended_at.is_(None),
)
_LINE_TERMS = Prepared(
    sa.select(account_line.c.id, *_CONDITION)
    .select_from(account_line.outerjoin(line_condition, _IS_CURRENT))
    .where(
        account_line.c.account_id == sa.bindparam("payer_id"),
        account_line.c.ani == sa.bindparam("line"),
        account_line.c.removed_at.is_(None),
    )
)
_MODE = sa.select(service_mode.c.mode).where(service_mode.c.service_profile_id == sa.bindparam("profile_id"))
_TOLL_BLOCK = sa.select(
    toll_block.c.id, toll_block.c.ani, toll_block.c.note, toll_block.c.blocked_at, toll_block.c.blocked_by
).where(toll_block.c.ani == sa.bindparam("line"), toll_block.c.lifted_at.is_(None))
_FIND_MODE, _FIND_TOLL_BLOCK = Prepared(_MODE), Prepared(_TOLL_BLOCK)
_BYPASS = Prepared(
    sa.select(bypass_code.c.code_hash).where(bypass_code.c.account_line_id == sa.bindparam("account_line_id"))
)
_SINCE = sa.bindparam("since_at", type_=Instant)
_SPENT = Prepared(
    sa.select(
        sa.select(sa.func.coalesce(sa.func.sum(cdr.c.charged_micros), 0))
        .where(
            cdr.c.ani == sa.bindparam("line"), cdr.c.account_id == sa.bindparam("payer_id"), cdr.c.ended_at >= _SINCE
        )
        .scalar_subquery(),
        sa.select(
            sa.func.coalesce(
                sa.func.sum(sa.func.coalesce(condition_ceiling.c.ceiling_micros, charging_session.c.held_micros)), 0
            )
        )
        .select_from(
            call.join(charging_session, charging_session.c.id == call.c.charging_session_id).outerjoin(
                condition_ceiling, condition_ceiling.c.call_id == call.c.id
            )
        )
        .where(
            call.c.state != sa.literal_column("'ended'"),
            call.c.ani == sa.bindparam("line"),
            call.c.account_id == sa.bindparam("payer_id"),
        )
        .scalar_subquery(),
    )
)
_ADD_CEILING = Prepared(sa.insert(condition_ceiling), ("call_id", "ceiling_micros"))
_SET_MODE = sa.text(
    "INSERT INTO service_mode (service_profile_id, mode, set_at, set_by) VALUES (:profile_id, :mode, :at, :by)"
    " ON CONFLICT (service_profile_id)"
    " DO UPDATE SET mode = excluded.mode, set_at = excluded.set_at, set_by = excluded.set_by"
).bindparams(sa.bindparam("at", type_=Instant))
_SET_BYPASS = sa.text(
    "INSERT INTO bypass_code (account_line_id, code_hash, set_at, set_by) VALUES (:line_id, :code_hash, :at, :by)"
    " ON CONFLICT (account_line_id)"
    " DO UPDATE SET code_hash = excluded.code_hash, set_at = excluded.set_at, set_by = excluded.set_by"
).bindparams(sa.bindparam("at", type_=Instant))


def line_terms(conn: Connection, account_id: int, ani: str) -> LineTerms | None:
    """The line as the account has it now; none when it is not on the account."""
    row = _LINE_TERMS.first(conn, payer_id=account_id, line=ani)
    return None if row is None else LineTerms(row[0], None if row[1] is None else _condition(row[1:]))


def mode(conn: Connection, profile_id: int) -> Mode:
    """What a service does with calls nobody pays for."""
    return MODE.read(_FIND_MODE.first(conn, profile_id=profile_id))


def current_toll_block(conn: Connection, ani: str) -> TollBlock | None:
    """The toll restriction of a line."""
    return TOLL_BLOCK.read(_FIND_TOLL_BLOCK.first(conn, line=ani))


def bypass_hash(conn: Connection, account_line_id: int) -> str | None:
    """The keyed hash of the bypass code of an account on a line."""
    row = _BYPASS.first(conn, account_line_id=account_line_id)
    return None if row is None else str(row[0])


def spent_micros(conn: Connection, account_id: int, ani: str, since_at: datetime) -> int:
    """What calls of the account from the line cost since then, and all that those which are up may come to."""
    ended, up = _SPENT.all(conn, payer_id=account_id, line=ani, since_at=since_at)[0]
    return int(ended) + int(up)


def add_ceiling(conn: Connection, call_id: str, ceiling_micros: int) -> None:
    """Keep what a call that is up may come to."""
    _ADD_CEILING.run(conn, call_id=call_id, ceiling_micros=ceiling_micros)


def add_condition(conn: Connection, account_line_id: int, terms: Terms, by: str, at: datetime) -> int:
    """A new condition; the one before it must have been ended. Gives its id."""
    values = {
        "account_line_id": account_line_id,
        "allowed": joined(terms.allowed),
        "denied": joined(terms.denied),
        "long_distance_only": terms.long_distance_only,
        "hours": terms.hours,
        "zone": terms.zone,
        "spend_limit_micros": terms.spend_limit_micros,
        "spend_period": terms.spend_period.value,
        "note": terms.note,
        "set_at": at,
        "set_by": by,
    }
    return int(conn.execute(sa.insert(line_condition).returning(line_condition.c.id), values).scalar_one())


def end_condition(conn: Connection, account_line_id: int, by: str, note: str, at: datetime) -> bool:
    """End the condition in force; false when there is none."""
    query = sa.update(line_condition).where(
        line_condition.c.account_line_id == account_line_id, line_condition.c.ended_at.is_(None)
    )
    return conn.execute(query.values(ended_at=at, ended_by=by, end_note=note)).rowcount == 1


def conditions(conn: Connection, account_id: int | None, limit: int) -> list[LineCondition]:
    """Conditions in force of one account or all, by account and line."""
    query = (
        sa.select(account.c.id, account.c.number, account_line.c.ani, *_CONDITION)
        .select_from(
            account.join(account_line, account_line.c.account_id == account.c.id).join(line_condition, _IS_CURRENT)
        )
        .where(account_line.c.removed_at.is_(None))
        .order_by(account.c.number, account_line.c.ani)
        .limit(limit)
    )
    if account_id is not None:
        query = query.where(account.c.id == account_id)
    return [LineCondition(*row[:3], _condition(tuple(row[3:]))) for row in conn.execute(query)]


def set_bypass(conn: Connection, account_line_id: int, code_hash: str, by: str, at: datetime) -> None:
    """Set the bypass code of an account on a line."""
    conn.execute(_SET_BYPASS, {"line_id": account_line_id, "code_hash": code_hash, "at": at, "by": by})


def set_mode(conn: Connection, profile_id: int, wanted: Mode, by: str, at: datetime) -> None:
    """Set what a service does with calls nobody pays for."""
    conn.execute(_SET_MODE, {"profile_id": profile_id, "mode": wanted.value, "at": at, "by": by})


def add_toll_block(conn: Connection, ani: str, by: str, note: str, at: datetime) -> None:
    """Restrict a line that is not restricted."""
    conn.execute(sa.insert(toll_block), {"ani": ani, "blocked_by": by, "note": note, "blocked_at": at})


def lift_toll_block(conn: Connection, ani: str, by: str, note: str, at: datetime) -> bool:
    """Lift the restriction of a line; false when there is none."""
    query = sa.update(toll_block).where(toll_block.c.ani == ani, toll_block.c.lifted_at.is_(None))
    return conn.execute(query.values(lifted_at=at, lifted_by=by, lift_note=note)).rowcount == 1


def _condition(row: tuple[Any, ...]) -> Condition:
    id_, allowed, denied, far_only, hours, zone, limit_micros, period, note, set_at, set_by = row
    terms = Terms(
        tuple(allowed.split()),
        tuple(denied.split()),
        bool(far_only),
        hours,
        zone,
        limit_micros,
        SpendPeriod(period),
        note,
    )
    return Condition(id_, terms, set_at, set_by)


def _mode(row: Row | None) -> Mode:
    return Mode.TERMINATE if row is None else Mode(row[0])


def _toll_block(row: Row | None) -> TollBlock | None:
    return None if row is None else TollBlock(*row)


MODE, TOLL_BLOCK = Look(_MODE, _mode), Look(_TOLL_BLOCK, _toll_block)
"""What the profile `profile_id` does with calls nobody pays for; the toll restriction of a `line`."""
