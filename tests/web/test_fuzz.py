"""Whatever is sent: an answer of ours, never a fault, and books that agree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from billing.operators.operator import Reach
from runtime.database import create_engine
from tests.billing.books import UNIT
from tests.clock import SettableClock
from tests.web.conftest import BASE, Web, serve

EXPECTED = {200, 201, 400, 401, 402, 403, 404, 405, 409, 413, 422}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
numbers = st.integers(-1, 30) | st.integers() | st.sampled_from([10**15, 2**63, 10_000_000])


@pytest.fixture(scope="module")
def web(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One application for all examples."""
    path = tmp_path_factory.mktemp("fuzz") / "tollgate.db"
    path.write_bytes(sqlite_template.read_bytes())
    engine = create_engine(f"sqlite:///{path}")
    yield from serve(engine, SettableClock(), requests_per_s=1_000_000.0)
    engine.dispose()


@pytest.fixture(scope="module")
def accounts(web: Web) -> list[str]:
    """Two customers: one may call abroad, the other spends little."""
    far, postpaid = web.shop.account(5 * UNIT), web.shop.account(0, limit_micros=UNIT)
    web.shop.bind(far, reach=Reach.ABROAD)
    web.shop.bind(postpaid, spend_per_hour_micros=UNIT // 2)
    return [far.number, postpaid.number]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/sessions", "/events", "/sessions/" + "a" * 32 + "/updates", "/events/x/refunds", "/%00"]),
    body=json_values,
    key=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=140),
)
def test_nothing_that_is_sent_is_a_fault(web: Web, path: str, body: object, key: str) -> None:
    answer = web.post(path, body, idempotency=key)
    assert answer.status_code in EXPECTED
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=300), kind=st.sampled_from(["application/json", "text/plain", "", "application/xml"]))
@example(raw=b'{"units": Infinity, "account": NaN}', kind="application/json")
@example(raw=b'{"units": 1' + b"0" * 280 + b"}", kind="application/json")
@example(raw=b"[" * 300, kind="application/json")
def test_nor_are_bytes(web: Web, raw: bytes, kind: str) -> None:
    headers = {"Authorization": f"Bearer {web.key}", "Idempotency-Key": "x", "Content-Type": kind}
    assert web.client.post(BASE + "/events", content=raw, headers=headers).status_code in EXPECTED


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    story=st.lists(
        st.tuples(
            st.sampled_from(["open", "update", "end", "event", "refund"]),
            st.integers(0, 1),
            st.integers(0, 5),
            numbers,
            numbers,
        ),
        max_size=8,
    )
)
def test_any_story_leaves_sound_books(
    web: Web, accounts: list[str], story: list[tuple[str, int, int, int, int]]
) -> None:
    sessions: dict[int, str] = {}
    events: dict[int, str] = {}
    for what, who, name, one, other in story:
        answer = tell(web, what, accounts[who], name, one, other, sessions, events)
        assert answer is None or answer.status_code in EXPECTED, answer.text
        if answer is not None and answer.status_code in {200, 201} and what == "open":
            sessions[name] = answer.json()["session"]
        if answer is not None and answer.status_code in {200, 201} and what == "event":
            events[name] = answer.json()["event"]
    for session in sessions.values():
        web.post(f"/sessions/{session}/terminate", {"used": 0})
    web.shop.assert_sound()


def tell(
    web: Web,
    what: str,
    account: str,
    name: int,
    one: int,
    other: int,
    sessions: dict[int, str],
    events: dict[int, str],
) -> Any:
    """One step of a story; none when there is nothing to do it to."""
    sold = {"account": account, "tariff": "all"}
    if what == "open":
        code = {"service": "data", "code": "net"} if name % 2 else {"service": "voice", "code": "+33142685300"}
        return web.post(
            "/sessions", {**sold, **code, "wanted": one, "minimum": max(0, other % 5)}, idempotency=f"{name}"
        )
    if what == "event":
        return web.post("/events", {**sold, "service": "message", "code": "sms", "units": one}, idempotency=f"{name}")
    if what == "refund":
        event = events.get(name)
        return event and web.post(f"/events/{event}/refunds", {"amount": f"0.{abs(one) % 100:02d}"}, idempotency="r")
    session = sessions.get(name)
    if session is None:
        return None
    if what == "end":
        return web.post(f"/sessions/{session}/terminate", {"used": one})
    return web.post(f"/sessions/{session}/updates", {"request_number": abs(other) % 4, "used": one, "wanted": other})
