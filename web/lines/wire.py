"""What goes over the wire about a subscriber's own blocks: strict and bounded; the PIN is asked for, never answered."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from billing.blocks.own_block import OwnBlock, OwnLift
from web.charging.wire import Strict
from web.pins.wire import Digits, Moment

Line = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
Note = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,198}[!-~])?$")]


class ProvenBody(Strict):
    """A line, and the PIN of an account that has it."""

    line: Line = Field(description="E.164: +12125550100")
    pin: Digits = Field(description="PIN of an account of your operator that has this line.")
    note: Note = Field(default="by a web service, with the PIN", description="Kept in the record.")


class BlockBody(ProvenBody):
    """Block toll calls from a line, for its subscriber."""

    until: Moment | None = Field(default=None, description="RFC 3339; without it until it is lifted.")
    ends_calls: bool = Field(default=False, description="Also end calls from the line that are up.")


class LiftBody(ProvenBody):
    """Lift what the subscriber blocked."""


class BlockAnswer(BaseModel):
    """The block that the request made; `lifted_at` when it was lifted since."""

    line: str
    reason: str
    blocked_at: datetime
    until: datetime | None
    ends_calls: bool
    lifted_at: datetime | None
    replay: bool


class LiftAnswer(BaseModel):
    """How many blocks of the subscriber the request lifted, and when."""

    line: str
    lifted: int
    lifted_at: datetime
    replay: bool


def block_answer(made: OwnBlock) -> BlockAnswer:
    """A block on the wire."""
    block = made.block
    return BlockAnswer(
        line=block.ani,
        reason=block.reason.value,
        blocked_at=block.blocked_at,
        until=block.expires_at,
        ends_calls=block.ends_calls,
        lifted_at=block.lifted_at,
        replay=made.is_replay,
    )


def lift_answer(line: str, made: OwnLift) -> LiftAnswer:
    """A lift on the wire."""
    return LiftAnswer(line=line, lifted=made.lifted, lifted_at=made.at, replay=made.is_replay)
