"""The raw driver's side of the comparison: the SQL of one update, written by hand, on a connection of its own.

The same rows are read, locked and written as `billing.calls.service.extend` reads, locks and writes, with the same
durability; nothing is priced, decided or converted. Each client has its connection; SQLite's clients may share a lock.
"""

import sqlite3
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.engine import Engine

CHARGED = (
    "SELECT call.id, call.ani, service_profile.month_cap_s, s.id, s.account_id, s.service, s.state,"
    " s.tariff_version_id, s.rate_prefix, s.request_number, s.granted_ms, s.held_micros, s.final, s.cap_ms,"
    " s.started_at, s.valid_until_at, s.used_ms, s.charged_micros, s.ended_at, s.reported_ms, s.reported_at, s.context"
    " FROM call JOIN charging_session s ON s.id = call.charging_session_id"
    " LEFT JOIN service_profile ON service_profile.id = call.service_profile_id WHERE call.id = ?"
)
FUNDS = (
    "SELECT id, operator_id, currency, state = 'open', balance_micros, held_micros, limit_micros, revision,"
    " state = 'suspended', expires_at FROM account WHERE id = ?"
)
HOLD_LINE = (
    "INSERT INTO line_usage (ani, month, used_ms, held_ms) VALUES (?, ?, 0, ?)"
    " ON CONFLICT (ani, month) DO UPDATE SET held_ms = line_usage.held_ms + excluded.held_ms"
    " WHERE line_usage.used_ms + line_usage.held_ms + excluded.held_ms <= ?"
)
EXTEND = (
    "UPDATE charging_session SET request_number = ?, granted_ms = ?, held_micros = ?, final = ?, valid_until_at = ?,"
    " reported_ms = ?, reported_at = ? WHERE id = ?"
)
REQUEST = (
    "INSERT INTO charging_request (session_id, number, kind, wanted_ms, granted_ms, held_micros, final, at, used_ms)"
    " VALUES (?, ?, 'update', ?, ?, ?, ?, ?, NULL)"
)
MOVE = "UPDATE account SET held_micros = held_micros + ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Step:
    """One update as its result will be: everything is known before it is asked for."""

    call_id: str
    number: int
    granted_ms: int
    held_micros: int
    more_ms: int
    more_micros: int
    month: str
    used_ms: int


class RawClient:
    """One client on one connection of the driver."""

    def __init__(self, engine: Engine, turn: AbstractContextManager[Any] | None = None) -> None:
        self._turn = turn or nullcontext()
        url = engine.url
        self._is_sqlite = engine.dialect.name == "sqlite"
        if self._is_sqlite:
            self._conn: Any = sqlite3.connect(
                str(url.database), timeout=60, isolation_level=None, check_same_thread=False
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
                self._conn.execute(f"PRAGMA {pragma}")
        else:
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._conn = psycopg.connect(address, autocommit=True)
        lock = "" if self._is_sqlite else " FOR NO KEY UPDATE"
        self._begin = "BEGIN IMMEDIATE" if self._is_sqlite else "BEGIN"
        texts = (CHARGED + (lock and lock + " OF s"), FUNDS + lock, HOLD_LINE, EXTEND, REQUEST, MOVE)
        self._texts = [text if self._is_sqlite else text.replace("?", "%s") for text in texts]

    def update(self, step: Step) -> None:
        """One transaction."""
        run = self._conn.execute
        charged_sql, funds_sql, line_sql, extend_sql, request_sql, move_sql = self._texts
        with self._turn:
            run(self._begin)
            found = run(charged_sql, (step.call_id,)).fetchone()
            ani, cap_s, session_id, account_id, is_final, started_at = (found[at] for at in (1, 2, 3, 4, 12, 14))
            run(funds_sql, (account_id,)).fetchone()
            assert run(line_sql, (ani, step.month, step.more_ms, cap_s * 1000)).rowcount == 1
            kept = (step.granted_ms, step.held_micros, is_final, started_at)
            run(extend_sql, (step.number, *kept, step.used_ms, started_at, session_id))
            run(request_sql, (session_id, step.number, step.granted_ms, *kept))
            run(move_sql, (step.more_micros, account_id))
            run("COMMIT")

    def close(self) -> None:
        """Give the connection back."""
        self._conn.close()


def turn() -> AbstractContextManager[Any]:
    """A lock by which SQLite's clients of one process take turns instead of sleeping on the file's lock."""
    return threading.Lock()
