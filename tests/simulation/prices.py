"""What the simulated tariff costs, worked out a second time and in another way than the product does it.

Quantities are base units: milliseconds, bytes, units. Nothing here imports the product's arithmetic. Amounts are exact:
integers over `per` times a million, so that three percentages of a price come out even.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from tests.simulation.rows import ZONES_S

MINUTE = 60_000
_DAY_S = 86_400
_EXACT = 1_000_000
RINGS_MS = 180_000
"""How long a call may ring before it begins."""

Adjust = tuple[int | None, int]
"""Another price, or a percentage of the one that would hold."""


@dataclass(frozen=True, slots=True)
class Window:
    """Days (Monday 0, holiday 7), from and until which second of the day, and what holds there."""

    days: frozenset[int]
    begins_s: int
    ends_s: int
    adjust: Adjust


@dataclass(frozen=True, slots=True)
class About:
    """What a price depends on beside the use: when it began, what the month knows, and what bundles cover of it."""

    start_ms: int = 0
    month_used: int = 0
    month_micros: int = 0
    cover: "tuple[Included, ...]" = ()


@dataclass(frozen=True, slots=True)
class Included:
    """Units of a bundle that a session may use."""

    bundle_id: int
    units: int
    rule: str = "pro-rata"
    is_calls: bool = False
    micros: int = 0
    covers_fees: bool = False


NOTHING = About()


@dataclass(frozen=True, slots=True)
class Price:
    """So many micro-units for so many base units, in blocks; `scale` base units are one unit of the API."""

    micros: int
    per: int
    initial: int
    increment: int
    minimum: int = 0
    connect_micros: int = 0
    scale: int = 1
    service: str = "voice"
    by_units: bool = False
    steps: tuple[tuple[int, Adjust, int], ...] = ()
    tiers: tuple[tuple[int, Adjust], ...] = ()
    top: bool = False
    windows: tuple[Window, ...] = ()
    zone_s: int = 0
    holidays: frozenset[tuple[int, int]] = frozenset()
    band_rule: str = "split"
    fees: tuple[tuple[int, int], ...] = ()
    disconnect_micros: int = 0
    markup: int = 1000
    least_micros: int = 0
    most_micros: int | None = None
    mode: str = "up"
    multiple: int = 1
    total: bool = False
    plain: bool = True
    """Nothing but price, blocks, minimum and connect fee."""

    def billed(self, used: int) -> int:
        """What is billed of so much use: begun blocks, at least the minimum."""
        if used <= 0:
            return 0
        blocks = _ceil(max(0, used - self.initial), self.increment)
        return max(self.initial + blocks * self.increment, self.minimum)

    def of(self, used: int, about: About = NOTHING) -> int:
        """What so much use costs."""
        if used <= 0:
            return 0
        if self.plain and not about.cover:
            return self.connect_micros + _ceil(self.billed(used) * self.micros, self.per)
        exact, per = self._exact(used, about)
        if not self.total:
            rounded = _rounded(exact, per * self.multiple, self.mode) * self.multiple
            return rounded if self.most_micros is None else min(rounded, self.most_micros)
        # What it adds to the rounded total of the month.
        after = about.month_micros + _ceil(exact, per)
        return (_rounded(after, self.multiple, self.mode) - _rounded(about.month_micros, self.multiple, self.mode)) * (
            self.multiple
        )

    def month_cost(self, used: int, charged_micros: int, about: About) -> int:
        """What it adds to the unrounded total of the month."""
        return _ceil(*self._exact(used, about)) if self.total and used > 0 else charged_micros

    def to_hold(self, granted: int, about: About) -> int:
        """The most that any use up to the grant costs."""
        places = [granted]
        if (self.top and self.tiers) or any(
            each.rule == "whole" or each.is_calls or each.covers_fees for each in about.cover
        ):
            places += self._ends_before(granted)
        if self.total:
            return max(self._most_of_total(_ceil(*self._exact(used, about))) for used in places)
        return max(self.of(used, about) for used in places)

    def _most_of_total(self, micros: int) -> int:
        """The most that so much adds to a rounded total, whatever was in it: tried where the rounding turns."""
        turns = [place + more for place in range(0, 4 * self.multiple, self.multiple // 2) for more in (-1, 0, 1)]
        befores = [place for turn in turns for place in (turn, (turn - micros) % (2 * self.multiple)) if place >= 0]
        return self.multiple * max(
            _rounded(before + micros, self.multiple, self.mode) - _rounded(before, self.multiple, self.mode)
            for before in befores
        )

    @property
    def is_by_month(self) -> bool:
        """Whether what was used in the month changes the price."""
        return bool(self.tiers) or self.total

    @property
    def may_get_cheaper(self) -> bool:
        """Whether a larger grant may be held for less than it was before: by when it began. By the month it is not."""
        return bool(self.windows) and not self.is_by_month

    def ends_within(self, granted: int) -> bool:
        """Whether a grant ends in the middle of a block, so that it was bought in part, or cut."""
        return self.billed(granted + 1) == self.billed(granted)

    def _ends_before(self, granted: int) -> list[int]:
        """The end of each whole block within so much; the last four hundred, where there are more."""
        first = self.initial
        if (granted - first) // self.increment > 400:
            first += ((granted - first) // self.increment - 400) * self.increment
        return [1, *range(first, granted, self.increment)]

    def _exact(self, used: int, about: About) -> tuple[int, int]:
        """The price before it is rounded, as a numerator and a denominator."""
        total = self.billed(used)
        covered = stretches(self, about.cover, total)
        denominator = self.per * _EXACT * 1000
        sum_of_use = self._use(total, about, covered) * self.markup
        is_paid = not covered or covered[-1][1] < total or covered[0][0] > 0
        if is_paid or not all(each.covers_fees for _, _, each in covered):
            sum_of_use += self.fees_of(used) * self.per * _EXACT * self.markup
        if self.least_micros and is_paid:
            sum_of_use = max(sum_of_use, self.least_micros * denominator)
        if self.most_micros is not None:
            sum_of_use = min(sum_of_use, self.most_micros * denominator)
        return sum_of_use, denominator

    def fees_of(self, used: int) -> int:
        """Everything that is charged once."""
        micros = self.connect_micros + self.disconnect_micros
        for after, fee_micros in self.fees:
            if used > after:
                micros += fee_micros
        return micros

    def _use(self, total: int, about: About, covered: "list[tuple[int, int, Included]]") -> int:
        """Use times price, place by place, over per x a million."""
        month = about.month_used
        places = {0}
        places.update(begins for begins, _, _ in self.steps)
        if not self.top:
            places.update(begins - month for begins, _ in self.tiers)
        for begins, ends, _ in covered:
            places.update((begins, ends))
        if self.windows and self.band_rule == "split":
            places.update(range(MINUTE - about.start_ms % MINUTE, total, MINUTE))  # windows change at whole minutes
        elif self.windows and self.band_rule == "increment":
            places.update(range(self.initial, total, self.increment))
        cuts = sorted(place for place in places if 0 <= place < total)
        cuts.append(total)
        exact = 0
        for begins, ends in pairwise(cuts):
            for first, last, included in covered:
                if first <= begins < last:
                    exact += (ends - begins) * included.micros * _EXACT
                    break
            else:
                exact += (ends - begins) * self._at(begins, total, about)
        return exact

    def _at(self, place: int, total: int, about: About) -> int:
        """The price at a place: of the rate, the tier, the step, the window."""
        exact = self.micros * _EXACT
        found: list[Adjust | None] = []
        if self.tiers:
            reached = about.month_used + total - 1 if self.top else about.month_used + place
            found.append(_last(self.tiers, reached))
        if self.steps:
            found.append(_last(tuple((begins, adjust) for begins, adjust, _ in self.steps), place))
        if self.windows:
            found.append(self.window_at(about.start_ms + self._moment(place)))
        for adjust in found:
            if adjust is not None:
                exact = exact * adjust[1] // 100 if adjust[0] is None else adjust[0] * _EXACT
        return exact

    def _moment(self, place: int) -> int:
        """Which moment of the session decides the window at a place."""
        if self.band_rule == "start":
            return 0
        if self.band_rule == "split":
            return place
        return 0 if place < self.initial else place - (place - self.initial) % self.increment

    def window_at(self, at_ms: int) -> Adjust | None:
        """What holds at a moment, by the clocks of the tariff."""
        day, second = divmod(at_ms // 1000 + self.zone_s, _DAY_S)
        today, before = self._kind(day), self._kind(day - 1)
        for one in self.windows:
            if one.begins_s < one.ends_s:
                if today in one.days and one.begins_s <= second < one.ends_s:
                    return one.adjust
            elif (today in one.days and second >= one.begins_s) or (before in one.days and second < one.ends_s):
                return one.adjust
        return None

    def _kind(self, day: int) -> int:
        """The day of the week of so many days after 1970, or 7 for a holiday that somebody names."""
        if self.holidays and day == _FIRST_OF_APRIL and (4, 1) in self.holidays:
            return 7
        return (day + 3) % 7

    def whole_before(self, granted: int) -> int:
        """The end of the last block that is whole within so much."""
        if granted < self.initial:
            return 0
        return granted - (granted - self.initial) % self.increment

    def hold_fault(self, granted: int, held_micros: int, about: About = NOTHING) -> str | None:
        """Why this is not what must be held for a grant, or none: all of its price, or its whole blocks and a part."""
        full_micros = self.to_hold(granted, about)
        if held_micros == full_micros:
            return None
        if held_micros > full_micros:
            return f"holds {held_micros}, more than its price {full_micros}"
        whole = self.whole_before(granted)
        begins = max(whole, self.minimum if whole == 0 else 0)
        paid_micros = self.to_hold(whole, about) if whole else self._once(0)
        length = self.increment if whole else self.initial
        fees_micros = self._once(whole + length) - self._once(whole) if not self.plain else 0
        block_micros = self.to_hold(whole + length, about) - paid_micros - fees_micros
        most = whole + _ceil((held_micros - paid_micros - fees_micros) * length, max(1, block_micros))
        if held_micros < paid_micros or (not about.cover and granted > max(most, begins)):
            return f"holds {held_micros} for {granted}, of a price of {full_micros}, which buys no more than {most}"
        return None

    def _once(self, used: int) -> int:
        """The fees of a use as they are held, the least charge among them."""
        if self.plain:
            return self.connect_micros
        exact = max(self.fees_of(used) * self.markup, self.least_micros * 1000)
        return (
            0
            if used <= 0
            else _rounded(exact, 1000 * self.multiple, "up" if self.total else self.mode) * (self.multiple)
        )

    def open_hold_fault(self, granted: int, held_micros: int, about: About) -> str | None:
        """The same for a call that may yet ring: whenever it begins it can be paid, and no moment is dearer."""
        first_ms, last_ms = about.start_ms, about.start_ms + RINGS_MS
        starts = [first_ms, last_ms, *range(first_ms + MINUTE - first_ms % MINUTE, last_ms, MINUTE)]
        needed = max(self.to_hold(granted, replace(about, start_ms=start_ms)) for start_ms in starts)
        minutes = range(first_ms - first_ms % MINUTE, last_ms + self.billed(granted) + MINUTE, MINUTE)
        dearest = max(
            (
                replace(self, windows=(Window(frozenset(range(8)), 0, _DAY_S, adjust),))
                if adjust
                else self._windowless()
            ).to_hold(granted, about)
            for adjust in {self.window_at(at_ms) for at_ms in minutes}
        )
        if held_micros > max(dearest, needed):
            return f"holds {held_micros}, more than {dearest} of the dearest window"
        if held_micros < needed:
            faults = [self.hold_fault(granted, held_micros, replace(about, start_ms=at_ms)) for at_ms in starts]
            return next((fault for fault in faults if fault and "more than its price" not in fault), None)
        return None

    def _windowless(self) -> "Price":
        return replace(self, windows=())


_FIRST_OF_APRIL = 20_544
"""2026-04-01, in days after 1970."""


def stretches(price: Price, cover: tuple[Included, ...], total: int) -> list[tuple[int, int, Included]]:
    """From where until where each bundle covers what is billed."""
    found = []
    place = 0
    for one in cover:
        if place >= total or not one.units:
            continue
        ends = min(total, place + one.units)
        if one.is_calls:
            ends = total
        elif one.rule == "whole" and ends < total:
            ends = place
        elif one.rule == "blocks" and ends < total:
            ends = max(place, _whole_blocks(price, ends))
        if ends > place:
            found.append((place, ends, one))
            place = ends
    return found


def _whole_blocks(price: Price, limit: int) -> int:
    """The most that can be billed of no more than a limit."""
    if limit < max(price.initial, price.minimum):
        return 0
    return limit - (limit - price.initial) % price.increment


def draws(price: Price, cover: tuple[Included, ...], total: int) -> dict[int, int]:
    """The units that so much billed use takes of each bundle."""
    return {one.bundle_id: 1 if one.is_calls else ends - begins for begins, ends, one in stretches(price, cover, total)}


def units_to_hold(price: Price, cover: tuple[Included, ...], granted: int) -> dict[int, int]:
    """The most units of each bundle that any use up to the grant takes."""
    most: dict[int, int] = {}
    places = [granted]
    if any(one.rule != "pro-rata" or one.is_calls for one in cover):
        places += price._ends_before(granted)
    for used in places:
        for bundle_id, units in draws(price, cover, price.billed(used)).items():
            most[bundle_id] = max(most.get(bundle_id, 0), units)
    return most


def _last(changes: tuple[tuple[int, Adjust], ...], place: int) -> Adjust | None:
    found = None
    for begins, adjust in changes:
        if begins <= place:
            found = adjust
    return found


def _ceil(amount: int, parts: int) -> int:
    whole, rest = divmod(amount, parts)
    return whole + (1 if rest else 0)


def _rounded(amount: int, parts: int, mode: str) -> int:
    whole, rest = divmod(amount, parts)
    if not rest or mode == "down":
        return whole
    if mode == "up" or 2 * rest > parts:
        return whole + 1
    if 2 * rest == parts:
        return whole + (1 if mode == "half-up" else whole % 2)
    return whole


_DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su", "holiday")
_PER = {"MB": (10**6, 1), "unit": (1, 1), "token": (1, 1), "message": (1, 1), "transaction": (1, 1), "": (MINUTE, 1000)}
_PLAIN = frozenset(("prefix", "service", "price", "price_per_minute", "per", "increments", "connect_fee", "minimum_s"))


def prices_of(rows: tuple[dict[str, str], ...]) -> dict[str, Price]:
    """The rows of a tariff file as the model understands them, by prefix."""
    return {row["prefix"]: _price(row) for row in rows}


def _micros(text: str) -> int:
    return int(Fraction(text or "0") * 1_000_000)


def _adjust(text: str) -> Adjust:
    return (None, int(text[:-1])) if text.endswith("%") else (_micros(text), 100)


def _items(row: dict[str, str], field: str) -> list[list[str]]:
    return [item.split() for item in row.get(field, "").split(";") if item.strip()]


def _price(row: dict[str, str]) -> Price:
    initial, _, increment = row.get("increments", "1").partition("/")
    count, _, measure = row.get("per", "").rpartition(" ")
    per, scale = _PER[measure.removesuffix("s")]
    steps = tuple(
        (int(begins) * scale, _adjust(adjust), _micros(fee[0].removeprefix("fee=")) if fee else 0)
        for begins, adjust, *fee in _items(row, "steps")
    )
    mode, *precision = row.get("rounding", "up 6").split()
    return Price(
        _micros(row.get("price_per_minute") or row["price"]),
        per * int(count or 1),
        int(initial) * scale,
        int(increment or initial) * scale,
        int(row.get("minimum_s", "0")) * scale,
        _micros(row.get("connect_fee", "")),
        scale,
        service=row.get("service", "voice"),
        by_units=measure not in {"", "MB"},
        steps=steps,
        tiers=tuple((int(begins) * scale, _adjust(adjust)) for begins, adjust in _items(row, "tiers")),
        top=row.get("volume_rule") == "top",
        windows=tuple(_window(*item) for item in _items(row, "bands")),
        zone_s=ZONES_S[row["time_zone"]] if "time_zone" in row else 0,
        holidays=frozenset((int(one[:2]), int(one[3:])) for one in row.get("holidays", "").split()),
        band_rule=row.get("band_rule", "split"),
        fees=(
            *((int(after) * scale, _micros(fee)) for after, fee in _items(row, "timed_fees")),
            *((begins, fee_micros) for begins, _, fee_micros in steps if fee_micros),
        ),
        disconnect_micros=_micros(row.get("disconnect_fee", "")),
        markup=1000 + int(Fraction(row.get("markup", "0%")[:-1]) * 10),
        least_micros=_micros(row.get("minimum_charge", "")),
        most_micros=_micros(row["maximum_charge"]) if "maximum_charge" in row else None,
        mode=mode,
        multiple=_micros(precision[0][1:]) if precision[0].startswith("x") else 10 ** (6 - int(precision[0])),
        total=precision[-1] == "total",
        plain=set(row) <= _PLAIN,
    )


def _window(days: str, hours: str, adjust: str) -> Window:
    first, _, last = hours.partition("-")
    begins_s, ends_s = (int(one[:2]) * 3600 + int(one[3:]) * 60 for one in (first, last))
    on = range(7) if days == "daily" else (_DAYS.index(one) for one in days.split(","))
    return Window(frozenset(on), begins_s, ends_s, _adjust(adjust))
