"""What is kept of a person is shown whole, erased where it may be, and looking at it is kept."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.access.access import Action
from ani.lockout import store as lockout
from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.people import service
from billing.people.service import Asked
from runtime.database import transaction
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper
from runtime.personal import OnErase
from tests.clock import SettableClock
from tests.ivr.town import ANN, BOB, Town, build_town

HOME = "US"


@pytest.fixture
def town(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Town:
    return build_town(engine, clock, pepper, tmp_path)


@pytest.fixture
def ann(town: Town) -> Account:
    made = town.account("Ann Ash", 5_000_000, line=ANN)
    town.pin(made)
    for line in (ANN, BOB):
        town.listing(line)
        town.identity(line)
        with transaction(town.engine) as conn:
            lockout.record_wrong(conn, ani=line, account_id=None, kind="pin", at=town.clock.now())
    return made


def asked(line: str = "", account: str = "", reason: str = "he asked") -> Asked:
    return Asked(line, account, "staff", reason)


def rows(town: Town, table: str) -> int:
    with transaction(town.engine) as conn:
        return conn.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0


def let_go(town: Town, account: Account) -> None:
    account_service.remove_line(town.engine, town.clock, number=account.number, line=ANN, by="staff", note="he leaves")
    account_service.close_account(town.engine, town.clock, number=account.number, by="staff", note="he leaves")


def test_everything_is_shown_and_no_hash(town: Town, ann: Account) -> None:
    found = service.export(town.engine, town.clock, town.pepper, asked(ANN, ann.number), HOME)
    shown = {one.table: one.rows for one in found if one.rows}
    assert set(shown) == {"account", "account_line", "pin", "listing", "identity_record", "wrong_entry"}
    assert shown["listing"][0]["last_name"] == "Ash"
    assert shown["account"][0]["name"] == "Ann Ash"
    assert all(len(there) == 1 for there in shown.values())
    assert not [key for there in shown.values() for row in there for key in row if key.endswith("_hash")]


def test_a_line_alone_shows_nothing_of_accounts_it_may_share(town: Town, ann: Account) -> None:
    found = {one.table for one in service.export(town.engine, town.clock, town.pepper, asked(ANN), HOME) if one.rows}
    assert found == {"account_line", "listing", "identity_record", "wrong_entry"}


def test_erased_is_gone_and_others_stay(town: Town, ann: Account) -> None:
    let_go(town, ann)
    done = service.erase(town.engine, town.clock, town.pepper, asked(ANN, ann.number), HOME)
    assert {(one.table, one.done) for one in done if one.rows} == {
        ("account", OnErase.BLANK),
        ("account_line", OnErase.BLANK),
        ("identity_record", OnErase.REMOVE),
        ("listing", OnErase.REMOVE),
        ("pin", OnErase.KEEP),
        ("wrong_entry", OnErase.REMOVE),
    }
    left = service.export(town.engine, town.clock, town.pepper, asked(ANN, ann.number), HOME)
    assert {one.table for one in left if one.rows} == {"account", "account_line", "pin"}
    assert account_service.find_account(town.engine, ann.number).name == ""
    assert (rows(town, "listing"), rows(town, "identity_record")) == (1, 1), "those of another line"


def test_erasing_again_is_no_fault(town: Town, ann: Account) -> None:
    let_go(town, ann)
    for _ in range(2):
        service.erase(town.engine, town.clock, town.pepper, asked(ANN, ann.number), HOME)


@pytest.mark.parametrize("whose", ["line", "account"])
def test_who_can_still_call_is_not_erased(town: Town, ann: Account, whose: str) -> None:
    wanted = asked(ANN) if whose == "line" else asked(account=ann.number)
    with pytest.raises(StaffError, match="first"):
        service.erase(town.engine, town.clock, town.pepper, wanted, HOME)
    assert rows(town, "listing") == 2


@pytest.mark.parametrize("wanted", [asked(), asked("12"), asked("anonymous")])
def test_nobody_is_not_everybody(town: Town, ann: Account, wanted: Asked) -> None:
    with pytest.raises(StaffError):
        service.export(town.engine, town.clock, town.pepper, wanted, HOME)


def test_an_account_that_is_not_there(town: Town) -> None:
    with pytest.raises(NotFoundError):
        service.export(town.engine, town.clock, town.pepper, asked(account="999"), HOME)


def test_looking_is_kept_and_names_nobody(town: Town, ann: Account) -> None:
    service.export(town.engine, town.clock, town.pepper, asked(ANN, reason="complaint 12"), HOME)
    let_go(town, ann)
    service.erase(town.engine, town.clock, town.pepper, asked(ANN, ann.number), HOME)
    kept = service.accesses(town.engine, town.pepper, ANN, "", HOME, 10)
    assert [(one.action, one.by, one.reason) for one in kept] == [
        (Action.ERASE, "staff", "he asked"),
        (Action.EXPORT, "staff", "complaint 12"),
    ]
    assert service.accesses(town.engine, town.pepper, BOB, "", HOME, 10) == []
    with transaction(town.engine) as conn:
        assert ANN not in repr(conn.execute(sa.text("SELECT * FROM personal_access")).all())
