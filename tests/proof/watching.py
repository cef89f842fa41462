"""Looks at what is available on an account again and again, from a connection of its own, while others work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from runtime import database

_AVAILABLE = sa.text("SELECT balance_micros - held_micros + limit_micros FROM account WHERE id = :account")


@contextmanager
def watched(engine: Engine, account_id: int) -> Iterator[list[int]]:
    """Look at what is available, again and again, from a connection of its own."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            with database.reading(engine) as conn:
                seen.append(int(conn.execute(_AVAILABLE, {"account": account_id}).scalar_one()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
