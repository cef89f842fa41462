"""What the database says of a call at this moment: whose it is, what is held, and what is left of the money."""

from dataclasses import dataclass

from sqlalchemy.engine import Engine

from ani.reverse_match import store as listing_store
from billing.accounts import store as account_store
from billing.accounts.account import Account
from billing.calls import service as call_service
from billing.calls import store as call_store
from billing.calls.explanation import Explanation
from billing.money import format_amount
from billing.rating import charge_micros
from ivr.demo.watch import Line, Scene, Who
from runtime.database import reading


@dataclass(frozen=True, slots=True)
class Standing:
    """A call, its payer, and what is known of the line."""

    kept: Explanation
    account: Account | None
    subscriber: str

    def left_micros(self, used_ms: int) -> int:
        """The account's money after this conversation, were it to end now: by the function that bills."""
        if self.account is None:
            return 0
        session, rate = self.kept.session, self.kept.rate
        if session is None or rate is None or not session.is_open:
            return self.account.balance_micros
        return self.account.balance_micros - charge_micros(rate, used_ms, session.grant, self.kept.context)


class Books:
    """Read again and again while calls are up; remembers what it has told."""

    def __init__(self, engine: Engine, switch: str, expected_account_id: int | None = None) -> None:
        """`expected_account_id` is shown until the gateway has noted who pays."""
        self._engine = engine
        self._switch = switch
        self._expected_account_id = expected_account_id
        self._ids: dict[str, str] = {}
        self._told: dict[str, int] = {}
        self._named: set[str] = set()

    def look(self, scene: Scene) -> Standing | None:
        """The call on this caller's leg as it is kept now; none before the gateway has noted it."""
        call_id = self._ids.get(scene.uniqueid) or self._find(scene.uniqueid)
        if call_id is None:
            return None
        kept = call_service.explain(self._engine, call_id)
        with reading(self._engine) as conn:
            listing = listing_store.current_listing(conn, kept.call.ani) if kept.call.ani else None
            account_id = kept.call.account_id or self._expected_account_id
            account = account_store.account_by_id(conn, account_id) if account_id is not None else None
        names = (listing.identity.first_name, listing.identity.last_name) if listing else ()
        return Standing(kept, account, " ".join(name for name in names if name))

    def news(self, standing: Standing) -> list[Line]:
        """What this standing has that no earlier one had: who calls, and each grant."""
        call, lines = standing.kept.call, []
        if call.call_id not in self._named:
            self._named.add(call.call_id)
            lines.append(Line(Who.GATEWAY, _line(call.ani, standing)))
            lines.append(Line(Who.GATEWAY, f"keeps it as call {call.call_id}"))
        told = self._told.get(call.call_id, 0)
        for request in standing.kept.requests[told:]:
            currency = standing.kept.rate.currency if standing.kept.rate else ""
            held = format_amount(request.held_micros, currency)
            what = "held for the first" if request.number == 0 else f"now held in all (extension {request.number}), for"
            final = ", all there is" if request.final else ""
            if request.kind != "terminate":
                lines.append(Line(Who.MONEY, f"{held} {what} {_seconds(request.granted_ms)}{final}"))
        self._told[call.call_id] = len(standing.kept.requests)
        return lines

    def _find(self, uniqueid: str) -> str | None:
        with reading(self._engine) as conn:
            live = [row.call for row in call_store.live_calls(conn, self._switch)]
            ended = call_store.list_cdrs(conn, limit=20)
        ids = {row.uniqueid: row.call_id for row in live} | {row.uniqueid: row.call_id for row in ended}
        found = ids.get(uniqueid)
        if found is not None:
            self._ids[uniqueid] = found
        return found


def _line(ani: str, standing: Standing) -> str:
    if not ani:
        return "the network asserts no number for this line"
    who = f", listed as {standing.subscriber}" if standing.subscriber else ""
    return f"the line is {ani}{who}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d} s"
