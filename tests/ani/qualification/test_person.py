"""Every proof of age: what matches, what the vendor adds, and that failing tells nothing."""

import statistics
import time
from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.lockout.lockout import Limits, Way
from ani.qualification import service, store
from ani.qualification.proof import Method, is_keyed_well, keypad
from ani.qualification.qualification import AgeProof, AgeRefusal
from ani.reverse_match.listing import Identity
from ani.vendor.breaker import BreakerRules
from ani.vendor.service import AskRules, VendorDesk
from ani.vendor.vendor import Claim, PersonMatch, Purpose
from runtime.clock import SystemClock
from runtime.database import reading
from runtime.keys import Pepper
from tests.clock import SettableClock

ANI, UNKNOWN = "+12125550101", "+12125550199"
LIMITS = Limits(5, 10, 60, 40)
ROWS = (
    "ani,first_name,last_name,birth_on,ssn,ssn_last_four,licence_state,licence",
    f"{ANI},Ana,O'Lee,1970-05-01,123-45-6789,,CA,D1234567",
    f"{ANI},Bob,Lee,2015-05-01,,4321,,",
    f"{ANI},Eve,Roe,1980-02-29,,5555,,",
    f"{ANI},Moe,Roe,1980-02-29,123456789,1111,,",
    f"{ANI},Moe,Roe,1980-02-29,,7777,California,D1",
)


class Knowing:
    """A vendor that knows one person."""

    name = "bureau"
    serves: frozenset[Purpose] = frozenset(Purpose)
    tells_birth_dates = True

    def __init__(self, digits: str, birth_on: date | None) -> None:
        self.digits, self.birth_on = digits, birth_on
        self.asked = 0

    def reverse_match(self, ani: str, deadline_s: float) -> Identity | None:
        return None

    def match_person(self, claim: Claim, deadline_s: float) -> PersonMatch | None:
        self.asked += 1
        if claim.birth_on is not None:
            return PersonMatch(claim.birth_on == self.birth_on, claim.birth_on)
        return PersonMatch(self.digits.endswith(claim.national_id), self.birth_on)

    def credit_score(self, ani: str, deadline_s: float) -> int | None:
        return None


Check = Callable[..., AgeProof | AgeRefusal]


def desk_of(engine: Engine, clock: SettableClock, vendor: Knowing | None) -> VendorDesk:
    return VendorDesk(engine, clock, vendor, AskRules(1.5, BreakerRules(3, 30.0), 100, 0))


@pytest.fixture
def check(engine: Engine, clock: SettableClock, pepper: Pepper, csv_source: Callable[..., Source]) -> Check:
    service.import_identities(engine, clock, pepper, csv_source(*ROWS), "loaded")

    def run(
        method: Method,
        digits: str,
        ani: str = ANI,
        vendor: Knowing | None = None,
        access: str = "1900",
        barred: frozenset[str] = frozenset(),
    ) -> object:
        clock.advance(1)
        return service.check_person(
            engine,
            clock,
            pepper,
            LIMITS,
            ani=ani,
            account_id=None,
            digits=digits,
            minimum_age=18,
            evidence_days=30,
            method=method,
            desk=desk_of(engine, clock, vendor),
            way=Way(access),
            barred=barred,
        ).answer

    return run  # type: ignore[return-value]  # the same with its arguments


CASES = [
    (Method.SSN_LAST_FOUR, "6789", True),
    (Method.SSN_LAST_FOUR, "6788", False),
    (Method.SSN_LAST_FOUR, "4321", False),  # a child
    (Method.SSN, "123456789", True),
    (Method.SSN, "999996789", False),  # the whole number is known, and is another
    (Method.SSN, "999995555", True),  # of this one only four digits are known
    (Method.BIRTH_DATE, "05011970", True),
    (Method.BIRTH_DATE, "05021970", False),
    (Method.BIRTH_DATE, "13011970", False),
    (Method.LICENCE, keypad("CA") + keypad("D1234567"), True),
    (Method.LICENCE, keypad("NY") + keypad("D1234567"), False),
    (Method.NAME, keypad("Ana OLee"), True),
    (Method.NAME, keypad("OLee Ana"), False),
]


@pytest.mark.parametrize(("method", "digits", "proven"), CASES)
def test_what_proves(check: Check, method: Method, digits: str, proven: bool) -> None:
    answer = check(method, digits)
    assert answer is AgeRefusal.NOT_PROVEN or (isinstance(answer, AgeProof) and answer.method == method.value)
    assert isinstance(answer, AgeProof) is proven


def test_the_vendor_is_asked_where_nobody_known_matches(check: Check) -> None:
    vendor = Knowing("111223333", date(1960, 1, 1))
    found = check(Method.SSN_LAST_FOUR, "3333", vendor=vendor)
    assert isinstance(found, AgeProof)
    assert found.source == "bureau"
    assert isinstance(check(Method.SSN_LAST_FOUR, "3333"), AgeProof)
    assert check(Method.SSN_LAST_FOUR, "3334", vendor=vendor) is AgeRefusal.NOT_PROVEN
    assert isinstance(check(Method.BIRTH_DATE, "01011960", UNKNOWN, vendor), AgeProof)
    assert vendor.asked == 3


def test_a_proof_by_date_at_the_vendor_names_it_later_too(check: Check, engine: Engine, clock: SettableClock) -> None:
    vendor = Knowing("111223333", date(1960, 1, 1))
    for asked in (vendor, None):
        found = check(Method.BIRTH_DATE, "01011960", UNKNOWN, asked)
        assert isinstance(found, AgeProof)
        assert found.source == "bureau"
    with reading(engine) as conn:
        known = store.evidence_of(conn, ani=UNKNOWN, account_id=None, minimum_age=18, now=clock.now())
    assert known is not None
    assert (known.method, known.source) == ("birth-date", "bureau")


def test_who_matches_but_has_no_date_counts_no_wrong_entry(check: Check) -> None:
    vendor = Knowing("111223333", None)
    for _ in range(12):
        assert check(Method.SSN_LAST_FOUR, "3333", vendor=vendor) is AgeRefusal.NOT_PROVEN
    for _ in range(5):
        assert check(Method.SSN_LAST_FOUR, "3334", vendor=vendor) is AgeRefusal.NOT_PROVEN
    assert check(Method.SSN_LAST_FOUR, "3333", vendor=vendor) is AgeRefusal.LOCKED


@pytest.mark.parametrize("birth_on", [None, date(2015, 1, 1)])
def test_a_match_without_age_proves_none(check: Check, birth_on: date | None) -> None:
    vendor = Knowing("111223333", birth_on)
    assert check(Method.SSN_LAST_FOUR, "3333", vendor=vendor) is AgeRefusal.NOT_PROVEN


def test_tries_are_counted_by_access_number_too(check: Check) -> None:
    for at in range(40):
        assert check(Method.SSN_LAST_FOUR, "0000", f"+1212555{at:04d}") is AgeRefusal.NOT_PROVEN
    assert check(Method.SSN_LAST_FOUR, "6789") is AgeRefusal.LOCKED
    assert isinstance(check(Method.SSN_LAST_FOUR, "6789", access="1901"), AgeProof)


def test_what_was_right_is_not_counted(check: Check) -> None:
    for _ in range(12):
        assert isinstance(check(Method.SSN_LAST_FOUR, "6789"), AgeProof)


def test_hanging_up_is_counted(check: Check, engine: Engine, clock: SettableClock) -> None:
    for _ in range(5):
        clock.advance(1)
        service.count_hang_up(engine, clock, LIMITS, ani=ANI, account_id=None, kind="ssn-last-four", way=Way("1900"))
    assert check(Method.SSN_LAST_FOUR, "6789") is AgeRefusal.LOCKED


def test_unknown_and_wrong_take_the_same_time(
    sqlite_engine: Engine, pepper: Pepper, csv_source: Callable[..., Source], times: Callable[[int, int], int]
) -> None:
    clock = SystemClock()
    service.import_identities(sqlite_engine, clock, pepper, csv_source(*ROWS), "loaded")

    def took_s(ani: str, digits: str) -> float:
        start_s = time.perf_counter()
        answer = service.check_person(
            sqlite_engine,
            clock,
            pepper,
            Limits(10_000, 10_000, 100_000, 100_000),
            ani=ani,
            account_id=None,
            digits=digits,
            minimum_age=18,
            evidence_days=30,
            way=Way("1900"),
        )
        assert answer.answer is AgeRefusal.NOT_PROVEN
        return time.perf_counter() - start_s

    kinds = {"unknown": (UNKNOWN, "0000"), "wrong": (ANI, "0000"), "child": (ANI, "4321")}
    waits: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(times(20, 300)):
        for kind, (ani, digits) in kinds.items():
            waits[kind].append(took_s(ani, digits))
    medians = [statistics.median(waits[kind]) for kind in kinds]
    print({kind: f"{median * 1000:.2f} ms" for kind, median in zip(kinds, medians, strict=True)})
    assert max(medians) - min(medians) <= 0.020


class Slow(Knowing):
    """Answers after 400 ms by the clock it shares with the gateway."""

    def __init__(self, clock: SettableClock, digits: str) -> None:
        super().__init__(digits, date(1960, 1, 1))
        self.clock = clock

    def match_person(self, claim: Claim, deadline_s: float) -> PersonMatch | None:
        self.clock.advance(0.4)
        return super().match_person(claim, deadline_s)


def test_a_slow_vendor_is_waited_for_by_who_is_known_to_be_too_young_too(check: Check, clock: SettableClock) -> None:
    vendor = Slow(clock, "111224321")
    waits_s = []
    for ani, digits in ((UNKNOWN, "0000"), (ANI, "0000"), (ANI, "4321")):
        start_s = clock.monotonic_s() + 1  # the fixture's own step
        assert check(Method.SSN_LAST_FOUR, digits, ani, vendor) is AgeRefusal.NOT_PROVEN
        waits_s.append(clock.monotonic_s() - start_s)
    assert waits_s == [pytest.approx(0.4)] * 3
    assert vendor.asked == 3  # and what it says of somebody else with these digits makes no child of age


@pytest.mark.parametrize("text", ["abc", "ABC", "(222)"])
def test_letters_are_keys(text: str) -> None:
    assert keypad(text) == "222"
    assert not is_keyed_well(Method.NAME, "22x")
