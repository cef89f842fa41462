"""The end point of outside allocation systems, as one of them sees it (PIN-5)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from billing.accounts import service as account_service
from billing.accounts.account import AccountRefusal
from billing.apikeys import service as key_service
from billing.apikeys.apikey import Scope
from billing.operators import service as operator_service
from billing.people import service as people_service
from billing.pins import service as pin_service
from billing.pins.pin_range import Period, RangeTerms
from tests.web.conftest import LIMITS, PEPPER, Web

PATH = "/api/v1/pins/allocations"
SHOWS_PEOPLE = {PATH}
"""Routes that show what is kept of a person; another shows a service its own sessions, without whose they are."""


class Outside:
    """An allocation system of the shop."""

    def __init__(self, web: Web) -> None:
        self.web = web
        scopes = frozenset({Scope.PINS})
        shop = web.shop
        _, self.key = key_service.create(shop.engine, shop.clock, "shop", "allocator", "test", scopes)
        for terms in (
            RangeTerms("mail", prefix="51", campaign="spring"),
            RangeTerms("small", prefix="5299", period=Period.MONTH, most=1),
            RangeTerms("any"),
        ):
            pin_service.create_range(shop.engine, shop.clock, "shop", terms, by="t")

    def post(self, body: object, idempotency: str, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {key or self.key}", "Idempotency-Key": idempotency}
        return self.web.client.post(PATH, json=body, headers=headers)

    def get(self, **query: object) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.web.client.get(PATH, params={name: str(value) for name, value in query.items()}, headers=headers)

    def keyed(self, pin: str) -> int | AccountRefusal:
        """A caller keys a PIN."""
        shop = self.web.shop
        return account_service.check_pin(shop.engine, shop.clock, PEPPER, LIMITS, "+12125550100", pin)


@pytest.fixture
def outside(web_on_both: Web) -> Outside:
    return Outside(web_on_both)


def test_a_pin_is_drawn_once_for_each_key(outside: Outside) -> None:
    account = outside.web.shop.account(1_000_000)
    body = {"account": account.number, "range": "mail"}
    first = outside.post(body, "order-1")
    assert first.status_code == 201
    answer = first.json()
    assert (answer["account"], answer["range"], answer["pin"][:2], answer["replay"]) == (
        account.number,
        "mail",
        "51",
        False,
    )
    assert first.headers["cache-control"] == "no-store"
    assert outside.keyed(answer["pin"]) == account.id
    again = outside.post(body, "order-1")
    assert (again.status_code, again.json()) == (200, answer | {"replay": True})
    changed = outside.post({**body, "range": "any"}, "order-1")
    assert (changed.status_code, changed.json()["code"]) == (422, "changed-replay")
    assert outside.post(body, "order-2").json()["pin"] != answer["pin"]


def test_a_supplied_pin_opens_a_new_account(outside: Outside) -> None:
    body = {"pin": "51000042", "range": "mail", "expires_at": "2099-01-01T00:00:00Z"}
    made = outside.post(body, "a").json()
    assert (made["pin"], made["expires_at"]) == (None, "2099-01-01T00:00:00Z")
    found = account_service.find_account(outside.web.shop.engine, made["account"])
    assert outside.keyed("51000042") == found.id
    assert outside.post(body, "a").json() == made | {"replay": True}
    listed = outside.get(key="a").json()
    (use,) = listed["allocations"]
    assert (use["state"], use["uses"], use["campaign"], listed["next_after"]) == ("used", 1, "spring", None)
    assert "51000042" not in str(listed)


def test_usage_is_read_page_by_page_and_by_moment(outside: Outside) -> None:
    pins = [outside.post({"range": "mail"}, f"k{number}").json()["pin"] for number in range(3)]
    page = outside.get(limit=2).json()
    assert [use["key"] for use in page["allocations"]] == ["k0", "k1"]
    rest = outside.get(after=page["next_after"], limit=2).json()
    assert [use["key"] for use in rest["allocations"]] == ["k2"]
    outside.web.shop.clock.advance(60.0)
    since = outside.web.shop.clock.now().isoformat()
    outside.keyed(pins[1])
    assert [use["key"] for use in outside.get(used_since=since).json()["allocations"]] == ["k1"]
    assert outside.get(range="any").json()["allocations"] == []


def test_what_is_refused_is_a_problem(outside: Outside) -> None:
    shop = outside.web.shop
    operator_service.create_operator(shop.engine, code="other", name="O", currency="USD", home_country="US")
    others = account_service.create_account(shop.engine, shop.clock, operator_code="other").number
    closed = shop.account(0).number
    account_service.close_account(shop.engine, shop.clock, number=closed, by="t", note="t")
    outside.post({"pin": "51000001", "range": "mail"}, "first")
    outside.post({"range": "small"}, "fills-it")
    for number, (body, status, code) in enumerate(
        (
            ({"account": "nobody"}, 404, "account-unknown"),
            ({"account": others}, 404, "account-unknown"),
            ({"account": closed}, 409, "account-closed"),
            ({"range": "none"}, 422, "range-unknown"),
            ({"range": "small"}, 409, "range-full"),
            ({"pin": "51000001", "range": "mail"}, 409, "pin-taken"),
            ({"pin": "61000001", "range": "mail"}, 422, "pin-not-in-range"),
            ({"pin": "61000001", "range": "any"}, 422, "pin-not-in-range"),
            ({"pin": "61000001"}, 422, "pin-not-in-range"),
            ({"expires_at": "2001-01-01T00:00:00Z"}, 422, "expiry-not-possible"),
            ({"expires_at": "tomorrow"}, 422, "invalid-request"),
            ({"expires_at": "9999-12-31T23:59:59-23:00"}, 422, "invalid-request"),
            ({"pin": "5100"}, 422, "invalid-request"),
            ({"pln": "51000001"}, 422, "invalid-request"),
        )
    ):
        answer = outside.post(body, f"refused-{number}")
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
        assert answer.headers["content-type"] == "application/problem+json"
        assert "51000001" not in answer.text
    assert outside.post({"range": "mail"}, "refused-0").status_code == 201  # a refusal spends no key
    assert outside.post({}, "x", key=outside.web.key).json()["code"] == "scope-missing"
    charging = outside.web.post("/events", {"account": "1", "service": "data", "code": "net"}, idempotency="x")
    assert charging.status_code == 404
    assert outside.web.post("/events", {}, idempotency="x", key=outside.key).json()["code"] == "scope-missing"


def test_the_same_request_many_times_at_once_allocates_once(outside: Outside) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: outside.post({"range": "mail"}, "same"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 200, 201]
    assert len({(answer.json()["account"], answer.json()["pin"]) for answer in answers}) == 1
    assert len(outside.get().json()["allocations"]) == 1


def test_it_is_kept_whose_use_was_read(outside: Outside) -> None:
    shop = outside.web.shop
    account = shop.account(0)
    outside.post({"account": account.number, "range": "mail"}, "a")
    outside.post({"range": "mail"}, "b")
    outside.get(key="b")
    assert people_service.accesses(shop.engine, PEPPER, "", account.number, "US", 9) == []
    outside.get()
    (looked,) = people_service.accesses(shop.engine, PEPPER, "", account.number, "US", 9)
    assert (looked.by.startswith("api key "), looked.action, looked.reason) == (True, "read", "GET /pins/allocations")


def test_every_route_that_shows_people_keeps_it(outside: Outside) -> None:
    paths = outside.web.client.get("/api/openapi.json").json()["paths"]
    reading = {path for path, methods in paths.items() if "get" in methods}
    assert reading == {*SHOWS_PEOPLE, "/api/v1/charging/sessions/{session_id}"}, "say whether it shows somebody"


def test_it_is_described(outside: Outside) -> None:
    described = outside.web.client.get("/api/openapi.json").json()
    post = described["paths"][PATH]["post"]
    assert {"201", "200", "401", "403", "409", "422", "503"} <= set(post["responses"])
    assert any(row["name"] == "Idempotency-Key" and row["required"] for row in post["parameters"])
