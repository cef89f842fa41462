"""What the simulated tariff costs, worked out a second time and in another way than the product does it.

Quantities are base units: milliseconds, bytes, units. Nothing here imports the product's arithmetic.
"""

from dataclasses import dataclass
from fractions import Fraction

EMPTY = {"destination": "", "price_per_minute": "", "connect_fee": "", "minimum_s": "", "increments": "", "blocked": ""}


@dataclass(frozen=True, slots=True)
class Price:
    """So many micro-units for so many base units, in blocks; `scale` base units are one unit of the API."""

    micros: int
    per: int
    initial: int
    increment: int
    minimum: int = 0
    connect_micros: int = 0
    scale: int = 1

    def of(self, used: int) -> int:
        """What so much use costs."""
        if used <= 0:
            return 0
        blocks = _ceil(max(0, used - self.initial), self.increment)
        billed = max(self.initial + blocks * self.increment, self.minimum)
        return self.connect_micros + _ceil(billed * self.micros, self.per)

    def whole_before(self, granted: int) -> int:
        """The end of the last block that is whole within so much."""
        if granted < self.initial:
            return 0
        return granted - (granted - self.initial) % self.increment

    def hold_fault(self, granted: int, held_micros: int) -> str | None:
        """Why this is not what must be held for a grant, or none: all of its price, or its whole blocks and a part."""
        full_micros = self.of(granted)
        if held_micros == full_micros:
            return None
        if held_micros > full_micros:
            return f"holds {held_micros}, more than its price {full_micros}"
        whole = self.whole_before(granted)
        begins = max(whole, self.minimum if whole == 0 else 0)
        paid_micros = self.of(whole) if whole else self.connect_micros
        length = self.increment if whole else self.initial
        block_micros = (self.of(whole + length) if whole else self.of(self.initial)) - paid_micros
        most = whole + _ceil((held_micros - paid_micros) * length, max(1, block_micros))
        if held_micros < paid_micros or granted > max(most, begins):
            return f"holds {held_micros} for {granted}, which buys no more than {most}"
        return None


def _ceil(amount: int, parts: int) -> int:
    whole, rest = divmod(amount, parts)
    return whole + (1 if rest else 0)


MINUTE = 60_000
VERSIONS: tuple[tuple[dict[str, str], ...], ...] = (
    (
        {"prefix": "33", "price_per_minute": "1.00", "increments": "60/60"},
        {"prefix": "44", "price_per_minute": "0.53", "connect_fee": "0.10", "minimum_s": "30", "increments": "30/6"},
        {"prefix": "49", "price_per_minute": "0.333333", "increments": "1/1"},
        {"prefix": "1", "service": "airtime", "price_per_minute": "0.37", "increments": "10/10"},
        {"prefix": "net", "service": "data", "price": "0.05", "per": "MB", "increments": "1000"},
        {"prefix": "sms", "service": "message", "price": "0.10", "per": "unit"},
        {"prefix": "song", "service": "content", "price": "1.50", "per": "transaction"},
    ),
    (
        {"prefix": "33", "price_per_minute": "1.30", "increments": "60/30"},
        {"prefix": "44", "price_per_minute": "0.47", "connect_fee": "0.05", "minimum_s": "20", "increments": "20/10"},
        {"prefix": "49", "price_per_minute": "0.71", "increments": "1/1"},
        {"prefix": "1", "service": "airtime", "price_per_minute": "0.29", "increments": "30/10"},
        {"prefix": "net", "service": "data", "price": "0.03", "per": "MB", "increments": "4096"},
        {"prefix": "sms", "service": "message", "price": "0.11", "per": "unit"},
        {"prefix": "song", "service": "content", "price": "1.75", "per": "transaction"},
    ),
)
"""The rows of the tariff's versions, as a tariff file has them."""


def prices_of(rows: tuple[dict[str, str], ...]) -> dict[str, Price]:
    """The same rows as the model understands them, by prefix."""
    return {row["prefix"]: _price(row) for row in rows}


def _price(row: dict[str, str]) -> Price:
    text = row.get("price_per_minute") or row["price"]
    micros = int(Fraction(text) * 1_000_000)
    initial, _, increment = row.get("increments", "1").partition("/")
    per, scale = {"MB": (10**6, 1), "unit": (1, 1), "transaction": (1, 1)}.get(row.get("per", ""), (MINUTE, 1000))
    return Price(
        micros,
        per,
        int(initial) * scale,
        int(increment or initial) * scale,
        int(row.get("minimum_s", "0")) * scale,
        int(Fraction(row.get("connect_fee", "0")) * 1_000_000),
        scale,
    )
