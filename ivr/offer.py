"""Who pays for a call, what he is offered, and what was granted. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from billing.charging.session import ChargeRefusal
from billing.conditions.condition import SpendBound
from billing.rating import Rate


@dataclass(frozen=True, slots=True)
class Payer:
    """The account that pays for this call."""

    account_id: int
    account_number: str
    currency: str
    available_micros: int
    has_pin: bool
    tariff_id: int | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    """How old that is by which the account was opened, where something was keyed for it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A destination that can be reached, its rate, and for how long the money lasts at most."""

    destination: str
    trunks: tuple[str, ...]
    rate: Rate
    talk_ms: int
    cap_ms: int
    condition: Mapping[str, object] = field(default_factory=dict)
    spend: SpendBound | None = None
    limit: StrEnum = ChargeRefusal.SESSION_CAP
    """Whose `cap_ms` is."""
    shortage: StrEnum = ChargeRefusal.NO_CREDIT
    """What is said when `talk_ms` is too short to be worth a call."""
    priced_by: str = "service"
    """Whose tariff: the account's own, that of its plan, or the service's."""


@dataclass(frozen=True, slots=True)
class Authorised:
    """Money is held: the called leg may live `granted_ms`; `final` when there is no more to come."""

    session_id: str
    account_id: int
    destination: str
    trunks: tuple[str, ...]
    rate: Rate
    granted_ms: int
    final: bool
    cap_ms: int
    revision: int = 0
    is_shared: bool = False
    ani: str = ""

    @property
    def trunk(self) -> str:
        """The one to be tried first."""
        return self.trunks[0]
