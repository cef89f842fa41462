"""What the measuring tests share: a house whose customers have PINs, a route to SIPp, and SIPp on both sides."""

import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from billing.accounts.account import Account
from billing.calls.call import Cdr
from dialplan.lab.lab import Lab
from dialplan.routes import service as route_service
from dialplan.routes.route import Route
from tests.ivr.town import CALLING
from tests.live import crowd
from tests.live.crowd import Crowd, PlannedCall, Talk
from tests.live.house import House, open_house


@dataclass(frozen=True, slots=True)
class Customer:
    """An account, its PIN, and a telephone that is nobody's line."""

    account: Account
    pin: str
    telephone: str


@contextmanager
def measuring_house(lab: Lab, url: str, folder: Path, **settings: str) -> Iterator[House]:
    """A house whose calls to +331 go to SIPp."""
    with open_house(lab, url, folder, **settings) as house:
        route_service.add_route(house.town.engine, Route("callee", "331", 1))
        yield house


def customers(house: House, balances_micros: Sequence[int]) -> list[Customer]:
    """One customer for each balance."""
    made = []
    for number, micros in enumerate(balances_micros):
        account = house.town.account(f"customer {number}", micros)
        made.append(Customer(account, house.town.pin(account), f"+1212556{number:04d}"))
    return made


@dataclass(frozen=True, slots=True)
class Measured:
    """A call as the callee saw it and as it was billed."""

    call: PlannedCall
    talk: Talk
    cdr: Cdr


def place(
    lab: Lab,
    house: House,
    folder: Path,
    calls: Sequence[PlannedCall],
    *,
    rate: float,
    limit_s: float,
    failures_allowed: bool = False,
) -> list[Measured]:
    """Place all calls, wait until they are over and billed, and give both sides of each.

    Fails when one is missing; with `failures_allowed` that one is left out, for a test that counts them.
    """
    with (
        crowd.callees(folder / "callees", lab.ports.callee_sip) as callees,
        crowd.callers(folder / "callers", lab.ports.gateway_sip, CALLING, calls, rate=rate) as callers,
    ):
        if failures_allowed:
            with suppress(subprocess.TimeoutExpired):
                callers.process.wait(limit_s)
        else:
            callers.finish(limit_s)
            house.wait_cdrs(len(calls), 30.0)
        cdrs = {cdr.destination.removeprefix("+"): cdr for cdr in house.cdrs()}
        talks = callees.talks() if failures_allowed else _all_talks(callees, calls)
    unbilled = [call.destination for call in calls if call.destination not in cdrs]
    assert failures_allowed or not unbilled, f"{len(unbilled)} without a CDR: {sorted(cdrs)[:3]}"
    whole = [call for call in calls if call.destination in talks and call.destination in cdrs]
    return [Measured(call, talks[call.destination], cdrs[call.destination]) for call in whole]


def _all_talks(callees: Crowd, calls: Sequence[PlannedCall]) -> dict[str, Talk]:
    talks = callees.talks()
    missing = [call.destination for call in calls if call.destination not in talks]
    assert not missing, f"the callee saw no conversation of {missing[:5]}"
    return talks


def off_the_second(chance: random.Random, least_s: int, most_s: int, margin_ms: int) -> int:
    """Milliseconds at random, whole seconds only avoided by the margin."""
    return chance.randrange(least_s, most_s) * 1000 + chance.randrange(margin_ms, 1000 - margin_ms)
