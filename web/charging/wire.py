"""What goes over the wire: strict, bounded, and nothing that is not known. Money is text, never a JSON number."""

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from billing.charging.session import Terminated
from billing.consumption.consumption import LARGEST_USE, Debited, Refunded, Reservation
from billing.money import MICROS

Amount = Annotated[int, Field(ge=0, le=LARGEST_USE, description="In the unit of what is sold, total since the start.")]
SomeAmount = Annotated[int, Field(ge=1, le=LARGEST_USE, description="In the unit of what is sold.")]
AccountNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,32}$")]
TariffName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,40}$")]
ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,20}$")]
Code = Annotated[str, StringConstraints(pattern=r"^\+?[0-9A-Za-z._-]{1,32}$")]
AccessNumber = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{1,15}$")]
_SECOND = timedelta(seconds=1)
MoneyText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]


class Strict(BaseModel):
    """Nothing is converted, nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SoldBody(Strict):
    """What is charged for."""

    account: AccountNumber
    tariff: TariffName | None = Field(
        default=None, description="Of the account's operator; without it the account's own, else `standard`."
    )
    service: ServiceName = Field(description="data, message, content, event, voice ... as in the tariff")
    code: Code = Field(description="What of it is sold: its code in the tariff, or the number called.")
    access_number: AccessNumber | None = Field(
        default=None, description="The number it came in on: the tariff may have a surcharge for it."
    )


class SessionBody(SoldBody):
    """Open a session."""

    wanted: SomeAmount
    minimum: Amount = 0
    cap: SomeAmount | None = None


class UpdateBody(Strict):
    """Tell what was used, and ask for more; both are totals since the start."""

    request_number: int = Field(ge=1, le=2**31 - 1, description="Counts up from 1; repeated, it is the same request.")
    used: Amount
    wanted: Amount


class TerminateBody(Strict):
    """End a session."""

    used: Amount
    connected: bool = Field(
        default=True,
        description="False: it never came about; then nothing was used, and no fee for being connected is charged.",
    )

    @model_validator(mode="after")
    def _unused(self) -> Self:
        if not self.connected and self.used:
            raise ValueError("what was not connected used nothing")
        return self


class EventBody(SoldBody):
    """Charge at once."""

    units: SomeAmount = 1


class RefundBody(Strict):
    """Give back; without an amount all that is left."""

    amount: MoneyText | None = Field(default=None, description="Decimal text in the currency of the event: 0.25")


class Money(BaseModel):
    """An amount: decimal text with six places, and its currency (ISO 4217)."""

    amount: str
    currency: str


class SessionAnswer(BaseModel):
    """What a session may use in all; when `final` there is no more to come, as things stand."""

    session: str
    unit: str
    granted: int
    held: Money
    final: bool
    valid_until: datetime = Field(description="Say something before, or the session is ended by what it reported.")
    validity_s: int = Field(description="How long the grant is valid from when the session was last heard, in seconds.")
    replay: bool
    superseded: bool = Field(description="A later request was answered before; this is its answer.")


class EndAnswer(BaseModel):
    """How a session ended."""

    session: str
    unit: str
    used: int
    charged: Money
    balance: Money
    replay: bool


class EventAnswer(BaseModel):
    """What an event cost."""

    event: str
    units: int
    charged: Money
    balance: Money
    at: datetime
    replay: bool


class RefundAnswer(BaseModel):
    """What was given back."""

    refund: str
    event: str
    refunded: Money
    balance: Money
    at: datetime
    replay: bool


class ProblemAnswer(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    errors: list[str] | None = None


def money(micros: int, currency: str) -> Money:
    """An amount on the wire."""
    whole, part = divmod(abs(micros), MICROS)
    return Money(amount=f"{'-' if micros < 0 else ''}{whole}.{part:06d}", currency=currency)


def session_answer(found: Reservation) -> SessionAnswer:
    """A reservation on the wire."""
    return SessionAnswer(
        session=found.session_id,
        unit=found.unit,
        granted=found.granted,
        held=money(found.held_micros, found.currency),
        final=found.final,
        valid_until=found.valid_until_at,
        validity_s=found.valid_for // _SECOND,
        replay=found.is_replay,
        superseded=found.is_superseded,
    )


def end_answer(session_id: str, ended: Terminated, unit: str, used: int) -> EndAnswer:
    """The end of a session on the wire."""
    return EndAnswer(
        session=session_id,
        unit=unit,
        used=used,
        charged=money(ended.charged_micros, ended.currency),
        balance=money(ended.balance_micros, ended.currency),
        replay=ended.is_replay,
    )


def event_answer(made: Debited) -> EventAnswer:
    """An event on the wire."""
    debit = made.debit
    return EventAnswer(
        event=debit.event_id,
        units=debit.units,
        charged=money(debit.charged_micros, debit.currency),
        balance=money(made.balance_micros, debit.currency),
        at=debit.at,
        replay=made.is_replay,
    )


def refund_answer(made: Refunded) -> RefundAnswer:
    """A refund on the wire."""
    return RefundAnswer(
        refund=made.refund.refund_id,
        event=made.refund.event_id,
        refunded=money(made.refund.amount_micros, made.currency),
        balance=money(made.balance_micros, made.currency),
        at=made.refund.at,
        replay=made.is_replay,
    )
