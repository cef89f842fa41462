"""`tollgate call live` and `call hangup`, over real books and a desk that is made up."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.calls import service
from billing.people import service as people
from ivr import cli
from ivr.ami import desk
from runtime.keys import Pepper
from tests.clock import SettableClock
from tests.ivr.made_up_switch import CALL, CALLER_LEG, House
from tests.ivr.town import build_town
from tests.terminal import Terminal


@dataclass
class MadeUpDesk:
    """A desk at a switch that has this one channel."""

    hung_up: list[str] = field(default_factory=list)

    def channels(self) -> list[Mapping[str, str]]:
        return [{"Uniqueid": CALLER_LEG, "Channel": "PJSIP/x-1", "Seconds": "7"}]

    def hang_up(self, channel: str, cause: int) -> bool:
        self.hung_up.append(channel)
        return True


@pytest.fixture
def house(
    installation: Callable[[str], None],
    sqlite_url: str,
    sqlite_engine: Engine,
    clock: SettableClock,
    pepper: Pepper,
    tmp_path: Path,
) -> Iterator[House]:
    """One call is up."""
    installation(sqlite_url)
    with ThreadPoolExecutor(1) as pool:
        yield House(build_town(sqlite_engine, clock, pepper, tmp_path), clock, pool)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUpDesk:
    """The desk that commands find."""
    found = MadeUpDesk()

    @contextmanager
    def open_desk(*_: object) -> Iterator[MadeUpDesk]:
        yield found

    monkeypatch.setattr(desk, "open_desk", open_desk)
    return found


def test_live_calls_show_the_number_of_the_account(house: House, made_up: MadeUpDesk) -> None:
    (row,) = Terminal(cli.attach).must("call", "live", "--json").document
    assert (row["call"], row["account"], row["seconds"]) == (CALL, house.ann.number, 7)


def test_who_looked_at_live_calls_is_kept_for_each_look(house: House, made_up: MadeUpDesk, pepper: Pepper) -> None:
    terminal = Terminal(cli.attach)
    for looks in (1, 2):
        terminal.must("call", "live")
        found = people.accesses(house.town.engine, pepper, "", house.ann.number, "US", 10)
        assert [(one.action.value, one.reason) for one in found] == [("read", "call live")] * looks


def test_where_it_cannot_be_kept_nothing_is_shown(house: House, made_up: MadeUpDesk) -> None:
    with house.town.engine.begin() as conn:
        conn.execute(sa.text("ALTER TABLE personal_access RENAME TO away"))
    answer = Terminal(cli.attach).run("call", "live")
    assert (answer.code == 0, answer.out) == (False, "")


def test_to_end_a_call_can_be_rehearsed(house: House, made_up: MadeUpDesk) -> None:
    terminal = Terminal(cli.attach)
    rehearsed = terminal.must("call", "hangup", CALL[:4], "--reason", "stolen", "--dry-run")
    assert rehearsed.out == f"call {CALL} would end\n"
    assert (made_up.hung_up, _staff_events(house)) == ([], 0)
    ended = terminal.must("call", "hangup", CALL[:4], "--reason", "stolen", "--json").document
    assert ended == {"call": CALL, "ended": True, "dry_run": False}
    assert (made_up.hung_up, _staff_events(house)) == (["PJSIP/x-1"], 1)


@pytest.mark.parametrize("words", [("live",), ("hangup", CALL, "--reason", "x")])
def test_a_switch_that_does_not_answer_is_asked_again_later(
    house: House, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLGATE_AMI__PORT", "1")
    answer = Terminal(cli.attach).run("call", *words)
    assert (answer.code, answer.out) == (75, "")
    assert "no switch answers on 127.0.0.1:1" in answer.err
    assert _staff_events(house) == 0


def _staff_events(house: House) -> int:
    return sum("staff" in moment.text for moment in service.explain(house.town.engine, CALL).timeline)
