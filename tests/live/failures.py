"""What the tests of failures share: customers in number, and what must hold however a call ended."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from billing.accounts.account import Account
from billing.calls.call import Cdr
from billing.ledger import service as ledger_service
from billing.rating import price_micros
from dialplan.asterisk.manager_link import ManagerLink, ManagerLinkError
from dialplan.lab.polling import wait_for
from tests.ivr.town import CALLING, ONE_PER_MINUTE, rate
from tests.live.callers import Callers, line_of
from tests.live.house import House

PRICE = rate("33", ONE_PER_MINUTE)
MONEY = 5_000_000
SHORT_GRANTS = {"CHARGING__GRANT_S": "16", "CHARGING__EXTEND_BEFORE_S": "8", "CALL__WARN_AT_S": "[]"}
LATE_MS = 1_000
"""How much later than the granted time a call may end."""


def customers(house: House, number: int, micros: int = MONEY) -> list[Account]:
    """One account for each telephone, opened by its line."""
    return [house.town.account(f"customer-{one}", micros, line=line_of(one)) for one in range(number)]


@dataclass(frozen=True, slots=True)
class Customer:
    """An account that is opened by its PIN."""

    account: Account
    pin: str


def customers_by_pin(house: House, number: int) -> list[Customer]:
    """One account for each telephone, opened by a PIN, on a line whose holder's age can be proven."""
    made = []
    for one in range(number):
        house.town.listing(line_of(one))
        house.town.identity(line_of(one))
        account = house.town.account(f"customer-{one}", MONEY)
        made.append(Customer(account, house.town.pin(account)))
    return made


def free_port() -> int:
    """A TCP port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def apologies(watch: ManagerLink) -> list[str]:
    """The uniqueids of the callers who hear the apology now."""
    return [row["Uniqueid"] for row in watch.listed("Status") if row.get("Context") == "tollgate-sorry"]


def connect(group: Callers, destination: str, among: Sequence[int] | None = None) -> None:
    """All call and dial the destination into the first prompt."""
    group.call(CALLING, among=among)
    group.wait_answered(among=among)
    group.telephones[0].listen(1.0)
    dial(group, destination, among)


def dial(group: Callers, destination: str, among: Sequence[int] | None = None) -> None:
    """All dial, and break off the announcement of the price with a key."""
    group.press(f"{destination}#", among)
    group.telephones[0].listen(0.8)
    group.press("#", among)


def wait_talking(watch: ManagerLink, number: int, timeout_s: float = 30.0) -> None:
    """Return when the switch has recorded that so many called parties answered."""
    wait_for(lambda: len(records(watch)) >= number, f"{number} calls are answered", timeout_s)


def must_be_sound(house: House, accounts: Sequence[Account], watch: ManagerLink, calls: int) -> list[Cdr]:
    """Every call has one CDR and no more, each is billed what was used, nothing is held, and the books are right."""
    return must_be_sound_after(house, accounts, watch, calls, 40.0)


def must_be_sound_after(
    house: House, accounts: Sequence[Account], watch: ManagerLink, calls: int, timeout_s: float
) -> list[Cdr]:
    """As `must_be_sound`, for calls that take longer to end."""
    cdrs = house.wait_cdrs(calls, timeout_s)
    for account in accounts:
        house.wait_free(account)
    assert len(cdrs) == calls
    assert len({cdr.call_id for cdr in cdrs}) == calls
    assert not ledger_service.audit(house.town.engine)
    for account in accounts:
        charged = sum(cdr.charged_micros for cdr in house.cdrs() if cdr.account_id == account.id)
        assert house.town.balance(account) == (MONEY - charged, 0)
    must_be_forgotten(watch)
    must_be_calm(house)
    return house.cdrs()


def must_be_forgotten(watch: ManagerLink) -> None:
    """The switch keeps no record of a settled call."""
    wait_for(lambda: not records(watch), "the switch forgets its records", 30.0)


def records(watch: ManagerLink) -> list[str]:
    """The calls the switch still remembers."""
    try:
        return [row.get("Key", "") for row in watch.listed("DBGetTree", {"Family": "tollgate"})]
    except ManagerLinkError:
        return []


def must_be_calm(house: House) -> None:
    """No exception reached the log."""
    text = house.gateway.log_file.read_text(encoding="utf-8")
    assert "Traceback" not in text, text[-6000:]
    assert not house.gateway.log_lines("task")


def must_be_billed(cdr: Cdr, at_least_ms: int, at_most_ms: int) -> None:
    """Used and charged by the rate, between two bounds of what the network saw."""
    assert cdr.answered_at is not None, cdr
    assert at_least_ms <= cdr.used_ms <= at_most_ms, cdr
    counted_ms = cdr.billed_ms
    assert cdr.charged_micros == price_micros(PRICE, min(cdr.used_ms, counted_ms)), cdr
