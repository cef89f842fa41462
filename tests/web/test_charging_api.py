"""The charging API as another service sees it."""

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from ani.access.service import Staff
from billing.accounts.own_tariff import service as own_tariff
from billing.apikeys import service as key_service
from billing.consumption import service as consumption
from billing.fraud.rules.fraud import FraudRefusal
from billing.operators.operator import Reach
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from billing.tariffs.tariff import read_rate
from dialplan.lab.polling import wait_for
from runtime.keys import Pepper
from tests.billing.books import UNIT
from tests.billing.shop import EMPTY
from tests.clock import SettableClock
from tests.web.conftest import BASE, Web, serve
from web.limits import Buckets
from web.problem import TITLES

USD = "USD"


def sold(web: Web, service: str, code: str, micros: int = UNIT) -> dict[str, object]:
    return {"account": web.shop.account(micros).number, "tariff": "all", "service": service, "code": code}


def test_a_session_from_beginning_to_end(web_on_both: Web) -> None:
    web = web_on_both
    body = {**sold(web, "data", "net"), "wanted": 10_000_000}
    first = web.post("/sessions", body, idempotency="order-1")
    assert first.status_code == 201
    answer = first.json()
    assert (answer["unit"], answer["granted"], answer["final"], answer["replay"]) == ("byte", 10_000_000, False, False)
    assert answer["held"] == {"amount": "0.500000", "currency": USD}
    again = web.post("/sessions", body, idempotency="order-1")
    assert (again.status_code, again.json()) == (200, {**answer, "replay": True})
    changed = web.post("/sessions", {**body, "wanted": 1}, idempotency="order-1")
    assert (changed.status_code, changed.json()["code"]) == (422, "changed-replay")
    path = f"/sessions/{answer['session']}"
    more = web.post(path + "/updates", {"request_number": 1, "used": 9_000_000, "wanted": 30_000_000})
    assert (more.status_code, more.json()["granted"], more.json()["final"]) == (200, 20_000_000, True)
    assert web.get(path).json()["held"]["amount"] == "1.000000"
    ended = web.post(path + "/terminate", {"used": 12_000_000})
    assert ended.json() == {
        "session": answer["session"],
        "unit": "byte",
        "used": 12_000_000,
        "charged": {"amount": "0.600000", "currency": USD},
        "balance": {"amount": "0.400000", "currency": USD},
        "replay": False,
    }
    assert web.post(path + "/terminate", {"used": 12_000_000}).json()["replay"] is True
    assert web.post(path + "/terminate", {"used": 1}).json()["code"] == "changed-replay"
    late = web.post(path + "/updates", {"request_number": 2, "used": 0, "wanted": 1})
    assert (late.status_code, late.json()["code"]) == (409, "session-ended")
    web.shop.assert_sound()


def test_the_web_service_ends_a_silent_session_within_twice_its_grant(
    web_on_both: Web, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.app.LOOK_EVERY_S", 0.02)
    web = web_on_both
    account = web.shop.account(5 * UNIT)
    web.shop.bind(account, reach=Reach.ABROAD)
    talk = {"account": account.number, "tariff": "all", "service": "voice", "code": "+33142685300", "wanted": 20}
    opened = web.post("/sessions", talk, idempotency="talk").json()
    assert (opened["unit"], opened["granted"], opened["validity_s"]) == ("second", 20, 20)
    path = f"/sessions/{opened['session']}"
    clock.advance(5)
    heard = web.post(path + "/updates", {"request_number": 1, "used": 5, "wanted": 40}).json()
    assert (heard["granted"], heard["validity_s"]) == (40, 40)
    clock.advance(60.1)
    wait_for(lambda: web.get(path).json()["validity_s"] == 0, "the session is ended")
    for late, body in (("updates", {"request_number": 2, "used": 40, "wanted": 60}), ("terminate", {"used": 40})):
        refused = web.post(f"{path}/{late}", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "session-expired")
    same = web.post(path + "/terminate", {"used": 5})
    assert (same.status_code, same.json()["replay"], same.json()["charged"]["amount"]) == (200, True, "0.083334")
    web.shop.assert_sound()


def test_an_event_and_its_refund(web_on_both: Web) -> None:
    web = web_on_both
    body = {**sold(web, "message", "sms"), "units": 3}
    made = web.post("/events", body, idempotency="m1")
    assert made.status_code == 201
    assert (made.json()["charged"]["amount"], made.json()["balance"]["amount"]) == ("0.300000", "0.700000")
    assert web.post("/events", body, idempotency="m1").status_code == 200
    back = f"/events/{made.json()['event']}/refunds"
    assert web.post(back, {"amount": "0.10"}, idempotency="r1").json()["balance"]["amount"] == "0.800000"
    assert web.post(back, {"amount": "0.10"}, idempotency="r1").status_code == 200
    assert web.post(back, {}, idempotency="r2").json()["refunded"]["amount"] == "0.200000"
    refused = web.post(back, {"amount": "0.01"}, idempotency="r3")
    assert (refused.status_code, refused.json()["code"]) == (409, "more-than-was-charged")
    web.shop.assert_sound()


def test_a_limit_against_fraud_is_a_problem_with_its_code(web: Web) -> None:
    body = {**sold(web, "voice", "+33142685300"), "wanted": 60}
    answer = web.post("/sessions", body, idempotency="far")
    assert (answer.status_code, answer.json()["code"]) == (403, "destination-abroad")
    assert {refusal.value for refusal in FraudRefusal} <= set(TITLES)


def test_what_is_refused_is_a_problem_with_its_code(web: Web) -> None:
    empty = sold(web, "content", "song", 0)
    for body, status, code in (
        (empty, 402, "no-credit"),
        ({**empty, "account": "nobody"}, 404, "account-unknown"),
        ({**empty, "tariff": "none"}, 422, "tariff-unknown"),
        ({**empty, "code": "film"}, 422, "destination-not-priced"),
    ):
        answer = web.post("/events", body, idempotency="x")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:tollgate:problem:{code}"
        assert answer.headers["cache-control"] == "no-store"
    missing = web.get("/sessions/" + "0" * 32)
    assert (missing.status_code, missing.json()["code"]) == (404, "session-unknown")


@pytest.mark.parametrize(
    "change",
    [
        {"units": "3"},
        {"units": True},
        {"units": 0},
        {"units": 10**16},
        {"units": 1.0},
        {"extra": 1},
        {"account": "a" * 33},
        {"account": "1\n2"},
        {"code": "../x"},
        {"service": "DATA"},
        {"tariff": "\x00"},
        {"account": None},
    ],
    ids=str,
)
def test_strict_input(web: Web, change: dict[str, object]) -> None:
    answer = web.post("/events", {**sold(web, "message", "sms"), **change}, idempotency="x")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert answer.json()["errors"]


def sell(web: Web, name: str, **row: str) -> None:
    """A tariff of one row, in effect at once."""
    shop = web.shop
    shop.clock.advance(1)
    wanted = TariffImport(shop.operator_id, name, USD, None, "test")
    tariff_service.import_tariff(shop.engine, shop.clock, wanted, [read_rate({**EMPTY, **row}, USD)])
    shop.clock.advance(10)


def test_a_surcharge_by_access_number_applies_to_sessions_and_events(web: Web) -> None:
    sell(web, "all", prefix="net", service="data", price="0.01", per="unit", surcharges="1800 0 fee=0.20")
    body = sold(web, "data", "net")
    for access, price in (({}, "0.010000"), ({"access_number": "+18005550100"}, "0.210000")):
        made = web.post("/events", {**body, **access}, idempotency=f"e{price}")
        assert (made.status_code, made.json()["charged"]["amount"]) == (201, price)
        opened = web.post("/sessions", {**body, **access, "wanted": 1}, idempotency=f"s{price}").json()
        ended = web.post(f"/sessions/{opened['session']}/terminate", {"used": 1})
        assert ended.json()["charged"]["amount"] == price
    changed = web.post("/events", {**body, "access_number": "18005550100"}, idempotency="e0.010000")
    assert changed.json()["code"] == "changed-replay"
    assert web.post("/events", {**body, "access_number": "800-555"}, idempotency="x").status_code == 422


def test_without_a_tariff_the_account_s_own_is_used(web: Web, pepper: Pepper) -> None:
    shop, staff = web.shop, Staff(SettableClock(), pepper, "test")
    sell(web, "standard", prefix="sms", service="message", price="9", per="unit")
    sell(web, "cheap", prefix="sms", service="message", price="0.01", per="unit")
    account = shop.account(20 * UNIT)
    body = {"account": account.number, "service": "message", "code": "sms"}
    assert web.post("/events", body, idempotency="a").json()["charged"]["amount"] == "9.000000"
    own_tariff.set_tariff(shop.engine, account.number, "cheap", staff)
    assert web.post("/events", body, idempotency="b").json()["charged"]["amount"] == "0.010000"
    named = web.post("/events", {**body, "tariff": "all"}, idempotency="c")
    assert named.json()["charged"]["amount"] == "0.100000"
    assert web.post("/events", body, idempotency="a").json()["replay"] is True
    own_tariff.set_tariff(shop.engine, account.number, None, staff)
    assert web.post("/events", body, idempotency="d").json()["charged"]["amount"] == "9.000000"


def test_a_session_that_never_came_about_used_nothing(web: Web) -> None:
    opened = web.post("/sessions", {**sold(web, "data", "net"), "wanted": 10}, idempotency="o").json()
    path = f"/sessions/{opened['session']}/terminate"
    assert web.post(path, {"used": 1, "connected": False}).status_code == 422
    assert web.post(path, {"used": 0, "connected": False}).json()["charged"]["amount"] == "0.000000"


def test_an_idempotency_key_is_needed_and_bounded(web: Web) -> None:
    body = sold(web, "message", "sms")
    for key in (None, "", "a b", "k" * 129):
        assert web.post("/events", body, idempotency=key).status_code == 422


def test_only_a_valid_key_may_ask(web: Web) -> None:
    body = sold(web, "message", "sms")
    for key in ("", "tollgate_0000000000000000_" + "0" * 64, web.key[:-1]):
        answer = web.post("/events", body, idempotency="x", key=key)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    shop = web.shop
    found = key_service.key_of(shop.engine, web.key)
    assert found is not None
    key_service.revoke(shop.engine, shop.clock, found.id, "test", "test")
    assert web.post("/events", body, idempotency="x").status_code == 401


def test_who_guesses_keys_has_to_wait(web: Web) -> None:
    answers = [web.post("/events", {}, key="tollgate_0_0").status_code for _ in range(25)]
    assert answers == [401] * 20 + [429] * 5


def test_a_body_that_is_too_large_is_not_read(web: Web) -> None:
    answer = web.post("/events", {"account": "1" * 20_000}, idempotency="x")
    assert (answer.status_code, answer.json()["code"]) == (413, "request-too-large")
    headers = {"Authorization": f"Bearer {web.key}", "Content-Type": "application/json"}
    pieces: Iterator[bytes] = iter([b"[" * 4096] * 8)
    assert web.client.post(BASE + "/events", content=pieces, headers=headers).status_code in {400, 413}


def test_the_database_away_is_told_to_try_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("", None, Exception("gone"))

    monkeypatch.setattr(consumption, "debit", away)
    answer = web.post("/events", sold(web, "message", "sms"), idempotency="x")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "try-again", "2")


def test_a_fault_of_our_own_tells_nothing(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(consumption, "debit", broken)
    answer = web.post("/events", sold(web, "message", "sms"), idempotency="x")
    assert (answer.status_code, answer.json()["code"]) == (500, "own-fault")
    assert "secret" not in answer.text


def test_a_key_that_asks_too_often_has_to_wait(sqlite_engine: Engine, clock: SettableClock) -> None:
    for web in serve(sqlite_engine, clock, requests_per_s=2.0):
        path = "/sessions/" + "0" * 32
        assert [web.get(path).status_code for _ in range(5)] == [404, 404, 404, 404, 429]
        assert web.get(path).headers["retry-after"] == "1"
        clock.advance(1)
        assert web.get(path).status_code == 404


def test_buckets_fill_at_an_even_pace() -> None:
    buckets = Buckets(2.0, 2.0)
    assert [buckets.wait_s("a", 0.0) for _ in range(3)] == [0, 0, 1]
    assert buckets.wait_s("b", 0.0) == 0
    assert buckets.wait_s("a", 0.4) == 1
    assert buckets.wait_s("a", 0.6) == 0
    assert buckets.is_empty("a", 0.6)


def test_the_description_is_there_and_whole(web: Web) -> None:
    document = web.client.get("/api/openapi.json").json()
    assert sorted(document["paths"]) == [
        "/api/v1/charging/events",
        "/api/v1/charging/events/{event_id}/refunds",
        "/api/v1/charging/sessions",
        "/api/v1/charging/sessions/{session_id}",
        "/api/v1/charging/sessions/{session_id}/terminate",
        "/api/v1/charging/sessions/{session_id}/updates",
        "/api/v1/lines/blocks",
        "/api/v1/lines/blocks/lift",
        "/api/v1/pins/allocations",
    ]
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["security"]
            assert "application/problem+json" in operation["responses"]["422"]["content"]
    assert web.client.get("/docs").status_code == 404
    assert web.client.get("/nothing").json()["code"] == "not-found"
