"""What keys cost: a PIN looked up with one key and with three, and how quickly everything comes under a new one."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.accounts.tables import pin
from billing.cards import store
from billing.rotation import service
from runtime.database import transaction
from runtime.keys import Pepper
from tests.billing.cards.shop import open_kiosk
from tests.billing.rotation.secrets import KEYS
from tests.clock import SettableClock

LOOK_UPS = 2_000


@pytest.mark.load
def test_keys_cost_little(
    engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    open_kiosk(engine, clock, pepper, tmp_path)
    rows, first = times(20_000, 1_000_000), Pepper(KEYS[0])
    for start in range(0, rows, 10_000):
        digits = range(start, min(rows, start + 10_000))
        with transaction(engine) as conn:
            values = [{"pin_hash": first.digest("pin", f"{one:08}"), "issued_at": clock.now()} for one in digits]
            conn.execute(sa.insert(pin), values)
    for keys in (1, 3):
        took_us = look_up(engine, Pepper(*KEYS[:keys]))
        print(f"\n{engine.dialect.name}, {rows} PINs: found with {keys} keys in {took_us:.0f} us")
    began = time.perf_counter()
    assert service.rotate(engine, Pepper(*KEYS[:2])).renewed == rows
    took_s = time.perf_counter() - began
    print(f"{engine.dialect.name}: {rows / took_s:.0f} PINs a second came under the new key")


def look_up(engine: Engine, pepper: Pepper) -> float:
    """Microseconds for one PIN, hashed and found."""
    with transaction(engine) as conn:
        began = time.perf_counter()
        for one in range(LOOK_UPS):
            assert store.find_pin(conn, pepper.digests("pin", f"{one:08}")) is not None
        return (time.perf_counter() - began) / LOOK_UPS * 1e6
