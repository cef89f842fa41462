"""Keys of other services: shown once, kept as a hash, revoked for good."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.apikeys import service
from billing.apikeys.tables import api_key
from billing.cli import apikey as command
from runtime.database import reading
from runtime.faults import NotFoundError
from tests.billing.shop import open_shop
from tests.clock import SettableClock
from tests.terminal import Terminal


def test_a_key_opens_until_it_is_revoked(engine: Engine, clock: SettableClock) -> None:
    shop = open_shop(engine, clock)
    made, text = service.create(engine, clock, "shop", "data gateway", "ann")
    found = service.key_of(engine, text)
    assert found == made
    assert (made.operator_id, made.name) == (shop.operator_id, "data gateway")
    secret = text.rsplit("_", 1)[1]
    with reading(engine) as conn:
        kept = conn.execute(sa.select(api_key)).one()
    assert secret not in str(kept)
    for wrong in (
        text[:-1] + ("0" if text[-1] != "0" else "1"),
        text + "0",
        "",
        "tollgate__",
        text.upper(),
        "é" + text,
    ):
        assert service.key_of(engine, wrong) is None
    service.revoke(engine, clock, made.id, "bob", "left in a log")
    assert service.key_of(engine, text) is None
    with pytest.raises(NotFoundError):
        service.revoke(engine, clock, made.id, "bob", "again")
    with pytest.raises(NotFoundError):
        service.create(engine, clock, "nobody", "", "ann")


def test_commands(
    sqlite_url: str, sqlite_engine: Engine, clock: SettableClock, installation: Callable[[str], None]
) -> None:
    open_shop(sqlite_engine, clock)
    installation(sqlite_url)
    terminal = Terminal(command.attach)
    text = terminal.must("apikey", "create", "shop", "--name", "sms").out.strip()
    found = service.key_of(sqlite_engine, text)
    assert found is not None
    listed = terminal.must("apikey", "list", "--json").document
    assert [key["id"] for key in listed] == [found.id]
    assert text.rsplit("_", 1)[1] not in str(listed)
    terminal.must("apikey", "revoke", found.id, "--reason", "test")
    assert terminal.run("apikey", "revoke", found.id, "--reason", "test").code == 3
