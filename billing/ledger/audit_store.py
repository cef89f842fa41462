"""The checks of the books that compare tables, each one statement that returns what does not agree."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.accounts.tables import account
from billing.allowances.tables import bundle, bundle_use
from billing.calls.tables import call, cdr
from billing.charging.tables import charging_event, charging_refund, charging_session
from billing.ledger.tables import ledger_account, posting, transfer
from billing.ledger.transfer import Finding, LedgerKind
from billing.plans.tables import account_statement, plan_period
from runtime.database import Instant, reading, to_micros

ID_LENGTH = 32
MOST_FINDINGS = 100
"""Of one check; more of the same say nothing new, and must not fill the memory."""
FORGOTTEN_AFTER = timedelta(days=1)
"""The hold of a call this much past its time was reaped by nobody."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = sa.literal(0, sa.BigInteger)
_ONE = sa.literal(1, sa.BigInteger)

_CURRENCIES = (
    sa.select(ledger_account.c.currency, sa.func.sum(posting.c.amount_micros), _ZERO)
    .join_from(posting, ledger_account)
    .group_by(ledger_account.c.currency)
    .having(sa.func.sum(posting.c.amount_micros) != 0)
)
_LOOSE_POSTINGS = (
    sa.select(posting.c.transfer_id, _ZERO, _ONE)
    .outerjoin_from(posting, transfer, transfer.c.id == posting.c.transfer_id)
    .outerjoin(ledger_account, ledger_account.c.id == posting.c.ledger_account_id)
    .where(sa.or_(transfer.c.id.is_(None), ledger_account.c.id.is_(None)))
)
_OWNERS = (
    sa.select(
        ledger_account.c.owner,
        sa.func.coalesce(ledger_account.c.account_id, 0),
        sa.func.coalesce(account.c.id, 0),
    )
    .outerjoin_from(ledger_account, account, account.c.id == ledger_account.c.account_id)
    .where(
        sa.or_(
            sa.and_(ledger_account.c.kind != LedgerKind.CUSTOMER.value, ledger_account.c.account_id.is_not(None)),
            sa.and_(
                ledger_account.c.kind == LedgerKind.CUSTOMER.value,
                sa.or_(
                    account.c.id.is_(None),
                    sa.cast(account.c.id, sa.String) != ledger_account.c.owner,
                    account.c.currency != ledger_account.c.currency,
                ),
            ),
        )
    )
)

_postings_of_customer = (
    sa.select(ledger_account.c.account_id, sa.func.sum(posting.c.amount_micros).label("sum_micros"))
    .join_from(posting, ledger_account)
    .where(ledger_account.c.kind == LedgerKind.CUSTOMER.value)
    .group_by(ledger_account.c.account_id)
    .subquery()
)
_posted_micros = sa.func.coalesce(_postings_of_customer.c.sum_micros, 0)
_BALANCES = (
    sa.select(account.c.number, account.c.balance_micros, _posted_micros)
    .outerjoin_from(account, _postings_of_customer, _postings_of_customer.c.account_id == account.c.id)
    .where(account.c.balance_micros != _posted_micros)
)

_holds_of_account = (
    sa.select(charging_session.c.account_id, sa.func.sum(charging_session.c.held_micros).label("sum_micros"))
    .where(charging_session.c.state == "open")
    .group_by(charging_session.c.account_id)
    .subquery()
)
_open_holds_micros = sa.func.coalesce(_holds_of_account.c.sum_micros, 0)
_HOLDS = (
    sa.select(account.c.number, account.c.held_micros, _open_holds_micros)
    .outerjoin_from(account, _holds_of_account, _holds_of_account.c.account_id == account.c.id)
    .where(account.c.held_micros != _open_holds_micros)
)

_his = (
    sa.select(posting.c.transfer_id, ledger_account.c.account_id, posting.c.amount_micros)
    .join_from(posting, ledger_account)
    .where(ledger_account.c.account_id.is_not(None))
    .subquery()
)
"""What each transfer did to a customer's balance."""
_charged_micros = sa.func.coalesce(charging_session.c.charged_micros, 0)
_posted_for_session_micros = sa.func.coalesce(-_his.c.amount_micros, 0)
_CHARGES = (
    sa.select(charging_session.c.id, _charged_micros, _posted_for_session_micros)
    .outerjoin_from(charging_session, transfer, transfer.c.key == sa.literal("charge:") + charging_session.c.id)
    .outerjoin(_his, sa.and_(_his.c.transfer_id == transfer.c.id, _his.c.account_id == charging_session.c.account_id))
    .where(_charged_micros != _posted_for_session_micros)
)

_posted_for_call_micros = sa.func.coalesce(-_his.c.amount_micros, 0)
_CDRS = (
    sa.select(cdr.c.call_id, cdr.c.charged_micros, _posted_for_call_micros)
    .outerjoin_from(cdr, _his, sa.and_(_his.c.transfer_id == cdr.c.transfer_id, _his.c.account_id == cdr.c.account_id))
    .where(cdr.c.charged_micros != _posted_for_call_micros)
)

_cdrs_of_transfer = (
    sa.select(cdr.c.transfer_id, sa.func.count().label("cdrs"))
    .where(cdr.c.transfer_id.is_not(None))
    .group_by(cdr.c.transfer_id)
    .having(sa.func.count() > 1)
    .subquery()
)
_SHARED_SETTLEMENTS = sa.select(transfer.c.key, sa.cast(_cdrs_of_transfer.c.cdrs, sa.BigInteger), _ONE).join_from(
    _cdrs_of_transfer, transfer, transfer.c.id == _cdrs_of_transfer.c.transfer_id
)
_CDR_SESSIONS = (
    sa.select(cdr.c.call_id, cdr.c.charged_micros, sa.func.coalesce(charging_session.c.charged_micros, 0))
    .join_from(cdr, call, call.c.id == cdr.c.call_id)
    .outerjoin(charging_session, charging_session.c.id == call.c.charging_session_id)
    .outerjoin(transfer, transfer.c.id == cdr.c.transfer_id)
    .where(
        sa.or_(
            cdr.c.charged_micros != sa.func.coalesce(charging_session.c.charged_micros, 0),
            sa.and_(transfer.c.id.is_(None), sa.or_(cdr.c.transfer_id.is_not(None), cdr.c.charged_micros != 0)),
            transfer.c.key != sa.literal("charge:") + charging_session.c.id,
            cdr.c.account_id != charging_session.c.account_id,
        )
    )
)
_LOOSE_CHARGES = (
    sa.select(transfer.c.key, _ZERO, _ONE)
    .outerjoin_from(
        transfer, charging_session, charging_session.c.id == sa.func.substr(transfer.c.key, len("charge:") + 1)
    )
    .where(transfer.c.kind == "charge", charging_session.c.id.is_(None))
)
_ENDED_WITHOUT_CDR = (
    sa.select(call.c.id, _ZERO, _ONE)
    .outerjoin_from(call, cdr, cdr.c.call_id == call.c.id)
    .where(call.c.state == "ended", cdr.c.call_id.is_(None))
)
_is_open, _is_call = charging_session.c.state == "open", charging_session.c.service == "call"
_HELD_FOR_NOBODY = (
    sa.select(charging_session.c.id, charging_session.c.held_micros, _ZERO)
    .outerjoin_from(charging_session, call, call.c.charging_session_id == charging_session.c.id)
    .where(_is_open, sa.or_(call.c.state == "ended", sa.and_(call.c.id.is_(None), _is_call)))
)
_FORGOTTEN_HOLDS = sa.select(charging_session.c.id, charging_session.c.held_micros, _ZERO).where(
    _is_open, _is_call, charging_session.c.valid_until_at < sa.bindparam("forgotten_at", type_=Instant)
)
# `billing.charging.validity`: a grant is valid from when its session was last heard.
_until_us = sa.type_coerce(charging_session.c.valid_until_at, sa.BigInteger)
_heard_us = sa.type_coerce(
    sa.func.coalesce(charging_session.c.reported_at, charging_session.c.started_at), sa.BigInteger
)
_OLD_HOLDS = sa.select(charging_session.c.id, charging_session.c.held_micros, _ZERO).where(
    _is_open, ~_is_call, 2 * _until_us - _heard_us < sa.bindparam("now_us", type_=sa.BigInteger)
)
_SESSIONS_OF_A_CALL = (
    sa.select(call.c.charging_session_id, sa.func.count(), _ONE)
    .where(call.c.charging_session_id.is_not(None))
    .group_by(call.c.charging_session_id)
    .having(sa.func.count() > 1)
)
_SETTLED_WITHOUT_CDR = (
    sa.select(charging_session.c.id, _ZERO, _ONE)
    .outerjoin_from(charging_session, call, call.c.charging_session_id == charging_session.c.id)
    .outerjoin(cdr, cdr.c.call_id == call.c.id)
    .where(charging_session.c.state == "closed", _is_call, cdr.c.call_id.is_(None))
)
_CDR_OF_A_LIVE_CALL = (
    sa.select(cdr.c.call_id, _ONE, _ZERO)
    .outerjoin_from(cdr, call, call.c.id == cdr.c.call_id)
    .where(sa.or_(call.c.id.is_(None), call.c.state != "ended"))
)

_posted_for_event_micros = sa.func.coalesce(-_his.c.amount_micros, 0)
_EVENTS = (
    sa.select(charging_event.c.id, charging_event.c.charged_micros, _posted_for_event_micros)
    .outerjoin_from(
        charging_event,
        transfer,
        sa.and_(
            transfer.c.id == charging_event.c.transfer_id,
            transfer.c.key == sa.literal("debit:event:") + charging_event.c.id,
        ),
    )
    .outerjoin(_his, sa.and_(_his.c.transfer_id == transfer.c.id, _his.c.account_id == charging_event.c.account_id))
    .where(charging_event.c.charged_micros != _posted_for_event_micros)
)
_given_back_micros = sa.func.coalesce(_his.c.amount_micros, 0)
_REFUNDS = (
    sa.select(charging_refund.c.id, charging_refund.c.amount_micros, _given_back_micros)
    .join_from(charging_refund, charging_event, charging_event.c.id == charging_refund.c.event_id)
    .outerjoin(
        transfer,
        sa.and_(
            transfer.c.id == charging_refund.c.transfer_id,
            transfer.c.key == sa.literal("refund:event:") + charging_refund.c.id,
        ),
    )
    .outerjoin(_his, sa.and_(_his.c.transfer_id == transfer.c.id, _his.c.account_id == charging_event.c.account_id))
    .where(charging_refund.c.amount_micros != _given_back_micros)
)
_refunds_of_event = (
    sa.select(charging_refund.c.event_id, sa.func.sum(charging_refund.c.amount_micros).label("sum_micros"))
    .group_by(charging_refund.c.event_id)
    .subquery()
)
_OVER_REFUNDED = (
    sa.select(charging_event.c.id, _refunds_of_event.c.sum_micros, charging_event.c.charged_micros)
    .join_from(_refunds_of_event, charging_event, charging_event.c.id == _refunds_of_event.c.event_id)
    .where(_refunds_of_event.c.sum_micros > charging_event.c.charged_micros)
)


def _loose(prefix: str, table: sa.Table) -> sa.Select[tuple[str, int, int]]:
    """Transfers of other services whose event or refund is not there; keys typed by staff have no such length."""
    key_of, whole = sa.func.substr(transfer.c.key, len(prefix) + 1), len(prefix) + ID_LENGTH
    return (
        sa.select(transfer.c.key, _ZERO, _ONE)
        .outerjoin_from(transfer, table, table.c.id == key_of)
        .where(
            transfer.c.kind == prefix.partition(":")[0],
            transfer.c.key.like(f"{prefix}%"),
            sa.func.length(transfer.c.key) == whole,
            table.c.id.is_(None),
        )
    )


_units_of_open_sessions = (
    sa.select(bundle_use.c.bundle_id, sa.func.sum(bundle_use.c.held).label("sum_units"))
    .join_from(bundle_use, charging_session, charging_session.c.id == bundle_use.c.session_id)
    .where(charging_session.c.state == "open")
    .group_by(bundle_use.c.bundle_id)
    .subquery()
)
_open_units = sa.cast(sa.func.coalesce(_units_of_open_sessions.c.sum_units, 0), sa.BigInteger)
_UNITS = (
    sa.select(bundle.c.id, bundle.c.held, _open_units)
    .outerjoin_from(bundle, _units_of_open_sessions, _units_of_open_sessions.c.bundle_id == bundle.c.id)
    .where(bundle.c.held != _open_units)
)

_fee_micros = sa.case((plan_period.c.state == "paid", plan_period.c.fee_micros), else_=_ZERO)
_posted_fee_micros = sa.func.coalesce(-_his.c.amount_micros, 0)
_fee_key = (
    sa.literal("fee:")
    + sa.cast(plan_period.c.account_plan_id, sa.String)
    + sa.literal(":")
    + sa.cast(plan_period.c.number, sa.String)
)
_FEES = (
    sa.select(_fee_key, _fee_micros, _posted_fee_micros)
    .outerjoin_from(
        plan_period, transfer, sa.and_(transfer.c.id == plan_period.c.transfer_id, transfer.c.key == _fee_key)
    )
    .outerjoin(_his, sa.and_(_his.c.transfer_id == transfer.c.id, _his.c.account_id == plan_period.c.account_id))
    .where(_fee_micros != _posted_fee_micros)
)
_LOOSE_FEES = (
    sa.select(transfer.c.key, _ZERO, _ONE)
    .outerjoin_from(transfer, plan_period, plan_period.c.transfer_id == transfer.c.id)
    .where(transfer.c.kind == "fee", plan_period.c.number.is_(None))
)
_stated = sa.cast(account_statement.c.account_id, sa.String) + ":" + sa.cast(account_statement.c.number, sa.String)
_moved_micros = (
    sa.select(sa.func.coalesce(sa.func.sum(posting.c.amount_micros), 0))
    .join_from(ledger_account, transfer, transfer.c.chain_id == ledger_account.c.id)
    .join(posting, sa.and_(posting.c.transfer_id == transfer.c.id, posting.c.ledger_account_id == ledger_account.c.id))
    .where(
        ledger_account.c.account_id == account_statement.c.account_id,
        transfer.c.chain_number > account_statement.c.after_link,
        transfer.c.chain_number <= account_statement.c.last_link,
    )
    .scalar_subquery()
)
_change_micros = account_statement.c.closing_micros - account_statement.c.opening_micros
_STATEMENTS = sa.select(_stated, _change_micros, sa.cast(_moved_micros, sa.BigInteger)).where(
    _change_micros != _moved_micros
)
_before = account_statement.alias("before")
_UNBROKEN_STATEMENTS = (
    sa.select(_stated, account_statement.c.opening_micros, _before.c.closing_micros)
    .join_from(
        account_statement,
        _before,
        sa.and_(
            _before.c.account_id == account_statement.c.account_id, _before.c.number == account_statement.c.number - 1
        ),
    )
    .where(
        sa.or_(
            account_statement.c.opening_micros != _before.c.closing_micros,
            account_statement.c.after_link != _before.c.last_link,
        )
    )
)
_STAMPS = (
    sa.select(_stated, account_statement.c.last_link, _ZERO)
    .outerjoin_from(account_statement, ledger_account, ledger_account.c.account_id == account_statement.c.account_id)
    .outerjoin(
        transfer,
        sa.and_(transfer.c.chain_id == ledger_account.c.id, transfer.c.chain_number == account_statement.c.last_link),
    )
    .where(
        account_statement.c.last_link > 0,
        sa.or_(transfer.c.id.is_(None), transfer.c.chain_hash != account_statement.c.link_hash),
    )
)

_CHECKS = (
    ("postings of a currency add up to zero", _CURRENCIES),
    ("a posting has its transfer and its ledger account", _LOOSE_POSTINGS),
    ("a customer's ledger account is that of his account", _OWNERS),
    ("balance of an account is the sum of its postings", _BALANCES),
    ("holds of an account are those of its open charging sessions", _HOLDS),
    ("a hold has a live call", _HELD_FOR_NOBODY),
    ("a hold of a call has not outlived its time by a day", _FORGOTTEN_HOLDS),
    ("a hold of a service is not older than twice its grant", _OLD_HOLDS),
    ("units held of a bundle are those of its open charging sessions", _UNITS),
    ("charge of a charging session is posted", _CHARGES),
    ("a charge has its charging session", _LOOSE_CHARGES),
    ("charge of a CDR is posted", _CDRS),
    ("a CDR has the settlement of its call", _CDR_SESSIONS),
    ("a settlement has one CDR", _SHARED_SETTLEMENTS),
    ("a charging session has one call", _SESSIONS_OF_A_CALL),
    ("a call that ended has its CDR", _ENDED_WITHOUT_CDR),
    ("a charging session of a call that is settled has its CDR", _SETTLED_WITHOUT_CDR),
    ("a CDR has a call that ended", _CDR_OF_A_LIVE_CALL),
    ("charge of an event is posted", _EVENTS),
    ("a debit of an event has its event", _loose("debit:event:", charging_event)),
    ("a refund of an event is posted", _REFUNDS),
    ("a refund has its event's refund", _loose("refund:event:", charging_refund)),
    ("refunds of an event are not more than its charge", _OVER_REFUNDED),
    ("the fee of a plan's period is posted", _FEES),
    ("a fee has its plan's period", _LOOSE_FEES),
    ("a statement is what was posted between its links", _STATEMENTS),
    ("a statement goes on where the one before ended", _UNBROKEN_STATEMENTS),
    ("the link a statement is stamped with is the ledger's", _STAMPS),
)
NAMES = tuple(name for name, _ in _CHECKS)


def findings(engine: Engine, name: str, now: datetime | None) -> Iterator[Finding]:
    """What the check of this name found, `MOST_FINDINGS` at most; without the time nothing is too old.

    One statement, so it may run while calls are up: it sees one moment of both sides it compares.
    """
    statement = dict(_CHECKS)[name].limit(MOST_FINDINGS)
    now = now or _NEVER
    statement = statement.params(forgotten_at=now - FORGOTTEN_AFTER, now_us=to_micros(now))
    with reading(engine) as conn:
        rows = conn.execute(statement).all()
    for subject, found, expected in rows:
        yield Finding(name, str(subject), int(found), int(expected))
