"""What the gateway stands on fails: the link to the switch, the database, its port."""

import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from ivr.gateway import LINK_GRACE_S
from runtime.database import sqlite_file
from tests.ivr.town import CALLING
from tests.live import failures
from tests.live.callers import callers
from tests.live.cutting_proxy import CuttingProxy
from tests.live.failures import LATE_MS, SHORT_GRANTS
from tests.live.house import House, open_house
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.live

Times = Callable[[int, int], int]
TALKS_FOR_EVER, TALKS_2_S, TALKS_6_S, TALKS_20_S, TALKS_30_S, TALKS_50_S = (
    f"011331426853{last}" for last in ("17", "22", "26", "32", "33", "35")
)
SETUP_MS = 600
LONG_GRANTS = {"CHARGING__GRANT_S": "40", "CHARGING__EXTEND_BEFORE_S": "20", "CALL__WARN_AT_S": "[]"}


def test_link_drops_and_comes_back(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    """Down from before the extension is due until after: extended when it is back, settled once."""
    number = times(3, 20)
    with (
        CuttingProxy(0, lab.ports.gateway_ami) as link,
        open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS, AMI__PORT=str(link.port)) as house,
        callers(lab, number) as group,
    ):
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_20_S)
        failures.wait_talking(watch, number)
        link.refuse()
        link.cut()
        time.sleep(9.0)
        link.listen()
        for cdr in failures.must_be_sound(house, accounts, watch, number):
            failures.must_be_billed(cdr, 20_000, 20_000 + SETUP_MS)
        assert len(house.gateway.log_lines("switch-down")) == 1
        group.wait_ended()


def test_calls_end_while_the_link_is_down(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times
) -> None:
    """Half are ended by the caller (no AGI turn tells of it), half by the called party."""
    number = times(4, 20)
    with (
        CuttingProxy(0, lab.ports.gateway_ami) as link,
        open_house(lab, sqlite_url, tmp_path, **LONG_GRANTS, AMI__PORT=str(link.port)) as house,
        callers(lab, number) as group,
    ):
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_6_S)
        failures.wait_talking(watch, number)
        link.refuse()
        link.cut()
        for telephone in group.telephones[::2]:
            telephone.hang_up()
        group.wait_ended()
        link.listen()
        cdrs = failures.must_be_sound(house, accounts, watch, number)
        assert sum(cdr.used_ms >= 6_000 for cdr in cdrs) == number // 2
        assert {cdr.settled_from for cdr in cdrs} == {"after-dial", "switch-record"}


def test_link_is_half_open(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    """The link looks alive and says nothing: it is noticed, made anew, and the calls go on past their first grant."""
    number = times(2, 20)
    with (
        CuttingProxy(0, lab.ports.gateway_ami) as link,
        open_house(lab, sqlite_url, tmp_path, **LONG_GRANTS, AMI__PORT=str(link.port)) as house,
        callers(lab, number) as group,
    ):
        accounts = failures.customers(house, number)
        failures.connect(group, TALKS_50_S)
        failures.wait_talking(watch, number)
        time.sleep(12.0)
        link.stop_passing()
        for cdr in failures.must_be_sound_after(house, accounts, watch, number, 80.0):
            failures.must_be_billed(cdr, 50_000, 50_000 + SETUP_MS)
        assert len(house.gateway.log_lines("switch-down")) == 1
        group.wait_ended()


def test_link_was_never_there(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink) -> None:
    """A wrong secret: said in the log and not hammered; callers hear an apology, and nobody is connected."""
    with open_house(lab, sqlite_url, tmp_path) as house, callers(lab, 2) as group:
        accounts = failures.customers(house, 2)
        house.gateway.stop()
        house.gateway.change(TOLLGATE_AMI__SECRET="not-the-secret")
        house.gateway.launch()
        wait_for(lambda: len(house.gateway.log_lines("ready")) == 2, "ready")
        begun_s = time.monotonic()
        time.sleep(LINK_GRACE_S + 0.5)
        group.call(CALLING)
        group.wait_ended(30.0)
        cdrs = failures.must_be_sound(house, accounts, watch, 2)
        assert {(cdr.disposition, cdr.hangup_cause, cdr.charged_micros) for cdr in cdrs} == {("no-switch-link", 41, 0)}
        refused = house.gateway.log_lines("switch-fault")
        assert {(row["fault"], row["mend"]) for row in refused} == {("LoginRefused", "ami.username, ami.secret")}
        assert "not-the-secret" not in house.gateway.log_file.read_text(encoding="utf-8")
        assert len(refused) <= 2 + (time.monotonic() - begun_s) / 2.5


def test_database_is_locked(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink, times: Times) -> None:
    """Another process writes for long: new callers hear an apology, a call up is extended later."""
    number = times(2, 20)
    with (
        open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS, DATABASE__BUSY_TIMEOUT_S="1") as house,
        callers(lab, 2 * number) as group,
    ):
        accounts = failures.customers(house, 2 * number)
        talking, late = range(number), range(number, 2 * number)
        failures.connect(group, TALKS_20_S, talking)
        failures.wait_talking(watch, number)
        writer = sqlite3.connect(str(sa.make_url(sqlite_url).database), isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        group.call(CALLING, among=late)
        must_apologise(watch, number)
        time.sleep(4.0)
        writer.execute("ROLLBACK")
        writer.close()
        cdrs = failures.must_be_sound(house, accounts, watch, number)
        for cdr in cdrs:
            failures.must_be_billed(cdr, 16_000, 20_000 + SETUP_MS)
        group.wait_ended()


def test_database_is_read_only(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink) -> None:
    """Started where its user may not write the file: a caller hears an apology and is freed, a call that is up ends
    unsettled, and the log says once what to do. Once that is done all goes on, without another start."""
    database_file = sqlite_file(sqlite_url)
    assert database_file is not None
    with open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS) as house, callers(lab, 2) as group:
        accounts = failures.customers(house, 2)
        failures.connect(group, TALKS_6_S, [0])
        failures.wait_talking(watch, 1)
        house.gateway.stop()
        house.town.engine.dispose()
        chmod(database_file, 0o444)
        house.gateway.heed_file_modes()
        house.gateway.start()
        group.call(CALLING, among=[1])
        must_apologise(watch, 1)
        group.wait_ended()
        assert house.cdrs() == []
        assert house.town.balance(accounts[0])[1] > 0, "what is held stays held until it is settled"
        house.town.engine.dispose()
        chmod(database_file, 0o644)
        failures.connect(group, TALKS_2_S, [1])
        cdrs = failures.must_be_sound(house, accounts, watch, 2)
        (told,) = house.gateway.log_lines("database-fault")
        assert told["why"].startswith("it is read-only: give this user the right to write its file")
        assert len(house.gateway.log_lines("database-back")) == 1
        talked_ms = {cdr.account_id: cdr.used_ms for cdr in cdrs}
        for account, least_ms in zip(accounts, (6_000, 2_000), strict=True):
            assert least_ms <= talked_ms[account.id] <= least_ms + SETUP_MS


def chmod(database_file: Path, mode: int) -> None:
    """What an operator does: the file and those beside it."""
    for one in database_file.parent.glob(f"{database_file.name}*"):
        one.chmod(mode)


def test_database_is_locked_past_the_grant(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink) -> None:
    with (
        open_house(lab, sqlite_url, tmp_path, **SHORT_GRANTS, DATABASE__BUSY_TIMEOUT_S="1") as house,
        callers(lab, 3) as group,
    ):
        accounts = failures.customers(house, 3)
        failures.connect(group, TALKS_FOR_EVER)
        failures.wait_talking(watch, 3)
        writer = sqlite3.connect(str(sa.make_url(sqlite_url).database), isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        group.wait_ended(45.0)
        writer.execute("ROLLBACK")
        writer.close()
        for cdr in failures.must_be_sound(house, accounts, watch, 3):
            failures.must_be_billed(cdr, 16_000, 16_000 + LATE_MS)
            assert cdr.billed_ms == 16_000


@pytest.mark.postgres
def test_database_takes_no_writes_in_mid_call(
    lab: Lab, postgres_url: str, tmp_path: Path, watch: ManagerLink, times: Times
) -> None:
    """All its connections are lost, and it takes no writes: callers hear an apology, and the calls that are up are
    extended, or settled, when it does again."""
    number = times(2, 20)
    with open_house(lab, postgres_url, tmp_path, **SHORT_GRANTS) as house, callers(lab, 2 * number) as group:
        accounts = failures.customers(house, 2 * number)
        failures.connect(group, TALKS_20_S, range(number))
        failures.wait_talking(watch, number)
        alter(postgres_url, "SET default_transaction_read_only = on")
        house.town.engine.dispose()
        group.call(CALLING, among=range(number, 2 * number))
        must_apologise(watch, number)
        time.sleep(4.0)
        alter(postgres_url, "RESET default_transaction_read_only")
        house.town.engine.dispose()
        for cdr in failures.must_be_sound(house, accounts, watch, number):
            failures.must_be_billed(cdr, 16_000, 20_000 + SETUP_MS)
        group.wait_ended()


@pytest.mark.postgres
def test_database_is_stopped_in_mid_call(
    lab: Lab,
    postgres_server: PostgresServer,
    postgres_url: str,
    tmp_path: Path,
    watch: ManagerLink,
    times: Times,
) -> None:
    """It crashes, and is away for a while: nobody talks longer than was granted, callers hear an apology, and the
    gateway is back by itself. Away past the grant, the switch ends the calls, and they are settled afterwards."""
    number, away_s = times(2, 10), times(3, 30)
    talking, late = range(number), range(number, 2 * number)
    alter(postgres_url, "SET synchronous_commit = on")  # what was answered must survive the crash
    with open_house(lab, postgres_url, tmp_path, **SHORT_GRANTS) as house, callers(lab, 2 * number) as group:
        accounts = failures.customers(house, 2 * number)
        failures.connect(group, TALKS_20_S, talking)
        failures.wait_talking(watch, number)
        postgres_server.stop(signal.SIGQUIT)
        gone_s = time.monotonic()
        group.call(CALLING, among=late)
        must_apologise(watch, number)
        time.sleep(max(0.0, gone_s + away_s - time.monotonic()))
        postgres_server.start()
        house.town.engine.dispose()
        back_s = time.monotonic()
        cdrs = failures.must_be_sound(house, accounts, watch, number)
        assert time.monotonic() - back_s < (30.0 if away_s > 20 else 60.0)
        for cdr in cdrs:
            if away_s > 20:
                failures.must_be_billed(cdr, 16_000, 16_000 + LATE_MS)
                assert (cdr.billed_ms, cdr.charged_micros) == (16_000, 266_667)
            else:
                failures.must_be_billed(cdr, 16_000, 20_000 + SETUP_MS)
        group.wait_ended()
        if away_s > 20:
            failures.connect(group, TALKS_6_S)
            failures.must_be_sound(house, accounts, watch, 3 * number)


def alter(url: str, what: str) -> None:
    """Change the database from outside it, and throw everybody out."""
    name = sa.make_url(url).database
    with psycopg.connect(str(sa.make_url(url).set(database="postgres")), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} {what}".encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


def must_apologise(watch: ManagerLink, number: int) -> None:
    """So many callers hear the apology, some seconds after they called."""
    heard: set[str] = set()

    def all_heard() -> bool:
        heard.update(failures.apologies(watch))
        return len(heard) == number

    wait_for(all_heard, "all hear the apology", 20.0)


def test_port_is_taken(lab: Lab, sqlite_url: str, tmp_path: Path) -> None:
    """A second gateway on the port says so and ends with 1; the first goes on."""
    with open_house(lab, sqlite_url, tmp_path) as house:
        second = tmp_path / "second.log"
        code = second_gateway(house, second)
        said = second.read_text(encoding="utf-8")
        assert code == 1
        assert f"cannot listen on 127.0.0.1:{lab.ports.agi} (agi.host, agi.port)" in said
        assert "Traceback" not in said
        assert house.gateway.is_up()


def second_gateway(house: House, log_file: Path) -> int:
    """Start another gateway with the same settings; its exit code."""
    other = house.gateway.another(log_file)
    other.launch()
    return other.wait(20.0)
