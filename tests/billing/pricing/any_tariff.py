"""Any tariff there may be: every term on and off, with small numbers that collide and large ones that do not."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from billing.money import Rounding
from billing.pricing.bundles import CALLS, Bundle, CoverRule
from billing.pricing.rate import Context, Rate
from billing.pricing.terms import (
    Adjust,
    Band,
    BandRule,
    IncrementRule,
    MaximumRule,
    Measure,
    Precision,
    Scope,
    Step,
    Surcharge,
    Terms,
    Tier,
    TimedFee,
    VolumeRule,
)
from billing.pricing.windows import DAY_S, Calendar, Holidays, Window

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"]
CLOCKS_MOVE = [datetime(2027, 3, 28, 0, 59, 30, tzinfo=UTC), datetime(2027, 11, 7, 5, 58, tzinfo=UTC)]

times_ms = st.one_of(st.integers(0, 5_000), st.integers(0, 900_000), st.integers(1, 900).map(lambda s: s * 1000))
prices = st.one_of(st.integers(0, 200), st.integers(0, 9_000_000))
fees = st.sampled_from([0, 0, 1, 50_000, 990_000])
shares = st.sampled_from([0, 1, 333, 5_000, 10_000, 12_550])
adjusts = st.one_of(st.builds(Adjust, prices), st.builds(Adjust, st.none(), shares))
edges = st.lists(times_ms, max_size=3, unique=True).map(sorted)
seconds = st.sampled_from([0, 1, 6, 12, 30, 59, 60, 61, 180])
moments = st.one_of(
    st.sampled_from(CLOCKS_MOVE),
    st.builds(
        lambda day, at: datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=day, milliseconds=at),
        st.integers(0, 364),
        st.integers(0, DAY_S * 1000 - 1),
    ),
)
windows = st.builds(
    Window,
    st.sets(st.integers(0, 7), min_size=1).map(frozenset),
    st.integers(0, DAY_S - 1),
    st.integers(1, DAY_S),
    st.integers(0, 1),
)
calendars = st.builds(
    Calendar,
    st.sampled_from(ZONES),
    st.lists(windows, min_size=1, max_size=4).map(tuple),
    st.just(Holidays(frozenset({date(2027, 3, 28)}), frozenset({(12, 25), (1, 1)}))),
)
precisions = st.builds(
    Precision,
    st.sampled_from(Rounding),
    st.sampled_from([1, 1, 100, 10_000, 50_000, 1_000_000]),
    st.sampled_from(Scope),
)


@st.composite
def terms(draw: st.DrawFn, *, negative: bool = False) -> Terms:
    measure = draw(st.sampled_from([Measure.TIME] * 4 + list(Measure)))
    step_edges, tier_edges = draw(edges), draw(edges)
    lowest = st.integers(-3_000_000, 9_000_000) if negative else prices
    adjust = st.one_of(st.builds(Adjust, lowest), st.builds(Adjust, st.none(), shares))
    return Terms(
        measure=measure,
        per={Measure.TIME: 60_000, Measure.BYTES: 1_000_000}.get(measure, 1),
        increment_rule=draw(st.sampled_from(IncrementRule)),
        sub_second=draw(st.sampled_from([None, None, *Rounding])),
        free=draw(st.sampled_from([0, 0, 0, 5_000, 30_000, 61_500])),
        grace=draw(st.sampled_from([0, 0, 0, 3_000, 45_000])),
        whole=draw(st.sampled_from([1, 1, 60_000])),
        fee_at_zero=draw(st.booleans()),
        timed_fees=tuple(TimedFee(at, draw(fees)) for at in draw(edges)),
        disconnect_fee_micros=draw(fees),
        steps=tuple(Step(at, draw(adjust), draw(fees)) for at in step_edges),
        calendar=draw(st.none() | calendars),
        bands=(Band("evening", draw(adjust)), Band("weekend", draw(adjust))),
        band_rule=draw(st.sampled_from(BandRule)),
        tiers=tuple(Tier(at, draw(adjust)) for at in tier_edges),
        volume_rule=draw(st.sampled_from(VolumeRule)),
        surcharges=draw(
            st.lists(
                st.builds(Surcharge, st.sampled_from(["", "1", "1800"]), prices, fees, shares),
                max_size=2,
                unique_by=lambda one: one.access_prefix,
            ).map(tuple)
        ),
        markup=draw(st.sampled_from([0, 0, 1_250, -2_000, -10_000])),
        minimum_charge_micros=draw(fees),
        maximum_charge_micros=draw(st.none() | st.integers(0, 20_000_000)),
        maximum_rule=draw(st.sampled_from(MaximumRule)),
        precision=draw(precisions),
        takes_rest=draw(st.booleans()),
        negative=negative,
    )


@st.composite
def rates(draw: st.DrawFn, *, negative: bool = False) -> Rate:
    found = draw(terms(negative=negative))
    return Rate(
        1,
        "44",
        "somewhere",
        "USD",
        draw(st.integers(-2_000_000, 9_000_000) if negative else prices),
        draw(fees),
        draw(seconds),
        draw(seconds) or 1,
        draw(seconds) or 1,
        terms=found,
    )


plain_rates = st.builds(
    lambda minute, fee, minimum, initial, increment: Rate(
        1, "44", "", "USD", minute, fee, minimum, initial or 1, increment or 1
    ),
    prices,
    fees,
    seconds,
    seconds,
    seconds,
)
bundles = st.builds(
    Bundle,
    st.integers(1, 3),
    times_ms,
    st.sampled_from([*Measure, Measure.TIME, CALLS]),
    st.sampled_from(CoverRule),
    price_micros=st.sampled_from([0, 0, 100, 5_000_000]),
    covers_fees=st.booleans(),
)
contexts = st.builds(
    Context,
    moments,
    st.sampled_from(["", "1", "18005550100", "44"]),
    st.booleans(),
    st.integers(0, 1_000_000),
    st.integers(0, 100_000_000),
    st.lists(bundles, max_size=3).map(tuple),
)
funds = st.one_of(st.integers(-10, 2_000), st.integers(0, 50_000_000))
