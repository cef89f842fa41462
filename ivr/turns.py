"""The two turns a gateway takes in a call: before the switch dials, and after it has. Between them it holds nothing.

The decision variable is set as the last act of a turn; where it is missing the switch connects nobody.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sqlalchemy.exc import SQLAlchemyError

from ani.trust.passport import vouched_number
from ani.trust.trust import Evidence, is_diverted, screening_of, verstat_of
from billing.calls.call import CallEvent
from ivr.agi.channel import Channel
from ivr.agi.faults import CallerGone, ChannelFault
from ivr.ami.switch import EARLY_MS
from ivr.back_office import BackOffice, Shelf
from ivr.call import Bye, CallStory, Decision, Dial, StoryRules
from ivr.caller import AgiCaller
from ivr.live_calls import LiveCall, LiveCalls
from ivr.metering import Meter
from ivr.offer import Authorised
from ivr.reception import Ring
from ivr.refusals import NORMAL_CLEARING, TEMPORARY_FAILURE, THANKS, outcome_of, prompt_of_end
from ivr.settlement import Settler
from ivr.switch_record import SwitchRecord, parse_record
from runtime import ids

PROMPT_OF_DIALSTATUS = {
    "BUSY": "busy",
    "NOANSWER": "no-answer",
    "CONGESTION": "congestion",
    "CHANUNAVAIL": "unavailable",
}
PROMPT_OF_CAUSE = {1: "unallocated", 21: "rejected"}
GATEWAY_FAULT = "gateway-fault"
SHOWS_NUMBER = frozenset({"", "none"})
"""Values of the Privacy header (RFC 3323) that let the destination see the number; any other hides it."""
UNHEARD = "UNHEARD"
"""In place of a DIALSTATUS: not dialled, because what had to be said before could not be played."""
TRY_NEXT_TRUNK = frozenset({"CONGESTION", "CHANUNAVAIL"})
FINAL_CAUSES = frozenset({1, 17, 21, 22, 28})


@dataclass(frozen=True, slots=True)
class DialRules:
    """How the switch shall dial, and whose word on a caller's number it takes.

    `asserting` are the endpoints that may say who calls; what any other endpoint asserts is not even read.
    """

    switch: str
    ring_timeout_s: int
    asserting: frozenset[str]


class Turns:
    """The AGI handlers of a gateway."""

    def __init__(
        self,
        shelf: Shelf,
        live: LiveCalls,
        settler: Settler,
        load: Callable[[str], Awaitable[LiveCall | None]],
        story: StoryRules,
        dial: DialRules,
        log: Any,
        connected: Callable[[LiveCall], None] = lambda _: None,
    ) -> None:
        self._shelf = shelf
        self._connected = connected
        self._live = live
        self._settler = settler
        self._load = load
        self._story = story
        self._dial = dial
        self._log = log

    async def call(self, channel: Channel) -> None:
        """`/call`: tell the story, and leave the switch a decision."""
        ring = self._ring(channel)
        office = BackOffice(self._shelf)
        story = CallStory(AgiCaller(channel), office, self._shelf.clock, self._story, ring)
        call = self._live.add(LiveCall(ring.call_id, ring.uniqueid, ring.channel))
        call.events, call.waits_ms, call.in_turn = story.events, office.waits_ms, True
        try:
            decision = await story.tell()
            call.events = story.events
            await self._decide(channel, call, office.authorised, decision)
        except ChannelFault as fault:
            call.events = story.events
            is_gone = isinstance(fault, CallerGone)
            if not is_gone:
                # A prompt file that is not there, most often; no decision is set, so the switch apologises.
                self._log.warning("turn-failed", call=call.call_id, at=story.step, fault=type(fault).__name__)
            if office.authorised is None and not office.is_passed_on:
                ended = f"gone-at-{story.step}" if is_gone else GATEWAY_FAULT
                await self._settler.settle_unanswered(call, ended)
            else:
                # It may be connected: the switch may or may not have got the decision: its own events tell.
                self._log.info("turn-cut", call=call.call_id, fault=type(fault).__name__)
        except Exception:
            # Outermost edge of a turn: the switch apologises, TollgateGone settles, and the server reports the fault.
            call.events = story.events
            call.disposition = GATEWAY_FAULT
            raise
        finally:
            await self._leave(call)

    async def _leave(self, call: LiveCall) -> None:
        """The end of a turn: what the switch said of the caller meanwhile counts now."""
        call.in_turn = False
        if call.gone:
            await self._settler.settle_unanswered(call, call.disposition or "caller-hung-up", source="event")

    def _ring(self, channel: Channel) -> Ring:
        told = [unquote(word) for word in (*channel.args, *([""] * 12))[:12]]
        dnis, asserted, claimed, privacy, endpoint, line_type, diversion, history, result, level, claims, party = told
        asserted = asserted.removesuffix(",")  # the dialplan joins two headers; as a rule there is one
        is_trusted = endpoint in self._dial.asserting
        if not is_trusted:
            asserted = ""
        evidence = Evidence(
            is_trusted=is_trusted,
            is_withheld=privacy.strip().lower() not in SHOWS_NUMBER,
            is_diverted=is_diverted(diversion, history),
            screening=screening_of(party),
            verstat=verstat_of(asserted),
            verify_result=result,
            attestation=level,
            attested_identity=vouched_number(claims, dnis),
            line_type=int(line_type) if line_type.isascii() and line_type.isdigit() else 0,
        )
        return Ring(
            call_id=ids.new_id(),
            switch=self._dial.switch,
            uniqueid=channel.uniqueid,
            channel=channel.name,
            dnis=dnis,
            asserted_identity=asserted,
            claimed_identity=claimed,
            at=self._shelf.clock.now(),
            evidence=evidence,
        )

    async def _decide(
        self, channel: Channel, call: LiveCall, authorised: Authorised | None, decision: Decision
    ) -> None:
        if isinstance(decision, Bye):
            await self._settler.settle_unanswered(call, decision.disposition, decision.cause)
            await self._bye(channel, decision.cause)
            return
        call.destination = decision.destination
        if not decision.is_paid:
            await self._order_dial(channel, call, decision)
            return
        assert authorised is not None  # noqa: S101  (a story ends in a paid Dial only with money held)
        call.rate, call.cap_ms = authorised.rate, authorised.cap_ms
        call.meter = Meter(authorised.granted_ms, authorised.final, 0)
        call.account_id, call.seen_revision = authorised.account_id, authorised.revision
        call.reconsider_due = authorised.is_shared
        call.ani = authorised.ani
        self._connected(call)
        call.trunks_left = authorised.trunks[1:]
        await self._order_dial(channel, call, decision)

    async def _order_dial(self, channel: Channel, call: LiveCall, dial: Dial) -> None:
        call.trunk, call.shown_number = dial.trunk, dial.shown_number
        call.ordered_s = self._shelf.clock.monotonic_s()
        await self._set(
            channel,
            TG_CALL_ID=dial.call_id,
            TG_DEST=dial.destination.removeprefix("+"),
            TG_TRUNK=dial.trunk,
            TG_RING_S=str(self._dial.ring_timeout_s),
            TG_GRANT_S=f"{(dial.granted_ms + EARLY_MS) / 1000:.3f}",
            TG_CALLER=dial.shown_number.removeprefix("+"),
            TG_DECISION="dial",
        )

    async def after_dial(self, channel: Channel) -> None:
        """`/after-dial`: the next trunk, or what became of the call, told to a caller who is still there."""
        call_id, dialstatus, cause_text, record_text = (*channel.args, "", "", "", "")[:4]
        cause = int(cause_text) if cause_text.isascii() and cause_text.isdigit() else 0
        known = self._live.find(call_id, channel.uniqueid) or self._live.settled_on(channel.uniqueid)
        call = known or await self._loaded(call_id)
        if call is None:
            await self._say_goodbye(channel, "goodbye", NORMAL_CLEARING)
            return
        call.in_turn = True
        try:
            await self._after_dial(channel, call, dialstatus, cause, parse_record(record_text))
        finally:
            await self._leave(call)

    async def _loaded(self, call_id: str) -> LiveCall | None:
        """A call that was connected before this process was started; None when it is settled already."""
        try:
            return await self._load(call_id)
        except SQLAlchemyError as fault:
            self._log.warning("after-dial", call=call_id, fault=type(fault).__name__)
            return None

    async def _after_dial(
        self, channel: Channel, call: LiveCall, dialstatus: str, cause: int, record: SwitchRecord | None
    ) -> None:
        if dialstatus == "ANSWER":
            await self._after_conversation(channel, call, record)
            return
        if dialstatus == UNHEARD:
            # No decision is set, so the switch apologises.
            self._log.warning("turn-failed", call=call.call_id, at="announcement", fault="PromptMissing")
            self._note(call, "announcement", "not-played")
            await self._settler.settle_unanswered(call, GATEWAY_FAULT, TEMPORARY_FAILURE, "after-dial")
            return
        self._note(call, "dialled", dialstatus.lower() or "unknown", trunk=call.trunk, cause=cause)
        if dialstatus in TRY_NEXT_TRUNK and cause not in FINAL_CAUSES and call.trunks_left and call.meter:
            trunk, call.trunks_left = call.trunks_left[0], call.trunks_left[1:]
            await self._order_dial(
                channel, call, Dial(call.call_id, call.destination, trunk, call.meter.granted_ms, call.shown_number)
            )
            return
        prompt = PROMPT_OF_CAUSE.get(cause) or PROMPT_OF_DIALSTATUS.get(dialstatus, "unavailable")
        call.events.append(self._said(prompt))
        await self._settler.settle_unanswered(call, prompt, cause or TEMPORARY_FAILURE, "after-dial")
        await self._say_goodbye(channel, prompt, cause or NORMAL_CLEARING)

    async def _after_conversation(self, channel: Channel, call: LiveCall, record: SwitchRecord | None) -> None:
        if record is not None and record.ended_at is not None:
            await self._settler.settle_answered(call, record, "after-dial")
        prompt = prompt_of_end(call.disposition or "")
        if call.ended_for is not None:
            prompt = outcome_of(call.ended_for).prompt
        if prompt != THANKS:
            # Only the settlement, which is over, found out which limit it was.
            await self._settler.note(call.call_id, self._said(prompt))
        await self._say_goodbye(channel, prompt, NORMAL_CLEARING)

    def _note(self, call: LiveCall, step: str, outcome: str, **detail: object) -> None:
        call.events.append(CallEvent(self._shelf.clock.now(), step, outcome, detail))

    def _said(self, prompt: str) -> CallEvent:
        files = _goodbye(prompt)
        return CallEvent(self._shelf.clock.now(), "said", files[0], {"prompts": list(files)})

    async def _say_goodbye(self, channel: Channel, prompt: str, cause: int) -> None:
        await AgiCaller(channel).say(_goodbye(prompt))
        await self._bye(channel, cause)

    async def _bye(self, channel: Channel, cause: int) -> None:
        await self._set(channel, TG_CAUSE=str(cause), TG_DECISION="bye")

    async def _set(self, channel: Channel, **variables: str) -> None:
        await channel.exec("MSet", *(f"{name}={value}" for name, value in variables.items()))


def _goodbye(prompt: str) -> tuple[str, ...]:
    return f"tollgate/{prompt}", "tollgate/goodbye"
