"""The SQL of what other services ask for."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account
from billing.charging.tables import charging_event, charging_refund, charging_session
from billing.charging.validity import LATE_FOR
from billing.consumption.consumption import Debit, Refund
from billing.tariffs.tables import tariff
from runtime.database import to_micros
from runtime.prepared import Prepared
from runtime.prepared_rows import KeyedRead

_ACCOUNT = Prepared(
    sa.select(account.c.id, account.c.tariff_id).where(
        account.c.number == sa.bindparam("number"), account.c.operator_id == sa.bindparam("of_operator")
    )
)
_OWNER = Prepared(sa.select(account.c.operator_id).where(account.c.id == sa.bindparam("account_id")))
_BALANCE = Prepared(sa.select(account.c.balance_micros).where(account.c.id == sa.bindparam("account_id")))
_OWNERS = KeyedRead(sa.select(account.c.id, account.c.operator_id), account.c.id)
_TARIFF = Prepared(
    sa.select(tariff.c.id).where(
        tariff.c.operator_id == sa.bindparam("of_operator"), tariff.c.name == sa.bindparam("name")
    )
)
# As `billing.charging.validity.given_up_at`; the first of the moments is there for the index.
_until_us = sa.type_coerce(charging_session.c.valid_until_at, sa.BigInteger)
_heard_us = sa.type_coerce(
    sa.func.coalesce(charging_session.c.reported_at, charging_session.c.started_at), sa.BigInteger
)
_SILENT = Prepared(
    sa.select(charging_session.c.id)
    .where(
        charging_session.c.state == sa.literal_column("'open'"),
        charging_session.c.valid_until_at < sa.bindparam("now_at"),
        sa.or_(
            charging_session.c.valid_until_at < sa.bindparam("too_late_at"),
            3 * _until_us - _heard_us < sa.bindparam("twice_now_us", type_=sa.BigInteger),
        ),
        charging_session.c.service != sa.bindparam("but_service"),
    )
    .order_by(charging_session.c.valid_until_at)
)
_EVENT = Prepared(sa.select(*charging_event.c).where(charging_event.c.id == sa.bindparam("event_id")))
_ADD_EVENT = Prepared(sa.insert(charging_event), tuple(column.name for column in charging_event.c))
_REFUNDS = Prepared(
    sa.select(*charging_refund.c)
    .where(charging_refund.c.event_id == sa.bindparam("of_event"))
    .order_by(charging_refund.c.at)
)
_ADD_REFUND = Prepared(sa.insert(charging_refund), tuple(column.name for column in charging_refund.c))


def account_id(conn: Connection, operator_id: int, number: str) -> int | None:
    """The account of this number, if it is one of the operator's."""
    row = _ACCOUNT.first(conn, number=number, of_operator=operator_id)
    return None if row is None else int(row[0])


def balance_micros(conn: Connection, account_id: int) -> int:
    """The money on an account, not locked."""
    row = _BALANCE.first(conn, account_id=account_id)
    return 0 if row is None else int(row[0])


def payer(conn: Connection, operator_id: int, number: str) -> tuple[int, int | None] | None:
    """The account of this number, if it is one of the operator's, with the tariff of its own, if it has one."""
    row = _ACCOUNT.first(conn, number=number, of_operator=operator_id)
    return None if row is None else (int(row[0]), row[1])


def is_of(conn: Connection, account_id: int, operator_id: int) -> bool:
    """Whether an account is one of the operator's."""
    row = _OWNER.first(conn, account_id=account_id)
    return row is not None and row[0] == operator_id


def operators_of(conn: Connection, account_ids: Iterable[int]) -> dict[int, int]:
    """Whose each of these accounts is."""
    return {row[0]: row[1] for row in _OWNERS.all(conn, {(one,) for one in account_ids})}


def tariff_id(conn: Connection, operator_id: int, name: str) -> int | None:
    """The operator's tariff of this name."""
    row = _TARIFF.first(conn, of_operator=operator_id, name=name)
    return None if row is None else int(row[0])


def silent_sessions(conn: Connection, now: datetime, but_service: str) -> list[str]:
    """Open sessions of all services but one that nothing was heard of for too long, the oldest first."""
    rows = _SILENT.all(
        conn, now_at=now, too_late_at=now - LATE_FOR, twice_now_us=2 * to_micros(now), but_service=but_service
    )
    return [row[0] for row in rows]


def find_event(conn: Connection, event_id: str) -> Debit | None:
    """An event that was charged."""
    row = _EVENT.first(conn, event_id=event_id)
    return None if row is None else Debit(*row)


def add_event(conn: Connection, debit: Debit) -> None:
    """Keep an event; raises IntegrityError when its id is taken."""
    _ADD_EVENT.run(
        conn,
        id=debit.event_id,
        account_id=debit.account_id,
        service=debit.service,
        tariff_version_id=debit.tariff_version_id,
        rate_prefix=debit.rate_prefix,
        units=debit.units,
        charged_micros=debit.charged_micros,
        currency=debit.currency,
        at=debit.at,
        transfer_id=debit.transfer_id,
        asked=debit.asked,
    )


def refunds(conn: Connection, event_id: str) -> tuple[Refund, ...]:
    """What was given back of an event; it does not change while its account is locked."""
    return tuple(Refund(*row) for row in _REFUNDS.all(conn, of_event=event_id))


def add_refund(conn: Connection, refund: Refund) -> None:
    """Keep a refund; raises IntegrityError when its id is taken."""
    _ADD_REFUND.run(
        conn,
        id=refund.refund_id,
        event_id=refund.event_id,
        amount_micros=refund.amount_micros,
        at=refund.at,
        transfer_id=refund.transfer_id,
    )
