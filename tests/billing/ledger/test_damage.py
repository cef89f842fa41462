"""Each kind of damage to the books is named by the audit, with the place where it is (CHG-8)."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.accounts.tables import account
from billing.allowances.tables import bundle, bundle_use
from billing.calls.tables import call, cdr
from billing.charging.tables import charging_event, charging_refund, charging_session
from billing.consumption import service as consumption
from billing.consumption.consumption import Debited, Event, Open, Refunded, Reservation
from billing.ledger import audit_store, service
from billing.ledger.tables import ledger_account, ledger_seal, posting, transfer
from billing.plans import service as plan_service
from billing.plans import statement_store
from billing.plans.accruing import service as accruing
from billing.plans.cycle import Every
from billing.plans.plan import Plan, Terms
from billing.plans.service import Wish
from billing.plans.statement import Link, stated
from billing.plans.tables import account_statement, plan_period
from runtime.database import reading, to_micros, transaction
from runtime.ids import new_id
from runtime.keys import Pepper
from tests.billing.books import UNIT, Books
from tests.billing.ledger.raw_rows import raw
from tests.billing.shop import open_shop
from tests.clock import SettableClock

LONG_AGO = to_micros(SettableClock().now() - timedelta(days=3))


@dataclass
class World:
    """Two calls that ended, one that is up and holds money and units, an event, its refund, a plan; sealed."""

    books: Books
    rogue: Engine
    pepper: Pepper
    ids: dict[str, Any] = field(default_factory=dict)

    def findings(self) -> set[tuple[str, str]]:
        found = service.audit(self.books.engine, self.pepper, now=self.books.clock.now())
        return {(finding.check, finding.subject) for finding in found}

    def damaged(self, table: sa.Table, where: dict[str, Any], change: dict[str, Any] | None) -> set[tuple[str, str]]:
        """What is found while one row is changed, or gone; afterwards it is as before."""
        forced = raw(table)
        with self.rogue.begin() as conn:
            chosen = [forced.c[name] == value for name, value in where.items()]
            (row,) = (dict(row) for row in conn.execute(sa.select(forced).where(*chosen)).mappings())
            self._replace(conn, forced, table, row, None if change is None else row | change)
        found = self.findings()
        with self.rogue.begin() as conn:
            self._replace(conn, forced, table, row | (change or {}), row)
        return found

    @staticmethod
    def _replace(
        conn: sa.Connection, forced: sa.TableClause, table: sa.Table, old: dict[str, Any], new: dict[str, Any] | None
    ) -> None:
        conn.execute(sa.delete(forced).where(*(forced.c[key.name] == old[key.name] for key in table.primary_key)))
        if new is not None:
            conn.execute(sa.insert(forced), new)


@pytest.fixture
def world(engine: Engine, clock: SettableClock, pepper: Pepper, rogue: Engine) -> World:
    """All of it, sound."""
    books, shop = Books(engine, clock), open_shop(engine, clock)
    account_id, price = books.account(9 * UNIT), books.rate()
    ids: dict[str, Any] = {"account": account_id, "number": books.number(account_id)}
    for name, line in (("first", "+12125550101"), ("second", "+12125550102"), ("live", "+12125550103")):
        ids[name] = books.up(account_id, price, ani=line)
        if name != "live":
            books.settle(ids[name], 60_000)
    customer = shop.account(5 * UNIT)
    bought = Event(new_id(), shop.sold(customer, "content", "song"), 1)
    assert isinstance(consumption.debit(engine, clock, shop.rates, bought, "test"), Debited)
    given = consumption.refund(engine, clock, shop.operator_id, bought.event_id, new_id(), UNIT, "test")
    assert isinstance(given, Refunded)
    ids |= {"event": bought.event_id, "refund": given.refund.refund_id}
    surf = Open(new_id(), shop.sold(customer, "data", "net"), 1_000_000)
    assert isinstance(consumption.open_session(engine, clock, shop.rates, surf), Reservation)
    ids["surf_session"] = surf.session_id
    ids["shopper"] = account_service.find_account(engine, customer.number).id
    with reading(engine) as conn:
        for name in ("first", "second", "live"):
            session = sa.select(call.c.charging_session_id).where(call.c.id == ids[name])
            ids[f"{name}_session"] = conn.execute(session).scalar_one()
            paid = sa.select(cdr.c.transfer_id).where(cdr.c.call_id == ids[name])
            ids[f"{name}_transfer"] = conn.execute(paid).scalar_one_or_none()
    with transaction(engine) as conn:
        values = {"account_id": account_id, "measure": "time", "rule": "block", "covers_fees": False, "units": 9}
        made = sa.insert(bundle).values(**values, held=5, begins_at=clock.now()).returning(bundle.c.id)
        ids["bundle"] = conn.execute(made).scalar_one()
        conn.execute(sa.insert(bundle_use).values(session_id=ids["live_session"], bundle_id=ids["bundle"], held=5))
    ids["planned"] = books.account(9 * UNIT)
    _bill_a_plan(books, ids["planned"])
    assert service.seal(engine, clock, pepper, "night") is not None
    found = World(books, rogue, pepper, ids)
    assert found.findings() == set()
    return found


def _bill_a_plan(books: Books, account_id: int) -> None:
    """A fee of a plan, and two statements: one of the money paid in, one of the fee."""
    engine, clock = books.engine, books.clock
    plan = Plan(0, "acme", "line", "", Every.DAY, "UTC", None, ())
    plan_service.create(engine, clock, plan, Terms("Line", fee_micros=UNIT), by="test")
    plan_service.set_plan(engine, clock, books.number(account_id), Wish("line"), by="test")
    assert accruing.bill(engine, clock, by="test").paid == 1
    made, now = None, clock.now()
    with transaction(engine) as conn:
        hashes = sa.select(transfer.c.chain_hash).join(ledger_account, ledger_account.c.id == transfer.c.chain_id)
        of_chain = hashes.where(ledger_account.c.account_id == account_id).order_by(transfer.c.chain_number)
        for after, link_hash in enumerate(conn.execute(of_chain).scalars().all()):
            opening = 0 if made is None else made.closing_micros
            sums = statement_store.moved(conn, account_id, after, after + 1)
            links = (after, Link(after + 1, link_hash))
            made = stated(account_id, made, (now, now), opening, links, sums, (now, "test"))
            statement_store.add(conn, made)


OF_SESSION, OF_CALL, OF_EVENT, OF_REFUND = (
    {"id": "{first_session}"},
    {"id": "{first}"},
    {"id": "{event}"},
    {"id": "{refund}"},
)
LIVE, LIVE_SESSION, PAYER = {"id": "{live}"}, {"id": "{live_session}"}, {"id": "{account}"}
PAID = {"id": "{first_transfer}"}
SIDE = {"transfer_id": "{first_transfer}", "position": 0}
CUSTOMER, SEAL = {"account_id": "{account}"}, {"number": 1}
PERIOD, STATED = {"account_id": "{planned}"}, {"account_id": "{planned}", "number": 2}
DEBIT, REFUND = {"key": "debit:event:{event}"}, {"key": "refund:event:{refund}"}
FIRST_KEY = "charge:{first_session}"
DAMAGES: tuple[tuple[sa.Table, dict[str, Any], dict[str, Any] | None, str, str], ...] = (
    (account, PAYER, {"balance_micros": 8 * UNIT}, "balance of an account is the sum of its postings", "{number}"),
    (account, PAYER, {"held_micros": 8}, "holds of an account are those of its open charging sessions", "{number}"),
    (call, LIVE, {"state": "ended"}, "a hold has a live call", "{live_session}"),
    (call, LIVE, {"state": "ended"}, "a call that ended has its CDR", "{live}"),
    (call, LIVE, {"charging_session_id": None}, "a hold has a live call", "{live_session}"),
    (call, LIVE, None, "a hold has a live call", "{live_session}"),
    (call, OF_CALL, {"state": "talking"}, "a CDR has a call that ended", "{first}"),
    (call, OF_CALL, None, "a CDR has a call that ended", "{first}"),
    (call, OF_CALL, {"charging_session_id": "{second_session}"}, "a charging session has one call", "{second_session}"),
    (
        call,
        OF_CALL,
        {"charging_session_id": None},
        "a charging session of a call that is settled has its CDR",
        "{first_session}",
    ),
    (cdr, {"call_id": "{first}"}, None, "a call that ended has its CDR", "{first}"),
    (
        cdr,
        {"call_id": "{first}"},
        None,
        "a charging session of a call that is settled has its CDR",
        "{first_session}",
    ),
    (cdr, {"call_id": "{first}"}, {"charged_micros": 8}, "charge of a CDR is posted", "{first}"),
    (cdr, {"call_id": "{first}"}, {"charged_micros": 8}, "a CDR has the settlement of its call", "{first}"),
    (cdr, {"call_id": "{first}"}, {"account_id": "{shopper}"}, "a CDR has the settlement of its call", "{first}"),
    (
        cdr,
        {"call_id": "{first}"},
        {"transfer_id": "{second_transfer}"},
        "a settlement has one CDR",
        "charge:{second_session}",
    ),
    (charging_session, OF_SESSION, {"charged_micros": 8}, "charge of a charging session is posted", "{first_session}"),
    (charging_session, OF_SESSION, None, "a charge has its charging session", FIRST_KEY),
    (
        charging_session,
        LIVE_SESSION,
        {"valid_until_at": LONG_AGO},
        "a hold of a call has not outlived its time by a day",
        "{live_session}",
    ),
    (
        charging_session,
        {"id": "{surf_session}"},
        {"valid_until_at": LONG_AGO},
        "a hold of a service is not older than twice its grant",
        "{surf_session}",
    ),
    (
        charging_session,
        LIVE_SESSION,
        {"state": "closed"},
        "holds of an account are those of its open charging sessions",
        "{number}",
    ),
    (
        charging_session,
        LIVE_SESSION,
        {"state": "closed"},
        "units held of a bundle are those of its open charging sessions",
        "{bundle}",
    ),
    (
        bundle,
        {"id": "{bundle}"},
        {"held": 4},
        "units held of a bundle are those of its open charging sessions",
        "{bundle}",
    ),
    (charging_event, OF_EVENT, {"charged_micros": 8 * UNIT}, "charge of an event is posted", "{event}"),
    (charging_event, OF_EVENT, {"transfer_id": None}, "charge of an event is posted", "{event}"),
    (charging_event, OF_EVENT, None, "a debit of an event has its event", "debit:event:{event}"),
    (
        charging_event,
        OF_EVENT,
        {"charged_micros": 8},
        "refunds of an event are not more than its charge",
        "{event}",
    ),
    (charging_refund, OF_REFUND, {"amount_micros": 8}, "a refund of an event is posted", "{refund}"),
    (charging_refund, OF_REFUND, None, "a refund has its event's refund", "refund:event:{refund}"),
    (transfer, PAID, {"note": "x"}, "a transfer is what was appended", FIRST_KEY),
    (transfer, PAID, {"chain_number": 99}, "links of a chain follow each other", FIRST_KEY),
    (transfer, PAID, {"chain_hash": bytes(32)}, "a seal fits the transfers it covers", "seal 1"),
    (transfer, PAID, {"currency": "EUR"}, "a transfer has one currency", FIRST_KEY),
    (transfer, PAID, None, "a posting has its transfer and its ledger account", "{first_transfer}"),
    (transfer, PAID, None, "charge of a charging session is posted", "{first_session}"),
    (transfer, DEBIT, None, "charge of an event is posted", "{event}"),
    (transfer, REFUND, None, "a refund of an event is posted", "{refund}"),
    (posting, SIDE, {"amount_micros": 8}, "postings of a transfer add up to zero", FIRST_KEY),
    (posting, SIDE, {"amount_micros": 8}, "postings of a currency add up to zero", "USD"),
    (posting, SIDE, {"balance_after_micros": 8}, "balance after a posting", FIRST_KEY),
    (posting, SIDE, None, "balance of an account is the sum of its postings", "{number}"),
    (
        posting,
        SIDE,
        {"ledger_account_id": 999},
        "a posting has its transfer and its ledger account",
        "{first_transfer}",
    ),
    (ledger_account, CUSTOMER, {"owner": "999"}, "a customer's ledger account is that of his account", "999"),
    (ledger_account, CUSTOMER, {"owner": "999"}, "a transfer is what was appended", FIRST_KEY),
    (plan_period, PERIOD, {"fee_micros": 8}, "the fee of a plan's period is posted", "fee:1:1"),
    (plan_period, PERIOD, None, "a fee has its plan's period", "fee:1:1"),
    (transfer, {"key": "fee:1:1"}, None, "the fee of a plan's period is posted", "fee:1:1"),
    (
        account_statement,
        STATED,
        {"closing_micros": 8, "paid_micros": 0, "charged_micros": 8 - 9 * UNIT},
        "a statement is what was posted between its links",
        "{planned}:2",
    ),
    (
        account_statement,
        STATED,
        {"after_link": 0},
        "a statement goes on where the one before ended",
        "{planned}:2",
    ),
    (
        account_statement,
        STATED,
        {"link_hash": bytes(32)},
        "the link a statement is stamped with is the ledger's",
        "{planned}:2",
    ),
    (ledger_seal, SEAL, {"transfers": 2}, "a seal fits the transfers it covers", "seal 1"),
    (ledger_seal, SEAL, {"signature": "x"}, "a seal is signed with the key", "seal 1"),
    (ledger_seal, SEAL, {"first_transfer_id": 2}, "seals follow each other", "seal 1"),
)


def test_each_kind_of_damage_is_named_with_its_place(world: World) -> None:
    ids = world.ids
    missed = []
    for table, where, change, check, place in DAMAGES:
        found = world.damaged(table, _told(where, ids), None if change is None else _told(change, ids))
        if (check, place.format_map(ids)) not in found:
            missed.append((table.name, change, check, found))
    assert missed == []
    assert world.findings() == set()


def test_no_check_of_the_tables_goes_untried() -> None:
    assert {check for *_, check, _ in DAMAGES} >= set(audit_store.NAMES)


def _told(values: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    """The names in braces replaced by what they stand for."""
    return {
        name: ids[value[1:-1]]
        if isinstance(value, str) and value[0] == "{"
        else (value.format_map(ids) if isinstance(value, str) else value)
        for name, value in values.items()
    }
