"""The worked flows of prepaid lines, to the cent: one purse on two lines, two on one line, bypass code, block."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from ani.negative import service as negative_service
from ani.negative.block import NegativeReason, NewBlock
from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.calls.call import Cdr
from billing.conditions import service as condition_service
from billing.conditions.condition import Mode, Terms, read_patterns
from billing.ledger import service as ledger_service
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms, Reach
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.telephone import Telephone
from tests.ivr.town import ONE_PER_MINUTE, Town, rate
from tests.live import failures
from tests.live.conftest import linked
from tests.live.house import House, open_house

pytestmark = pytest.mark.live

FAMILY = "19005550150"
PARENT, CHILD, RESTRICTED, SHARED, STRANGER, GUARDED, TAKEN = (
    f"+12125550{number}" for number in (120, 131, 132, 133, 134, 135, 136)
)
FRANCE, FRANCE_FOR_20, ELSEWHERE, ENDLESS = "01133142685320", "01133142685321", "13035550120", "13035550117"
TEN, TWENTY, THIRTY, FIFTY = (amount * 1_000_000 for amount in (10, 20, 30, 50))


@contextmanager
def family_house(lab: Lab, url: str, folder: Path) -> Iterator[House]:
    """A service in mode `continue` whose calls cost 10.00 or 20.00 each; all others 1.00 a minute."""
    with open_house(lab, url, folder, CALL__ENTRY_ATTEMPTS="2") as house:
        town = house.town
        operator = operator_service.list_operators(town.engine)[0]
        flat = [
            rate("33142685320", 0, connect_fee_micros=TEN),
            rate("33142685321", 0, connect_fee_micros=TWENTY),
            rate(PARENT.removeprefix("+"), 0, connect_fee_micros=TEN),
            rate("1", ONE_PER_MINUTE),
        ]
        wanted = TariffImport(operator.id, "flat", "USD", None, "test")
        tariff_service.import_tariff(town.engine, town.clock, wanted, flat)
        profile = operator_service.create_profile(
            town.engine,
            operator_code="town",
            name="family",
            tariff_name="flat",
            terms=ProfileTerms(reach=Reach.ABROAD),
        )
        operator_service.create_number(town.engine, dnis=FAMILY, operator_code="town", profile_name="family")
        condition_service.set_mode(town.engine, town.clock, profile.id, Mode.CONTINUE, "test")
        yield house


def family(town: Town) -> tuple[Account, Account, Account]:
    """The purse of parent and child, and the two purses of the shared line."""
    purse = town.account("purse", THIRTY, line=PARENT)
    account_service.add_line(town.engine, town.clock, town.pepper, number=purse.number, line=CHILD)
    only_home = Terms(allowed=read_patterns("allow", PARENT))
    condition_service.set_condition(
        town.engine, town.clock, number=purse.number, line=CHILD, terms=only_home, by="the parent"
    )
    return (
        purse,
        town.account("first", THIRTY, line=SHARED, code="1"),
        town.account("second", FIFTY, line=SHARED, code="2"),
    )


def place(lab: Lab, house: House, calls: Sequence[tuple[str, Sequence[str]]]) -> list[Cdr]:
    """All call side by side, each keys one entry after another, as one does who knows the questions; their CDRs."""

    def one(line: str, entries: Sequence[str]) -> None:
        with linked(lab.ports.network_ami, lab.admin) as link:
            telephone = Telephone(link, lab.network)
            telephone.call(FAMILY, line)
            telephone.wait_answered(30.0)
            for entry in entries:
                telephone.listen(0.8)
                telephone.press(entry, gap_s=0.06)
            house.wait_cdrs(len(calls), 60.0)
            telephone.hang_up()

    with ThreadPoolExecutor(len(calls)) as hands:
        for done in [hands.submit(one, *call) for call in calls]:
            done.result()
    return house.cdrs()


def block_the_last(house: House, watch: ManagerLink, others: int) -> None:
    """When all other calls are over, the line of the one that is up is blocked for good."""
    house.wait_cdrs(others, 60.0)
    failures.wait_talking(watch, 1)
    block = NewBlock(TAKEN, NegativeReason.OPERATOR, "stolen", ends_calls=True)
    assert negative_service.block(house.town.engine, house.town.clock, block, "care")


def of(cdrs: Sequence[Cdr], line: str, destination: str) -> Cdr:
    """The one call from there to there."""
    (found,) = [cdr for cdr in cdrs if cdr.ani == line and cdr.destination == destination]
    return found


def test_the_worked_flows(lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink) -> None:
    with family_house(lab, sqlite_url, tmp_path) as house:
        town = house.town
        purse, first, second = family(town)
        taken = town.account("taken", THIRTY, line=TAKEN)
        guarded = town.account("guarded", THIRTY, line=GUARDED)
        account_service.add_line(town.engine, town.clock, town.pepper, number=purse.number, line=RESTRICTED)
        only_home = Terms(allowed=read_patterns("allow", PARENT))
        condition_service.set_condition(
            town.engine, town.clock, number=purse.number, line=RESTRICTED, terms=only_home, by="the parent"
        )
        for line in (GUARDED, RESTRICTED):
            condition_service.block_toll(town.engine, town.clock, ani=line, by="test", note="asked by letter")
        condition_service.set_bypass(
            town.engine, town.clock, town.pepper, number=guarded.number, line=GUARDED, code="4711", by="test"
        )
        calls = [
            (PARENT, (f"{FRANCE}#", "#")),
            (CHILD, (f"{PARENT.removeprefix('+')}#", "#")),
            (CHILD, (f"{ELSEWHERE}#",)),
            (RESTRICTED, (f"{ELSEWHERE}#",)),
            (SHARED, ("1#", f"{FRANCE}#", "#")),
            (SHARED, ("2#", f"{FRANCE_FOR_20}#", "#")),
            (SHARED, ("3#", "4#")),
            (STRANGER, (f"{ELSEWHERE}#",)),
            (GUARDED, (f"{FRANCE}#", "4711#", "#")),
            (GUARDED, (f"{FRANCE}#", "1#", "2#")),
            (TAKEN, (f"{ENDLESS}#", "#")),
        ]
        with ThreadPoolExecutor(1) as staff:
            blocked = staff.submit(block_the_last, house, watch, len(calls) - 1)
            cdrs = place(lab, house, calls)
            blocked.result()
        # one purse on two lines: 10.00 for the parent's call, 10.00 for the child's call home, nothing for the third
        assert house.wait_free(purse) == TEN
        paid = [of(cdrs, PARENT, "+33142685320"), of(cdrs, CHILD, PARENT)]
        assert [(cdr.charged_micros, cdr.account_id) for cdr in paid] == [(TEN, purse.id)] * 2
        assert {cdr.balance_after_micros for cdr in paid} == {TWENTY, TEN}
        for line in (CHILD, STRANGER):
            free = of(cdrs, line, "+13035550120")
            assert (free.disposition, free.charged_micros, free.account_id) == ("answered", 0, None)
            assert free.used_ms > 0
        told = {event.step: event for event in house.explain(of(cdrs, CHILD, "+13035550120").call_id).events}
        assert told["condition"].outcome == "condition-destination"
        assert told["condition"].detail["source"] == "the parent"
        assert "passed-on" in told
        # two purses on one line: 30.00 and 50.00 become 20.00 and 30.00
        assert (house.wait_free(first), house.wait_free(second)) == (TWENTY, THIRTY)
        # the bypass code opens a restricted line, and the call is paid
        assert house.wait_free(guarded) == TWENTY
        # a line that is blocked while it talks: ended within two seconds, and paid to the end
        cut = of(cdrs, TAKEN, "+13035550117")
        assert (cut.disposition, cut.hangup_cause) == ("blocked-by-operator", 21)
        assert house.wait_free(taken) == THIRTY - cut.charged_micros < THIRTY
        told = {event.step: event for event in house.explain(cut.call_id).events}
        assert (told["negative"].detail["source"], told["negative"].detail["in_call"]) == ("care", True)
        # neither code: ended; no bypass code: ended; a restricted line of the purse: not connected
        unpaid = {(cdr.ani, cdr.disposition) for cdr in cdrs if not cdr.destination}
        assert unpaid == {
            (SHARED, "too-many-attempts"),
            (GUARDED, "line-toll-blocked"),
            (RESTRICTED, "line-toll-blocked"),
        }
        assert not ledger_service.audit(town.engine)
        failures.must_be_forgotten(watch)
        failures.must_be_calm(house)
