"""Looks at the books after every step, on a connection of its own, and says what must never be seen there.

Cheap on purpose: one look at all accounts, and a closer one at those that changed or that the step was about.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy.engine import Engine, make_url

from billing.ledger import service as ledger_service
from runtime.database import from_micros
from tests.simulation.intents import CALL, Intents, MeantSession, ViolationError
from tests.simulation.prices import Price
from tests.simulation.virtual import SECOND, VirtualClock

_ACCOUNTS = "SELECT id, balance_micros, held_micros, limit_micros, state, revision FROM account"
_SESSION = (
    "id, account_id, service, state, tariff_version_id, rate_prefix, request_number, granted_ms, held_micros, final,"
    " cap_ms, valid_until_at, used_ms, charged_micros, reported_ms"
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
    ) -> None:
        self._look = look
        self._clean = clean
        self._clock = clock
        self._intents = intents
        self._prices = prices
        self._call_fault = call_fault
        self._accounts: dict[int, SeenAccount] = {}
        self._transfers: dict[int, int] = {}
        self.latest_wall_us = 0
        self.looks = 0
        self.tell: Callable[[int, str], None] = lambda _account, _text: None

    def after_step(self, about: Iterable[int]) -> None:
        """Look at all accounts, closely at those that changed or that the step was `about`."""
        self.looks += 1
        about = set(about)
        for row in self._look.rows(
            "SELECT id, balance_micros, held_micros, limit_micros, state, revision FROM account"
        ):
            seen = self._accounts.get(row[0])
            if seen is None:
                seen = self._accounts[row[0]] = SeenAccount(row[0])
            if seen.row != row or row[0] in about:
                self._look_closely(seen, row)

    def _look_closely(self, seen: SeenAccount, row: Row) -> None:
        account_id, balance_micros, held_micros, limit_micros = row[:4]
        if balance_micros - held_micros < -limit_micros:
            raise ViolationError(f"available below the limit: {row}", account_id)
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
        for session_id, one in rows.items():
            if seen.rows.get(session_id) != one:
                now = Seen(*one)
                self._changed(now, seen.open.get(session_id))
                seen.open[session_id] = now
        for session_id in [one for one in seen.open if one not in rows]:
            self._closed(session_id, seen.open.pop(session_id))
        seen.rows = rows
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
        fault = price.hold_fault(now.granted, now.held_micros)
        if fault is not None or now.granted > now.cap or now.cap > meant.cap:
            raise ViolationError(f"{where}: {fault or 'granted beyond its cap'}: {now}", now.account_id)
        if before is not None and (
            now.granted < before.granted
            or now.held_micros < before.held_micros
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

    def _closed(self, session_id: str, before: Seen | None) -> None:
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
        expected_micros = min(price.of(min(now.used, now.granted)), now.held_micros)
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
        event_key = self._intents.refunds_of.get(key)
        if event_key is not None:
            paid_micros = -(self._intents.transfers[event_key].found_micros or 0)
            given_micros = self._intents.refunded_micros.get(event_key, 0) + amount_micros
            self._intents.refunded_micros[event_key] = given_micros
            if given_micros > paid_micros:
                raise ViolationError(f"of {event_key} {given_micros} were given back, {paid_micros} paid", account_id)

    def open_sessions(self) -> list[Seen]:
        """Those that were open at the last look."""
        return [one for account in self._accounts.values() for one in account.open.values()]

    def audit(self) -> None:
        """The product's own audit, and what it does not look at: talk time of lines."""
        findings = ledger_service.audit(self._clean)
        if findings:
            raise ViolationError(f"audit: {findings[:5]}")
        self._audit_lines()

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
