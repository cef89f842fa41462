"""Sessions nobody ends: when that is sure, and what of their use is provable (CHG-10).

A call's hold is valid until after the last moment at which it can be up: the switch ends a call by its own clock.
Another service has to say something while its grant is valid, or shortly after. So what is still open then is not up
any more, and whoever should have ended it is gone or cannot be heard. What it last reported is what it is charged for:
it used that much. What it may have used after, less than one grant, is provable by nobody and is not charged.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.charging.session import Session
from billing.charging.validity import given_up_at

LOOK_EVERY_S = 2
"""Sessions of other services that were given up are looked for so often: a fifth of the shortest validity."""


@dataclass(frozen=True, slots=True)
class Reaped:
    """A session that was ended in place of who should have: what was known of its use, and what was charged.

    Of a call `call_id` and `switch` tell which; `used` is in milliseconds, bytes or units as the service counts.
    """

    session_id: str
    account_id: int
    service: str
    valid_until_at: datetime
    used: int
    charged_micros: int
    freed_micros: int
    currency: str
    call_id: str | None = None
    switch: str | None = None


def is_overdue(session: Session, now: datetime, after: timedelta) -> bool:
    """Whether a session is open though its hold ended so long ago."""
    return session.is_open and session.valid_until_at + after < now


def is_given_up(session: Session, now: datetime) -> bool:
    """Whether a session of another service is open though nothing was heard of it for so long."""
    return session.is_open and given_up_at(session.heard_at, session.valid_until_at) < now


def last_heard(session: Session) -> tuple[datetime, datetime] | None:
    """When a session that goes by time began to use it, and until when it is known to have; none when it is not known.

    Only of a session that reported: one that is being connected says nothing.
    """
    began_at = session.began_at
    return None if began_at is None or session.reported_at is None else (began_at, session.reported_at)
