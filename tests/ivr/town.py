"""A small town to call from: one operator, a few lines, accounts and prices, made with the real services."""

import csv
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.lockout.lockout import Limits
from ani.qualification import service as qualification_service
from ani.reverse_match import service as listing_service
from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.ledger import service as ledger_service
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms, Reach
from billing.rating import Rate
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from dialplan.routes import service as route_service
from dialplan.routes.route import Route
from runtime.clock import Clock
from runtime.csv_import import RejectFile
from runtime.keys import Pepper

CALLING, CHECKED, ISSUING = "19005550100", "19005550118", "19005550122"
ANN, BOB, SHARED, STRANGER = "+12125550101", "+12125550102", "+12125550103", "+12125550199"
SSN = "6789"
ONE_PER_MINUTE = 1_000_000
LIMITS = Limits(5, 10, 60)


@dataclass(frozen=True, slots=True)
class Town:
    """What the tests build calls on."""

    engine: Engine
    clock: Clock
    pepper: Pepper
    folder: Path

    def account(self, name: str, micros: int, *, line: str = "", code: str | None = None) -> Account:
        """An account with money, and a line if wanted."""
        made = account_service.create_account(self.engine, self.clock, operator_code="town", name=name)
        if micros:
            ledger_service.credit(
                self.engine, self.clock, made.number, micros, key=f"credit-{name}", made_by="test", note="cash"
            )
        if line:
            account_service.add_line(self.engine, self.clock, self.pepper, number=made.number, line=line, code=code)
        return made

    def pin(self, account: Account) -> str:
        """A PIN of the account."""
        return account_service.issue_pin(self.engine, self.clock, self.pepper, account.id)

    def balance(self, account: Account) -> tuple[int, int]:
        """Balance and holds now."""
        found = account_service.find_account(self.engine, account.number)
        return found.balance_micros, found.held_micros

    def identity(self, ani: str, *, birth_on: str = "1970-05-01", ssn: str = SSN, supplier: str = "test") -> None:
        """An identity record of the line."""
        source = self._file(
            "identity.csv", ("ani", "last_name", "birth_on", "ssn_last_four"), (ani, "Ash", birth_on, ssn)
        )
        qualification_service.import_identities(self.engine, self.clock, self.pepper, source, supplier)

    def person(self, ani: str, known: tuple[str, str, str, str, str], supplier: str) -> None:
        """A person of the line without a social security number: names, date of birth, state and number of licence."""
        columns = ("ani", "first_name", "last_name", "birth_on", "licence_state", "licence")
        source = self._file("person.csv", columns, (ani, *known))
        qualification_service.import_identities(self.engine, self.clock, self.pepper, source, supplier)

    def listing(self, ani: str) -> None:
        """A listing of the line."""
        source = self._file("listing.csv", ("ani", "first_name", "last_name"), (ani, "Ann", "Ash"))
        listing_service.import_listings(self.engine, self.clock, source, "test")

    def _file(self, name: str, columns: tuple[str, ...], row: tuple[str, ...]) -> Source:
        path = self.folder / name
        with path.open("w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(columns)
            writer.writerow(row)
        return Source(path, RejectFile(self.folder / f"{name}.rejects"))


def rate(prefix: str, price: int, **fields: int | bool) -> Rate:
    """A rate of the town's tariff."""
    return Rate(0, prefix, f"to {prefix}", "USD", price, **fields)  # type: ignore[arg-type]  # any field may be given


def build_town(engine: Engine, clock: Clock, pepper: Pepper, folder: Path) -> Town:
    """The town: calls to +1 and +33 cost 1.00 a minute by the second, +1900 is blocked, +44 has no price."""
    operator = operator_service.create_operator(engine, code="town", name="Town", currency="USD", home_country="US")
    rates = [rate("1", ONE_PER_MINUTE), rate("33", ONE_PER_MINUTE), rate("1900", 0, blocked=True)]
    wanted = TariffImport(operator.id, "retail", "USD", None, "test")
    tariff_service.import_tariff(engine, clock, wanted, rates)
    for dnis, name, terms in (
        (CALLING, "calling", ProfileTerms(reach=Reach.ABROAD)),
        (CHECKED, "checked", ProfileTerms(age_check=True, reach=Reach.ABROAD)),
        (ISSUING, "issuing", ProfileTerms(issue_pin=True, reach=Reach.ABROAD)),
    ):
        operator_service.create_profile(engine, operator_code="town", name=name, tariff_name="retail", terms=terms)
        operator_service.create_number(engine, dnis=dnis, operator_code="town", profile_name=name)
    route_service.add_route(engine, Route("network", "", 1))
    route_service.add_route(engine, Route("second", "", 2))
    return Town(engine, clock, pepper, folder)
