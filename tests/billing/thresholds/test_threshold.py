"""Thresholds of a line, judged and set."""

from collections.abc import Callable
from pathlib import Path

import pytest

from billing.cli import root
from billing.thresholds.threshold import Talked, ThresholdRefusal, Thresholds, longest
from runtime import command_database
from tests.terminal import Terminal


@pytest.mark.parametrize(
    ("limits", "talked", "longest_ms", "refusal"),
    [
        (Thresholds(), Talked(), 100_000, None),
        (Thresholds(session_s=60), Talked(), 60_000, None),
        (Thresholds(day_s=60), Talked(day_ms=20_000), 40_000, ThresholdRefusal.DAY),
        (Thresholds(month_s=60, day_s=90), Talked(day_ms=20_000, month_ms=61_000), 0, ThresholdRefusal.MONTH),
        (Thresholds(line_s=60, month_s=60), Talked(line_ms=60_000, month_ms=60_000), 0, ThresholdRefusal.LINE),
        (Thresholds(line_s=5400), Talked(line_ms=60_000), 100_000, None),
    ],
)
def test_what_a_line_may_talk(
    limits: Thresholds, talked: Talked, longest_ms: int, refusal: ThresholdRefusal | None
) -> None:
    assert longest(limits, talked, 100_000) == (longest_ms, refusal)


def test_a_tier_says_what_it_says_and_no_more() -> None:
    everybody = Thresholds(session_s=1860, month_s=5580)
    assert Thresholds(session_s=3600).over(everybody) == Thresholds(session_s=3600, month_s=5580)


def test_commands(sqlite_url: str, installation: Callable[[str], None]) -> None:
    installation(sqlite_url)
    terminal = Terminal(root.attach, command_database.attach)
    terminal.must("operator", "create", "acme", "Acme Telephone")
    Path("prices.csv").write_text("prefix,name,price_per_minute\n1,US,0.10\n")
    terminal.must("tariff", "import", "prices.csv", "--tariff", "standard")
    terminal.must("profile", "create", "acme", "talk", "--tariff", "standard")
    terminal.must("profile", "create", "acme", "open", "--tariff", "standard", "--line-cap-s", "0")
    assert terminal.must("threshold", "list", "acme/open", "--json").document == []
    standard = {"tier": "", "session_s": None, "day_s": None, "month_s": None, "line_s": 90 * 60}
    ask = ("threshold", "set", "acme/talk", "--session", "31m", "--month", "93m", "--line", "90m")
    terminal.must(*ask, "--dry-run")
    assert terminal.must("threshold", "list", "acme/talk", "--json").document == [standard]
    terminal.must(*ask)
    terminal.must("threshold", "set", "acme/talk", "--tier", "gold", "--session", "2h")
    everybody, gold = terminal.must("threshold", "list", "acme/talk", "--json").document
    assert everybody == {"tier": "", "session_s": 1860, "day_s": None, "month_s": 5580, "line_s": 5400}
    assert (gold["tier"], gold["session_s"]) == ("gold", 7200)
    assert terminal.run("threshold", "set", "acme/talk", "--session", "long").code == 2
    assert terminal.run("tier", "show", "+12125550102").code == 3
    terminal.must("tier", "set", "+12125550102", "gold", "--source", "bureau", "--note", "yearly")
    terminal.must("tier", "set", "+12125550102", "basic", "--source", "staff")
    tiers = terminal.must("tier", "show", "+12125550102", "--json").document["tiers"]
    assert [tier["tier"] for tier in tiers] == ["basic", "gold"]
