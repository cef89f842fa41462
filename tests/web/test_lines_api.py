"""A subscriber blocks toll calls from his own line on a web site, as that site sees it (ANI-5)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from ani.lockout.lockout import Way
from ani.negative import service as negative_service
from ani.negative.block import Block, NegativeReason, NewBlock
from billing.accounts import service as account_service
from billing.accounts.account import AccountRefusal
from billing.apikeys import service as key_service
from billing.apikeys.apikey import Scope
from billing.operators import service as operator_service
from tests.web.conftest import LIMITS, PEPPER, Web

PATH = "/api/v1/lines/blocks"
LINE, OTHER = "+12125550100", "+12125550101"


class Site:
    """A web site of the shop, with a subscriber who has a PIN, and another one."""

    def __init__(self, web: Web) -> None:
        self.web, self.shop = web, web.shop
        self.engine, self.clock = web.shop.engine, web.shop.clock
        _, self.key = key_service.create(self.engine, self.clock, "shop", "site", "test", frozenset({Scope.LINES}))
        self.pin, self.others_pin = self.subscriber(LINE), self.subscriber(OTHER)
        self.made = 0

    def subscriber(self, line: str) -> str:
        """The PIN of a new account with this line."""
        account = self.shop.account(0)
        account_service.add_line(self.engine, self.clock, PEPPER, number=account.number, line=line)
        return account_service.issue_pin(self.engine, self.clock, PEPPER, account.id)

    def post(self, path: str = "", idempotency: str = "", **body: object) -> Any:
        """Ask for the subscriber, with his PIN, unless told otherwise; each time as another request."""
        self.made += 1
        key = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": idempotency or f"request-{self.made}"}
        return self.web.client.post(PATH + path, json={"line": LINE, "pin": self.pin, **body}, headers=key)

    def in_force(self, line: str = LINE) -> list[Block]:
        return negative_service.list_blocks(self.engine, self.clock, ani=line)

    def keyed(self, ani: str, pin: str) -> int | AccountRefusal:
        """A caller keys a PIN at his own telephone."""
        return account_service.check_pin(self.engine, self.clock, PEPPER, LIMITS, ani, pin)


@pytest.fixture
def site(web_on_both: Web) -> Site:
    return Site(web_on_both)


def test_a_subscriber_blocks_and_lifts_his_line(site: Site) -> None:
    until = site.clock.now() + timedelta(days=7)
    first = site.post(idempotency="a", until=until.isoformat(), ends_calls=True, note="on holiday")
    assert first.status_code == 201
    answer = first.json()
    assert (answer["line"], answer["reason"], answer["ends_calls"]) == (LINE, "blocked-by-subscriber", True)
    assert (answer["lifted_at"], answer["replay"], first.headers["cache-control"]) == (None, False, "no-store")
    (block,) = site.in_force()
    assert (block.note, block.expires_at, block.ends_calls) == ("on holiday", until, True)
    assert block.blocked_by.startswith("subscriber by api key ")
    negative_service.block(site.engine, site.clock, NewBlock(LINE, NegativeReason.CHARGEBACK), "care")
    lifted = site.post("/lift", note="home again")
    assert (lifted.status_code, lifted.json()["lifted"], lifted.json()["replay"]) == (200, 1, False)
    (left,) = site.in_force()
    assert left.reason is NegativeReason.CHARGEBACK
    assert site.post("/lift").json()["code"] == "block-unknown"


def test_a_replay_changes_nothing(site: Site) -> None:
    first = site.post(idempotency="a").json()
    again = site.post(idempotency="a")
    assert (again.status_code, again.json()) == (200, first | {"replay": True})
    changed = site.post(idempotency="a", ends_calls=True)
    assert (changed.status_code, changed.json()["code"]) == (422, "changed-replay")
    lifted = site.post("/lift", idempotency="b").json()
    late = site.post(idempotency="a").json()
    assert (late["lifted_at"] is None, late["replay"], site.in_force()) == (False, True, [])
    assert site.post(idempotency="c").status_code == 201
    assert site.post("/lift", idempotency="b").json() == lifted | {"replay": True}
    assert site.post("/lift", idempotency="b", note="other").json()["code"] == "changed-replay"
    assert len(site.in_force()) == 1
    assert site.post(idempotency="a", pin=site.others_pin).json()["code"] == "pin-wrong"


def test_the_key_of_a_request_is_for_one_line(site: Site) -> None:
    theirs = {"line": OTHER, "pin": site.others_pin}
    assert site.post(idempotency="a").status_code == 201
    for _ in range(2):
        changed = site.post(idempotency="a", **theirs)
        assert (changed.status_code, changed.json()["code"]) == (422, "changed-replay")
    assert site.in_force(OTHER) == []
    assert site.post(idempotency="b", **theirs).status_code == 201
    assert site.post("/lift", idempotency="a").status_code == 200  # a lift is another kind of request
    changed = site.post("/lift", idempotency="a", **theirs)
    assert (changed.status_code, changed.json()["code"]) == (422, "changed-replay")
    assert len(site.in_force(OTHER)) == 1
    assert site.post("/lift", idempotency="c", **theirs).status_code == 200


def test_one_key_for_two_lines_at_once_blocks_one(site: Site) -> None:
    theirs: dict[str, object] = {"line": OTHER, "pin": site.others_pin}
    bodies: list[dict[str, object]] = [{}, theirs] * 3
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda body: site.post(idempotency="same", **body).status_code, bodies))
    assert sorted(answers) == [200, 200, 201, 422, 422, 422]
    assert len(site.in_force() + site.in_force(OTHER)) == 1


def test_the_same_request_many_times_at_once_blocks_once(site: Site) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: site.post(idempotency="same"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len(site.in_force()) == 1


def test_unknown_and_wrong_pins_are_alike(site: Site) -> None:
    unknown = next(f"{n:08d}" for n in range(3) if f"{n:08d}" not in {site.pin, site.others_pin})
    operator_service.create_operator(site.engine, code="other", name="O", currency="USD", home_country="US")
    theirs = account_service.create_account(site.engine, site.clock, operator_code="other")
    account_service.add_line(site.engine, site.clock, PEPPER, number=theirs.number, line="+12125550102")
    their_pin = account_service.issue_pin(site.engine, site.clock, PEPPER, theirs.id)
    bodies = (
        {"pin": unknown},
        {"pin": site.others_pin},
        {"line": "+12125550109"},
        {"line": "+12125550102", "pin": their_pin},
    )
    answers = [site.post(path, **body) for body in bodies for path in ("", "/lift")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(403, answers[0].text)}
    assert answers[0].json()["code"] == "pin-wrong"
    assert not [pin for pin in (unknown, site.pin, their_pin) if pin in answers[0].text]
    assert site.in_force() == []


def test_wrong_pins_lock_the_line_for_services_and_not_its_subscriber(site: Site) -> None:
    wrong = [site.post(pin=site.others_pin).json()["code"] for _ in range(LIMITS.per_line_hour)]
    assert set(wrong) == {"pin-wrong"}
    locked = site.post()
    assert (locked.status_code, locked.json()["code"], site.in_force()) == (403, "locked-out", [])
    assert site.post(line=OTHER, pin=site.others_pin).status_code == 201
    assert isinstance(site.keyed(LINE, site.pin), int)
    claimed = account_service.check_pin(
        site.engine, site.clock, PEPPER, LIMITS, LINE, site.pin, way=Way("19005550100", is_vouched=False)
    )
    assert claimed is AccountRefusal.LOCKED
    site.clock.advance(3601)
    assert site.post().status_code == 201


def test_wrong_pins_at_the_telephone_count_here_too(site: Site) -> None:
    for _ in range(LIMITS.per_line_hour):
        assert site.keyed(LINE, site.others_pin + "0") is AccountRefusal.WRONG_PIN
    assert site.post().json()["code"] == "locked-out"


def test_what_cannot_be_is_a_problem(site: Site) -> None:
    past = (site.clock.now() - timedelta(seconds=1)).isoformat()
    for body, status, code in (
        ({"until": past}, 422, "block-end-past"),
        ({"line": "2125550100"}, 422, "invalid-request"),
        ({"pin": "123"}, 422, "invalid-request"),
        ({"note": "two\nlines"}, 422, "invalid-request"),
        ({"note": "x" * 201}, 422, "invalid-request"),
        ({"reason": "minor"}, 422, "invalid-request"),
    ):
        answer = site.post(**body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
        assert answer.headers["content-type"] == "application/problem+json"
        assert site.pin not in answer.text
    assert site.in_force() == []
    site.key = site.web.key
    assert site.post().json()["code"] == "scope-missing"


def test_it_is_described(site: Site) -> None:
    paths = site.web.client.get("/api/openapi.json").json()["paths"]
    for path in (PATH, f"{PATH}/lift"):
        post = paths[path]["post"]
        assert {"200", "401", "403", "404", "422", "503"} <= set(post["responses"])
        assert any(row["name"] == "Idempotency-Key" and row["required"] for row in post["parameters"])
