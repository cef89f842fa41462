"""The parts of a price: use by stretches of one price, surcharges and fees, each as an exact fraction.

Every part is a numerator over one denominator for the whole price, so that nothing is rounded before the end unless the
terms say so. Prices that hold in the same place replace each other in a fixed order: tier, step, band, bundle.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from billing.pricing.cover import Stretch, stretches
from billing.pricing.increments import counted, next_start
from billing.pricing.rate import Context, Rate
from billing.pricing.terms import UNCHANGED, WHOLE, Adjust, BandRule, Measure, Scope, Surcharge, Terms, VolumeRule

EXACT = WHOLE**5
"""Three shares of a price, one of a surcharge and the mark-up come out even over this."""

_PRICE = WHOLE**2
_ONE_SHARE = WHOLE**4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Part(NamedTuple):
    """A part of a price before mark-up: `numerator` / (per x EXACT) micro-units."""

    kind: str
    note: str
    quantity: int
    price_micros: int
    share: int
    numerator: int


@dataclass(frozen=True, slots=True)
class Use:
    """What is priced: the use, and what is billed of it."""

    used: int
    billed: int


class PossibleBand(NamedTuple):
    """What may hold from one place of what is billed until another, if the session begins when it may."""

    begins: int
    ends: int
    adjust: Adjust
    name: str


class _Track(NamedTuple):
    """From each position on (in what is billed, rising), another adjustment of the price."""

    kind: str
    changes: list[tuple[int, Adjust, str]]


def price_parts(rate: Rate, terms: Terms, context: Context, use: Use, *, hold: bool = False) -> list[Part]:
    """Every part of the price of a session that was used at all, the use itself first.

    To `hold`: none below zero, and what any start costs that is possible yet.
    """
    covered = stretches(rate, terms, context.bundles, use.billed) if context.bundles else []
    positive = hold and terms.negative
    bands = possible_bands(rate, terms, context, use) if hold and context.rings_ms else []
    if len(bands) > 1:
        parts = _dearest_parts(rate, terms, context, use, covered, bands)
    else:
        parts = _use_parts(rate, terms, context, use, covered)
    if positive:
        parts = [part._replace(numerator=max(0, part.numerator)) for part in parts]
    is_covered = bool(covered) and covered[-1][1] >= use.billed
    if terms.surcharges:
        parts += _surcharge_parts(terms, context, use, sum(part.numerator for part in parts))
    if not (is_covered and all(one.covers_fees for _, _, one in covered)):
        parts += fee_parts(rate, terms, use)
    return [part._replace(numerator=max(0, part.numerator)) for part in parts] if positive else parts


def fee_parts(rate: Rate, terms: Terms, use: Use) -> list[Part]:
    """The fees of a session: to connect, at a moment, to enter a step, to disconnect."""
    parts = []
    fee = terms.per * EXACT
    if rate.connect_fee_micros:
        parts.append(Part("connect fee", "", 1, rate.connect_fee_micros, WHOLE, rate.connect_fee_micros * fee))
    if use.used <= 0 or not (terms.timed_fees or terms.steps or terms.disconnect_fee_micros):
        return parts
    length = counted(terms, use.used)
    for one in terms.timed_fees:
        if length > one.after:
            parts.append(Part("fee after", str(one.after), 1, one.fee_micros, WHOLE, one.fee_micros * fee))
    for step in terms.steps:
        if step.fee_micros and length > step.begins:
            parts.append(Part("step fee", str(step.begins), 1, step.fee_micros, WHOLE, step.fee_micros * fee))
    if terms.disconnect_fee_micros:
        amount = terms.disconnect_fee_micros
        parts.append(Part("disconnect fee", "", 1, amount, WHOLE, amount * fee))
    return parts


def access_fee_parts(terms: Terms, context: Context) -> list[Part]:
    """The fee of the access number alone."""
    one = _surcharge(terms, context.access_number)
    if one is None or not one.fee_micros:
        return []
    return [Part("access fee", one.access_prefix, 1, one.fee_micros, WHOLE, one.fee_micros * terms.per * EXACT)]


def _use_parts(rate: Rate, terms: Terms, context: Context, use: Use, covered: list[Stretch]) -> list[Part]:
    """The use, a part for each stretch of one price."""
    if use.billed <= 0:
        return []
    tracks = _tracks(rate, terms, context, use)
    price = rate.price_per_minute_micros
    if not tracks and not covered:
        return [Part("use", "", use.billed, price, WHOLE, use.billed * price * EXACT)]
    if len(tracks) == 1 and not covered:
        return _one_track(tracks[0], use.billed, price)
    places = {0, *(place for track in tracks for place, _, _ in track.changes)}
    places.update(place for begins, ends, _ in covered for place in (begins, ends))
    cuts = sorted(place for place in places if 0 <= place < use.billed)
    parts = []
    for begins, ends in zip(cuts, [*cuts[1:], use.billed], strict=True):
        bundle = next((one for first, last, one in covered if first <= begins < last), None)
        amount, share, note = (price, WHOLE**3, "") if bundle is None else (bundle.price_micros, WHOLE**3, bundle.name)
        if bundle is None:
            amount, share, note = _price_at(tracks, begins, price)
        quantity = ends - begins
        kind = "use" if bundle is None else "included"
        parts.append(Part(kind, note, quantity, amount, share // WHOLE**2, quantity * amount * share * _PRICE))
    return parts


def _dearest_parts(
    rate: Rate, terms: Terms, context: Context, use: Use, covered: list[Stretch], bands: list[PossibleBand]
) -> list[Part]:
    """The use, each place of it by the dearest band it may fall into: no possible start costs more."""
    if use.billed <= 0:
        return []
    tracks = _volume_tracks(terms, context, use)
    places = {0, *(place for track in tracks for place, _, _ in track.changes)}
    places.update(place for begins, ends, _ in (*covered, *(one[:3] for one in bands)) for place in (begins, ends))
    cuts = sorted(place for place in places if 0 <= place < use.billed)
    parts = []
    for begins, ends in zip(cuts, [*cuts[1:], use.billed], strict=True):
        bundle = next((one for first, last, one in covered if first <= begins < last), None)
        quantity = ends - begins
        if bundle is not None:
            numerator = quantity * bundle.price_micros * EXACT
            parts.append(Part("included", bundle.name, quantity, bundle.price_micros, WHOLE, numerator))
            continue
        possible = [_Track("band", [(0, one.adjust, one.name)]) for one in bands if one.begins <= begins < one.ends]
        prices = [_price_at([*tracks, one], begins, rate.price_per_minute_micros) for one in possible]
        amount, share, note = max(prices, key=lambda found: found[0] * found[1])
        numerator = quantity * amount * share * _PRICE
        parts.append(Part("use", note, quantity, amount, share // WHOLE**2, numerator))
    if terms.precision.scope is Scope.PART:
        # Another start may be cut into other parts, each of which is rounded.
        most = (2 * len(parts) + len(bands) + 1) * terms.precision.multiple_micros
        parts.append(Part("use", "rounding", 0, most, WHOLE, most * terms.per * EXACT))
    return parts


def _one_track(track: _Track, total: int, price_micros: int) -> list[Part]:
    """What the general way comes to where one thing alone changes the price: the common case."""
    parts = []
    changes = track.changes
    begins, amount, share, note = 0, price_micros, WHOLE, ""
    for place, adjust, name in changes:
        if place >= total:
            break
        if place > begins:
            quantity = place - begins
            parts.append(Part("use", note, quantity, amount, share, quantity * amount * share * _ONE_SHARE))
            begins = place
        if adjust is UNCHANGED:
            amount, share, note = price_micros, WHOLE, ""
        else:
            amount = price_micros if adjust.price_micros is None else adjust.price_micros
            share, note = adjust.share, f"{track.kind} {name}"
    quantity = total - begins
    parts.append(Part("use", note, quantity, amount, share, quantity * amount * share * _ONE_SHARE))
    return parts


def _price_at(tracks: list[_Track], position: int, price_micros: int) -> tuple[int, int, str]:
    """Price, share of it (over WHOLE cubed) and where they are from, at a position of what is billed."""
    share, used_shares = 1, 0
    notes = []
    for track in tracks:
        found = None
        for place, adjust, note in track.changes:
            if place > position:
                break
            found = adjust, note
        if found is None or found[0] is UNCHANGED:
            continue
        adjust, note = found
        if adjust.price_micros is not None:
            price_micros, share, used_shares = adjust.price_micros, 1, 0
        share, used_shares = share * adjust.share, used_shares + 1
        notes.append(f"{track.kind} {note}")
    return price_micros, share * WHOLE ** (3 - used_shares), ", ".join(notes)


def _tracks(rate: Rate, terms: Terms, context: Context, use: Use) -> list[_Track]:
    tracks = _volume_tracks(terms, context, use)
    if terms.calendar is not None:
        tracks.append(_Track("band", _band_changes(rate, terms, context, use)))
    return tracks


def _volume_tracks(terms: Terms, context: Context, use: Use) -> list[_Track]:
    tracks = []
    if terms.tiers:
        tracks.append(_Track("tier", _tier_changes(terms, context, use)))
    if terms.steps:
        tracks.append(_Track("step", [(one.begins - terms.free, one.adjust, str(one.begins)) for one in terms.steps]))
    return tracks


def _tier_changes(terms: Terms, context: Context, use: Use) -> list[tuple[int, Adjust, str]]:
    if terms.volume_rule is VolumeRule.GRADUATED:
        return [(one.begins - context.month_used, one.adjust, str(one.begins)) for one in terms.tiers]
    reached = [one for one in terms.tiers if context.month_used + use.billed > one.begins]
    return [(0, one.adjust, str(one.begins)) for one in reached[-1:]]


def possible_bands(rate: Rate, terms: Terms, context: Context, use: Use) -> list[PossibleBand]:
    """Every band that may hold for a part of this use, whenever the session begins of when it may; one: no matter."""
    if terms.calendar is None:
        return []
    found = _bands(terms, context, use, context.rings_ms)
    possible = []
    for (offset_ms, number), (ends_ms, _) in zip(found, [*found[1:], (None, 0)], strict=True):
        begins, ends = 0, use.billed
        if _is_by_moment(terms):
            begins = _place(rate, terms, offset_ms - context.rings_ms)
            ends = use.billed if ends_ms is None else _place(rate, terms, ends_ms)
        possible.append(PossibleBand(begins, ends, *_adjusted(terms, number)))
    return possible


def _band_changes(rate: Rate, terms: Terms, context: Context, use: Use) -> list[tuple[int, Adjust, str]]:
    changes: list[tuple[int, Adjust, str]] = []
    for offset_ms, number in _bands(terms, context, use):
        place = _place(rate, terms, offset_ms)
        if changes and changes[-1][0] == place:
            changes.pop()  # a band that no increment began in
        changes.append((place, *_adjusted(terms, number)))
    return changes


def _bands(terms: Terms, context: Context, use: Use, rings_ms: int = 0) -> list[tuple[int, int]]:
    """(offset in ms from the start, band) of this use, and of so much later."""
    if terms.calendar is None or context.started_at is None:
        raise ValueError("a price that depends on the time of day needs to know when the session started")
    begins_ms = (context.started_at - _EPOCH) // _MILLISECOND
    length_ms = 1
    if _is_by_moment(terms):
        begins_ms += terms.free
        length_ms = use.billed
    return terms.calendar.bands_from(begins_ms, length_ms + rings_ms)


def _is_by_moment(terms: Terms) -> bool:
    """Whether each part of the use has the price of its own moment."""
    return terms.band_rule is not BandRule.START and terms.measure is Measure.TIME


def _place(rate: Rate, terms: Terms, offset_ms: int) -> int:
    return next_start(rate, terms, offset_ms) if terms.band_rule is BandRule.INCREMENT else offset_ms


def _adjusted(terms: Terms, number: int) -> tuple[Adjust, str]:
    band = terms.bands[number] if number >= 0 else None
    return (UNCHANGED, "") if band is None else (band.adjust, band.name)


def _surcharge(terms: Terms, access_number: str) -> Surcharge | None:
    fit = [one for one in terms.surcharges if access_number.startswith(one.access_prefix)]
    return max(fit, key=lambda one: len(one.access_prefix), default=None)


def _surcharge_parts(terms: Terms, context: Context, use: Use, use_numerator: int) -> list[Part]:
    one = _surcharge(terms, context.access_number)
    if one is None:
        return []
    parts = access_fee_parts(terms, context)
    if one.price_micros and use.billed > 0:
        numerator = use.billed * one.price_micros * EXACT
        parts.append(Part("access", one.access_prefix, use.billed, one.price_micros, WHOLE, numerator))
    if one.share:
        parts.append(Part("access share", one.access_prefix, 1, 0, one.share, use_numerator * one.share // WHOLE))
    return parts
