"""Why a call went and cost as it did: everything kept of it, in the order it happened (CALL-16)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from billing.calls.call import Call, CallEvent, Cdr
from billing.charging.session import Request, Session
from billing.ledger.transfer import LedgerLine
from billing.money import format_amount
from billing.rating import NO_CONTEXT, Context, Rate
from billing.rating import explain as explain_rate


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the story: when, which record tells it (`call`, `event`, `charging`, `ledger`, `cdr`), and what."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The records of one call."""

    call: Call
    events: tuple[CallEvent, ...]
    session: Session | None
    requests: tuple[Request, ...]
    rate: Rate | None
    ledger_lines: tuple[LedgerLine, ...]
    cdr: Cdr | None
    context: Context = NO_CONTEXT

    @property
    def price_steps(self) -> list[str]:
        """How the price comes about, a step a line; empty for a call that was never priced."""
        if self.rate is None:
            return []
        used_ms = 0 if self.cdr is None else self.cdr.used_ms
        granted_ms = 0 if self.session is None else self.session.granted_ms
        grant = None if self.session is None else self.session.grant
        steps = explain_rate(self.rate, min(used_ms, granted_ms), self.context, grant)
        if used_ms > granted_ms:
            steps.append(f"used {used_ms} ms, granted {granted_ms} ms: what was not granted is not billed")
        if self.cdr is not None and self.cdr.charged_micros:
            steps.append(f"charged {format_amount(self.cdr.charged_micros, self.rate.currency)}, never more than held")
        return steps

    @property
    def timeline(self) -> list[Moment]:
        """Arrival, events, grants, postings and CDR by time; records of one moment stay in that order."""
        return sorted(self._moments(), key=lambda moment: moment.at)

    def _moments(self) -> Iterator[Moment]:
        call = self.call
        yield Moment(call.arrived_at, "call", f"arrived on {call.switch} {call.channel} for {call.dnis}")
        for event in self.events:
            detail = " ".join(f"{key}={value}" for key, value in event.detail.items())
            yield Moment(event.at, "event", f"{event.step}: {event.outcome} {detail}".rstrip())
        currency = "" if self.rate is None else self.rate.currency
        for request in self.requests:
            final = ", final" if request.final else ""
            held = format_amount(request.held_micros, currency)
            yield Moment(
                request.at,
                "charging",
                f"{request.kind} {request.number}: wanted {request.wanted_ms} ms in all,"
                f" granted {request.granted_ms} ms, held {held}{final}",
            )
        for line in self.ledger_lines:
            amount = format_amount(line.amount_micros, line.currency)
            yield Moment(line.at, "ledger", f"{line.transfer_kind}: {line.ledger_kind} {line.owner} {amount}")
        if self.cdr is not None:
            cost = format_amount(self.cdr.charged_micros, currency) if currency else "nothing"
            yield Moment(
                self.cdr.ended_at,
                "cdr",
                f"{self.cdr.disposition}, cause {self.cdr.hangup_cause}, used {self.cdr.used_ms} ms,"
                f" billed {self.cdr.billed_ms} ms, charged {cost}, settled from {self.cdr.settled_from}",
            )
