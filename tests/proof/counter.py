"""A client of the charging services: it sends orders, any number of times, and says what it was answered."""

import enum
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from billing.consumption import service as consumption
from billing.consumption.consumption import Debited, Event, Open, Refunded, Reservation, Sold
from billing.ledger import service as ledger_service
from billing.ledger.transfer import ChangedReplayError, Credited
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms, Reach
from billing.tariffs import service as tariff_service
from billing.tariffs.book.service import RateBook
from billing.tariffs.service import TariffImport
from billing.tariffs.tariff import read_rate
from runtime.clock import Clock
from tests.billing.shop import EMPTY

ROWS: tuple[dict[str, str], ...] = (
    {"prefix": "1", "price_per_minute": "0.60", "increments": "1/1"},
    {"prefix": "net", "service": "data", "price": "0.05", "per": "MB", "increments": "1000"},
    {"prefix": "sms", "service": "message", "price": "0.10", "per": "unit"},
)
CODES = {"voice": "12125550188", "data": "net", "message": "sms"}
TARIFF, OPERATOR, DNIS = "all", "shop", "19005550100"


class Kind(enum.StrEnum):
    """What is asked for."""

    OPEN = "open"
    EXTEND = "extend"
    END = "end"
    DEBIT = "debit"
    REFUND = "refund"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Order:
    """A request with the id chosen before it is sent; `amount` is what is wanted, used in all, sold, or paid.

    `key` names the session, event or credit; `number` tells the requests of a session, and the refunds of an event,
    apart.
    """

    kind: Kind
    key: str
    amount: int
    service: str = "voice"
    number: int = 0
    used: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a refusal, or amounts; what does not apply is 0."""

    refused: str = ""
    granted: int = 0
    held_micros: int = 0
    moved_micros: int = 0
    is_replay: bool = False


CHANGED = Answer(refused="changed-replay")


def open_counter(engine: Engine, clock: Clock) -> int:
    """An operator who sells talk at 0.01 a second, data at 0.05 a megabyte and messages at 0.10; gives his id."""
    operator = operator_service.create_operator(engine, code=OPERATOR, name="Shop", currency="USD", home_country="US")
    rates = [read_rate({**EMPTY, **row}, "USD") for row in ROWS]
    tariff_service.import_tariff(engine, clock, TariffImport(operator.id, TARIFF, "USD", None, "test"), rates)
    terms = ProfileTerms(reach=Reach.ABROAD)
    operator_service.create_profile(engine, operator_code=OPERATOR, name="talk", tariff_name=TARIFF, terms=terms)
    operator_service.create_number(engine, dnis=DNIS, operator_code=OPERATOR, profile_name="talk")
    return operator.id


class Counter:
    """Serves one account by the public services; any number of threads may send at once."""

    def __init__(self, engine: Engine, clock: Clock, operator_id: int, account_number: str) -> None:
        self.engine, self.clock = engine, clock
        self._rates = RateBook(engine, clock)
        self._operator_id, self._number = operator_id, account_number

    def send(self, order: Order) -> Answer:
        """Send it, and tell what came back; the database's faults are raised."""
        try:
            return self._answer(order)
        except ChangedReplayError:
            return CHANGED

    def _answer(self, order: Order) -> Answer:
        engine, clock, operator_id = self.engine, self.clock, self._operator_id
        match order.kind:
            case Kind.OPEN:
                return _read(
                    consumption.open_session(
                        engine, clock, self._rates, Open(order.key, self._sold(order.service), order.amount)
                    )
                )
            case Kind.EXTEND:
                return _read(
                    consumption.extend_session(
                        engine, clock, operator_id, order.key, order.number, order.used, order.amount
                    )
                )
            case Kind.END:
                ended = consumption.end_session(engine, clock, operator_id, order.key, order.amount, "test")
                if not isinstance(ended, tuple):
                    return Answer(refused=str(ended))
                return Answer(moved_micros=-ended[0].charged_micros, is_replay=ended[0].is_replay)
            case Kind.DEBIT:
                event = Event(order.key, self._sold(order.service), order.amount)
                return _read(consumption.debit(engine, clock, self._rates, event, "test"))
            case Kind.REFUND:
                key = f"{order.key}.{order.number}"
                return _read(
                    consumption.refund(engine, clock, operator_id, order.key, key, order.amount or None, "test")
                )
            case Kind.CREDIT:
                paid = ledger_service.credit(engine, clock, self._number, order.amount, order.key, "test")
                if not isinstance(paid, Credited):
                    return Answer(refused=str(paid))
                return Answer(moved_micros=order.amount, is_replay=paid.is_replay)

    def _sold(self, service: str) -> Sold:
        return Sold(self._operator_id, self._number, TARIFF, service, CODES[service])


def _read(answer: Reservation | Debited | Refunded | enum.StrEnum) -> Answer:
    if isinstance(answer, Reservation):
        return Answer(granted=answer.granted, held_micros=answer.held_micros, is_replay=answer.is_replay)
    if isinstance(answer, Debited):
        return Answer(moved_micros=-answer.debit.charged_micros, is_replay=answer.is_replay)
    if isinstance(answer, Refunded):
        return Answer(moved_micros=answer.refund.amount_micros, is_replay=answer.is_replay)
    return Answer(refused=str(answer))
