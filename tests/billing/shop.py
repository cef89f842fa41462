"""An operator who sells data, pages and talk by one tariff, as tests of other services need him."""

from dataclasses import dataclass

from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.consumption.consumption import Sold
from billing.fraud import service as fraud_service
from billing.fraud.rules.fraud import Limits
from billing.ledger import service as ledger_service
from billing.operators import service as operator_service
from billing.tariffs import service as tariff_service
from billing.tariffs.book.service import RateBook
from billing.tariffs.service import TariffImport
from billing.tariffs.tariff import read_rate
from tests.clock import SettableClock

EMPTY = {"destination": "", "price_per_minute": "", "connect_fee": "", "minimum_s": "", "increments": "", "blocked": ""}
ROWS: tuple[dict[str, str], ...] = (
    {"prefix": "net", "service": "data", "price": "0.05", "per": "MB", "increments": "1000"},
    {"prefix": "sms", "service": "message", "price": "0.10", "per": "unit"},
    {"prefix": "song", "service": "content", "price": "1.50", "per": "transaction"},
    {"prefix": "33", "price_per_minute": "1.00"},
)


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop, and its customers."""

    engine: Engine
    clock: SettableClock
    rates: RateBook
    operator_id: int

    def account(self, micros: int, *, limit_micros: int = 0) -> Account:
        """An account with money."""
        made = account_service.create_account(self.engine, self.clock, operator_code="shop", limit_micros=limit_micros)
        if micros:
            ledger_service.credit(self.engine, self.clock, made.number, micros, f"first-{made.number}", "test")
        return made

    def money(self, account: Account) -> tuple[int, int]:
        """Balance and holds."""
        found = account_service.find_account(self.engine, account.number)
        return found.balance_micros, found.held_micros

    def sold(self, account: Account, service: str, code: str) -> Sold:
        """What is charged for."""
        return Sold(self.operator_id, account.number, "all", service, code)

    def bind(self, account: Account, **limits: object) -> None:
        """Set the limits of an account."""
        made = Limits(**limits)  # type: ignore[arg-type]  # the names are checked when it is made
        fraud_service.set_account_limits(self.engine, self.clock, account.number, made, by="clerk", note="")

    def assert_sound(self) -> None:
        """Nothing in the books disagrees."""
        assert list(ledger_service.audit(self.engine)) == []


def open_shop(engine: Engine, clock: SettableClock) -> Shop:
    """A shop with 0.05 a megabyte, 0.10 a message, 1.50 a song, and talk at 1.00 a minute."""
    operator = operator_service.create_operator(engine, code="shop", name="Shop", currency="USD", home_country="US")
    rates = [read_rate({**EMPTY, **row}, "USD") for row in ROWS]
    tariff_service.import_tariff(engine, clock, TariffImport(operator.id, "all", "USD", None, "test"), rates)
    return Shop(engine, clock, RateBook(engine, clock), operator.id)
