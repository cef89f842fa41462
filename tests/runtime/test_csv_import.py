"""CSV files made by people: good rows kept, bad rows told apart, secrets never shown."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.csv_import import (
    BadRowError,
    Column,
    CsvFileError,
    ImportResult,
    Rejected,
    RejectFile,
    Row,
    batches,
    parse_mapping,
    read_rows,
)
from runtime.csv_progress import Progress

COLUMNS = (Column("number"), Column("name", required=False))
SECRET = (Column("number"), Column("code", secret=True))


def as_is(fields: dict[str, str]) -> dict[str, str]:
    return fields


def numbers(fields: dict[str, str]) -> int:
    try:
        return int(fields["number"])
    except ValueError:
        raise BadRowError("number: not a number") from None


def write(path: Path, octets: bytes) -> Path:
    file = path / "rows.csv"
    file.write_bytes(octets)
    return file


def test_reads_by_name_whatever_the_order_case_and_mark(tmp_path: Path) -> None:
    file = write(tmp_path, '\ufeffName,other,NUMBER\r\n Ana  Lía ,x,1\r\n\r\n,,\n"a\nb",y,2\n'.encode())
    assert list(read_rows(file, COLUMNS, {}, as_is)) == [
        Row(2, {"number": "1", "name": "Ana Lía"}),
        Row(5, {"number": "2", "name": "a b"}),
    ]


def test_an_absent_optional_column_is_empty(tmp_path: Path) -> None:
    assert list(read_rows(write(tmp_path, b"number\n7\n"), COLUMNS, {}, as_is)) == [Row(2, {"number": "7", "name": ""})]


def test_white_space_goes_wherever_it_stands(tmp_path: Path) -> None:
    file = write(tmp_path, "number,name\n1, a\n2,a \n 3,a\n4,\u00a0a\n5,a  b\n6,a | b\n7,|\n".encode())
    read = [row.value for row in read_rows(file, COLUMNS, {}, as_is) if isinstance(row, Row)]
    assert [row["name"] for row in read] == ["a", "a", "a", "a", "a b", "a | b", "|"]
    assert [row["number"] for row in read] == list("1234567")


def test_one_column_alone(tmp_path: Path) -> None:
    assert list(read_rows(write(tmp_path, b"number\n7\n"), COLUMNS[:1], {}, as_is)) == [Row(2, {"number": "7"})]


def test_maps_columns(tmp_path: Path) -> None:
    file = write(tmp_path, b"tel,number\n7,8\n")
    assert list(read_rows(file, COLUMNS, parse_mapping(["Tel=number"]), numbers)) == [Row(2, 7)]


@pytest.mark.parametrize(
    ("octets", "mapping", "says"),
    [
        (b"", {}, "no header"),
        (b"name\nx\n", {}, "no column for number"),
        (b"number,Number\n1,2\n", {}, "two columns for number"),
        (b"number\n1\n", {"number": "colour"}, "no such field"),
        (b"number\n1\n", {"tel": "number"}, "no such column"),
        (b'"number\n', {}, "not CSV"),
        (b"number,nam\n1,x\n", {}, "no column nam; name is meant"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, octets: bytes, mapping: dict[str, str], says: str
) -> None:
    with pytest.raises(CsvFileError, match=says):
        list(read_rows(write(tmp_path, octets), COLUMNS, mapping, as_is))


def test_columns_that_nobody_asked_for_are_told(tmp_path: Path) -> None:
    file = write(tmp_path, b"number,Other,name,names,colour,\n1,x,y,z,w,\n")
    told: list[str] = []
    assert len(list(read_rows(file, COLUMNS, {"colour": "-"}, as_is, tell_ignored=told.extend))) == 1
    assert told == ["Other", "names"]
    with pytest.raises(CsvFileError, match="Other; others is meant"):
        list(read_rows(file, COLUMNS, {}, as_is, further=("others",)))
    told.clear()
    list(read_rows(write(tmp_path, b"number,code,4321\n1,2,3\n"), SECRET, {}, as_is, tell_ignored=told.extend))
    assert told == ["***"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CsvFileError, match="No such file"):
        list(read_rows(tmp_path / "none.csv", COLUMNS, {}, as_is))


@pytest.mark.parametrize("pairs", [["number"], ["=number"], ["a="], ["a=number", "A=name"]])
def test_a_bad_map_option_is_refused(pairs: list[str]) -> None:
    with pytest.raises(CsvFileError, match="--map"):
        parse_mapping(pairs)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"x,Ana", "number: not a number"),
        (b"1", "1 cells, the header has 2"),
        (b"1,Ana,9", "3 cells, the header has 2"),
        (b"1,A\x00na", "name: control character"),
        (b"1,A\xffna", "name: not UTF-8"),
        (b'1,"A"na', "not CSV"),
    ],
)
def test_a_bad_row_is_told_apart_and_the_next_is_kept(tmp_path: Path, row: bytes, reason: str) -> None:
    bad, good = read_rows(write(tmp_path, b"number,name\n" + row + b"\n5,Eve\n"), COLUMNS, {}, numbers)
    assert isinstance(bad, Rejected)
    assert bad.line == 2
    assert bad.reason.startswith(reason)
    assert good == Row(3, 5)


def test_a_quote_that_never_ends_is_told_with_the_line_it_begins_on(tmp_path: Path) -> None:
    good, bad = read_rows(write(tmp_path, b'number,name\n1,Ana\n2,"Eve\n3,Bob\n'), COLUMNS, {}, numbers)
    assert good == Row(2, 1)
    assert isinstance(bad, Rejected)
    assert bad.line == 3


@pytest.mark.parametrize(
    "row",
    [
        "x,4321,900654321",
        "4321 x,x,900654321",
        "900-65-4321,y,z",
        "x,4321",
        "x,4321,900654321,4321",
        '"x",4321,"9006"54321',
    ],
)
def test_a_secret_is_never_shown(tmp_path: Path, row: str) -> None:
    (bad,) = read_rows(write(tmp_path, f"number,code,whole\n{row}\n".encode()), SECRET, {}, numbers)
    assert isinstance(bad, Rejected)
    assert "4321" not in repr(bad)


def test_a_secret_is_not_shown_where_the_header_was_forgotten(tmp_path: Path) -> None:
    with pytest.raises(CsvFileError, match="no column for") as error:
        list(read_rows(write(tmp_path, b"6045550123,4321\n"), SECRET, {}, numbers))
    assert "4321" not in str(error.value)


def test_the_reject_file_has_line_reason_and_row_and_can_be_imported(tmp_path: Path) -> None:
    file = write(tmp_path, b"number,name\nx,Ana\n1,Eve\n2,A\xff\n")
    path = RejectFile.beside(file)
    with RejectFile(path) as rejects:
        for row in read_rows(file, COLUMNS, {}, numbers):
            if isinstance(row, Rejected):
                rejects.write(row)
    assert rejects.count == 2
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open(newline="") as text:
        assert list(csv.reader(text)) == [
            ["line", "reason", "number", "name"],
            ["2", "number: not a number", "x", "Ana"],
            ["4", "name: not UTF-8", "2", r"A\udcff"],
        ]
    path.write_text(path.read_text().replace(",x,", ",9,"))
    assert [row.value for row in read_rows(path, COLUMNS, {}, numbers) if isinstance(row, Row)] == [9, 2]


def test_a_reject_file_of_an_earlier_run_goes_and_another_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "rows.rejected.csv"
    path.write_text("line,reason,number\n2,bad,x\n")
    with RejectFile(path):
        pass
    assert not path.exists()
    path.write_text("number\n1\n")
    with pytest.raises(CsvFileError, match="not a reject file"), RejectFile(path):
        pass
    assert path.read_text() == "number\n1\n"


# On a fresh checkout the first text to be drawn waits for the table of all characters.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.text(st.characters(codec="utf-8"), max_size=20)), max_size=20))
def test_whatever_was_written_is_read_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str]]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("number", "name"), *rows])
    file = write(tmp_path_factory.mktemp("csv"), text.getvalue().encode())
    read = list(read_rows(file, COLUMNS, {}, as_is))
    assert len(read) == len(rows)
    for (number, name), row in zip(rows, read, strict=True):
        if isinstance(row, Row):
            assert row.value == {"number": str(number), "name": " ".join(name.split())}
        else:
            assert not " ".join(name.split()).isprintable()


def test_batches() -> None:
    assert list(batches(iter(range(5)), 2)) == [[0, 1], [2, 3], [4]]


def test_results_add_up() -> None:
    assert ImportResult(1, 2, 3) + ImportResult(4, 5, 6) == ImportResult(5, 7, 9)


def test_progress_says_a_line_in_ten_seconds(tmp_path: Path) -> None:
    said = io.StringIO()
    moments = iter((0.0, 4.0, 11.0, 15.0, 22.0))
    progress = Progress(said, lambda: next(moments))
    file = write(tmp_path, b"number\n" + b"1\n" * 4000)
    assert sum(1 for _ in read_rows(file, COLUMNS, {}, numbers, progress)) == 4000
    progress.end()
    lines = said.getvalue().splitlines()
    assert lines == ["2000 rows, 100 %, 182 rows/s, 0 s left", "4000 rows, 100 %, 182 rows/s, 0 s left"]
