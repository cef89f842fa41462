"""One way to the database: an engine, a transaction that is whole or not at all, and the schema's revision.

SQLite runs in WAL with `synchronous=FULL`; its writing transactions begin IMMEDIATE, so that what was read is still
true when it is written, and those of one process take turns (left to itself SQLite sleeps up to a tenth of a second
between two looks at its lock, and the sleeper is overtaken by all others). PostgreSQL runs READ COMMITTED; money is
guarded by conditional updates, not by isolation.
"""

import gc
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect, Engine

from runtime.idle import Idle
from runtime.prepared import translated

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING)

Micros = sa.BigInteger
"""Money: integer micro-units (10^-6) of the row's currency."""

READ_ONLY = "attempt to write a readonly database"
"""What SQLite says of a file it may not write."""

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A surrogate key the database counts up itself."""


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC moment, kept as integer microseconds since 1970: exact, comparable, the same on both databases."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To microseconds; refuses a moment without a time zone."""
        del dialect
        return _bound(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """From microseconds."""
        del dialect
        return _read(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:
        """The same without a detour; there are several moments in every row."""
        del dialect
        return _bound

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """The same without a detour."""
        del dialect, coltype
        return _read


def _bound(value: datetime | None) -> int | None:
    return None if value is None else to_micros(value)


def _read(value: Any | None) -> datetime | None:
    return None if value is None else _EPOCH + value * _MICROSECOND


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly; refuses a moment without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The moment so many microseconds after 1970."""
    return _EPOCH + value * _MICROSECOND


class _Turn:
    """Whose turn it is to write, among the threads that share an engine."""

    def __init__(self, limit_s: float) -> None:
        self._lock = threading.Lock()
        self._limit_s = limit_s

    def taken(self) -> "_Taken":
        """Wait for the turn; who waited too long goes on without, and SQLite refuses him in its own words."""
        return _Taken(self._lock, self._limit_s)


class _Taken:
    __slots__ = ("_limit_s", "_lock", "_mine")

    def __init__(self, lock: threading.Lock, limit_s: float) -> None:
        self._lock, self._limit_s, self._mine = lock, limit_s, False

    def __enter__(self) -> None:
        self._mine = self._lock.acquire(timeout=self._limit_s)

    def __exit__(self, *_: object) -> None:
        if self._mine:
            self._lock.release()


_IDLE = {"sqlite": (1, 4), "postgresql": (4, 4)}
"""So many writing and reading ones are kept out of the pool; SQLite has one writer."""


def create_engine(url: str, *, busy_timeout_s: float = 5.0, pool_size: int = 16) -> Engine:
    """An engine for `url` (sqlite:///path or postgresql://...), set up as this module promises.

    Its exceptions never show the values of a statement.
    """
    parsed = sa.make_url(url)
    idle = Idle(*_IDLE[parsed.get_backend_name()])
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            parsed,
            connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
            pool_size=pool_size,
            max_overflow=pool_size,
            poolclass=sa.pool.QueuePool,
            hide_parameters=True,
            execution_options={"idle": idle, "turn": _Turn(busy_timeout_s)},
        )
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        _give_up_read_only(engine, idle)
    else:
        options = " ".join((_PLAN_ONCE, *parsed.normalized_query.get("options", ())))
        engine = sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            # psycopg lets go of its own prepared statements with DEALLOCATE ALL, and of ours (`runtime.wire`) with them
            connect_args={"prepare_threshold": None, "options": options},
            pool_size=pool_size,
            max_overflow=pool_size,
            hide_parameters=True,
            execution_options={"idle": idle},
        )
    sa.event.listen(engine, "engine_disposed", idle.close)
    return engine


_PLAN_ONCE = "-c plan_cache_mode=force_generic_plan"
"""Every statement of a call finds its rows by key, whatever the values are. To find that out PostgreSQL would plan each
anew five times on each connection, at 3 to 7 ms for what a call's arrival asks."""


def _give_up_read_only(engine: Engine, idle: Idle) -> None:
    """A file that could not be opened for writing stays read-only to all connections that are open beside each other,
    whatever its mode is later: they are of no more use than those to a server that is gone."""
    is_lost = engine.dialect.is_disconnect

    def is_disconnect(error: Any, connection: Any, cursor: Any) -> bool:
        if READ_ONLY not in str(error):
            return is_lost(error, connection, cursor)
        idle.is_read_only = True
        return True

    dialect: Any = engine.dialect  # there is no event for all that this serves
    dialect.is_disconnect = is_disconnect


_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "recursive_triggers=ON",
    "wal_autocheckpoint=8000",
)
"""The log of 8,000 pages is 32 MB. Who fills it copies it into the file before he goes on, 3 to 5 ms for SQLite's own
1,000: at fifty calls a second every seventieth would be the one, and a bound on 99 of 100 would be a bound on that."""


def _set_up_sqlite(connection: sqlite3.Connection, record: object) -> None:
    del record
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    begin = "BEGIN" if reading else "BEGIN IMMEDIATE"
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.execute(begin)
    except sqlite3.Error as error:
        raise translated(connection, begin, error) from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A writing transaction: committed at the end of the block, rolled back whole when the block raises.

    On a rehearsing engine it is rolled back at the end all the same.
    """
    options = engine.get_execution_options()
    turn: _Turn | None = options.get("turn")
    watch: Watch | None = options.get("watch")
    idle: Idle = options["idle"]
    with turn.taken() if turn else nullcontext():
        if idle.is_read_only:
            engine.dispose()
            # SQLite keeps the file open for statements that hang in the traceback of what they raised.
            gc.collect(1)
        try:
            if options.get("rehearsal", False):
                with engine.connect() as connection, connection.begin() as begun:
                    yield connection
                    begun.rollback()
                return
            yield from _whole(engine, idle)
        except sa.exc.SQLAlchemyError as fault:
            if watch is not None:
                watch.failed(fault)
            raise
    if watch is not None and not idle.is_read_only:
        watch.worked()


def _whole(engine: Engine, idle: Idle) -> Iterator[Connection]:
    connection = idle.begin(engine)
    try:
        yield connection
        idle.commit(connection)
    except BaseException:
        idle.give_up(connection)
        raise
    idle.keep(connection)


class Watch(Protocol):
    """Who hears what becomes of transactions, on the thread that made them."""

    def failed(self, error: Exception) -> None:
        """The database refused, or was not there."""

    def worked(self) -> None:
        """What was written is kept."""


def watched(engine: Engine, watch: Watch) -> Engine:
    """The same database, where somebody hears what becomes of each writing transaction."""
    return engine.execution_options(watch=watch)


def rehearsing(engine: Engine) -> Engine:
    """The same database, walked through the same code, where nothing that is written stays (`--dry-run`)."""
    return engine.execution_options(rehearsal=True)


def sqlite_file(url: str) -> Path | None:
    """The file of a plain SQLite address; none for a server, for memory, and for `file:` addresses."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database.startswith((":", "file:")):
        return None
    return Path(parsed.database)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """To read and nothing else: one snapshot on SQLite, on PostgreSQL one for each statement; waits for no writer."""
    options = engine.get_execution_options()
    if options.get("rehearsal", False):
        with engine.connect().execution_options(reading=True) as connection:
            yield connection
        return
    idle: Idle = options["idle"]
    generation = idle.generation
    connection = idle.begin_reading(engine)
    try:
        yield connection
        idle.end_reading(connection)
    except BaseException:
        idle.give_up(connection)
        raise
    idle.keep_reading(connection, generation)
