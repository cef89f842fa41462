"""Cards from the plan to the last use, on both databases (PIN-3)."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.accounts.account import AccountRefusal, AccountState
from billing.accounts.tables import pin
from billing.cards import service
from billing.cards import store as card_store
from billing.cards.batch import CardClass
from billing.cards.card import CardState, TopUpRefusal
from billing.cards.printing import service as printing_service
from billing.cards.redeeming.service import ToppedUp
from billing.ledger import service as ledger_service
from billing.pins import service as pin_service
from billing.pins.pin_range import RangeTerms
from runtime.database import reading, rehearsing
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper
from tests.billing.cards.shop import LIMITS, LINE, TEN, Kiosk, open_kiosk
from tests.clock import SettableClock

DAY_S = 86_400.0


@pytest.fixture
def kiosk(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Kiosk:
    return open_kiosk(engine, clock, pepper, tmp_path)


def test_a_batch_from_the_plan_to_the_last_card(kiosk: Kiosk) -> None:
    kiosk.plan("spring", 5)
    assert kiosk.counts("spring") == {}
    with pytest.raises(StaffError, match="has no cards"):
        kiosk.activate("spring")
    printed = kiosk.export("spring")
    assert [serial for serial, _ in printed] == [f"000001-000000{number}" for number in range(1, 6)]
    assert len({digits for _, digits in printed}) == 5
    assert all(len(digits) == 8 and digits.isdigit() for _, digits in printed)
    assert kiosk.counts("spring") == {"made": 5}
    assert kiosk.key(printed[0][1]) is AccountRefusal.WRONG_PIN
    assert kiosk.activate("spring", (printed[0][0], printed[2][0])) == 3
    assert kiosk.activate("spring", (printed[0][0], printed[2][0])) == 0
    account_id = kiosk.key(printed[0][1])
    assert not isinstance(account_id, AccountRefusal)
    assert kiosk.account(printed[0][0]).id == account_id
    assert kiosk.account(printed[0][0]).balance_micros == TEN
    assert kiosk.key(printed[0][1]) == account_id  # a second call with the same card
    assert kiosk.account(printed[0][0]).balance_micros == TEN
    found, events = service.describe_card(kiosk.engine, printed[0][0])
    assert (found.state(kiosk.clock.now()), found.uses) == (CardState.USED, 2)
    assert [event.state for event in events] == ["made", "activated", "used"]
    assert kiosk.counts("spring") == {"made": 2, "activated": 2, "used": 1}
    assert kiosk.inventory("spring").left_micros == TEN
    assert ledger_service.audit(kiosk.engine, kiosk.pepper) == []


def test_the_print_file_is_made_once_and_only_its_reader_can_read_it(kiosk: Kiosk) -> None:
    kiosk.plan("spring", 3)
    order = kiosk.order("spring")
    printing_service.export_batch(rehearsing(kiosk.engine), kiosk.clock, kiosk.pepper, order, rehearse=True)
    assert not order.path.exists()
    printed = kiosk.export("spring")
    content = order.path.read_bytes()
    assert content.startswith(b"age-encryption.org/v1")
    assert not any(digits.encode() in content for _, digits in printed)
    assert order.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StaffError, match="such a file already"):
        kiosk.export("spring")
    elsewhere = replace(order, path=order.path.with_name("again.age"))
    with pytest.raises(StaffError, match=r"was exported .* by test to"):
        printing_service.export_batch(kiosk.engine, kiosk.clock, kiosk.pepper, elsewhere)
    for key in ((), ("age1nobody",), ("ssh-ed25519 AAAA",)):
        bad = replace(order, recipients=key)
        with pytest.raises(StaffError, match="recipient"):
            printing_service.export_batch(kiosk.engine, kiosk.clock, kiosk.pepper, bad)


def test_a_run_that_died_leaves_nothing_that_opens_anything(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    kiosk.plan("spring", 3)

    def die(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(printing_service, "sealed", die)
        with pytest.raises(KeyboardInterrupt):
            kiosk.export("spring")
    assert kiosk.counts("spring") == {"made": 3}
    printed = kiosk.export("spring")
    assert [serial[-1] for serial, _ in printed] == ["4", "5", "6"]
    assert kiosk.activate("spring") == 3
    assert kiosk.counts("spring") == {"void": 3, "activated": 3}


def test_the_digits_are_nowhere_in_the_database(kiosk: Kiosk) -> None:
    printed = kiosk.cards("spring", 20)
    kiosk.key(printed[0][1])
    with reading(kiosk.engine) as conn:
        rows = [
            str(row)
            for table in sa.inspect(conn).get_table_names()
            for row in conn.exec_driver_sql(f'SELECT * FROM "{table}"')
        ]
    assert not [row for row in rows if any(digits in row for _, digits in printed)]


def test_days_begin_with_the_first_use_and_the_date_ends_all(kiosk: Kiosk) -> None:
    now = kiosk.clock.now()
    days = CardClass("days", TEN, valid_days=30, valid_until_at=now + timedelta(days=100))
    (first, second, third), *_ = [kiosk.cards("spring", 3, days)]
    kiosk.clock.advance(50 * DAY_S)
    account_id = kiosk.key(first[1])
    assert kiosk.account(first[0]).expires_at == now + timedelta(days=80)
    kiosk.clock.advance(29 * DAY_S)
    assert kiosk.key(first[1]) == account_id
    assert isinstance(kiosk.key(second[1]), int)
    assert kiosk.account(second[0]).expires_at == now + timedelta(days=100)
    kiosk.clock.advance(1 * DAY_S)
    assert kiosk.key(first[1]) is AccountRefusal.WRONG_PIN
    assert kiosk.counts("spring") == {"expired": 1, "used": 1, "activated": 1}
    kiosk.clock.advance(20 * DAY_S)
    assert kiosk.key(third[1], "+12125550178") is AccountRefusal.WRONG_PIN
    assert kiosk.counts("spring") == {"expired": 3}
    assert kiosk.activate("spring") == 0


def test_a_void_card_opens_nothing_and_its_account_is_closed(kiosk: Kiosk) -> None:
    (first, second, third), *_ = [kiosk.cards("spring", 3)]
    assert isinstance(kiosk.key(first[1]), int)
    for serial, digits in (first, second):
        assert service.void_card(kiosk.engine, kiosk.clock, serial=serial, by="t", note="stolen").uses == (
            1 if serial == first[0] else 0
        )
        assert kiosk.key(digits) is AccountRefusal.WRONG_PIN
        with pytest.raises(StaffError, match="void already"):
            service.void_card(kiosk.engine, kiosk.clock, serial=serial, by="t", note="stolen")
    assert kiosk.account(first[0]).state is AccountState.CLOSED
    to = CardState.VOID
    assert service.change_batch(kiosk.engine, kiosk.clock, name="spring", to=to, by="t", note="lost") == 1
    assert kiosk.key(third[1]) is AccountRefusal.WRONG_PIN
    assert kiosk.counts("spring") == {"void": 3}
    with pytest.raises(NotFoundError):
        service.void_card(kiosk.engine, kiosk.clock, serial="000009-0000001", by="t", note="x")


def test_a_card_used_on_many_lines_at_once_pays_once(kiosk: Kiosk) -> None:
    ((serial, digits),) = kiosk.cards("spring", 1)
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda line: kiosk.key(digits, f"+121255501{line:02d}"), range(8)))
    assert set(opened) == {kiosk.account(serial).id}
    assert kiosk.account(serial).balance_micros == TEN
    assert ledger_service.audit(kiosk.engine, kiosk.pepper) == []


def pay_in(kiosk: Kiosk, account_id: int, digits: str) -> ToppedUp | TopUpRefusal:
    return account_service.top_up(
        kiosk.engine, kiosk.clock, kiosk.pepper, LIMITS, ani=LINE, account_id=account_id, digits=digits
    )


def test_a_card_is_paid_into_an_account_once_and_opens_nothing_then(kiosk: Kiosk) -> None:
    ann = account_service.create_account(kiosk.engine, kiosk.clock, operator_code="acme", number="100")
    ((serial, digits),) = kiosk.cards("spring", 1)
    assert pay_in(kiosk, ann.id, digits) == ToppedUp(serial, TEN, TEN, "USD")
    assert pay_in(kiosk, ann.id, digits) is TopUpRefusal.WRONG
    assert kiosk.key(digits) is AccountRefusal.WRONG_PIN
    assert kiosk.account("100").balance_micros == TEN
    assert (kiosk.counts("spring"), kiosk.inventory("spring").left_micros) == ({"used": 1}, 0)
    own = account_service.issue_pin(kiosk.engine, kiosk.clock, kiosk.pepper, ann.id)
    assert pay_in(kiosk, ann.id, own) is TopUpRefusal.WRONG  # a PIN of an account is no card
    assert pay_in(kiosk, ann.id, "12") is TopUpRefusal.WRONG
    assert pay_in(kiosk, ann.id, "13") is TopUpRefusal.WRONG  # the fifth wrong one of this line
    assert pay_in(kiosk, ann.id, own) is TopUpRefusal.LOCKED
    service.void_card(kiosk.engine, kiosk.clock, serial=serial, by="t", note="dispute")
    assert kiosk.account("100").is_open
    assert ledger_service.audit(kiosk.engine, kiosk.pepper) == []


def test_a_second_card_prolongs_the_first(kiosk: Kiosk) -> None:
    days = CardClass("days", TEN, valid_days=30)
    first, second = kiosk.cards("spring", 2, days)
    account_id = kiosk.key(first[1])
    assert isinstance(account_id, int)
    kiosk.clock.advance(20 * DAY_S)
    assert isinstance(pay_in(kiosk, account_id, second[1]), ToppedUp)
    kiosk.clock.advance(20 * DAY_S)
    assert kiosk.key(first[1]) == account_id
    kiosk.clock.advance(10 * DAY_S)
    assert kiosk.key(first[1]) is AccountRefusal.WRONG_PIN
    assert kiosk.account(first[0]).is_expired(kiosk.clock.now())


def test_virtual_cards_are_issued_one_by_one(kiosk: Kiosk) -> None:
    kiosk.plan("online", 2, is_virtual=True)
    with pytest.raises(StaffError, match="is virtual"):
        kiosk.export("online")
    made, digits = printing_service.issue_card(kiosk.engine, kiosk.clock, kiosk.pepper, name="online", by="web")
    assert isinstance(kiosk.key(digits), int)
    assert kiosk.account(made.serial).balance_micros == TEN
    printing_service.issue_card(kiosk.engine, kiosk.clock, kiosk.pepper, name="online", by="web")
    with pytest.raises(StaffError, match="no card left"):
        printing_service.issue_card(kiosk.engine, kiosk.clock, kiosk.pepper, name="online", by="web")
    kiosk.plan("plastic", 1)
    with pytest.raises(StaffError, match="is of plastic"):
        printing_service.issue_card(kiosk.engine, kiosk.clock, kiosk.pepper, name="plastic", by="web")


def test_cards_of_a_range_begin_with_its_digits_and_fill_it(kiosk: Kiosk) -> None:
    pin_service.create_range(
        kiosk.engine, kiosk.clock, "acme", RangeTerms("kiosk", prefix="71", campaign="spring", most=4), by="t"
    )
    kiosk.plan("spring", 3, range_name="kiosk")
    printed = kiosk.export("spring")
    assert all(digits.startswith("71") for _, digits in printed)
    with pytest.raises(StaffError, match="has 1 PINs left"):
        kiosk.plan("more", 2, range_name="kiosk")


def test_plans_that_cannot_be(kiosk: Kiosk) -> None:
    kiosk.plan("spring", 1)
    now = kiosk.clock.now()
    for name, cards, kind, match in (
        ("spring", 1, None, "already"),
        ("a b", 1, None, "name"),
        ("x", 100_001, None, "cards"),
        ("x", 1, CardClass("c", 0), "face"),
        ("x", 1, CardClass("c", TEN, valid_until_at=now), "valid until"),
        ("x", 1, CardClass("c", TEN, valid_days=0), "valid days"),
        ("x", 1, CardClass("c", TEN, tariff_name="none"), "no tariff"),
    ):
        with pytest.raises((StaffError, NotFoundError), match=match):
            kiosk.plan(name, cards, kind)


def test_a_tariff_of_the_class_goes_with_the_account(kiosk: Kiosk) -> None:
    ((serial, digits),) = kiosk.cards("spring", 1, CardClass("ten", TEN, tariff_name="std"))
    kiosk.key(digits)
    assert kiosk.account(serial).tariff_id is not None


def test_a_pin_that_was_issued_before_is_drawn_again(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, taken),) = kiosk.cards("spring", 1)
    kiosk.plan("summer", 1)
    draws = iter([int(taken), int(taken), 4711])
    monkeypatch.setattr(secrets, "randbelow", lambda most: next(draws))
    assert [digits for _, digits in kiosk.export("summer")] == ["00004711"]
    with reading(kiosk.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(pin)).scalar_one() == 2
        assert card_store.last_number(conn, 2) == 1


def test_ten_wrong_cards_lock_the_account_from_every_line_for_half_an_hour(kiosk: Kiosk) -> None:
    ann = account_service.create_account(kiosk.engine, kiosk.clock, operator_code="acme", number="100")
    ((_, digits),) = kiosk.cards("spring", 1)

    def key(keyed: str, line: int) -> ToppedUp | TopUpRefusal:
        means = (kiosk.engine, kiosk.clock, kiosk.pepper, LIMITS)
        return account_service.top_up(*means, ani=f"+1212555{line:04d}", account_id=ann.id, digits=keyed)

    assert {key("12", line) for line in range(10)} == {TopUpRefusal.WRONG}
    assert key(digits, 11) is TopUpRefusal.LOCKED
    kiosk.clock.advance(1799.0)
    assert key(digits, 12) is TopUpRefusal.LOCKED
    kiosk.clock.advance(2.0)
    assert isinstance(key(digits, 13), ToppedUp)


def test_another_operators_number_does_not_know_the_card(kiosk: Kiosk) -> None:
    ((serial, digits),) = kiosk.cards("spring", 1)
    mine = kiosk.inventory("spring").batch.operator_id
    means = (kiosk.engine, kiosk.clock, kiosk.pepper, LIMITS, LINE, digits)
    assert account_service.check_pin(*means, operator_id=mine + 1) is AccountRefusal.WRONG_PIN
    assert account_service.check_pin(*means, operator_id=mine) == kiosk.account(serial).id
    assert account_service.check_pin(*means, operator_id=mine + 1) is AccountRefusal.WRONG_PIN


def test_a_card_keyed_as_proof_is_wrong_and_stays_unused(kiosk: Kiosk) -> None:
    ann = account_service.create_account(kiosk.engine, kiosk.clock, operator_code="acme", number="100")
    own = account_service.issue_pin(kiosk.engine, kiosk.clock, kiosk.pepper, ann.id)
    ((_, digits),) = kiosk.cards("spring", 1)
    means = (kiosk.engine, kiosk.clock, kiosk.pepper, LIMITS)
    for keyed, answer in ((digits, AccountRefusal.WRONG_PIN), (own, None), ("12", AccountRefusal.WRONG_PIN)):
        assert account_service.prove_pin(*means, ani=LINE, account_id=ann.id, pin=keyed) is answer
    assert kiosk.counts("spring") == {"activated": 1}
    for _ in range(3):
        account_service.prove_pin(*means, ani=LINE, account_id=ann.id, pin="12")
    assert account_service.prove_pin(*means, ani=LINE, account_id=ann.id, pin=own) is AccountRefusal.LOCKED
