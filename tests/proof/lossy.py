"""Databases that lose the answer to a COMMIT, or the COMMIT itself; who sent it cannot tell which."""

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from runtime import database
from tests.live.cutting_proxy import CuttingProxy, Passage, Verdict
from tests.postgres_server import PostgresServer


@dataclass(slots=True)
class Fate:
    """Decides what is lost, and counts it; nothing while it is not `cruel`."""

    dice: random.Random
    cruel: bool = False
    answers_lost: int = 0
    commits_lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def loses_answer(self) -> bool:
        """Whether the answer to this COMMIT, which was done, is lost: one in four."""
        with self.lock:
            lost = self.cruel and self.dice.random() < 0.25
            self.answers_lost += lost
        return lost

    def loses_commit(self) -> bool:
        """Whether this COMMIT is lost on its way: one in ten."""
        with self.lock:
            lost = self.cruel and self.dice.random() < 0.1
            self.commits_lost += lost
        return lost


@contextmanager
def lossy_sqlite(url: str, fate: Fate) -> Iterator[Engine]:
    """An engine whose driver does the COMMIT, or not, and then says that it failed."""

    class Connection(sqlite3.Connection):
        def commit(self) -> None:
            _commit(super(), fate)

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql.strip().upper() in {"COMMIT", "END"}:
                _commit(super(), fate)
                return self.cursor()
            return super().execute(sql, *parameters)

    engine = database.create_engine(url, busy_timeout_s=60.0)

    @sa.event.listens_for(engine, "do_connect")
    def connect(dialect: object, record: object, arguments: tuple[Any, ...], named: dict[str, Any]) -> Connection:
        return sqlite3.connect(*arguments, factory=Connection, **named)

    yield engine
    engine.dispose()


def _commit(driver: Any, fate: Fate) -> None:
    if fate.loses_commit():
        driver.rollback()
        raise sqlite3.OperationalError("disk I/O error")
    driver.commit()
    if fate.loses_answer():
        raise sqlite3.OperationalError("disk I/O error")


@contextmanager
def lossy_postgres(server: PostgresServer, url: str, fate: Fate) -> Iterator[Engine]:
    """An engine behind a proxy that swallows the answer to a COMMIT, or the COMMIT itself, and hangs up."""
    name = sa.make_url(url).database
    with CuttingProxy(0, server.socket, lambda: _Wire(fate)) as proxy:
        direct = f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}?sslmode=disable&gssencmode=disable"
        engine = database.create_engine(direct)
        yield engine
        engine.dispose()


class _Wire(Passage):
    """Messages of PostgreSQL's protocol 3: a letter, a length that counts itself, a body; the first has no letter."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self._from_client, self._from_server = b"", b""
        self._has_greeted = False

    def to_server(self, piece: bytes) -> Verdict:
        """Passes whole messages; a COMMIT may get lost."""
        self._from_client += piece
        passed = b""
        while (size := self._size(self._from_client, 1 if self._has_greeted else 0)) is not None:
            message, self._from_client = self._from_client[:size], self._from_client[size:]
            if self._has_greeted and message[:1] in b"QP" and b"COMMIT\0" in message and self._fate.loses_commit():
                return passed, True
            self._has_greeted = True
            passed += message
        return passed, False

    def to_client(self, piece: bytes) -> Verdict:
        """Passes whole messages; `CommandComplete` of a COMMIT may get lost, and nothing comes after it."""
        self._from_server += piece
        passed = b""
        while (size := self._size(self._from_server, 1)) is not None:
            message, self._from_server = self._from_server[:size], self._from_server[size:]
            if message[:1] == b"C" and message[5:] == b"COMMIT\0" and self._fate.loses_answer():
                return passed, True
            passed += message
        return passed, False

    @staticmethod
    def _size(stream: bytes, letters: int) -> int | None:
        if len(stream) < letters + 4:
            return None
        size = letters + int.from_bytes(stream[letters : letters + 4], "big")
        return size if len(stream) >= size else None
