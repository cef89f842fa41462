"""Tariffs as operators write them, and the prices they come to, worked out by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

import pytest

from billing.pricing.bundles import CALLS, Bundle, CoverRule
from billing.pricing.notation import RateFieldError, read_terms, terms_of_text, written
from billing.rating import (
    NOTHING,
    Context,
    Draw,
    Grant,
    Rate,
    billed_ms,
    charge_micros,
    draws,
    explain,
    in_order,
    largest_grant,
    price_micros,
    renewed,
)

CENT = 10_000
LONG_MS = 86_400_000
MONDAY = "2027-03-01T"


def make_rate(
    minute: int = 6 * CENT,
    increments: str = "1/1",
    fee: int = 0,
    minimum_s: int = 0,
    fields: Mapping[str, str] = MappingProxyType({}),
    **more: str,
) -> Rate:
    initial, _, increment = increments.partition("/")
    terms = read_terms({**fields, **more})
    return Rate(1, "44", "United Kingdom", "USD", minute, fee, minimum_s, int(initial), int(increment), terms=terms)


def at(text: str, **more: object) -> Context:
    return Context(datetime.fromisoformat(text), **more)  # type: ignore[arg-type]  # any field may be given


@pytest.mark.parametrize(
    ("fields", "increments", "used_ms", "cents"),
    [
        ({"increment_rule": "from-zero"}, "30/12", 31_000, 3.6),
        ({"increment_rule": "after-initial"}, "30/12", 31_000, 4.2),
        ({"increment_rule": "begun"}, "60/60", 59_999, 6),
        ({"increment_rule": "begun"}, "60/60", 60_000, 12),
        ({"sub_second": "down"}, "1/1", 1_999, 0.1),
        ({"sub_second": "down"}, "1/1", 999, 0),
        ({"sub_second": "half-up"}, "1/1", 1_500, 0.2),
        ({"sub_second": "half-even"}, "1/1", 2_500, 0.2),
        ({"whole_minutes": "yes"}, "6/6", 61_000, 12),
        ({"free": "30"}, "1/1", 30_000, 0),
        ({"free": "30"}, "1/1", 40_000, 1),
        ({"grace": "5"}, "1/1", 5_000, 0),
        ({"grace": "5"}, "1/1", 5_001, 0.6),
        ({"steps": "60 0.12; 120 50%"}, "1/1", 180_000, 6 + 12 + 3),
        ({"steps": "60 0.12 fee=0.10"}, "1/1", 60_000, 6),
        ({"steps": "60 0.12 fee=0.10"}, "1/1", 61_000, 6 + 10 + 0.2),
        ({"timed_fees": "30 0.10; 60 0.20"}, "1/1", 31_000, 3.1 + 10),
        ({"disconnect_fee": "0.05"}, "1/1", 1_000, 5.1),
        ({"minimum_charge": "0.05"}, "1/1", 1_000, 5),
        ({"maximum_charge": "0.05"}, "1/1", 600_000, 5),
        ({"markup": "12.5%"}, "60/60", 60_000, 6.75),
        ({"markup": "-50%"}, "60/60", 60_000, 3),
        ({"rounding": "up 2"}, "1/1", 61_000, 7),
        ({"rounding": "down 2"}, "1/1", 61_000, 6),
        ({"rounding": "up x0.05"}, "1/1", 61_000, 10),
        ({"rounding": "half-up 2"}, "1/1", 65_000, 7),
        ({"rounding": "half-even 2"}, "1/1", 65_000, 6),
        ({"rounding": "up 2 part", "disconnect_fee": "0.012"}, "1/1", 61_000, 7 + 2),
        ({"per": "hour"}, "1/1", 3_600_000, 6),
        ({"per": "10 seconds"}, "1/1", 60_000, 36),
    ],
)
def test_a_term_comes_to_its_price(fields: dict[str, str], increments: str, used_ms: int, cents: float) -> None:
    rate = make_rate(increments=increments, fields=fields)
    assert price_micros(rate, used_ms) == round(cents * CENT)


@pytest.mark.parametrize(
    ("rule", "day_s"),
    [
        ("split", 89),
        ("start", 102),
        ("increment", 90),  # increments begin at 30, 36 ... 84, 90: the one at 84 is still day
    ],
)
def test_a_boundary_splits_a_call_or_does_not(rule: str, day_s: int) -> None:
    fields = {"time_zone": "Europe/Berlin", "bands": "mo-fr 18:00-08:00 0.03", "band_rule": rule}
    rate = make_rate(increments="30/6", fields=fields)
    context = at(MONDAY + "17:58:31+01:00")  # 89 s of day; 99 s are billed as 102
    assert price_micros(rate, 99_000, context) == day_s * CENT // 10 + (102 - day_s) * CENT // 20


def test_the_price_of_a_time_needs_the_time() -> None:
    rate = make_rate(time_zone="UTC", bands="daily 1%")
    with pytest.raises(ValueError, match="when the session started"):
        price_micros(rate, 1)


def test_the_reasons_are_told_line_by_line() -> None:
    rate = make_rate(
        increments="60/6",
        fee=CENT,
        time_zone="Europe/Berlin",
        bands="mo-fr 18:00-08:00 0.03 name=evening",
        surcharges="1800 0.01 share=5%",
        markup="10%",
        rounding="half-up 2",
    )
    assert explain(rate, 120_000, at(MONDAY + "17:59:00+01:00", access_number="18005550100")) == [
        "prefix 44 (United Kingdom), tariff version 1",
        "0.06 USD a minute, increments 60/6 s after-initial, minimum 0 s",
        "used 120 s, billed 120 s",
        "started Mon 2027-03-01 17:59:00 in Europe/Berlin, bands by split",
        "use: 60 s x 0.06 a minute = 0.06 USD",
        "use (band evening): 60 s x 0.03 a minute = 0.03 USD",
        "access (1800): 120 s x 0.01 a minute = 0.02 USD",
        "access number (1800): 5 % of the use = 0.0045 USD",
        "connect fee: 0.01 USD",
        "mark-up 10 %: 0.13695 USD",
        "rounded half-up to 0.01 for each record",
        "total 0.14 USD",
    ]


def test_a_fee_at_zero_duration_is_for_those_who_were_connected() -> None:
    rate = make_rate(fee=3 * CENT, fee_at_zero="yes")
    assert price_micros(rate, 0) == 0
    assert price_micros(rate, 0, Context(is_answered=True)) == 3 * CENT
    assert price_micros(make_rate(fee=3 * CENT), 0, Context(is_answered=True)) == 0


def test_a_maximum_that_ends_the_call_limits_the_grant() -> None:
    rate = make_rate(increments="60/60", maximum_charge="0.10", maximum_rule="ends")
    assert largest_grant(rate, 10**9, LONG_MS, LONG_MS) == Grant(100_000, 10 * CENT, final=True)
    capped = make_rate(increments="60/60", maximum_charge="0.10")
    assert largest_grant(capped, 10 * CENT, LONG_MS, LONG_MS) == Grant(LONG_MS, 10 * CENT, final=True)


def test_the_last_money_may_stay() -> None:
    rate = make_rate(increments="60/60", last_money="keep")
    assert largest_grant(rate, 10 * CENT, LONG_MS, LONG_MS) == Grant(60_000, 6 * CENT, final=True)
    assert largest_grant(rate, 5 * CENT, LONG_MS, LONG_MS) == NOTHING


def test_a_fee_that_does_not_fit_is_not_begun() -> None:
    rate = make_rate(increments="60/60", timed_fees="60 0.50")
    assert largest_grant(rate, 20 * CENT, LONG_MS, LONG_MS) == Grant(60_000, 6 * CENT, final=True)
    assert largest_grant(rate, 59 * CENT, LONG_MS, LONG_MS) == Grant(90_000, 59 * CENT, final=True)


def test_volume_is_graduated_or_by_the_tier_reached() -> None:
    graduated = make_rate(tiers="60 0.03; 120 0.01")
    assert price_micros(graduated, 120_000, Context(month_used=30_000)) == 3 * CENT + 3 * CENT + CENT // 2
    top = make_rate(tiers="60 0.03; 120 0.01", volume_rule="top")
    assert price_micros(top, 30_000, Context(month_used=30_000)) == 3 * CENT
    assert price_micros(top, 60_000, Context(month_used=30_000)) == 3 * CENT
    grant = largest_grant(top, 4 * CENT, 300_000, 300_000, Context(month_used=30_000))
    assert charge_micros(top, 60_000, grant, Context(month_used=30_000)) == 3 * CENT


def test_totals_of_a_month_are_rounded_once() -> None:
    rate = make_rate(rounding="up 2 total")
    assert price_micros(rate, 1_000, Context(month_micros=0)) == CENT
    assert price_micros(rate, 1_000, Context(month_micros=1_000)) == 0


@pytest.mark.parametrize(
    ("fields", "minute", "increments", "used", "micros"),
    [
        ({"per": "MB"}, 10 * CENT, "1000/1000", 1_500_001, 150_100),
        ({"per": "MiB"}, 10 * CENT, "1/1", 2**20, 100_000),
        ({"per": "unit"}, CENT, "1/1", 7, 7 * CENT),
        ({"per": "1000 tokens"}, CENT, "100/100", 150, 2_000),
        ({"per": "transaction"}, 25 * CENT, "1/1", 999, 25 * CENT),
    ],
)
def test_other_measures_are_priced_alike(
    fields: dict[str, str], minute: int, increments: str, used: int, micros: int
) -> None:
    assert price_micros(make_rate(minute, increments, fields=fields), used) == micros


def test_prices_below_zero_must_be_asked_for() -> None:
    with pytest.raises(RateFieldError, match="steps: not between 0"):
        read_terms({"steps": "60 -0.01"})
    terms = read_terms({"steps": "60 -0.06"}, negative=True)
    rate = replace(make_rate(), terms=terms)
    assert price_micros(rate, 120_000) == 0
    assert largest_grant(rate, 6 * CENT, 120_000, LONG_MS).held_micros == 6 * CENT
    with pytest.raises(ValueError, match="not negative"):
        Rate(1, "44", "", "USD", -1)


def test_included_units_are_used_before_money() -> None:
    rate = make_rate(increments="60/60", fee=CENT)
    pro_rata = Bundle(7, 90_000)
    assert price_micros(rate, 120_000, Context(bundles=(pro_rata,))) == CENT + 3 * CENT
    assert draws(rate, 120_000, Context(bundles=(pro_rata,))) == (Draw(7, 90_000),)
    blocks = replace(pro_rata, rule=CoverRule.BLOCKS)
    assert price_micros(rate, 120_000, Context(bundles=(blocks,))) == CENT + 6 * CENT
    whole = replace(pro_rata, rule=CoverRule.WHOLE, covers_fees=True)
    assert price_micros(rate, 120_000, Context(bundles=(whole,))) == CENT + 12 * CENT
    assert price_micros(rate, 60_000, Context(bundles=(whole,))) == 0
    costly = replace(pro_rata, price_micros=2 * CENT)
    assert price_micros(rate, 60_000, Context(bundles=(costly,))) == CENT + 2 * CENT
    calls = Bundle(8, 1, CALLS, covers_fees=True)
    assert price_micros(rate, LONG_MS, Context(bundles=(calls,))) == 0
    assert draws(rate, LONG_MS, Context(bundles=(calls,))) == (Draw(8, 1),)
    assert largest_grant(rate, CENT, LONG_MS, LONG_MS, Context(bundles=(blocks,))).granted_ms == 60_000
    assert billed_ms(rate, 61_000, Context(bundles=(blocks,))) == 120_000


def test_bundles_are_used_by_priority_and_expiry_and_only_where_they_serve() -> None:
    now = datetime.fromisoformat(MONDAY + "12:00:00+00:00")
    soon, late = now.replace(day=2), now.replace(day=20)
    bundles = [
        Bundle(1, 5, priority=1),
        Bundle(2, 5, expires_at=late),
        Bundle(3, 5, expires_at=soon),
        Bundle(4, 5, expires_at=now),
        Bundle(5, 0),
        Bundle(6, 5, services=("data",)),
        Bundle(7, 5, prefixes=("33",)),
        Bundle(8, 5, measure="bytes"),
        Bundle(9, 5, prefixes=("44", "49"), services=("voice",), priority=-1),
    ]
    assert [one.id for one in in_order(bundles, "voice", "442079460000", "time", now)] == [9, 3, 2, 1]


def test_what_is_left_rolls_over_as_far_as_it_may() -> None:
    assert renewed(Bundle(1, 50, rolls_over=20), 100, None).units == 120
    assert renewed(Bundle(1, 5, rolls_over=20), 100, None).units == 105
    assert renewed(Bundle(1, 50), 100, None).units == 100


def test_terms_are_kept_as_they_were_written_and_shared() -> None:
    fields = {"steps": "60 0.12", "free": "30"}
    terms = read_terms(fields)
    assert terms is not None
    assert written(terms) == fields
    assert terms_of_text(terms.text) is terms
    assert read_terms(dict(reversed(fields.items()))) is terms
    assert read_terms({"steps": ""}) is None


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("per", "fortnight"),
        ("per", "0 minutes"),
        ("per", "2 transactions"),
        ("increment_rule", "sometimes"),
        ("sub_second", "sideways"),
        ("free", "-1"),
        ("grace", "5 s"),
        ("whole_minutes", "perhaps"),
        ("steps", "60"),
        ("steps", "60 0.1 0.2"),
        ("steps", "60 0.1 tax=1"),
        ("steps", "x 0.1"),
        ("timed_fees", "30 50%"),
        ("tiers", "60 0.1 fee=1"),
        ("surcharges", "1800"),
        ("surcharges", "18a 0.1"),
        ("surcharges", "1800 share=5"),
        ("markup", "12.5"),
        ("rounding", "up 7"),
        ("rounding", "up x0"),
        ("rounding", "nearest 2"),
        ("last_money", "burn"),
        ("maximum_rule", "explodes"),
        ("disconnect_fee", "1e3"),
    ],
)
def test_terms_that_cannot_be_read_name_their_field(field: str, text: str) -> None:
    with pytest.raises(RateFieldError, match=f"^{field}: "):
        read_terms({field: text})


@pytest.mark.parametrize(
    ("bands", "named"),
    [
        ("mo-fr 18:00-08:00", "bands"),
        ("xx 0.1", "bands"),
        ("mo-xx 0.1", "bands"),
        ("mo-holiday 0.1", "bands"),
        ("mo 25:00-26:00 0.1", "bands"),
        ("mo 18:60-20:00 0.1", "bands"),
        ("mo 24:00-08:00 0.1", "bands"),
        ("mo 1 2 3", "bands"),
    ],
)
def test_windows_that_cannot_be_read_say_so(bands: str, named: str) -> None:
    with pytest.raises(RateFieldError, match=f"^{named}: "):
        read_terms({"time_zone": "UTC", "bands": bands})
    with pytest.raises(RateFieldError, match=r"^time_zone: "):
        read_terms({"time_zone": "Mars/Olympus", "bands": "daily 0.1"})
    with pytest.raises(RateFieldError, match=r"^holidays: "):
        read_terms({"time_zone": "UTC", "bands": "daily 0.1", "holidays": "13-01"})
    with pytest.raises(RateFieldError, match=r"^terms: steps and tiers begin one after the other"):
        read_terms({"steps": "60 0.1; 30 0.2"})
