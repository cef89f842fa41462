"""What a caller can do for himself where he is asked for a destination: star and a digit.

`*1` pays a card into his account (CALL-12), `*2` lets the line he calls from open it, `*3` takes that line off again
(ANI-9). Binding and taking off need the account's PIN, keyed in this call, and a line that the network vouches for.
"""

from collections.abc import Callable
from enum import StrEnum

from ani.lockout.lockout import Tell
from billing.accounts import service as account_service
from billing.accounts.account import AccountRefusal, BindRefusal
from billing.accounts.binding import service as binding_service
from billing.cards import service as card_service
from billing.cards.card import TopUpRefusal
from billing.cards.redeeming.service import ToppedUp
from ivr.back_office import BackOffice, Shelf
from ivr.dialogue import questions
from ivr.dialogue.entry import Entry, Question
from ivr.leaving import Ask, Secret, counted
from ivr.offer import Payer
from ivr.reception import Identification, Plan
from ivr.refusals import WRONG_ENTRIES, CallRefusal, outcome_of
from sounds import spoken

TOP_UP, BIND, UNBIND = "*1", "*2", "*3"

NewEntry = Callable[[Question], Entry]
Note = Callable[..., None]
Said = tuple[str, ...]


class SelfService:
    """One caller's own affairs; each answer is what he hears next, led into the next question."""

    def __init__(self, office: BackOffice, ask: Ask, entry: NewEntry, note: Note) -> None:
        self._office = office
        self._ask = ask
        self._entry = entry
        self._note = note

    async def serve(self, plan: Plan, payer: Payer, keys: str) -> Said | StrEnum:
        """Do what was keyed; a refusal is said and the dialogue goes on."""
        if keys == TOP_UP:
            return await self.top_up(plan, payer)
        if keys in {BIND, UNBIND} and plan.profile.bind_line:
            return await self._change_line(plan, payer, keys)
        return CallRefusal.DESTINATION_NOT_VALID

    async def top_up(self, plan: Plan, payer: Payer) -> Said | StrEnum:
        """Ask for a card and pay it in; who keys nothing wants none."""
        entry = self._entry(questions.CARD)
        ask = counted(self._office, self._ask, self._note, plan, Secret.CARD, payer.account_id)
        while not entry.exhausted:
            keyed = await ask(entry)
            if not keyed.digits:
                return CallRefusal.NO_CARD
            entry, digits = entry.hear(keyed)
            if digits is None:
                continue
            answer = await self._office.with_shelf(_pay_in, plan, payer.account_id, digits, self._office.locks.append)
            if isinstance(answer, ToppedUp):
                self._note("top-up", f"card {answer.serial}")
                balance = spoken.say_money(answer.balance_micros, answer.currency)
                return ("tollgate/voucher-accepted", "tollgate/your-balance-is", *balance)
            self._note("top-up", str(answer), **self._office.lock_told())
            if answer not in WRONG_ENTRIES:
                return answer
            entry = entry.wrong((_prompt(answer),))
        return CallRefusal.TOO_MANY_ATTEMPTS

    async def may_top_up(self, plan: Plan) -> bool:
        """Whether the operator sells cards, so that a caller without credit may have one at hand."""
        return await self._office.with_shelf(_sells_cards, plan.profile.operator_id)

    async def _change_line(self, plan: Plan, payer: Payer, keys: str) -> Said | StrEnum:
        if not plan.shown_number:
            return BindRefusal.NOT_ASSERTED
        proof = None if plan.by is Identification.PIN else await self._prove(plan, payer)
        if proof is not None:
            return proof
        is_bound = keys == BIND
        change = _bind if is_bound else _unbind
        refusal = await self._office.with_shelf(change, payer.account_id, plan.ani)
        self._note("line", str(refusal or ("bound" if is_bound else "unbound")))
        return refusal or (("tollgate/line-bound" if is_bound else "tollgate/line-unbound"),)

    async def _prove(self, plan: Plan, payer: Payer) -> StrEnum | None:
        """The account's own PIN, as often as it may be tried."""
        entry = self._entry(questions.PIN)
        ask = counted(self._office, self._ask, self._note, plan, Secret.PIN, payer.account_id)
        while not entry.exhausted:
            entry, digits = entry.hear(await ask(entry))
            if digits is None:
                continue
            answer = await self._office.with_shelf(_prove, plan, payer.account_id, digits, self._office.locks.append)
            self._note("pin", str(answer or "proven"), **self._office.lock_told())
            if answer is None or answer not in WRONG_ENTRIES:
                return answer
            entry = entry.wrong((_prompt(answer),))
        return CallRefusal.TOO_MANY_ATTEMPTS


def _pay_in(shelf: Shelf, plan: Plan, account_id: int, digits: str, tell: Tell) -> ToppedUp | TopUpRefusal:
    means = (shelf.engine, shelf.clock, shelf.pepper, shelf.limits)
    return account_service.top_up(*means, ani=plan.ani, account_id=account_id, digits=digits, way=plan.way, tell=tell)


def _bind(shelf: Shelf, account_id: int, ani: str) -> BindRefusal | None:
    return binding_service.bind_line(shelf.engine, shelf.clock, account_id=account_id, ani=ani)


def _unbind(shelf: Shelf, account_id: int, ani: str) -> BindRefusal | None:
    return binding_service.unbind_line(shelf.engine, shelf.clock, account_id=account_id, ani=ani)


def _sells_cards(shelf: Shelf, operator_id: int) -> bool:
    return card_service.sells_cards(shelf.engine, operator_id)


def _prove(shelf: Shelf, plan: Plan, account_id: int, pin: str, tell: Tell) -> AccountRefusal | None:
    means = (shelf.engine, shelf.clock, shelf.pepper, shelf.limits)
    return account_service.prove_pin(*means, ani=plan.ani, account_id=account_id, pin=pin, way=plan.way, tell=tell)


def _prompt(refusal: StrEnum) -> str:
    return f"tollgate/{outcome_of(refusal).prompt}"
