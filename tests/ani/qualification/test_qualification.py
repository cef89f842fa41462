"""Age: proven against keyed hashes, one answer for every failure, locked after too many."""

import csv
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.lockout.lockout import Limits
from ani.qualification import service, store
from ani.qualification.qualification import AgeProof, AgeQuestion, AgeRefusal, age_on, is_last_four, is_of_age
from ani.qualification.tables import age_evidence, identity_record
from runtime.csv_import import ImportResult
from runtime.database import reading, rehearsing
from runtime.keys import Pepper
from tests.clock import SettableClock

LINE, OTHER_LINE = "+16045550123", "+16045550124"
HEADER = "ani,last_name,birth_on,ssn_last_four"
LIMITS = Limits(per_line_hour=3, per_account_half_hour=4, overall_hour=60)


@pytest.mark.parametrize(
    ("birth_on", "today", "age"),
    [
        (date(2000, 5, 1), date(2018, 4, 30), 17),
        (date(2000, 5, 1), date(2018, 5, 1), 18),
        (date(2004, 2, 29), date(2022, 2, 28), 17),
        (date(2004, 2, 29), date(2022, 3, 1), 18),
        (date(2004, 2, 29), date(2024, 2, 29), 20),
    ],
)
def test_age_in_whole_years(birth_on: date, today: date, age: int) -> None:
    assert age_on(birth_on, today) == age


@given(st.dates(date(1901, 1, 1), date(2100, 1, 1)), st.integers(0, 80_000))
def test_age_never_falls_and_grows_by_one_a_year(birth_on: date, days: int) -> None:
    today = birth_on + timedelta(days)
    assert age_on(birth_on, today) <= age_on(birth_on, today + timedelta(1)) <= age_on(birth_on, today) + 1
    assert abs(age_on(birth_on, today) - days / 365.2425) < 1.01


def test_of_age_when_it_is_the_birthday_everywhere() -> None:
    birth_on = date(2008, 3, 2)
    assert not is_of_age(birth_on, 18, datetime(2026, 3, 2, 11, 59, tzinfo=UTC))
    assert is_of_age(birth_on, 18, datetime(2026, 3, 2, 12, 0, tzinfo=UTC))


@pytest.mark.parametrize("digits", ["", "123", "12345", "12a4", "１２３４", "1234\n", " 1234"])
def test_not_four_digits(digits: str) -> None:
    assert not is_last_four(digits)


@pytest.fixture
def check(engine: Engine, clock: SettableClock, pepper: Pepper) -> Callable[..., AgeProof | AgeRefusal | AgeQuestion]:
    def run(
        digits: str, ani: str = LINE, account_id: int | None = None, minimum_age: int = 18
    ) -> AgeProof | AgeRefusal | AgeQuestion:
        return service.check_person(
            engine,
            clock,
            pepper,
            LIMITS,
            ani=ani,
            account_id=account_id,
            digits=digits,
            minimum_age=minimum_age,
            evidence_days=30,
        ).answer

    return run


@pytest.fixture
def load(
    engine: Engine, clock: SettableClock, pepper: Pepper, csv_source: Callable[..., Source]
) -> Callable[..., ImportResult]:
    def run(*rows: str) -> ImportResult:
        return service.import_identities(engine, clock, pepper, csv_source(HEADER, *rows), "bureau")

    return run


def proven(
    engine: Engine, clock: SettableClock, *, ani: str = LINE, account_id: int | None = None, minimum_age: int = 18
) -> bool:
    with reading(engine) as conn:
        return store.has_evidence(conn, ani=ani, account_id=account_id, minimum_age=minimum_age, now=clock.now())


def test_the_right_digits_prove_the_age_until_the_evidence_expires(
    engine: Engine,
    clock: SettableClock,
    load: Callable[..., ImportResult],
    check: Callable[..., AgeProof | AgeRefusal],
) -> None:
    load("6045550123,Lee,1980-05-01,4321", "6045550123,Lee,2012-05-01,9876")
    assert not proven(engine, clock)
    answer = check("4321", account_id=7, minimum_age=19)
    assert isinstance(answer, AgeProof)
    assert (answer.source, answer.expires_at) == ("bureau", clock.now() + timedelta(days=30))
    assert proven(engine, clock, minimum_age=19)
    assert not proven(engine, clock, minimum_age=21)
    assert not proven(engine, clock, ani=OTHER_LINE)
    assert proven(engine, clock, ani=OTHER_LINE, account_id=7)
    assert not proven(engine, clock, ani=OTHER_LINE, account_id=8)
    clock.set(answer.expires_at - timedelta(microseconds=1))
    assert proven(engine, clock)
    clock.set(answer.expires_at)
    assert not proven(engine, clock)
    assert not proven(engine, clock, account_id=7)


def test_every_failure_gets_one_answer_and_counts(
    engine: Engine, load: Callable[..., ImportResult], check: Callable[..., AgeProof | AgeRefusal]
) -> None:
    load("6045550123,Lee,1980-05-01,4321", "6045550123,Lee,2012-05-01,9876")
    assert check("0000") is AgeRefusal.NOT_PROVEN
    assert check("9876") is AgeRefusal.NOT_PROVEN
    assert check("43211") is AgeRefusal.NOT_PROVEN
    assert check("4321") is AgeRefusal.LOCKED
    assert check("4321", ani=OTHER_LINE) is AgeRefusal.NOT_PROVEN
    with reading(engine) as conn:
        assert store.has_identity(conn, LINE)
        assert not store.has_identity(conn, OTHER_LINE)
        assert conn.scalar(sa.select(sa.func.count()).select_from(age_evidence)) == 0


def test_a_lock_opens_again_and_counts_for_the_account(
    clock: SettableClock, load: Callable[..., ImportResult], check: Callable[..., AgeProof | AgeRefusal]
) -> None:
    load("6045550123,Lee,1980-05-01,4321")
    for ani in (LINE, LINE, OTHER_LINE, OTHER_LINE):
        assert check("0000", ani=ani, account_id=7) is AgeRefusal.NOT_PROVEN
    assert check("4321", account_id=7) is AgeRefusal.LOCKED
    assert isinstance(check("4321"), AgeProof)
    clock.advance(1800)
    assert isinstance(check("4321", account_id=7), AgeProof)


def test_tries_side_by_side_get_no_more_than_the_limit(
    load: Callable[..., ImportResult],
    check: Callable[..., AgeProof | AgeRefusal],
    side_by_side: Callable[[int, Callable[[], None]], None],
) -> None:
    load("6045550123,Lee,1980-05-01,4321")
    answers: list[AgeProof | AgeRefusal] = []
    side_by_side(8, lambda: answers.append(check("0000")))
    assert Counter(answers) == {AgeRefusal.NOT_PROVEN: 3, AgeRefusal.LOCKED: 5}


def test_only_hashes_are_kept_and_no_reject_file_shows_digits(
    engine: Engine, clock: SettableClock, pepper: Pepper, csv_source: Callable[..., Source]
) -> None:
    source = csv_source(
        HEADER + ",whole",
        "6045550123,Lee,1980-05-01,7391,900117391",
        "hello,Lee,1980-05-01,7391,900117391",
        "6045550124,Lee,yesterday,7391,900117391",
        "6045550125,Lee,2980-05-01,7391,900117391",
        "6045550126,Lee,1780-05-01,7391,900117391",
        "6045550127,Lee,1980-05-01,117391,900117391",
        "6045550128,Lee,7391,1980-05-01,900117391",
        "6045550129,Lee,1980-05-01,7391",
        '6045550123,"Lee"x,1980-05-01,7391,900117391',
    )
    assert service.import_identities(engine, clock, pepper, source, "bureau") == ImportResult(1, 8, 0)
    text = source.rejects.path.read_text()
    assert "7391" not in text
    with source.rejects.path.open(newline="") as file:
        assert [row["reason"].split(":")[0] for row in csv.DictReader(file)] == [
            "ani",
            "birth_on",
            "birth_on",
            "birth_on",
            "ssn_last_four",
            "birth_on",
            "4 cells, the header has 5",
            "not CSV",
        ]
    with reading(engine) as conn:
        (row,) = conn.execute(sa.select(identity_record)).all()
    assert "7391" not in repr(row._mapping)
    assert row.ssn_last_four_hash == pepper.digest("ssn4", LINE, "7391")


def test_loading_again_changes_nothing_and_a_correction_ends_the_evidence(
    engine: Engine,
    clock: SettableClock,
    pepper: Pepper,
    csv_source: Callable[..., Source],
    load: Callable[..., ImportResult],
    check: Callable[..., AgeProof | AgeRefusal],
) -> None:
    rows = ("6045550123,Lee,1980-05-01,4321", "6045550124,Roe,1981-05-01,4321", "6045550124,Roe,1999-05-01,1111")
    rehearsed = csv_source(HEADER, *rows)
    assert service.import_identities(rehearsing(engine), clock, pepper, rehearsed, "bureau") == ImportResult(3, 0, 0)
    assert load(*rows) == ImportResult(3, 0, 0)
    assert load(*rows) == ImportResult(0, 0, 3)
    assert isinstance(check("4321"), AgeProof)
    assert load("6045550123,Leigh,1980-05-01,4321") == ImportResult(1, 0, 0)
    assert proven(engine, clock)
    assert load("6045550123,Leigh,2012-05-01,4321") == ImportResult(1, 0, 0)
    assert not proven(engine, clock)
    assert check("4321") is AgeRefusal.NOT_PROVEN


def test_two_persons_of_a_line_with_the_same_digits_are_told(load: Callable[..., ImportResult]) -> None:
    rows = ("6045550123,Lee,1980-05-01,4321", "6045550123,Lee,2004-05-01,4321", "6045550123,Lee,1980-05-01,4321")
    assert load(*rows) == ImportResult(1, 1, 1)
    assert load(*rows) == ImportResult(0, 1, 2)
