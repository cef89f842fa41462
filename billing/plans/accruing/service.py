"""What is due of the plans of accounts: fees to the ledger, units into bundles, statements at the ends of periods.

Each account by itself, in one short transaction with its row locked; what it did is seen by the next, whoever runs
beside it and wherever one was killed. The ledger's key of a fee names the account's plan and the period: it is moved
once. Periods that nobody ran for are caught up with, the oldest first.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from billing.accounts import store as account_store
from billing.allowances import store as allowance_store
from billing.bundles import store as bundle_store
from billing.ledger import store as ledger_store
from billing.ledger import transfer
from billing.ledger.transfer import ChangedReplayError, Funds, TransferError
from billing.plans import period_store, statement_store, store
from billing.plans.plan import (
    Assigned,
    Period,
    PeriodState,
    Shortage,
    Version,
    first_period,
    next_period,
    version_at,
)
from billing.plans.statement import Link, Statement, stated
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError

PAGE = 500
MOST_PERIODS = 60
"""So many are begun in one transaction; the rest of a long absence in the next."""

Told = Callable[[int], None]
"""Hears how many accounts are done."""


@dataclass(slots=True)
class Tally:
    """What a run did: counts, and fees by currency."""

    accounts: int = 0
    periods: int = 0
    paid: int = 0
    unpaid: int = 0
    lapsed: int = 0
    bundles: int = 0
    statements: int = 0
    fees_micros: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    """Accounts whose books do not let them be billed: nothing was changed of them."""

    def add(self, other: "Tally") -> None:
        """Count what was done for one account."""
        for name in ("periods", "paid", "unpaid", "lapsed", "bundles", "statements"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for currency, micros in other.fees_micros.items():
            self.fees_micros[currency] = self.fees_micros.get(currency, 0) + micros


def bill(engine: Engine, clock: Clock, *, by: str, number: str | None = None, told: Told | None = None) -> Tally:
    """Do what is due of all open accounts, or of one; again it finds nothing to do but fees that were not paid.

    Raises NotFoundError for an account that is not there.
    """
    tally, now, after = Tally(), clock.now(), 0
    page = _one(engine, number) if number is not None else _page(engine, now, after)
    while page:
        for after, known_as in page:
            tally.accounts += 1
            try:
                tally.add(_bill_account(engine, now, after, by))
            except (ChangedReplayError, IntegrityError, TransferError):
                tally.failed.append(known_as)
            if told is not None:
                told(tally.accounts)
        page = [] if number is not None else _page(engine, now, after)
    return tally


def bill_now(conn: Connection, now: datetime, account_id: int, by: str) -> tuple[Tally, bool]:
    """What is due of one account, in a transaction under way; whether that was all.

    An account that is not open, or has expired, waits: nothing may be charged to it.
    """
    funds = ledger_store.lock_funds(conn, account_id)
    if funds is None or not funds.is_open or funds.is_expired(now):
        return Tally(), True
    found = account_store.account_by_id(conn, account_id)
    assigned = {one.id: one for one in store.assignments(conn, account_id)}
    run = _Run(conn, now, by, funds, is_periodic=found is not None and found.is_periodic)
    for period in period_store.unpaid(conn, account_id):
        run.retry(assigned[period.assigned_id], period)
    for one in assigned.values():
        run.begin_periods(one)
    is_done = run.begun < MOST_PERIODS
    run.tally.unpaid = len(period_store.unpaid(conn, account_id)) if is_done else 0
    return run.tally, is_done


def _bill_account(engine: Engine, now: datetime, account_id: int, by: str) -> Tally:
    tally, is_done = Tally(), False
    is_rehearsal = engine.get_execution_options().get("rehearsal", False)
    while not is_done:
        with transaction(engine) as conn:
            done, is_done = bill_now(conn, now, account_id, by)
        tally.add(done)
        is_done = is_done or is_rehearsal
    return tally


def _page(engine: Engine, now: datetime, after: int) -> list[tuple[int, str]]:
    with reading(engine) as conn:
        return period_store.due(conn, now, after, PAGE)


def _one(engine: Engine, number: str) -> list[tuple[int, str]]:
    with reading(engine) as conn:
        found = account_store.account_by_number(conn, number)
    if found is None:
        raise NotFoundError(f"no account {number}")
    return [(found.id, number)]


class _Run:
    """One account that is locked, at one moment."""

    def __init__(self, conn: Connection, now: datetime, by: str, funds: Funds, *, is_periodic: bool) -> None:
        self.tally, self.begun = Tally(), 0
        self._conn, self._now, self._by, self._funds, self._is_periodic = conn, now, by, funds, is_periodic
        self._owes = False
        self._versions: dict[int, tuple[Version, ...]] = {}

    def retry(self, assigned: Assigned, period: Period) -> None:
        """Try a fee again that was not paid; one that is not owed lapses with its period."""
        version = next(one for one in self._versions_of(assigned) if one.number == period.version)
        decided = self._lapsed(period, version) or self._tried(assigned, period, version)
        if decided is not period:
            period_store.put(self._conn, decided)

    def begin_periods(self, assigned: Assigned) -> None:
        """Begin every period that is due, and state the one before; a stretch that is over is done with."""
        due_at = assigned.due_at
        if due_at is None or due_at > self._now:
            return
        last = period_store.last_of(self._conn, assigned.id)
        while due_at is not None and due_at <= self._now and self.begun < MOST_PERIODS:
            if last is not None and self._is_periodic:
                self._state(last)
            version = version_at(self._versions_of(assigned), due_at)
            if assigned.is_over(due_at) or version is None:
                due_at = None
            else:
                last = self._begin(assigned, last, due_at, version)
                due_at = last.ends_at
        store.set_due(self._conn, assigned.id, due_at)

    def _begin(self, assigned: Assigned, last: Period | None, begins_at: datetime, version: Version) -> Period:
        fresh = (
            first_period(assigned, version)
            if last is None
            else next_period(assigned, last.number + 1, begins_at, version)
        )
        tried = self._tried(assigned, fresh, version)
        made = (self._lapsed(tried, version) or tried) if tried.state is PeriodState.UNPAID else tried
        period_store.add(self._conn, made)
        self.begun += 1
        self.tally.periods += 1
        return made

    def _lapsed(self, period: Period, version: Version) -> Period | None:
        """The period, lapsed; none where it is not over, or its fee is owed beyond that."""
        if period.ends_at > self._now or version.terms.shortage is Shortage.OWE:
            return None
        self.tally.lapsed += 1
        return replace(period, state=PeriodState.LAPSED)

    def _tried(self, assigned: Assigned, period: Period, version: Version) -> Period:
        """The period, paid and with its units; the same one where what is available does not pay it."""
        if self._owes or period.fee_micros > self._funds.available_micros:
            self._owes = self._owes or version.terms.shortage is Shortage.OWE
            return period
        self.tally.paid += 1
        transfer_id = self._charge(assigned, period) if period.fee_micros else None
        bundle_id = None if version.offer_id is None else self._grant(period, version.offer_id)
        return replace(period, state=PeriodState.PAID, transfer_id=transfer_id, bundle_id=bundle_id)

    def _charge(self, assigned: Assigned, period: Period) -> int:
        funds, micros = self._funds, period.fee_micros
        moved = transfer.fee(period.key, funds, micros)
        note = f"plan {assigned.plan_code}, {period.begins_at:%Y-%m-%dT%H:%MZ} to {period.ends_at:%Y-%m-%dT%H:%MZ}"
        posted = ledger_store.post(self._conn, moved, self._now, self._by, note)
        if posted.is_replay:
            raise ChangedReplayError("the fee of a period that was not kept is posted")
        ledger_store.move(self._conn, funds.account_id, -micros, 0)
        self._funds = replace(funds, balance_micros=funds.balance_micros - micros)
        self.tally.fees_micros[funds.currency] = self.tally.fees_micros.get(funds.currency, 0) + micros
        return posted.transfer_id

    def _grant(self, period: Period, offer_id: int) -> int:
        """The units of a period as a bundle that ends with it, with what rolls over from the one before."""
        offered = bundle_store.offer_by_id(self._conn, offer_id).bundle
        before, carried = None, 0
        if offered.rolls_over and period.number > 1:
            before = period_store.bundle_of(self._conn, period.assigned_id, period.number - 1)
        if before is not None:
            carried = period_store.carried(self._conn, before, offered.measure, offered.rolls_over, self._now)
        units = period.units(offered.units)
        given = replace(offered, units=units + carried, expires_at=period.ends_at)
        made = allowance_store.add_bundle(self._conn, period.account_id, given, period.begins_at, units, by=self._by)
        if before is not None:
            period_store.follow(self._conn, before, made)
        self.tally.bundles += 1
        return made

    def _state(self, over: Period) -> None:
        """The statement that ends with a period, if none does."""
        conn, account_id = self._conn, over.account_id
        before = statement_store.last(conn, account_id)
        if before is not None and before.ends_at >= over.ends_at:
            return
        if before is None:
            after = statement_store.link_before(conn, account_id, over.begins_at, Link())
            opening = sum(statement_store.moved(conn, account_id, 0, after.number).values())
            begins_at = over.begins_at
        else:
            after, opening, begins_at = Link(before.last_link, before.link_hash), before.closing_micros, before.ends_at
        last = statement_store.link_before(conn, account_id, over.ends_at, after)
        sums = statement_store.moved(conn, account_id, after.number, last.number)
        span, links = (begins_at, over.ends_at), (after.number, last)
        made: Statement = stated(account_id, before, span, opening, links, sums, (self._now, self._by))
        statement_store.add(conn, made)
        self.tally.statements += 1

    def _versions_of(self, assigned: Assigned) -> tuple[Version, ...]:
        if assigned.plan_id not in self._versions:
            self._versions[assigned.plan_id] = store.versions_of(self._conn, assigned.plan_id)
        return self._versions[assigned.plan_id]
