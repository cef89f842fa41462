"""What a subscriber asks of a service (a web site) about toll calls from his own line, pure (ANI-5)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ani.negative.block import Block

_BY = "subscriber by "


class OwnBlockRefusal(StrEnum):
    """Why nothing is done, though the PIN is right."""

    NOT_BLOCKED = "block-unknown"
    END_PAST = "block-end-past"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for what line: the service's name for the record, its operator, the id of its request, the PIN.

    The id is 32 hex digits, the same for the same request; `service` has at most 24 characters.
    """

    service: str
    operator_id: int
    request_id: str
    ani: str
    pin: str = field(repr=False)

    @property
    def by(self) -> str:
        """Who blocked or lifted, at most 80 characters; a replay is known again by it."""
        return f"{_BY}{self.service}, request {self.request_id}"

    @property
    def by_any_key(self) -> str:
        """What every `by` of this request is like (`%`: anything), with whatever key of the operator it was sent."""
        return f"{_BY}%, request {self.request_id}"


@dataclass(frozen=True, slots=True)
class OwnBlock:
    """The block that a request made; by now it may be lifted or past."""

    block: Block
    is_replay: bool


@dataclass(frozen=True, slots=True)
class OwnLift:
    """How many blocks a request lifted, and when."""

    lifted: int
    at: datetime
    is_replay: bool
