"""What an offer can be, how quantities are written, and how long a period is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.allowances.period import PeriodError, check_period, end_of
from billing.bundles.offer import Given, Offer, OfferError, read_quantity, show_quantity
from billing.pricing.bundles import Bundle

AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "read", "shown"),
    [
        ("300 minutes", ("time", 18_000_000), "300 minutes"),
        ("1 minute", ("time", 60_000), "1 minutes"),
        ("90seconds", ("time", 90_000), "90 seconds"),
        ("2 hours", ("time", 7_200_000), "120 minutes"),
        ("5 GB", ("bytes", 5_000_000_000), "5 GB"),
        ("1 KiB", ("bytes", 1024), "1024 bytes"),
        ("100 messages", ("units", 100), "100 units"),
        ("3 calls", ("calls", 3), "3 calls"),
        ("7 transactions", ("transaction", 7), "7 transactions"),
    ],
)
def test_quantities_are_read_and_shown(text: str, read: tuple[str, int], shown: str) -> None:
    assert read_quantity(text) == read
    assert show_quantity(*read) == shown


def test_what_is_no_quantity_says_what_is() -> None:
    for text in ("", "minutes", "-3 minutes", "3", "3 parsecs", "999999999999 GB"):
        with pytest.raises(OfferError):
            read_quantity(text)
    assert show_quantity("time", 1_500) == "1.500 seconds"
    assert show_quantity("bytes", 0) == "0 GB"


def test_what_cannot_be_offered() -> None:
    bundle = Bundle(0, 60_000, name="x")
    assert Offer("acme", "x", bundle).period == ""
    with pytest.raises(OfferError, match="name"):
        Offer("acme", "7", bundle)
    with pytest.raises(OfferError, match="units"):
        Offer("acme", "x", Bundle(0, 0))
    with pytest.raises(OfferError, match="has a period"):
        Offer("acme", "x", bundle, renews=True)
    with pytest.raises(OfferError, match="rolls over"):
        Offer("acme", "x", replace(bundle, rolls_over=1), "1m")


@pytest.mark.parametrize(
    ("period", "ends_at"),
    [
        ("30d", AT + timedelta(days=30)),
        ("1m", datetime(2027, 2, 28, 12, 0, tzinfo=UTC)),
        ("12m", datetime(2028, 1, 31, 12, 0, tzinfo=UTC)),
        ("13m", datetime(2028, 2, 29, 12, 0, tzinfo=UTC)),
        ("", None),
    ],
)
def test_when_a_period_ends(period: str, ends_at: datetime | None) -> None:
    assert check_period(period) == period
    assert end_of(AT, period) == ends_at


def test_what_is_no_period() -> None:
    for text in ("1", "m", "0d", "1y", "1 m"):
        with pytest.raises(PeriodError):
            check_period(text)


def test_the_state_of_a_bundle() -> None:
    given = Given("1", Bundle(1, 5), 0, "", 5, renews=False, begins_at=AT, next_id=None, granted_by="", closed_at=None)
    ended = replace(given, bundle=replace(given.bundle, expires_at=AT))
    assert given.state(AT) == "open"
    assert ended.state(AT - timedelta(seconds=1)) == "open"
    assert ended.state(AT) == "expired"
    assert replace(ended, renews=True).state(AT) == "to renew"
    assert replace(ended, renews=True, next_id=2).state(AT) == "renewed"
    assert replace(given, closed_at=AT).state(AT) == "closed"
