"""PostgreSQL's prepared statements straight on libpq, by psycopg's own binding of it.

A cursor of psycopg spends some 60 µs of processor time on a statement, libpq some 12. The connection, its transaction,
its errors and how it reads a row stay psycopg's, so both ways may be used in turn within one transaction.
"""

import json
import select
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.json import Json
from sqlalchemy.engine import Connection

Values = Sequence[bytes | None]
Sent = tuple[bytes, Values]


def _text(value: object) -> bytes | None:
    """A value as PostgreSQL reads it; what it is for, the statement says."""
    if value is None:
        return None
    encode = _ENCODERS.get(type(value))
    if encode is not None:
        return encode(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Json):
        return json.dumps(value.obj).encode()
    raise TypeError(f"no way to send a {type(value).__name__}")


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    str: str.encode,
    int: lambda value: b"%d" % value,
    bool: lambda value: b"t" if value else b"f",
    bytes: lambda value: b"\\x" + value.hex().encode(),
    psycopg.Binary: lambda value: b"\\x" + value.obj.hex().encode(),
    date: lambda value: value.isoformat().encode(),
}


class Wire:
    """One connection's statements; each is prepared when it is first run there. Raises psycopg.Error."""

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self._libpq = driver.pgconn
        self._rows = Transformer(driver)
        self._prepared: dict[str, bytes] = {}
        self._together: list[Sent] | None = None
        self.begins = True
        """Whether a statement begins a transaction when there is none; one that only reads need not."""

    @property
    def is_in_transaction(self) -> bool:
        """Whether there is one to end."""
        return self._libpq.transaction_status != TransactionStatus.IDLE

    def rows(self, text: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Run it and read every row."""
        result = self._run(text, values)
        self._rows.set_pgresult(result)
        return self._rows.load_rows(0, result.ntuples, tuple)

    def count(self, text: str, values: Sequence[object]) -> int:
        """Run it and give the number of rows it changed."""
        return self._run(text, values).command_tuples or 0

    def write(self, text: str, values: Sequence[object]) -> None:
        """Run it, or have it sent with others."""
        if self._together is None:
            self._run(text, values)
        else:
            self._together.append((self.named(text), [_text(value) for value in values]))

    def begin_together(self) -> None:
        """What is written from now on is sent at the end."""
        self._together = []

    def end_together(self) -> list[Sent]:
        """No longer; what was written since."""
        waiting, self._together = self._together, None
        return waiting or []

    def _run(self, text: str, values: Sequence[object]) -> PGresult:
        name = self.named(text)
        sent: Any = [_text(value) for value in values]  # its types know no NULL, it does
        return self._sound(self._libpq.exec_prepared(name, sent))

    def named(self, text: str) -> bytes:
        """What it is prepared as; in a transaction, which is begun when there is none and it `begins` one."""
        libpq = self._libpq
        if self.begins and libpq.transaction_status == TransactionStatus.IDLE:
            self._sound(libpq.exec_(b"BEGIN"))
        name = self._prepared.get(text)
        if name is None:
            name = b"tollgate_%d" % len(self._prepared)
            self._sound(libpq.prepare(name, text.encode()))
            self._prepared[text] = name
        return name

    def send(self, waiting: Sequence[Sent]) -> None:
        """Send these, and wait once; then all is done, or the first that failed is raised and no later one was done."""
        if not waiting:
            return
        libpq = self._libpq
        libpq.enter_pipeline_mode()
        for name, values in waiting:
            libpq.send_query_prepared(name, values)
        libpq.pipeline_sync()
        failed: PGresult | None = None
        for _ in waiting:
            while (result := self._next_result()) is not None:
                if result.status == ExecStatus.FATAL_ERROR and failed is None:
                    failed = result
        self._next_result()
        libpq.exit_pipeline_mode()
        if failed is not None:
            self._sound(failed)

    def _next_result(self) -> PGresult | None:
        """The next result; others run while it is waited for, as they do not while libpq waits for one itself."""
        libpq = self._libpq
        while libpq.is_busy():
            interest = select.POLLIN if libpq.flush() == 0 else select.POLLIN | select.POLLOUT
            ready = select.poll()
            ready.register(libpq.socket, interest)
            ready.poll()
            libpq.consume_input()
        if libpq.status != ConnStatus.OK:
            # Of a connection that is lost there would be results without end.
            raise psycopg.OperationalError(libpq.get_error_message())
        return libpq.get_result()

    def _sound(self, result: PGresult) -> PGresult:
        if result.status in _SOUND:
            return result
        if self._libpq.status != ConnStatus.OK:
            raise psycopg.OperationalError(result.get_error_message())
        raise error_from_result(result)


_SOUND = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}
KEPT_AS = "wire"
"""Where the pool keeps the wire of a connection."""


def wire_of(conn: Connection) -> Wire:
    """The wire of this connection, in a transaction that SQLAlchemy knows of."""
    if not conn.in_transaction():
        conn.begin()
    kept = conn.connection.info
    found: Wire | None = kept.get(KEPT_AS)
    if found is None:
        driver: Any = conn.connection.dbapi_connection
        found = kept[KEPT_AS] = Wire(driver)
    return found
