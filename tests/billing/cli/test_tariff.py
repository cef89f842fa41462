"""`tollgate tariff` as it is typed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

import billing.tariffs
from billing.cli import tariff
from billing.operators.tables import operator
from runtime.database import transaction
from tests.terminal import Terminal

SAMPLE = str(Path(str(billing.tariffs.__file__)).with_name("sample.csv"))


@pytest.fixture
def terminal(installation: Callable[[str], None], sqlite_url: str, sqlite_engine: Engine) -> Terminal:
    installation(sqlite_url)
    with transaction(sqlite_engine) as conn:
        conn.execute(sa.insert(operator).values(code="acme", name="Acme", currency="USD", home_country="US"))
    return Terminal(tariff.attach)


def test_the_sample_is_loaded_whole(terminal: Terminal) -> None:
    rehearsed = terminal.must("tariff", "import", SAMPLE, "--dry-run", "--json").document
    assert rehearsed["dry_run"] is True
    assert terminal.run("tariff", "list").code == 3
    loaded = terminal.must("tariff", "import", SAMPLE, "--json").document
    assert (loaded["tariff"], loaded["version"], loaded["rejected"]) == ("standard", 1, 0)
    assert loaded["loaded"] == loaded["added"] == rehearsed["loaded"]
    again = terminal.run("tariff", "import", SAMPLE)
    assert (again.code, again.err) == (3, "the file changes nothing; no version was made\n")
    assert terminal.must("tariff", "list", "--json").document[0]["version"] == 1
    assert terminal.must("tariff", "show", "--json").document[0]["source"] == "sample.csv"
    shown = terminal.must("tariff", "show", "standard", "--prefix", "52").out.splitlines()
    assert shown[1] == "52\tMexico\t0.029\t0.05\t0\t60/60\tno"


def test_bad_rows_go_to_the_reject_file_and_the_rest_is_loaded(terminal: Terminal, tmp_path: Path) -> None:
    deck = tmp_path / "deck.csv"
    deck.write_text("prefix,price_per_minute,increments\n1,0.021,6/6\n44,0.019,0/6\n")
    assert terminal.run("tariff", "import", str(deck), "--whole").code == 1
    answer = terminal.run("tariff", "import", str(deck))
    assert answer.code == 4
    assert "1 bad rows are in" in answer.err
    assert Path(f"{deck}.rejected.csv").read_text().splitlines()[1:] == [
        "3,increments: from 1 to 86400 seconds,44,0.019,0/6"
    ]
    assert len(terminal.must("tariff", "show", "--rates", "--json").document) == 1


@pytest.mark.parametrize(
    ("written", "meant"), [("incrementz", "increments"), ("Conect_Fee", "connect_fee"), ("fre", "free")]
)
def test_a_misspelled_column_changes_no_price_in_silence(
    terminal: Terminal, tmp_path: Path, written: str, meant: str
) -> None:
    deck = tmp_path / "deck.csv"
    deck.write_text(f"prefix,price_per_minute,{written}\n1,0.021,60\n")
    for further in ((), ("--dry-run",)):
        refused = terminal.run("tariff", "import", str(deck), *further)
        assert (refused.code, refused.out) == (2, "")
        assert f"no column {written}; {meant} is meant?" in refused.err
    assert terminal.run("tariff", "list").code == 3
    terminal.must("tariff", "import", str(deck), "--map", f"{written}={meant}", "--dry-run")
    told = terminal.must("tariff", "import", str(deck), "--map", f"{written}=-", "--json")
    assert (told.document["loaded"], told.document["ignored_columns"]) == (1, [])


def test_columns_that_are_not_read_are_named(terminal: Terminal, tmp_path: Path) -> None:
    deck = tmp_path / "deck.csv"
    deck.write_text("line,reason,prefix,price_per_minute,Carrier,,margin\n2,no,1,0.021,acme,,3\n")
    told = terminal.must("tariff", "import", str(deck), "--json")
    assert told.document["ignored_columns"] == ["Carrier", "margin"]
    assert "not read: Carrier, margin\n" in told.err


def test_what_cannot_be_loaded_says_why(terminal: Terminal, tmp_path: Path) -> None:
    deck = tmp_path / "deck.csv"
    deck.write_text("prefix,price_per_minute\n44,cheap\n")
    assert terminal.run("tariff", "import", str(deck)).code == 1
    assert terminal.run("tariff", "import", str(tmp_path / "missing.csv")).code == 2
    assert terminal.run("tariff", "import", SAMPLE, "--effective-at", "soon").code == 2
    past = terminal.run("tariff", "import", SAMPLE, "--effective-at", "2020-01-01")
    assert (past.code, "in the past" in past.err) == (1, True)
    assert terminal.run("tariff", "import", SAMPLE, "--operator", "nobody").code == 3
    assert terminal.run("tariff", "import", SAMPLE, "--currency", "DOLLAR").code == 2
    terminal.must("tariff", "import", SAMPLE)
    assert terminal.run("tariff", "import", SAMPLE, "--currency", "eur").code == 1
    assert terminal.run("tariff", "show", "--version", "7").code == 3
    assert terminal.run("tariff", "show", "other").code == 3


def test_a_number_is_priced_with_reasons_and_talk_time(terminal: Terminal) -> None:
    terminal.must("tariff", "import", SAMPLE)
    at = "2199-01-01T00:00Z"
    lines = terminal.must("tariff", "test", "011447700900123", "--seconds", "31", "--balance", "1", "--at", at).out
    shown = dict(line.split("  ", 1) for line in lines.splitlines())
    assert {key: value.strip() for key, value in shown.items()} == {
        "number": "+447700900123",
        "tariff": "standard",
        "version": "1",
        "at": "2199-01-01T00:00:00+00:00",
        "considered": "447 United Kingdom, mobile 0.145; 44 United Kingdom 0.019 (the longest wins)",
        "price": "0.087000 USD",
        "why 1": "prefix 447 (United Kingdom, mobile), tariff version 1",
        "why 2": "0.145 USD a minute, increments 30/6 s, minimum 0 s",
        "why 3": "used 31 s, billed 36 s",
        "why 4": "36 s x 0.145 USD / 60 = 0.087 USD",
        "why 5": "connect fee 0.00 USD",
        "why 6": "total 0.087 USD",
        "balance": "1.000000 USD",
        "talk time": "6 min 53.794 s",
        "left": "0.000000 USD",
    }
    document = terminal.must("tariff", "test", "+447700900123", "--balance", "5", "--cap", "60", "--json").document
    assert document["cut_by_cap"] is True
    assert document["talk_time_ms"] == 60_000
    assert document["left"] == {"amount": "4.855000", "currency": "USD"}


def test_a_number_that_may_not_be_called_is_told_so(terminal: Terminal) -> None:
    terminal.must("tariff", "import", SAMPLE)
    blocked = terminal.run("tariff", "test", "+1 (900) 555-0100", "--json")
    assert (blocked.code, blocked.document["refused"]) == (3, "destination-blocked")
    assert blocked.document["considered"][0] == "1900 United States, premium rate blocked"
    unpriced = terminal.run("tariff", "test", "+37060012345")
    assert (unpriced.code, "destination-not-priced" in unpriced.out) == (3, True)
    assert terminal.run("tariff", "test", "12ab").code == 2
    assert terminal.run("tariff", "test", "+1", "--balance", "much").code == 2


def test_a_tariff_of_many_terms_is_loaded_shown_and_tested(terminal: Terminal, tmp_path: Path) -> None:
    deck = tmp_path / "deck.csv"
    deck.write_text(
        "prefix,service,price,per,increments,bands\n"
        '44,,0.06,,60/60,"mo-fr 18:00-08:00 50% name=evening"\n'
        "video,data,0.10,MB,1000/1000,\n"
        "33,,-0.01,,,\n"
    )
    options = ("--set", "time_zone=Europe/London", "--set", "rounding=up 2")
    assert terminal.run("tariff", "import", str(deck), *options).code == 4
    terminal.must("tariff", "import", str(deck), *options, "--allow-negative")
    assert terminal.run("tariff", "import", str(deck), "--set", "prefix=1").code == 2
    shown = terminal.must("tariff", "show", "--rates", "--prefix", "44", "--json").document
    assert shown[0]["bands"] == "mo-fr 18:00-08:00 50% name=evening"
    at = ("--at", "2199-01-07T17:59+00:00")  # a Monday
    call = terminal.must(
        "tariff", "test", "+442079460000", "--seconds", "120", *at, "--balance", "1", "--json"
    ).document
    assert call["price"] == {"amount": "0.090000", "currency": "USD"}
    assert "use (band evening): 60 s x 0.06 x 50 % a minute = 0.03 USD" in call["why"]
    assert call["left"] == {"amount": "0.000000", "currency": "USD"}
    free = terminal.must(
        "tariff", "test", "+442079460000", "--seconds", "120", *at, "--included", "60", "--json"
    ).document
    assert free["price"] == {"amount": "0.030000", "currency": "USD"}
    films = terminal.must(
        "tariff", "test", "video.hd", "--service", "data", "--units", "1500000", *at, "--json"
    ).document
    assert (films["price"]["amount"], films["billed_units"]) == ("0.150000", 1_500_000)
    assert terminal.must("tariff", "test", "+33142685300", *at).out.count("-0.01")
    assert terminal.run("tariff", "test", "music", "--service", "data", *at).code == 3
    assert terminal.run("tariff", "test", "music", "--service", "smoke").code == 2


def test_a_part_of_a_second_is_priced(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "second.csv"
    file.write_text("prefix,price,per,sub_second,tiers,steps\n44,0.10,second,up,600 0.05,20 0.01\n")
    terminal.must("tariff", "import", str(file), "--tariff", "second", "--operator", "acme")
    asked = ("rate", "test", "+442079460000", "--tariff", "second", "--operator", "acme", "--seconds")
    priced = terminal.must(*asked, "12.5", "--json").document
    assert (priced["used_ms"], priced["price"]["amount"]) == (12_500, "1.300000")
    assert "used 12.5 s, billed 13 s" in terminal.must(*asked, "12.5").out
    shown = terminal.must(*asked, "25", "--month-used", "700").out
    assert "tier from 600 s" in shown
    assert "step from 20 s" in shown
    for bad in ("x", "1.2345", "-1", "86401", ".5", "1e3"):
        assert terminal.run(*asked, bad).code == 2
