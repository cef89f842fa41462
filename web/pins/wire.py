"""What goes over the wire about PINs: strict and bounded; digits only where they are asked for and answered once."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from billing.pins.allocation import Allocated, AllocationUse
from web.charging.wire import AccountNumber, Money, Strict, money

LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _bounded(moment: datetime) -> datetime:
    if not datetime(2000, 1, 1, tzinfo=UTC) <= moment < LATEST:
        raise ValueError("between 2000 and 2200")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_bounded)]
RangeName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,39}$")]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}$")]


class AllocationBody(Strict):
    """Let a PIN open an account."""

    account: AccountNumber | None = Field(default=None, description="Its number; without it an account is opened.")
    range: RangeName | None = Field(default=None, description="Range of PINs of your operator.")
    expires_at: Moment | None = Field(default=None, description="RFC 3339; else as the range says.")
    pin: Digits | None = Field(
        default=None, description="A PIN you made, beginning with the digits of the range; without it one is drawn."
    )


class AllocationAnswer(BaseModel):
    """An allocation; `pin` only where it was drawn here."""

    key: str
    account: str
    range: str | None
    at: datetime
    expires_at: datetime | None
    pin: str | None
    replay: bool


class UseAnswer(BaseModel):
    """What became of an allocated PIN: `state` is waiting, used, ended or revoked."""

    id: int
    key: str
    account: str
    range: str | None
    site: str | None
    campaign: str | None
    state: str
    at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    first_used_at: datetime | None
    last_used_at: datetime | None
    uses: int
    balance: Money


class UsesAnswer(BaseModel):
    """Allocations in their order; when there may be more, `next_after` is what to ask on with."""

    allocations: list[UseAnswer]
    next_after: int | None


def allocation_answer(made: Allocated) -> AllocationAnswer:
    """An allocation on the wire."""
    return AllocationAnswer(
        key=made.key,
        account=made.account_number,
        range=made.range_name,
        at=made.at,
        expires_at=made.expires_at,
        pin=made.pin,
        replay=made.is_replay,
    )


def use_answer(use: AllocationUse, now: datetime) -> UseAnswer:
    """The use of an allocation on the wire."""
    return UseAnswer(
        id=use.id,
        key=use.key,
        account=use.account_number,
        range=use.range_name,
        site=use.site,
        campaign=use.campaign,
        state=use.state(now),
        at=use.at,
        expires_at=use.expires_at,
        revoked_at=use.revoked_at,
        first_used_at=use.first_used_at,
        last_used_at=use.last_used_at,
        uses=use.uses,
        balance=money(use.balance_micros, use.currency),
    )
