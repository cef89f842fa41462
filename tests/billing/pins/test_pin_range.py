"""Ranges of PINs: whose they are, how they begin, when they end, what became of them (PIN-1, PIN-2)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.ledger import service as ledger_service
from billing.ledger.transfer import TransferKind
from billing.pins import service
from billing.pins.pin_range import Period, RangeTerms, ends_at, overlaps
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper
from tests.billing.cards.shop import Kiosk, open_kiosk
from tests.clock import SettableClock


@pytest.fixture
def kiosk(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Kiosk:
    return open_kiosk(engine, clock, pepper, tmp_path)


def issue(kiosk: Kiosk, account_id: int, name: str) -> str:
    return account_service.issue_pin(kiosk.engine, kiosk.clock, kiosk.pepper, account_id, range_name=name)


def test_pins_of_a_range_begin_and_end_as_it_says(kiosk: Kiosk) -> None:
    terms = RangeTerms("web", site="shop.example", campaign="spring", prefix="7", period=Period.MONTH, most=2)
    service.create_range(kiosk.engine, kiosk.clock, "acme", terms, by="t")
    ann = account_service.create_account(kiosk.engine, kiosk.clock, operator_code="acme")
    digits = issue(kiosk, ann.id, "web")
    assert digits[0] == "7"
    _, _, (shown,) = account_service.describe_account(kiosk.engine, ann.number)
    now = kiosk.clock.now()
    end = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    assert (shown.expires_at, shown.range_name, shown.uses) == (end, "web", 0)
    assert kiosk.key(digits) == ann.id
    issue(kiosk, ann.id, "web")
    with pytest.raises(StaffError, match="0 PINs left of 2"):
        issue(kiosk, ann.id, "web")
    with pytest.raises(NotFoundError, match="no range mail"):
        issue(kiosk, ann.id, "mail")
    (use,) = service.report_use(kiosk.engine, kiosk.clock, "campaign")
    assert (use.owner, use.issued, use.in_force, use.used, use.uses) == ("acme/spring", 2, 2, 1, 1)
    kiosk.clock.advance((end - now).total_seconds())
    assert not isinstance(kiosk.key(digits), int)
    (use,) = service.report_use(kiosk.engine, kiosk.clock, "site")
    assert (use.owner, use.in_force, use.ended, use.revoked) == ("acme/shop.example", 0, 2, 0)


def test_what_was_charged_is_reported_once_for_each_account(kiosk: Kiosk) -> None:
    service.create_range(kiosk.engine, kiosk.clock, "acme", RangeTerms("web"), by="t")
    service.create_range(kiosk.engine, kiosk.clock, "acme", RangeTerms("idle"), by="t")
    ann = account_service.create_account(kiosk.engine, kiosk.clock, operator_code="acme")
    issue(kiosk, ann.id, "web")
    issue(kiosk, ann.id, "web")
    ledger_service.credit(kiosk.engine, kiosk.clock, ann.number, 5_000_000, "k", "t")
    kind = TransferKind.DEBIT
    ledger_service.adjust(kiosk.engine, kiosk.clock, kind, ann.number, 700_000, key="d", made_by="t", reason="r")
    account_service.revoke_pins(kiosk.engine, kiosk.clock, number=ann.number, by="t", note="n")
    idle, web = service.report_use(kiosk.engine, kiosk.clock, "range")
    assert (idle.owner, idle.issued, idle.in_force, idle.charged_micros) == ("acme/idle", 0, 0, 0)
    assert (web.owner, web.issued, web.revoked, web.charged_micros, web.currency) == ("acme/web", 2, 2, 700_000, "USD")
    (whole,) = service.report_use(kiosk.engine, kiosk.clock, "operator", "acme")
    assert (whole.owner, whole.issued, whole.charged_micros) == ("acme", 2, 700_000)


def test_ranges_that_cannot_be(kiosk: Kiosk) -> None:
    service.create_range(kiosk.engine, kiosk.clock, "acme", RangeTerms("web", prefix="71"), by="t")
    for terms, match in (
        (RangeTerms("web"), "already"),
        (RangeTerms("x", prefix="7"), "begin so already"),
        (RangeTerms("x", prefix="712"), "begin so already"),
        (RangeTerms("x", prefix="12345"), "prefix"),
        (RangeTerms("x", prefix="a"), "prefix"),
        (RangeTerms("x", period=Period.DAYS), "days"),
        (RangeTerms("x", period_days=3), "days"),
        (RangeTerms("x", prefix="9999", most=101), "most: 1 to 100"),
        (RangeTerms("a b"), "name"),
    ):
        with pytest.raises(StaffError, match=match):
            service.create_range(kiosk.engine, kiosk.clock, "acme", terms, by="t")
    with pytest.raises(NotFoundError):
        service.create_range(kiosk.engine, kiosk.clock, "nobody", RangeTerms("x"), by="t")
    assert [row.name for row in service.list_ranges(kiosk.engine, "acme")] == ["web"]


@settings(max_examples=100)
@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_a_month_ends_with_its_last_moment(now: datetime) -> None:
    end = ends_at(Period.MONTH, None, now)
    assert end is not None
    last = end - timedelta(microseconds=1)
    assert (last.year, last.month) == (now.year, now.month)
    assert (end.day, end.hour, end.minute, end.second, end.microsecond) == (1, 0, 0, 0, 0)


def test_prefixes_overlap_only_when_both_have_one() -> None:
    assert overlaps("7", "71")
    assert overlaps("71", "7")
    assert not overlaps("71", "72")
    assert not overlaps("", "7")
