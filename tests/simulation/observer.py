"""Looks at the books after every step, on a connection of its own, and says what must never be seen there.

Cheap on purpose: one look at all accounts, and a closer one at those that changed or that the step was about.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from sqlalchemy.engine import Engine, make_url

from billing.ledger import service as ledger_service
from runtime.database import from_micros
from tests.simulation.intents import CALL, Intents, MeantSession, ViolationError
from tests.simulation.prices import About, Price
from tests.simulation.units import Stock
from tests.simulation.virtual import SECOND, VirtualClock

# With what is granted: units and a most charge let a grant grow without any money that moves.
_ACCOUNTS = (
    "SELECT id, balance_micros, held_micros, limit_micros, state, revision, (SELECT SUM(granted_ms)"
    " FROM charging_session s WHERE s.account_id = account.id AND s.state = 'open') FROM account"
)
_SESSION = (
    "id, account_id, service, state, tariff_version_id, rate_prefix, request_number, granted_ms, held_micros, final,"
    " cap_ms, valid_until_at, used_ms, charged_micros, reported_ms, started_at, reported_at"
)
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A session as it was seen last."""

    session_id: str
    account_id: int
    service: str
    state: str
    version_id: int
    prefix: str
    number: int
    granted: int
    held_micros: int
    final: bool
    cap: int
    valid_until_us: int
    used: int | None
    charged_micros: int | None
    reported: int
    started_us: int
    reported_us: int | None


@dataclass(slots=True)
class SeenAccount:
    """An account as it was seen last."""

    account_id: int
    row: Row = ()
    balance_micros: int = 0
    chain_number: int = 0
    open: dict[str, Seen] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)


class Look:
    """A plain connection beside the product's, for reading only."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._mark = "%s" if parsed.get_backend_name() == "postgresql" else "?"
        self._connection: Any
        if self._mark == "?":
            self._connection = sqlite3.connect(str(parsed.database), isolation_level=None)
        else:
            self._connection = psycopg.connect(url, autocommit=True)
        self._texts: dict[str, str] = {}

    def rows(self, text: str, *values: object) -> list[Row]:
        """Everything a statement finds; `?` stands for a value."""
        made = self._texts.get(text)
        if made is None:
            made = self._texts[text] = text.replace("?", self._mark)
        found: list[Row] = self._connection.execute(made, values).fetchall()
        return found

    def close(self) -> None:
        """Done."""
        self._connection.close()


class Observer:
    """The invariants."""

    def __init__(
        self,
        look: Look,
        clean: Engine,
        clock: VirtualClock,
        intents: Intents,
        prices: dict[tuple[int, str], Price],
        call_fault: Callable[[MeantSession, Seen], str | None],
        began_us: Callable[[MeantSession], int | None],
    ) -> None:
        self._look = look
        self._clean = clean
        self._clock = clock
        self._intents = intents
        self._prices = prices
        self._call_fault = call_fault
        self._began_us = began_us
        self.stock = Stock(look, intents)
        self._months: dict[tuple[int, str, str], tuple[int, int]] = {}
        self._accounts: dict[int, SeenAccount] = {}
        self._transfers: dict[int, int] = {}
        self.latest_wall_us = 0
        self.looks = 0
        self.tell: Callable[[int, str], None] = lambda _account, _text: None

    def after_step(self, about: Iterable[int]) -> None:
        """Look at all accounts, closely at those that changed or that the step was `about`."""
        self.looks += 1
        about = set(about)
        for row in self._look.rows(_ACCOUNTS):
            seen = self._accounts.get(row[0])
            if seen is None:
                seen = self._accounts[row[0]] = SeenAccount(row[0])
            if seen.row != row or row[0] in about:
                self._look_closely(seen, row)

    def _look_closely(self, seen: SeenAccount, row: Row) -> None:
        account_id, balance_micros, held_micros, limit_micros = row[:4]
        if balance_micros - held_micros < -limit_micros:
            raise ViolationError(f"available below the limit: {row}", account_id)
        self.stock.read(account_id)
        rows = {
            one[0]: one
            for one in self._look.rows(
                f"SELECT {_SESSION} FROM charging_session WHERE account_id = ? AND state = 'open'", account_id
            )
        }
        if sum(one[8] for one in rows.values()) != held_micros:
            raise ViolationError(
                f"account holds {held_micros}, its open sessions {[(one[0], one[8]) for one in rows.values()]}",
                account_id,
            )
        for session_id in [one for one in seen.open if one not in rows]:
            self._closed(session_id, seen.open.pop(session_id), max(0, sum(seen.row[1:4:2]) - seen.row[2]))
        for session_id, one in rows.items():
            if seen.rows.get(session_id) != one:
                now = Seen(*one)
                self._changed(now, seen.open.get(session_id))
                seen.open[session_id] = now
        seen.rows = rows
        self.stock.settled(account_id)
        self._entries(seen)
        if seen.balance_micros != balance_micros:
            raise ViolationError(
                f"balance {balance_micros}, the sum of its entries is {seen.balance_micros}", account_id
            )
        seen.row = row

    def _session(self, session_id: str) -> Seen | None:
        rows = self._look.rows(f"SELECT {_SESSION} FROM charging_session WHERE id = ?", session_id)
        return Seen(*rows[0]) if rows else None

    def _changed(self, now: Seen, before: Seen | None) -> None:
        """A session was opened or extended."""
        meant = self._intents.sessions.get(now.session_id)
        where = f"session {now.session_id}"
        if meant is None or meant.account_id != now.account_id:
            raise ViolationError(f"{where} was never asked for on this account", now.account_id)
        if meant.closed:
            raise ViolationError(f"{where} is open again", now.account_id)
        price = self._prices[now.version_id, now.prefix]
        if now.prefix != meant.prefix:
            raise ViolationError(f"{where} is priced by {now.prefix}, asked was {meant.prefix}", now.account_id)
        fault = self._hold_fault(meant, now, before, price)
        if fault is not None or now.granted > now.cap or now.cap > meant.cap:
            raise ViolationError(f"{where}: {fault or 'granted beyond its cap'}: {now}", now.account_id)
        if before is not None and (
            now.granted < before.granted
            or (now.held_micros < before.held_micros and (now.granted == before.granted or not price.may_get_cheaper))
            or (now.version_id, now.cap) != (before.version_id, before.cap)
            or now.number < before.number
        ):
            raise ViolationError(f"{where} went back: {before} then {now}", now.account_id)
        longest_us = now.granted * 1000 + 180 * SECOND if now.service == CALL else 4200 * SECOND
        if now.service == "airtime":
            longest_us = now.granted * 1000 + 600 * SECOND
        if now.valid_until_us > self.latest_wall_us + longest_us:
            raise ViolationError(f"{where}: its hold may live too long: {now}", now.account_id)
        meant.granted = now.granted

    def _hold_fault(self, meant: MeantSession, now: Seen, before: Seen | None, price: Price) -> str | None:
        """Why this is not what must be held for the grant, with the units it has of bundles."""
        if before is None:
            cover = self.stock.opened(meant, now, price)
        elif before.granted == now.granted:
            return None if before.held_micros == now.held_micros else f"held {before.held_micros} for the same grant"
        else:
            cover = self.stock.extended(before, now, price)
        about = About(now.started_us // 1000, *self._months.get(_month_key(now, price), (0, 0)), cover)
        stays = before is not None and before.held_micros == now.held_micros
        if price.is_by_month and stays and now.held_micros > price.to_hold(now.granted, about):
            return None  # what others used of the month made it cheaper
        if now.service != CALL or not price.windows:
            return price.hold_fault(now.granted, now.held_micros, about)
        if now.reported_us is None:
            return price.open_hold_fault(now.granted, now.held_micros, about)
        about = replace(about, start_ms=(self._began_us(meant) or now.started_us) // 1000)
        return price.hold_fault(now.granted, now.held_micros, about)

    def _expected_micros(self, meant: MeantSession, now: Seen, price: Price, spare_micros: int) -> int:
        """What a session that ended comes to by the month as it is now; it is counted to the month with it.

        Never more than was held for it; where others made the month dearer, than that and what was free beside it.
        """
        key = _month_key(now, price)
        month = self._months.get(key, (0, 0))
        start_us = now.started_us
        if now.service == CALL and price.windows:
            start_us = self._began_us(meant) or start_us
        cover = self.stock.cover_of(now.account_id, now.session_id)
        about = About(start_us // 1000, *month, cover)
        counted = min(now.used or 0, now.granted)
        price_micros = price.of(counted, about)
        is_part = price.ends_within(now.granted) and price.billed(counted) == price.billed(now.granted)
        most_micros = now.held_micros + (spare_micros if price.is_by_month and not is_part else 0)
        charged_micros = min(price_micros, most_micros)
        billed = counted if price_micros > charged_micros else price.billed(counted)
        self.stock.closed(meant, now, price, counted)
        if billed:
            cost_micros = price.month_cost(counted, charged_micros, about)
            self._months[key] = (month[0] + billed, month[1] + cost_micros)
        return charged_micros

    def _closed(self, session_id: str, before: Seen | None, spare_micros: int) -> None:
        """A session was settled: once, by what its actor or its switch said, at the model's price."""
        now = self._session(session_id)
        meant = self._intents.sessions.get(session_id)
        if now is None or meant is None or now.state != "closed" or now.used is None or now.charged_micros is None:
            raise ViolationError(f"session {session_id} went away: {now}", None if meant is None else meant.account_id)
        if meant.closed:
            raise ViolationError(f"session {session_id} was settled twice", meant.account_id)
        if before is not None and (now.granted, now.held_micros) != (before.granted, before.held_micros):
            raise ViolationError(f"session {session_id}: its grant changed at its end", meant.account_id)
        fault = self._end_fault(meant, now)
        if fault is not None:
            raise ViolationError(f"session {session_id}: {fault}: {now}", meant.account_id)
        price = self._prices[now.version_id, now.prefix]
        expected_micros = self._expected_micros(meant, now, price, spare_micros)
        if now.charged_micros != expected_micros:
            raise ViolationError(
                f"session {session_id} was charged {now.charged_micros}, the model says {expected_micros}: {now}",
                meant.account_id,
            )
        meant.closed = True
        meant.charged_micros = now.charged_micros
        if now.charged_micros:
            self._intents.transfer(f"charge:{session_id}", meant.account_id, -now.charged_micros)
        self.tell(meant.account_id, f"session {session_id} settled: used {now.used}, charged {now.charged_micros}")

    def _end_fault(self, meant: MeantSession, now: Seen) -> str | None:
        if meant.service == CALL:
            return self._call_fault(meant, now)
        if meant.said_used is not None and now.used == meant.said_used:
            return None
        if now.used == now.reported and now.valid_until_us < self._clock.wall_us:
            meant.ended_by_silence = True
            return None
        return f"ended by {now.used}, said was {meant.said_used}"

    def _entries(self, seen: SeenAccount) -> None:
        """What was posted since the last look."""
        rows = self._look.rows(
            "SELECT t.chain_number, t.id, t.key, p.amount_micros, p.balance_after_micros"
            " FROM ledger_account l JOIN transfer t ON t.chain_id = l.id"
            " JOIN posting p ON p.transfer_id = t.id AND p.ledger_account_id = l.id"
            " WHERE l.account_id = ? AND t.chain_number > ? ORDER BY t.chain_number",
            seen.account_id,
            seen.chain_number,
        )
        for number, transfer_id, key, amount_micros, after_micros in rows:
            self._entry(seen.account_id, transfer_id, key, amount_micros)
            seen.balance_micros += amount_micros
            if number != seen.chain_number + 1 or after_micros != seen.balance_micros:
                raise ViolationError(
                    f"entry {key}: {number} after {seen.chain_number}, {after_micros}", seen.account_id
                )
            seen.chain_number = number
            self.tell(seen.account_id, f"posted {key} {amount_micros}, balance {after_micros}")

    def _entry(self, account_id: int, transfer_id: int, key: str, amount_micros: int) -> None:
        if key.startswith("reversal:"):
            back_micros = self._transfers.get(int(key.partition(":")[2]))
            self._intents.transfer(key, account_id, -(back_micros or 0))
        meant = self._intents.transfers.get(key)
        if meant is None or meant.account_id != account_id or amount_micros not in meant.amounts:
            raise ViolationError(f"{amount_micros} under {key}, meant was {meant}", account_id)
        if meant.found_micros is not None:
            raise ViolationError(f"{key} is posted twice", account_id)
        meant.found_micros = amount_micros
        self._transfers[transfer_id] = amount_micros
        if key.startswith("debit:event:"):
            self._event(key.removeprefix("debit:event:"), account_id, -amount_micros)
        event_key = self._intents.refunds_of.get(key)
        if event_key is not None:
            paid_micros = -(self._intents.transfers[event_key].found_micros or 0)
            given_micros = self._intents.refunded_micros.get(event_key, 0) + amount_micros
            self._intents.refunded_micros[event_key] = given_micros
            if given_micros > paid_micros:
                raise ViolationError(f"of {event_key} {given_micros} were given back, {paid_micros} paid", account_id)

    def _event(self, event_id: str, account_id: int, charged_micros: int) -> None:
        """An event costs what its units cost that no bundle gave."""
        rows = self._look.rows(
            "SELECT tariff_version_id, rate_prefix, units FROM charging_event WHERE id = ?", event_id
        )
        for version_id, prefix, units in rows:
            cover = self.stock.event_cover(account_id, event_id)
            expected_micros = self._prices[version_id, prefix].of(units, About(cover=cover))
            if expected_micros != charged_micros:
                raise ViolationError(
                    f"event {event_id} was charged {charged_micros}, the model says {expected_micros}", account_id
                )

    def open_sessions(self) -> list[Seen]:
        """Those that were open at the last look."""
        return [one for account in self._accounts.values() for one in account.open.values()]

    def audit(self) -> None:
        """The product's own audit, and what it does not look at: talk time of lines."""
        findings = ledger_service.audit(self._clean)
        if findings:
            raise ViolationError(f"audit: {findings[:5]}")
        self._audit_lines()
        self._audit_months()

    def _audit_months(self) -> None:
        """What every account used of every service in every month, by what was seen to end and by the events."""
        expected = dict(self._months)
        for account_id, service, at_us, units, charged_micros in self._look.rows(
            "SELECT account_id, service, at, units, charged_micros FROM charging_event"
        ):
            key = (account_id, from_micros(at_us).strftime("%Y-%m"), service)
            used, cost_micros = expected.get(key, (0, 0))
            expected[key] = (used + units, cost_micros + charged_micros)
        for account_id, month, service, used, cost_micros in self._look.rows(
            "SELECT account_id, month, service, used, cost_micros FROM month_use"
        ):
            model = expected.pop((account_id, month, service), (0, 0))
            if model != (used, cost_micros):
                raise ViolationError(
                    f"{service} in {month}: {(used, cost_micros)} in the month; the model says {model}", account_id
                )
        if any(used for used, _ in expected.values()):
            raise ViolationError(f"use that no month has: {expected}")

    def _audit_lines(self) -> None:
        """Talk time is held and used in the month in which its session started."""
        held: Counter[tuple[str, str]] = Counter()
        used: Counter[tuple[str, str]] = Counter()
        for ani, started_us, granted, used_ms in self._look.rows(
            "SELECT c.ani, s.started_at, s.granted_ms, s.used_ms"
            " FROM call c JOIN charging_session s ON s.id = c.charging_session_id WHERE c.ani <> ''"
        ):
            month = from_micros(started_us).strftime("%Y-%m")
            if used_ms is None:
                held[ani, month] += granted
            else:
                used[ani, month] += min(used_ms, granted)
        for ani, month, held_ms, used_ms in self._look.rows("SELECT ani, month, held_ms, used_ms FROM line_usage"):
            found = (held.pop((ani, month), 0), used.pop((ani, month), 0))
            if found != (held_ms, used_ms):
                raise ViolationError(f"{ani} in {month}: {held_ms} held, {used_ms} used; by its sessions {found}")
        if any(held.values()) or any(used.values()):
            raise ViolationError(f"talk time that no line has: {held} held, {used} used")


def _month_key(now: Seen, price: Price) -> tuple[int, str, str]:
    return now.account_id, from_micros(now.started_us).strftime("%Y-%m"), price.service
