"""A client of the application, in this process, with a key of the shop of tests/billing/shop.py."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.engine import Engine

from ani.lockout.lockout import Limits
from billing.apikeys import service as key_service
from runtime.keys import PEPPER_BYTES, Pepper
from tests.billing.shop import Shop, open_shop
from tests.clock import SettableClock
from web.app import create_app

BASE = "/api/v1/charging"
LIMITS = Limits(5, 10, 60)
PEPPER = Pepper(bytes(range(PEPPER_BYTES)))


@dataclass(frozen=True, slots=True)
class Web:
    """The shop and a service that charges its customers."""

    shop: Shop
    client: TestClient
    key: str

    def post(self, path: str, body: object, *, idempotency: str | None = None, key: str | None = None) -> Any:
        """Post JSON; `key` in place of the shop's own."""
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        if idempotency is not None:
            headers["Idempotency-Key"] = idempotency
        return self.client.post(BASE + path, json=body, headers=headers)

    def get(self, path: str) -> Any:
        """Get."""
        return self.client.get(BASE + path, headers={"Authorization": f"Bearer {self.key}"})


def serve(engine: Engine, clock: SettableClock, requests_per_s: float = 1_000.0) -> Iterator[Web]:
    """The application on this database."""
    shop = open_shop(engine, clock)
    _, key = key_service.create(engine, clock, "shop", "test", "test")
    with TestClient(create_app(engine, clock, PEPPER, LIMITS, requests_per_s)) as client:
        yield Web(shop, client, key)


@pytest.fixture
def web(sqlite_engine: Engine, clock: SettableClock) -> Iterator[Web]:
    """The application on SQLite."""
    yield from serve(sqlite_engine, clock)


@pytest.fixture
def web_on_both(engine: Engine, clock: SettableClock) -> Iterator[Web]:
    """The application on SQLite and on PostgreSQL."""
    yield from serve(engine, clock)
