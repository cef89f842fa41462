"""Who hangs up while he is asked for a secret, after he keyed something there, has used one more try (AGE-5).

Else a dialler could hang up and call again whenever his tries run out. Who hangs up at the first question without an
answer has tried nothing: people who called by mistake, or have not got their PIN at hand, are not locked out.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum

from ani.qualification.service import count_hang_up
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.dialogue.entry import Entry, Keyed
from ivr.reception import Plan


class Secret(StrEnum):
    """What is asked for, as wrong entries of it are counted."""

    PIN = "pin"
    ACCESS_CODE = "access-code"
    CARD = "card"
    BYPASS_CODE = "bypass-code"


Ask = Callable[[Entry], Awaitable[Keyed]]


def counted(
    office: BackOffice, ask: Ask, note: Callable[[str, str], None], plan: Plan, secret: Secret, account_id: int | None
) -> Ask:
    """`ask`, which counts a caller who leaves during a second or later try as a wrong entry, and then goes on as ever.

    `account_id` is the account whose secret is asked for, where it is known already.
    """

    async def ask_and_count(entry: Entry) -> Keyed:
        try:
            return await ask(entry)
        except CallerGone:
            if entry.has_keyed:
                note(secret.value, "hung-up")
                await office.with_shelf(_count, plan, secret, account_id)
            raise

    return ask_and_count


def _count(shelf: Shelf, plan: Plan, secret: Secret, account_id: int | None) -> None:
    means = (shelf.engine, shelf.clock, shelf.limits)
    count_hang_up(*means, ani=plan.ani, account_id=account_id, kind=secret.value, way=plan.way)
