"""What truly happened to a call, by its switch: what its settlement is held against."""

from tests.simulation.intents import MeantSession
from tests.simulation.observer import Look, Seen
from tests.simulation.switch import SimCall, SimSwitch
from tests.simulation.virtual import SECOND, VirtualClock

LATEST_US = 4 * SECOND
"""How late at most the gateway hears of an end by an event."""


class Truth:
    """The calls as the switch has them."""

    def __init__(self, look: Look, clock: VirtualClock, switch: SimSwitch) -> None:
        self._look = look
        self._clock = clock
        self._switch = switch
        self.calls_granted = 0

    def began_us(self, meant: MeantSession) -> int | None:
        """When a call was answered, as the switch has it."""
        call = self._switch.calls.get(meant.call_id)
        return None if call is None else call.answered_wall_us

    def call_fault(self, meant: MeantSession, now: Seen) -> str | None:
        """Why the settlement of a call is not what truly happened."""
        call = self._switch.calls.get(meant.call_id)
        rows = self._look.rows(
            "SELECT answered_at, ended_at, used_ms, charged_micros, settled_from FROM cdr WHERE call_id = ?",
            meant.call_id,
        )
        if call is None or len(rows) != 1:
            return f"the call has {len(rows)} CDRs"
        answered_us, ended_us, used, charged_micros, source = rows[0]
        if call.state != "over":
            return f"settled from {source} while its call is {call.state}"
        if (used, charged_micros) != (now.used, now.charged_micros):
            return f"its CDR says {used} used, {charged_micros} charged"
        self.calls_granted += 1
        if answered_us != call.answered_wall_us:
            return f"answered {answered_us}, the switch says {call.answered_wall_us}"
        if answered_us is None:
            return None if used == 0 else "used without an answer"
        if ended_us != call.ended_wall_us and not self._may_end_otherwise(call, ended_us - answered_us, source):
            return f"ended {ended_us}, the switch says {call.ended_wall_us}"
        if used != (ended_us - answered_us) // 1000:
            return f"used {used} from {answered_us} to {ended_us}"
        talked_us = call.over_us - call.answered_us
        if call.steps_at_answer == self._clock.steps and talked_us > now.granted * 1000 + SECOND:
            return f"talked {talked_us} us"
        return None

    def _may_end_otherwise(self, call: SimCall, used_us: int, source: str) -> bool:
        """Whether an end that is not the stamp is right: of a switch that died, or of a wall that was set meanwhile."""
        steps = self._clock.steps - call.steps_at_answer
        talked_us = call.over_us - call.answered_us
        if call.switch_died and source == "switch-lost":
            # the link outlives a switch that dies here, so what was heard last may be later than its death
            return used_us >= 0 and (steps > 0 or call.answered_us + used_us <= self._clock.elapsed_us)
        if source not in {"event", "after-dial"}:
            return False
        return steps > 1 or (steps == 1 and abs(used_us - talked_us) <= LATEST_US)
