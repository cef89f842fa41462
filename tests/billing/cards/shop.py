"""A kiosk: an operator that sells cards, with the means to make, print, activate and use them."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
from sqlalchemy.engine import Engine

from ani.lockout.lockout import Limits
from billing.accounts import service as account_service
from billing.accounts.account import Account, AccountRefusal
from billing.cards import service
from billing.cards.batch import CardClass, Inventory
from billing.cards.card import CardState
from billing.cards.printing import service as printing_service
from runtime.keys import Pepper
from tests.billing.customers import sell
from tests.clock import SettableClock

LIMITS = Limits(per_line_hour=5, per_account_half_hour=10, overall_hour=60)
LINE = "+12125550177"
TEN = 10_000_000


@dataclass(frozen=True, slots=True)
class Kiosk:
    """What the tests of cards build on."""

    engine: Engine
    clock: SettableClock
    pepper: Pepper
    folder: Path
    identity: pyrage.x25519.Identity = field(default_factory=pyrage.x25519.Identity.generate)

    def plan(self, name: str, cards: int, card_class: CardClass | None = None, **wanted: object) -> None:
        """A batch of ten-dollar cards, unless another class is given."""
        service.create_batch(
            self.engine,
            self.clock,
            operator_code="acme",
            name=name,
            card_class=card_class or CardClass("ten", TEN),
            cards=cards,
            by="test",
            **wanted,  # type: ignore[arg-type]  # whatever the service takes
        )

    def export(self, name: str) -> list[tuple[str, str]]:
        """Print a batch; gives serial numbers and PINs as the printer reads them."""
        path = self.folder / f"{name}.age"
        printing_service.export_batch(self.engine, self.clock, self.pepper, self.order(name))
        text = pyrage.decrypt(path.read_bytes(), [self.identity]).decode()
        return [(row["serial"], row["pin"]) for row in csv.DictReader(io.StringIO(text))]

    def order(self, name: str) -> printing_service.Export:
        """What is asked of the printer."""
        return printing_service.Export(name, self.folder / f"{name}.age", (str(self.identity.to_public()),), "test")

    def activate(self, name: str, serials: tuple[str, str] | None = None) -> int:
        """Activate cards."""
        to = CardState.ACTIVATED
        return service.change_batch(self.engine, self.clock, name=name, to=to, serials=serials, by="test", note="sold")

    def cards(self, name: str, number: int, card_class: CardClass | None = None) -> list[tuple[str, str]]:
        """A batch, printed and activated."""
        self.plan(name, number, card_class)
        printed = self.export(name)
        self.activate(name)
        return printed

    def key(self, pin: str, line: str = LINE) -> int | AccountRefusal:
        """A caller keys a PIN."""
        return account_service.check_pin(self.engine, self.clock, self.pepper, LIMITS, line, pin)

    def account(self, number: str) -> Account:
        """An account by its number: of a card, its serial number."""
        return account_service.find_account(self.engine, number)

    def inventory(self, name: str) -> Inventory:
        """A batch, counted."""
        return service.describe_batch(self.engine, self.clock, name)[0]

    def counts(self, name: str) -> dict[str, int]:
        """Cards by state."""
        return {state.value: cards for state, cards in self.inventory(name).counts.items()}


def open_kiosk(engine: Engine, clock: SettableClock, pepper: Pepper, folder: Path) -> Kiosk:
    """The kiosk of operator acme."""
    sell(engine)
    return Kiosk(engine, clock, pepper, folder)
