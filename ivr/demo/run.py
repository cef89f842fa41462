"""`make demo`: one prepaid call, from the first ring to the ledger, in front of your eyes."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from billing.accounts.account import Account
from billing.accounts.service import find_account
from billing.calls.call import Cdr
from billing.calls.explanation import Explanation
from billing.ledger.service import audit
from billing.money import format_amount
from dialplan.lab.telephone import Telephone
from ivr.demo import seed
from ivr.demo.books import Books
from ivr.demo.keypad import Cue, Keypad
from ivr.demo.showing import Showing
from ivr.demo.stage import Plan, Section, Stage
from ivr.demo.view import View
from ivr.demo.watch import Watch
from runtime.clock import SystemClock
from runtime.command import CommandError
from sounds.manifest import load_manifest

# Hawaii in the sample tariff: 0.035 a minute in steps of 6 s, so that the money can be seen to fall.
DESTINATION = "18085550104"
SETTINGS: dict[str, Section] = {"call": {"warn_at_s": [10]}, "charging": {"grant_s": 20, "extend_before_s": 5}}
CUES = {
    "tollgate/enter-ssn-last-four": Cue(seed.SSN_LAST_FOUR, 2.5),
    "tollgate/enter-destination": Cue(f"{DESTINATION}#", 2.5),
}
LIMIT_S = 150.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the call; `ring_s` is how long it took to get that far."""

    kept: Explanation
    cdr: Cdr
    account: Account
    was_warned: bool
    ring_s: float
    heard: Path

    @property
    def faults(self) -> list[str]:
        """What is not as it must be."""
        left = format_amount(self.account.balance_micros, self.account.currency)
        found = {
            f"the call ended by {self.cdr.disposition}, not at zero": self.cdr.disposition != "balance-used-up",
            f"the balance is {left}, not zero": self.account.balance_micros != 0,
            "money is still held": self.account.held_micros != 0,
            "the caller was not warned": not self.was_warned,
        }
        return [fault for fault, is_so in found.items() if is_so]


def plan(name: str) -> Plan:
    """Short grants and a late warning, so that half a minute shows them all."""
    return Plan(name, SETTINGS)


def run(stage: Stage, view: View) -> Result:
    """Set up, call, and wait for the bill; raises CommandError with what is wrong when there is none."""
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    account = _set_up(stage, view)
    name, money = " ".join(seed.SUBSCRIBER), format_amount(account.balance_micros, account.currency)
    view.say(f"\n{name} has {money} and calls the toll number {seed.CHECKED_NUMBER}.\n", "bold")
    telephone = Telephone(stage.link(stage.lab.network), stage.lab.network)
    switch = stage.link(stage.lab.gateway)
    books = Books(stage.engine, stage.lab.settings.switch.name, account.id)
    showing = Showing(Watch(load_manifest().texts("en")), books, view, clock)
    keypad = Keypad(telephone, CUES)
    limit_s, ring_s = clock.monotonic_s() + LIMIT_S, 0.0
    with view.call():
        telephone.call(seed.CHECKED_NUMBER, seed.LINE, record=True)
        while True:
            showing.see(switch.next_message(0.05))
            for scene in showing.watch.scenes.values():
                ring_s = ring_s or clock.monotonic_s() - begun_s
                keypad.work(scene, clock.monotonic_s())
            if showing.newest is not None and not showing.watch.scenes:
                break
            late = f"the call did not come to its end in {LIMIT_S:.0f} s: see {stage.log_file}"
            fault = stage.fallen() or (late if clock.monotonic_s() > limit_s else None)
            if fault is not None:
                raise CommandError(fault)
    scene, standing = showing.newest
    if standing is None or standing.kept.cdr is None or standing.account is None:
        raise CommandError(f"the call left no record: see {stage.log_file}")
    heard = stage.folder / "heard.wav"
    shutil.copyfile(telephone.heard(), heard)
    return Result(standing.kept, standing.kept.cdr, standing.account, scene.warned, ring_s, heard)


def check_books(stage: Stage) -> list[str]:
    """What the audit finds wrong with the ledger."""
    return [str(finding) for finding in audit(stage.engine)]


def _set_up(stage: Stage, view: View) -> Account:
    """Everything that must be there before the telephone rings; gives the caller's account."""
    stage.lay_out()
    with view.step("an embedded SQLite database, migrated"):
        stage.make_database()
    with view.step("an operator with its tariff and numbers, a subscriber, a prepaid account"):
        seed.seed(stage.ground)
        account = seed.add_caller(stage.ground)
    with view.step("two Asterisks: the gateway's, and one that plays the telephone network"):
        stage.start_switches()
    with view.step("the Tollgate gateway"):
        stage.start_gateway()
    return find_account(stage.engine, account.number)
