"""What a line may do with toll calls: a call nobody pays for, the bypass code, the subscriber's own block.

(CALL-13, CALL-14, ANI-5.)
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from ani.lockout.lockout import Tell
from billing.blocks import service as block_service
from billing.calls import service as call_service
from billing.calls.call import CallEvent
from billing.charging.session import ChargeRefusal
from billing.conditions import service as condition_service
from billing.conditions.condition import ConditionRefusal, TollBlock, Unmet
from billing.operators import store as operator_store
from ivr.back_office import BackOffice, Shelf
from ivr.dialogue import questions
from ivr.dialogue.entry import Question
from ivr.leaving import Ask, Secret, counted
from ivr.offer import Payer
from ivr.reception import Plan, Ring
from ivr.refusals import CallRefusal
from ivr.wanted import wanted_number
from runtime import database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A call that goes on through the network without a charge."""

    destination: str
    trunk: str


class AskUntil(Protocol):
    """Asks a question until an answer is not merely wrong."""

    async def __call__(
        self, question: Question, try_entry: Callable[[str], Awaitable[T]], ask: Ask | None = None
    ) -> T | StrEnum:
        """The first answer that is not merely wrong, or that there were too many."""
        ...


class Note(Protocol):
    """Notes a step of the call."""

    def __call__(self, step: str, outcome: str, **detail: object) -> None:
        """Keep it for the call's record."""
        ...


class TollSide:
    """One call's toll side."""

    def __init__(self, office: BackOffice, ring: Ring, ask_until: AskUntil, ask: Ask, note: Note) -> None:
        self._office = office
        self._ring = ring
        self._ask_until = ask_until
        self._ask = ask
        self._note = note

    async def unmet(self, plan: Plan, unmet: Unmet, digits: str, events: list[CallEvent]) -> PassedOn | StrEnum:
        """No account pays: it goes on through the network, toll restriction included, or it ends."""
        self._note("condition", unmet.refusal, mode="continue" if plan.continues else "terminate", **unmet.told)
        if not plan.continues:
            return unmet.refusal
        if plan.toll_block is not None:
            self._note("toll-block", "not-connected", **plan.toll_block.told)
            return ConditionRefusal.TOLL_BLOCKED
        return await self.pass_on(plan, digits, events)

    async def pass_on(self, plan: Plan, digits: str, events: list[CallEvent]) -> PassedOn | StrEnum:
        """To the network that the call came from, which charges the line as it would have without us."""
        self._note("passed-on", "unpaid")
        passed = await self._office.with_shelf(_pass_on, self._ring, plan, digits, events)
        if isinstance(passed, StrEnum):
            events.pop()
            self._note("passed-on", str(passed))
        else:
            events.clear()
            self._office.is_passed_on = True
        return passed

    async def is_bypassed(self, plan: Plan, block: TollBlock, payer: Payer) -> bool:
        """On a line with a toll restriction only the bypass code opens toll calls."""

        async def try_entry(digits: str) -> ConditionRefusal | None:
            answer = await self._office.with_shelf(
                _check_bypass, plan, payer.account_id, digits, self._office.locks.append
            )
            told = {**block.told, **self._office.lock_told()}
            self._note("toll-block", "bypassed" if answer is None else str(answer), **told)
            return answer

        ask = counted(self._office, self._ask, self._note, plan, Secret.BYPASS_CODE, payer.account_id)
        return await self._ask_until(questions.BYPASS_CODE, try_entry, ask) is None

    async def block_line(self, plan: Plan) -> StrEnum:
        """The subscriber blocks his line, with the PIN of an account of this line."""

        async def try_entry(digits: str) -> StrEnum:
            answer = await self._office.with_shelf(_block_line, plan, digits, self._office.locks.append)
            self._note("block-pin", str(answer), **self._office.lock_told())
            return answer

        if not plan.ani:
            return CallRefusal.LINE_NOT_IDENTIFIED
        ask = counted(self._office, self._ask, self._note, plan, Secret.PIN, None)
        return await self._ask_until(questions.PIN_TO_BLOCK, try_entry, ask)


def _check_bypass(shelf: Shelf, plan: Plan, account_id: int, code: str, tell: Tell) -> ConditionRefusal | None:
    means = (shelf.engine, shelf.clock, shelf.pepper, shelf.limits)
    return condition_service.check_bypass(
        *means, account_id=account_id, ani=plan.ani, code=code, way=plan.way, tell=tell
    )


def _block_line(shelf: Shelf, plan: Plan, pin: str, tell: Tell) -> StrEnum:
    means = (shelf.engine, shelf.clock, shelf.pepper, shelf.limits)
    return block_service.block_by_pin(*means, plan.ani, pin, way=plan.way, tell=tell)


def _pass_on(shelf: Shelf, ring: Ring, plan: Plan, digits: str, events: list[CallEvent]) -> PassedOn | StrEnum:
    destination = wanted_number(digits, plan.country)
    if isinstance(destination, CallRefusal):
        return destination
    with database.reading(shelf.engine) as connection:
        if operator_store.profile_for(connection, destination.e164) is not None:
            return CallRefusal.DESTINATION_IS_OURS
    trunk = shelf.settings.switch.trunk
    if not call_service.pass_on(shelf.engine, ring.call_id, destination.e164, trunk, events):
        return ChargeRefusal.CALL_ENDED
    return PassedOn(destination.e164, trunk)
