"""What the switch remembers of a called leg: stamps made in the dialplan, read from events or from AstDB. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runtime.database import from_micros

FAMILY = "tollgate"


@dataclass(frozen=True, slots=True)
class SwitchRecord:
    """When the called leg was answered and when it ended (None: still up, or the switch died), and the Q.850 cause.

    By the switch's wall clock, as it was read: an end before the answer tells that it was set back meanwhile.
    """

    answered_at: datetime
    ended_at: datetime | None
    cause: int

    @property
    def used(self) -> timedelta:
        """How long it was up; zero while it is, or where the stamps run backwards."""
        return max(timedelta(0), self.ended_at - self.answered_at) if self.ended_at else timedelta(0)


def parse_stamp(text: str) -> datetime | None:
    """A stamp `seconds.micros` since 1970; None for anything else."""
    whole, dot, fraction = text.partition(".")
    if not (dot and whole.isascii() and whole.isdigit() and fraction.isascii() and fraction.isdigit()):
        return None
    if len(whole) > 11 or len(fraction) != 6:
        return None
    return from_micros(int(whole) * 1_000_000 + int(fraction))


def parse_record(text: str) -> SwitchRecord | None:
    """The value `answered|ended|cause` of DB(tollgate/CALL); None when it is not one."""
    parts = text.split("|")
    if len(parts) != 3:
        return None
    return record_of(parts[0], parts[1], parts[2])


def record_of(answered: str, ended: str, cause: str) -> SwitchRecord | None:
    """The same from the three parts, as the event TollgateEnded carries them."""
    answered_at, ended_at = parse_stamp(answered), parse_stamp(ended)
    if answered_at is None or (ended and ended_at is None):
        return None
    code = int(cause) if cause.isascii() and cause.isdigit() and len(cause) <= 3 else 0
    return SwitchRecord(answered_at, ended_at, code)
