"""What the switch wrote is read exactly, and nothing else is taken for it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ivr.switch_record import SwitchRecord, parse_record, parse_stamp, record_of


def test_reads_microseconds_exactly() -> None:
    assert parse_stamp("1700000000.000001") == datetime(2023, 11, 14, 22, 13, 20, 1, UTC)


def test_reads_a_finished_record() -> None:
    record = parse_record("1700000000.500000|1700000003.000000|16")
    assert record is not None
    assert (record.used, record.cause) == (timedelta(seconds=2.5), 16)


def test_reads_a_record_of_a_leg_that_is_up() -> None:
    record = parse_record("1700000000.500000||")
    assert record == SwitchRecord(datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC), None, 0)


def test_a_clock_that_went_back_makes_no_negative_call() -> None:
    record = record_of("1700000003.000000", "1700000000.000000", "16")
    assert record is not None
    assert record.used == timedelta(0)
    assert record.ended_at is not None
    assert record.ended_at < record.answered_at, "how far it went back is kept: it can be taken out again"


@given(st.text(alphabet="0123456789.|-x ", max_size=40))
def test_garbage_is_never_an_error(text: str) -> None:
    record = parse_record(text)
    assert record is None or record.used >= timedelta(0)


def test_garbage_is_no_record() -> None:
    for text in ("", "|", "||", "1|2|3", "1700000000.5||", "-1.000000||", "1700000000.000000|x|16", "nan.000000||"):
        assert parse_record(text) is None
