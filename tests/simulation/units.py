"""Included units, looked at after every step: none is below zero, held by two, or spent twice; and in the right order.

What a bundle is stands in `OFFERS`; what is left of one is what was given less what ended sessions and events took, and
what is held is what open sessions hold. How much a session holds at first is worked out from what was free for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.intents import Intents, MeantSession, ViolationError
from tests.simulation.prices import Included, Price, draws, units_to_hold

if TYPE_CHECKING:
    from tests.simulation.observer import Look, Seen

Units = dict[int, int]
"""By bundle."""
_BUNDLES = "SELECT id, name, units, held, priority, begins_at, expires_at FROM bundle WHERE account_id = ?"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is offered under a name: the quantity as staff write it and in base units, for what, and how it is used."""

    quantity: str
    measure: str
    units: int
    services: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    rule: str = "pro-rata"
    priority: int = 0
    micros: int = 0
    covers_fees: bool = False


OFFERS = {
    "talk": Kind("150 seconds", "time", 150_000, ("voice", "airtime"), ("33", "39", "41", "1")),
    "talk-later": Kind("100 seconds", "time", 100_000, ("voice",), priority=5, micros=100_000),
    "blocks": Kind("95 seconds", "time", 95_000, ("voice",), ("44", "43", "34", "354"), rule="blocks", priority=1),
    "whole": Kind("80 seconds", "time", 80_000, ("voice",), ("34", "47", "33"), rule="whole", covers_fees=True),
    "calls": Kind("2 calls", "calls", 2, ("voice",), ("354", "44"), priority=2, covers_fees=True),
    "bytes": Kind("9 MB", "bytes", 9_000_000, ("data",), ("video", "net"), micros=10_000),
    "messages": Kind("12 messages", "units", 12, ("message",), ("mms",)),
    "tokens": Kind("45 units", "units", 45, (), ("token",), priority=1),
}


@dataclass(slots=True)
class SeenBundle:
    """A bundle as it was seen last; `taken` is what ended sessions and events took of it."""

    bundle_id: int
    kind: Kind
    units: int
    held: int
    priority: int
    begins_us: int
    expires_us: int | None
    taken: int = 0

    def serves(self, meant: MeantSession, price: Price, at_us: int) -> bool:
        """Whether a session that starts then may use it."""
        kind = self.kind
        return (
            kind.measure in {"calls", measure_of(price)}
            and self.begins_us <= at_us
            and (self.expires_us is None or at_us < self.expires_us)
            and (not kind.services or price.service in kind.services)
            and (not kind.prefixes or meant.code.startswith(kind.prefixes))
        )

    def included(self, units: int) -> Included:
        """So many units of it."""
        kind = self.kind
        return Included(
            self.bundle_id, units, kind.rule, kind.measure == "calls", kind.micros, covers_fees=kind.covers_fees
        )


@dataclass(slots=True)
class Account:
    """The bundles of an account, in the order they are used in, and what its open sessions hold of them."""

    bundles: dict[int, SeenBundle] = field(default_factory=dict)
    holds: dict[str, Units] = field(default_factory=dict)
    counted: set[tuple[str, int]] = field(default_factory=set)
    """The ended sessions and events that are in `taken`."""


class Stock:
    """The units of all accounts that were ever given a bundle."""

    def __init__(self, look: "Look", intents: Intents) -> None:
        self._look = look
        self._intents = intents
        self._accounts: dict[int, Account] = {}
        self.tell: Callable[[int, str], None] = lambda _account, _text: None

    def given(self, account_id: int) -> None:
        """This account has a bundle from now on."""
        self._accounts.setdefault(account_id, Account())

    def read(self, account_id: int) -> None:
        """What is left and held of each of its bundles now; before anything else is asked of that account."""
        account = self._accounts.get(account_id)
        if account is None:
            return
        rows = self._look.rows(_BUNDLES, account_id)
        for bundle_id, name, units, held, priority, begins_us, expires_us in rows:
            known = account.bundles.get(bundle_id)
            if known is None:
                kind = OFFERS[name]
                known = SeenBundle(bundle_id, kind, kind.units, 0, priority, begins_us, expires_us)
                account.bundles[bundle_id] = known
                if priority != kind.priority:
                    raise ViolationError(f"bundle {bundle_id} {name} has another priority: {priority}", account_id)
            if not 0 <= held <= units:
                raise ViolationError(f"bundle {bundle_id}: {units} units, {held} of them held", account_id)
            known.units, known.held = units, held
        if len(rows) > 1:
            never = max(one.expires_us or 0 for one in account.bundles.values()) + 1
            in_order = sorted(
                account.bundles.values(), key=lambda one: (one.priority, one.expires_us or never, one.bundle_id)
            )
            account.bundles = {one.bundle_id: one for one in in_order}

    def cover_of(self, account_id: int, session_id: str) -> tuple[Included, ...]:
        """What a session has of each bundle, in order, as it was seen last."""
        account = self._accounts.get(account_id)
        held = {} if account is None else account.holds.get(session_id, {})
        if account is None or not held:
            return ()
        return tuple(one.included(held[one.bundle_id]) for one in account.bundles.values() if one.bundle_id in held)

    def opened(self, meant: MeantSession, now: "Seen", price: Price) -> tuple[Included, ...]:
        """A session was opened: it may use what was free and serves it, and holds what its grant may take of that."""
        account = self._accounts.get(now.account_id)
        if account is None:
            return ()
        held = self._uses(now.session_id, 0)
        free = {
            one.bundle_id: one.units - one.held + held.get(one.bundle_id, 0)
            for one in account.bundles.values()
            if one.serves(meant, price, now.started_us)
        }
        may = tuple(account.bundles[one].included(units) for one, units in free.items() if units)
        wanted = units_to_hold(price, may, now.granted)
        if {one.bundle_id for one in may} != held.keys() or any(wanted.get(one, 0) != held[one] for one in held):
            raise ViolationError(
                f"session {now.session_id} holds the units {held}; free were {free}, its grant may take {wanted}",
                now.account_id,
            )
        if held:
            account.holds[now.session_id] = held
        return self.cover_of(now.account_id, now.session_id)

    def extended(self, before: "Seen", now: "Seen", price: Price) -> tuple[Included, ...]:
        """A session got more: it gives no unit back, and takes what is free where it has paid nothing yet."""
        account = self._accounts.get(now.account_id)
        had = {} if account is None else account.holds.get(now.session_id, {})
        if account is None or not had:
            return ()
        cover_before = self.cover_of(now.account_id, now.session_id)
        held = self._uses(now.session_id, 0)
        if held.keys() != had.keys() or any(held[one] < had[one] for one in had):
            raise ViolationError(f"session {now.session_id} held {had} units, now {held}", now.account_id)
        account.holds[now.session_id] = held
        if len(held) == 1 and cover_before[0].rule == "pro-rata" and now.granted > before.granted:
            self._takes_what_is_free(account, cover_before, before, now, price)
        return self.cover_of(now.account_id, now.session_id)

    def _takes_what_is_free(
        self, account: Account, cover: tuple[Included, ...], before: "Seen", now: "Seen", price: Price
    ) -> None:
        bundle = account.bundles[cover[0].bundle_id]
        if cover[0].units < price.billed(before.granted) or cover[0].is_calls:
            return  # it went on to money, and does not go back
        held = account.holds[now.session_id][bundle.bundle_id]
        free = bundle.units - bundle.held
        if bundle.expires_us is None and held < price.billed(now.granted) and free:
            raise ViolationError(f"session {now.session_id} pays, though {free} units are free", now.account_id)

    def closed(self, meant: MeantSession, now: "Seen", price: Price, counted: int) -> None:
        """A session ended: of what it held it took what its use takes, and everything else is free again."""
        account = self._accounts.get(now.account_id)
        if account is None or now.session_id not in account.holds:
            return
        wanted = draws(price, self.cover_of(now.account_id, now.session_id), price.billed(counted))
        used = self._uses(now.session_id, 1)
        held = self._uses(now.session_id, 0)
        if any(held.values()) or any(used[one] != wanted.get(one, 0) for one in used):
            raise ViolationError(
                f"session {now.session_id} took the units {used} and holds {held}; the model says {wanted}",
                now.account_id,
            )
        del account.holds[now.session_id]
        self._count(account, now.session_id, used)
        if any(used.values()):
            self.tell(now.account_id, f"session {now.session_id} took units {used}")

    def settled(self, account_id: int) -> None:
        """After all sessions were looked at: every unit that is gone was taken by one of them, or by an event."""
        account = self._accounts.get(account_id)
        if account is None:
            return
        for one in account.bundles.values():
            if one.units != one.kind.units - one.taken:
                self._events(account, account_id, one)
            held = sum(holds.get(one.bundle_id, 0) for holds in account.holds.values())
            if one.units != one.kind.units - one.taken or one.held != held:
                raise ViolationError(
                    f"bundle {one.bundle_id} has {one.units} of {one.kind.units}, {one.held} held; by what used it"
                    f" {one.kind.units - one.taken} are left, {held} held",
                    account_id,
                )

    def _events(self, account: Account, account_id: int, bundle: SeenBundle) -> None:
        """Events take units at once: all there are, up to what was bought."""
        rows = self._look.rows(
            "SELECT u.session_id, u.used, u.held, e.units, e.account_id FROM bundle_use u"
            " JOIN charging_event e ON e.id = u.session_id WHERE u.bundle_id = ?",
            bundle.bundle_id,
        )
        for event_id, used, held, units, owner in rows:
            if (event_id, bundle.bundle_id) in account.counted:
                continue
            if held or used > units or owner != account_id:
                raise ViolationError(f"event {event_id} of {units} took {used} units and holds {held}", account_id)
            account.counted.add((event_id, bundle.bundle_id))
            bundle.taken += used

    def event_cover(self, account_id: int, event_id: str) -> tuple[Included, ...]:
        """What an event took, as what covers its price."""
        account = self._accounts.get(account_id)
        if account is None:
            return ()
        used = self._uses(event_id, 1)
        return tuple(one.included(used[one.bundle_id]) for one in account.bundles.values() if used.get(one.bundle_id))

    def _uses(self, session_id: str, which: int) -> Units:
        """What a session holds (0) or took (1) of each bundle it may use."""
        rows = self._look.rows("SELECT bundle_id, held, used FROM bundle_use WHERE session_id = ?", session_id)
        return {row[0]: row[1 + which] for row in rows}

    def _count(self, account: Account, session_id: str, used: Units) -> None:
        for bundle_id, units in used.items():
            account.counted.add((session_id, bundle_id))
            account.bundles[bundle_id].taken += units


def measure_of(price: Price) -> str:
    """What a bundle must be of to serve it."""
    return "time" if price.scale == 1000 else "units" if price.by_units else "bytes"
