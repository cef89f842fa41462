"""A database that fails: it refuses, breaks a statement, breaks before or after the commit, kills whoever asks, or
lets others go first. Everything is drawn from the simulation's own chance, so it fails the same way again.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from runtime import database
from runtime.wire import KEPT_AS, Wire

LAST_STATEMENT = 14
"""Longer than nearly every transaction: some draws break nothing."""


class Killed(BaseException):
    """The process that ran this is gone: what it had not committed is undone, what it knew is lost."""


class InjectedSqlite(sqlite3.OperationalError):
    """A fault that was put there, as SQLite raises it."""


class InjectedPostgres(psycopg.OperationalError):
    """The same, as PostgreSQL's driver raises it."""


INJECTED = (InjectedSqlite, InjectedPostgres)


class Faults:
    """What goes wrong, and how often; nothing while it is not `on`."""

    def __init__(self, chance: random.Random, break_share: float, wait_share: float) -> None:
        self._chance = chance
        self._break_share = break_share
        self.wait_share = wait_share
        self.on = False
        self.refusing = False
        self.commits = 0
        self.injected = 0
        self.killed = 0
        self.end_process: Callable[[], None] = lambda: None
        """Nothing of whoever runs now happens any more; Killed only ends what it was about."""
        self.before_turn: Callable[[], None] = lambda: None
        """Somebody is about to write, after what was committed before."""
        self.let_others_go: Callable[[int], None] = lambda _: None
        """Let so many microseconds pass, with everything that happens in them; raises Killed when that was our end."""

    def draw(self) -> tuple[int, bool]:
        """At which statement the transaction that begins breaks (-1 before its commit, -2 after it, 0 never), and
        whether that kills."""
        if not self.on or self._chance.random() >= self._break_share:
            return 0, False
        at = self._chance.choice((-1, -2, -2, *range(1, LAST_STATEMENT)))
        return at, self._chance.random() < 0.15

    def strike(self, error: type[Exception], *, kill: bool) -> None:
        """Raise it."""
        self.injected += 1
        if kill:
            self.killed += 1
            # Not left to who catches Killed: a thread of a pool hands on whatever its work raises.
            self.end_process()
            raise Killed
        raise error("injected")

    @contextmanager
    def taken(self) -> Iterator[None]:
        """What `runtime.database.transaction` does before it begins: wait its turn, while others go first."""
        self.before_turn()
        if self.on and self._chance.random() < self.wait_share:
            self.let_others_go(self._chance.choice((2_000, 50_000, 400_000, 4_000_000)))
        yield


class _Breaking:
    """What both drivers' connections share: a count of statements, and what was drawn for the transaction."""

    faults: Faults
    error: type[Exception]
    _begun = False
    _at = 0
    _kill = False
    _statements = 0

    def next_statement(self) -> None:
        """Breaks when it is time to."""
        faults = self.faults
        if not faults.on:
            return
        if faults.refusing:
            faults.strike(self.error, kill=False)
        if not self._begun:
            self._begun = True
            self._statements = 0
            self._at, self._kill = faults.draw()
        self._statements += 1
        if self._statements == self._at:
            self._at = 0
            faults.strike(self.error, kill=self._kill)

    def committing(self, commit: Callable[[], None]) -> None:
        """Commits, and breaks before or after."""
        at, self._at, self._begun = self._at, 0, False
        if at == -1:
            self.faults.strike(self.error, kill=self._kill)
        commit()
        self.faults.commits += 1
        if at == -2:
            self.faults.strike(self.error, kill=self._kill)

    def ended(self) -> None:
        """The transaction is over."""
        self._begun = False
        self._at = 0


class _BreakingWire(Wire):
    """What is run on libpq breaks as what is run by the driver."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._next_statement = driver.next_statement

    def named(self, text: str) -> bytes:
        """Called for each statement."""
        self._next_statement()
        return super().named(text)


def open_database(url: str, faults: Faults) -> Engine:
    """The product's engine, on connections that fail as `faults` says; nothing is kept safe from a power cut."""
    engine = database.create_engine(url)
    if engine.dialect.name == "sqlite":

        class BreakingSqlite(_Breaking, sqlite3.Connection):
            error = InjectedSqlite

            def execute(self, *args: Any) -> sqlite3.Cursor:
                self.next_statement()
                return super().execute(*args)

            def cursor(self, *args: Any) -> Any:
                self.next_statement()
                return super().cursor(*args)

            def commit(self) -> None:
                self.committing(super().commit)

            def rollback(self) -> None:
                self.ended()
                super().rollback()

        BreakingSqlite.faults = faults

        def connect_sqlite(dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
            made = sqlite3.connect(*arguments, **options, factory=BreakingSqlite)
            sqlite3.Connection.execute(made, "PRAGMA synchronous=OFF")
            return made

        sa.event.listen(engine, "do_connect", connect_sqlite)
        sa.event.listen(engine, "connect", lambda made, _: sqlite3.Connection.execute(made, "PRAGMA synchronous=OFF"))
    else:

        class BreakingPostgres(_Breaking, psycopg.Connection[Any]):
            error = InjectedPostgres

            def execute(self, *args: Any, **options: Any) -> Any:
                self.next_statement()
                return super().execute(*args, **options)

            def cursor(self, *args: Any, **options: Any) -> Any:
                self.next_statement()
                return super().cursor(*args, **options)

            def commit(self) -> None:
                self.committing(super().commit)

            def rollback(self) -> None:
                self.ended()
                super().rollback()

        BreakingPostgres.faults = faults
        sa.event.listen(
            engine,
            "do_connect",
            lambda dialect, record, arguments, options: BreakingPostgres.connect(*arguments, **options),
        )
        sa.event.listen(engine, "connect", lambda made, record: record.info.update({KEPT_AS: _BreakingWire(made)}))
    engine.update_execution_options(turn=faults)
    return engine
