"""The story of a call, from the first ring to the moment the switch may dial, readable aloud.

Nothing here knows Asterisk, SQL or threads: the caller hears and keys, the back office looks up and decides. A refusal
is a value that ends the story with its prompt; a fault is an exception that ends it with an apology played by the
switch. Every step is noted, so that it can be explained afterwards (CALL-16).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from ani.lockout.lockout import LockoutRefusal
from ani.numbers import Ani
from billing.accounts.account import is_pin
from billing.calls.call import CallEvent
from billing.charging.session import ChargeRefusal
from billing.conditions.condition import ConditionRefusal, Unmet
from billing.thresholds.threshold import NO_CAPS
from ivr.age_check import Dialogue, Subject, check_age
from ivr.back_office import BackOffice
from ivr.caller import Caller
from ivr.credit import within_tier
from ivr.dialogue import questions
from ivr.dialogue.entry import Entry, Keyed, Question
from ivr.leaving import Ask, Secret, counted
from ivr.offer import Authorised, Offer, Payer
from ivr.reception import Arrival, Identification, Plan, Ring, needs_vendor, receive, told
from ivr.refusals import WRONG_ENTRIES, CallRefusal, outcome_of
from ivr.self_service import SelfService
from ivr.terms import agree_to_terms
from ivr.toll import PassedOn, TollSide
from runtime.clock import Clock
from sounds import spoken

T = TypeVar("T")

SOUND_FOLDER = "tollgate/"
LONGEST_UNPAID_MS = 86_400_000
"""The deadline of a call that is not ours to end: a switch that lost its network must not keep it for ever."""


@dataclass(frozen=True, slots=True)
class Dial:
    """The switch shall dial: money is held, and the called leg lives for `granted_ms` after it is answered."""

    call_id: str
    destination: str
    trunk: str
    granted_ms: int
    shown_number: str
    is_paid: bool = True


@dataclass(frozen=True, slots=True)
class Bye:
    """The switch shall end the call with this Q.850 cause; `disposition` goes into the record."""

    cause: int
    disposition: str


Decision = Dial | Bye


@dataclass(frozen=True, slots=True)
class StoryRules:
    """How patient the story is."""

    entry_attempts: int
    digit_timeout_ms: int


class CallStory:
    """One caller's way through the dialogue; `tell` is the whole of it."""

    def __init__(self, caller: Caller, office: BackOffice, clock: Clock, rules: StoryRules, ring: Ring) -> None:
        self._caller = caller
        self._office = office
        self._clock = clock
        self._rules = rules
        self._ring = ring
        self.events: list[CallEvent] = []
        self.step = "arrival"
        self._lead: tuple[str, ...] = ()
        self._secret_lead: tuple[str, ...] = ()
        self._toll = TollSide(office, ring, self._ask_until, self._ask, self._note)
        self._self_service = SelfService(office, self._ask, self._entry, self._note)

    async def tell(self) -> Decision:
        """From the ring to the decision; raises the channel's fault when the caller is gone."""
        plan = await self._receive()
        await self._caller.answer()
        outcome = plan if isinstance(plan, StrEnum) else await self._connect(plan)
        return await self._refuse(outcome) if isinstance(outcome, StrEnum) else outcome

    async def _connect(self, plan: Plan) -> Dial | StrEnum:
        if plan.by is Identification.NOBODY:
            return await self._go_on_unpaid(plan)
        payer = await self._identify(plan)
        if isinstance(payer, StrEnum):
            return payer
        qualified = await self._qualify(plan, payer)
        if isinstance(qualified, StrEnum):
            return qualified
        plan = await within_tier(self._office, self._note, self._ring.call_id, plan)
        await self._issue_pin(plan, payer)
        authorised = await self._agree_on_destination(plan, payer)
        if isinstance(authorised, StrEnum | Dial):
            return authorised
        shown = "" if self._ring.withholds_number else plan.shown_number
        return Dial(self._ring.call_id, authorised.destination, authorised.trunk, authorised.granted_ms, shown)

    async def _receive(self) -> Plan | StrEnum:
        arrival = await self._office.arrive(self._ring)
        if needs_vendor(arrival) and isinstance(arrival.line, Ani):
            arrival = await self._ask_vendor(arrival, arrival.line)
        line = arrival.line
        self._note(
            "line",
            "identified" if isinstance(line, Ani) else str(line),
            listed=arrival.listed,
            asserted=arrival.asserted,
            accounts=len(arrival.accounts),
            month_left_s=arrival.month_left_ms // 1000,
            **(arrival.listing.told if arrival.listing is not None else {}),
        )
        if arrival.block is not None:
            self._note("negative", arrival.block.reason, **arrival.block.told)
        self._note("trust", arrival.trust.demand, **arrival.trust_told)
        if arrival.caps != NO_CAPS:
            self._note("usage", "thresholds", **arrival.caps.told)
        plan = receive(arrival) if self._office.can_extend else CallRefusal.NO_SWITCH_LINK
        if plan is LockoutRefusal.LOCKED and arrival.lock is not None:
            self._note("lockout", plan.value, **arrival.lock.told)
        if isinstance(plan, Plan):
            bound = plan.account.told if plan.account is not None else {}
            self._note("reception", plan.by.name.lower(), profile=plan.profile.name, rule=arrival.trust.rule, **bound)
        return plan

    async def _ask_vendor(self, arrival: Arrival, line: Ani) -> Arrival:
        """Whose line it is, from a company, when the listings do not tell enough or lately enough (ANI-2, ANI-4)."""
        self.step = "reverse-match"
        found = await self._office.identify(line, self._ring.call_id)
        self._note(
            "reverse-match", found.outcome.value, standing=arrival.standing, vendor=found.vendor, took_ms=found.took_ms
        )
        return told(arrival, found.outcome, found.listing)

    async def _identify(self, plan: Plan) -> Payer | StrEnum:
        """The account that pays: by the line alone, by access code, or by PIN (ACC-3, PIN-1)."""
        self.step = "identification"
        self._lead = (SOUND_FOLDER + plan.profile.preamble_prompt,)
        if plan.by is Identification.LINE and plan.account is not None:
            return await self._office.payer(plan.account.account_id)
        is_code = plan.by is Identification.ACCESS_CODE
        question = questions.ACCESS_CODE if is_code else questions.PIN

        async def try_entry(digits: str) -> Payer | StrEnum:
            if is_code:
                answer = await self._office.check_access_code(plan, digits)
            else:
                answer = await self._office.check_pin(plan, digits)
            if isinstance(answer, StrEnum):
                self._note(question.name, str(answer), **self._office.lock_told())
            else:
                self._note(question.name, "accepted", account=answer.account_number, **answer.evidence)
            return answer

        secret = Secret.ACCESS_CODE if is_code else Secret.PIN
        ask = counted(self._office, self._ask, self._note, plan, secret, None)
        return await self._ask_until(question, try_entry, ask)

    async def _qualify(self, plan: Plan, payer: Payer) -> StrEnum | None:
        """Agreed to the terms (AGE-6), and of age by a proof given now or before (AGE-1 to AGE-3)."""
        profile = plan.profile
        told = Dialogue(self._entry, self._ask, self._note)
        if profile.terms_version:
            self.step = "terms"
            refusal = await agree_to_terms(self._office, told, self._ring.call_id, profile.id, profile.terms_version)
            if refusal is not None:
                return refusal
        if not profile.age_check:
            return None
        self.step = "age-check"
        subject = Subject(self._ring.call_id, plan.ani, payer.account_id, plan.way, profile)
        return await check_age(self._office, told, subject)

    async def _issue_pin(self, plan: Plan, payer: Payer) -> None:
        """Read out a new PIN where the profile says so and the account has none (PIN-1).

        No key ends its first reading, and only when that was heard the PIN opens the account: who leaves before gets
        another one in his next call. It is read once more before the next question, which a key may cut short.
        """
        if not plan.profile.issue_pin or payer.has_pin:
            return
        self.step = "pin-issue"
        pin = await self._office.issue_pin(payer, plan.profile.pin_range)
        self._note("pin", "not-issued" if pin is None else "issued")
        if pin is None:
            return
        said = spoken.say_digits(pin)
        lead, self._lead = self._lead, ()
        await self._caller.say(lead)
        is_heard = await self._caller.say_whole((SOUND_FOLDER + "your-pin-is", *said))
        if is_heard:
            await self._office.confirm_pin(payer, pin)
            self._secret_lead = (SOUND_FOLDER + "write-it-down", *said)
        self._note("pin", "read-out" if is_heard else "not-read-out")

    async def _agree_on_destination(self, plan: Plan, payer: Payer) -> Authorised | Dial | StrEnum:
        """Ask for a number until one can be reached and paid for, say what it costs, and hold the money (CALL-5, 6)."""
        self.step = "destination"
        balance = spoken.say_money(payer.available_micros, payer.currency)
        self._lead = (*self._lead, SOUND_FOLDER + "your-balance-is", *balance)
        entry = self._entry(questions.DESTINATION)
        refusal: StrEnum = CallRefusal.TOO_MANY_ATTEMPTS
        while not entry.exhausted:
            entry, digits = entry.hear(await self._ask(entry))
            if digits is None:
                continue
            if digits == questions.BLOCK_THIS_LINE:
                self.step = "line-block"
                return await self._toll.block_line(plan)
            if digits.startswith("*"):
                entry = await self._serve(plan, payer, entry, digits)
                continue
            offer = await self._offer(plan, payer, digits)
            if isinstance(offer, Unmet):
                return self._unpaid(plan, await self._toll.unmet(plan, offer, digits, self.events))
            if isinstance(offer, Offer):
                return await self._take(plan, payer, offer)
            self._note("destination", str(offer), dialled="*" * len(digits) if is_pin(digits) else digits)
            if offer is CallRefusal.EMERGENCY_NUMBER:
                return offer
            refusal = offer
            entry = entry.wrong((SOUND_FOLDER + outcome_of(offer).prompt,))
        return refusal

    async def _take(self, plan: Plan, payer: Payer, offer: Offer) -> Authorised | StrEnum:
        if offer.talk_ms < self._office.minimum_talk_ms:
            return offer.shortage
        if plan.toll_block is not None:
            self.step = "bypass"
            if not await self._toll.is_bypassed(plan, plan.toll_block, payer):
                return ConditionRefusal.TOLL_BLOCKED
        return await self._authorise(plan, payer, offer)

    async def _go_on_unpaid(self, plan: Plan) -> Dial | StrEnum:
        """A line of no account, where the service lets such calls go on: ask where to."""
        self.step = "destination"

        async def try_entry(digits: str) -> Dial | StrEnum:
            return self._unpaid(plan, await self._toll.pass_on(plan, digits, self.events))

        return await self._ask_until(questions.DESTINATION, try_entry)

    def _unpaid(self, plan: Plan, passed: PassedOn | StrEnum) -> Dial | StrEnum:
        if isinstance(passed, StrEnum):
            return passed
        call_id, shown = self._ring.call_id, plan.shown_number
        return Dial(call_id, passed.destination, passed.trunk, LONGEST_UNPAID_MS, shown, is_paid=False)

    async def _ask_until(
        self, question: Question, try_entry: Callable[[str], Awaitable[T]], ask: Ask | None = None
    ) -> T | StrEnum:
        """Ask until an answer is not merely wrong; too many attempts when there are no more."""
        entry = self._entry(question)
        while not entry.exhausted:
            entry, digits = entry.hear(await (ask or self._ask)(entry))
            if digits is None:
                continue
            answer = await try_entry(digits)
            if not isinstance(answer, StrEnum) or answer not in WRONG_ENTRIES:
                return answer
            entry = entry.wrong((SOUND_FOLDER + outcome_of(answer).prompt,))
        return CallRefusal.TOO_MANY_ATTEMPTS

    async def _serve(self, plan: Plan, payer: Payer, entry: Entry, keys: str) -> Entry:
        """His own affairs, and back to the question; what did not succeed is one try less."""
        answer = await self._self_service.serve(plan, payer, keys)
        if isinstance(answer, StrEnum):
            return entry.wrong((SOUND_FOLDER + outcome_of(answer).prompt,))
        return replace(entry, lead=answer)

    async def _offer(self, plan: Plan, payer: Payer, digits: str) -> Offer | Unmet | StrEnum:
        """What a destination costs and allows; who has no credit may pay a card in, if the operator has cards."""
        offer = await self._office.offer(plan, payer, digits, self._ring.dnis)
        if not isinstance(offer, Offer):
            return offer
        self._note_offer(offer)
        is_short = offer.talk_ms < self._office.minimum_talk_ms and offer.shortage is ChargeRefusal.NO_CREDIT
        if not is_short or not await self._self_service.may_top_up(plan):
            return offer
        self._lead = (SOUND_FOLDER + outcome_of(ChargeRefusal.NO_CREDIT).prompt,)
        answer = await self._self_service.top_up(plan, payer)
        if isinstance(answer, StrEnum):
            return offer
        self._lead = answer
        offer = await self._office.offer(plan, payer, digits, self._ring.dnis)
        if isinstance(offer, Offer):
            self._note_offer(offer)
        return offer

    async def _authorise(self, plan: Plan, payer: Payer, offer: Offer) -> Authorised | StrEnum:
        price = spoken.say_price(offer.rate.price_per_minute_micros, offer.rate.currency)
        fee = offer.rate.connect_fee_micros
        connect = (SOUND_FOLDER + "connect-fee-is", *spoken.say_price(fee, offer.rate.currency)) if fee else ()
        talk = spoken.say_minutes(offer.talk_ms // 1000)
        files = ("the-price-is", "per-minute", "you-have", "talk-time", "connecting")
        is_, per, have, time, connecting = (SOUND_FOLDER + name for name in files)
        lead, self._lead = self._lead, ()
        await self._say((*lead, is_, *price, per, *connect, have, *talk, time, connecting))
        self.step = "authorisation"
        events, self.events = self.events, []
        return await self._office.authorise(self._ring, plan, payer, offer, events)

    async def _refuse(self, refusal: StrEnum) -> Bye:
        outcome = outcome_of(refusal)
        self._note("refused", str(refusal))
        await self._say((SOUND_FOLDER + outcome.prompt, SOUND_FOLDER + "goodbye"))
        return Bye(outcome.cause, str(refusal))

    def _entry(self, question: Question) -> Entry:
        """A question, led by what is still to be said: so a key pressed during that is kept as the first digit."""
        lead, self._lead = self._lead, ()
        return Entry(question, self._rules.entry_attempts, self._rules.digit_timeout_ms, lead)

    async def _ask(self, entry: Entry) -> Keyed:
        ask = entry.ask()
        self._note("asked", ask.name, prompts=list(ask.files))
        secret, self._secret_lead = self._secret_lead, ()
        return await self._caller.ask(replace(ask, files=(*secret, *ask.files)))

    async def _say(self, files: tuple[str, ...]) -> None:
        self._note("said", files[-1], prompts=list(files))
        await self._caller.say(files)

    def _note_offer(self, offer: Offer) -> None:
        self._note("condition", "met", **offer.condition)
        rate = offer.rate
        self._note(
            "offer",
            "priced",
            destination=offer.destination,
            prefix=rate.prefix,
            tariff_version=rate.tariff_version_id,
            price_per_minute_micros=rate.price_per_minute_micros,
            priced_by=offer.priced_by,
            talk_s=offer.talk_ms // 1000,
            trunk=offer.trunks[0],
        )

    def _note(self, step: str, outcome: str, **detail: object) -> None:
        self.events.append(CallEvent(self._now(), step, outcome, detail))

    def _now(self) -> datetime:
        return self._clock.now()
