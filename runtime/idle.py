"""Connections that wait between two transactions of an engine, outside of its pool."""

import sqlite3

from sqlalchemy.engine import Connection, Engine

from runtime.prepared import translated, wire_of


class Idle:
    """Connections between two transactions of an engine, those that write and those that read.

    SQLAlchemy is told of one transaction as long as a connection is kept here, so that what it does when one begins and
    ends, ten times the work of the driver, is done once. The database sees each: we begin and end it by the driver.
    """

    def __init__(self, most: int, most_reading: int) -> None:
        self._most, self._most_reading = most, most_reading
        self._free: list[Connection] = []
        self._free_to_read: list[Connection] = []
        self.is_read_only = False
        self.generation = 0
        """Counts how often all were closed: what is in use meanwhile is not kept either."""

    def begin(self, engine: Engine) -> Connection:
        """One that was idle, or another from the pool, in a transaction that writes."""
        try:
            connection = self._free.pop()
        except IndexError:
            return _begun(engine.connect())
        return self._began(connection, "BEGIN IMMEDIATE")

    def begin_reading(self, engine: Engine) -> Connection:
        """The same to read; on PostgreSQL, where a transaction would show no more, each statement is one by itself."""
        try:
            connection = self._free_to_read.pop()
        except IndexError:
            connection = _begun(engine.connect().execution_options(reading=True))
        else:
            connection = self._began(connection, "BEGIN")
        if engine.dialect.name == "postgresql":
            wire_of(connection).begins = False
        return connection

    def commit(self, connection: Connection) -> None:
        """What was written is kept, and the connection is idle; when that fails it is still to be given up."""
        dialect = connection.dialect
        connection.engine.dispatch.commit(connection)
        try:
            connection.connection.dbapi_connection.commit()  # type: ignore[union-attr]  # it is there
        except dialect.loaded_dbapi.Error as error:
            raise translated(connection, "COMMIT", error) from error

    def end_reading(self, connection: Connection) -> None:
        """It is idle; when that fails it is still to be given up."""
        dialect = connection.dialect
        is_open = True
        if dialect.name == "postgresql":
            wire = wire_of(connection)
            wire.begins, is_open = True, wire.is_in_transaction
        if not is_open:
            return
        try:
            dialect.do_rollback(connection.connection)
        except dialect.loaded_dbapi.Error as error:
            raise translated(connection, "ROLLBACK", error) from error

    def keep(self, connection: Connection) -> None:
        """It is idle."""
        if self.is_read_only and connection.connection.dbapi_connection.total_changes:  # type: ignore[union-attr]  # sqlite3's
            self.is_read_only = False
        _keep(connection, self._free, self._most)

    def keep_reading(self, connection: Connection, generation: int) -> None:
        """One that reads, begun in that generation, is idle."""
        if generation == self.generation:
            _keep(connection, self._free_to_read, self._most_reading)
        else:
            _close(connection)

    def give_up(self, connection: Connection) -> None:
        """It failed: what it wrote is undone. When it is dead, the others may be so too."""
        is_dead = connection.invalidated
        if not is_dead and connection.dialect.name == "postgresql":
            wire_of(connection).begins = True
        connection.close()
        if is_dead:
            self.close()

    def close(self, *_: object) -> None:
        """Close all that are idle."""
        self.generation += 1
        for idle in (self._free, self._free_to_read):
            while idle:
                _close(idle.pop())

    def _began(self, connection: Connection, text: str) -> Connection:
        if connection.dialect.name != "sqlite":
            return connection
        try:
            connection.connection.dbapi_connection.execute(text)  # type: ignore[union-attr]  # sqlite3's
        except sqlite3.Error as error:
            refused = translated(connection, text, error)
            self.give_up(connection)
            raise refused from error
        return connection


def _close(connection: Connection) -> None:
    connection.detach()
    connection.close()


def _keep(connection: Connection, idle: list[Connection], most: int) -> None:
    if len(idle) < most:
        idle.append(connection)
    else:
        connection.close()


def _begun(connection: Connection) -> Connection:
    try:
        connection.begin()
    except BaseException:
        connection.close()
        raise
    return connection
