"""How long a grant of another service is valid, and how long its hold is kept when nothing more is said (CHG-10), pure.

The hold is kept half as long again as the grant was valid for, ten minutes at most: a word may be late. Who reaps has
the rest, so that no hold is older than twice the time its grant was valid for.
"""

from datetime import datetime, timedelta

RENEWED_FOR = timedelta(hours=1)
"""How long a grant is valid that does not go by time."""
SHORTEST = timedelta(seconds=10)
"""For less than that no grant is valid: who reaps looks every few seconds."""
SHORTEST_OF_MUCH_MS = 60_000
"""So long is valid what was granted that much in all, however little of it is left: a request may be sent again."""
LATE_FOR = timedelta(minutes=10)
"""How late a word may be at most."""
_MILLISECOND = timedelta(milliseconds=1)


def valid_for(granted: int, used: int, *, by_time: bool) -> timedelta:
    """How long a session may be silent that may use so much in all, and has used so much.

    By time (milliseconds): as long as it may go on; at least a minute, or all it was granted where that is less.
    """
    if not by_time:
        return RENEWED_FOR
    return max(SHORTEST, max(granted - used, min(granted, SHORTEST_OF_MUCH_MS)) * _MILLISECOND)


def given_up_at(heard_at: datetime, valid_until_at: datetime) -> datetime:
    """When a session that was last heard then, and whose grant is valid until then, is ended by others."""
    return valid_until_at + min(LATE_FOR, (valid_until_at - heard_at) // 2)
