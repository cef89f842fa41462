"""Each limit on how long a call may last ends one on the real switch, in its time and by its name (ANI-6, AGE-4)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ani.usage import store as usage_store
from ani.usage.usage import month_of
from billing.accounts.account import Account
from billing.calls.call import Cdr
from billing.conditions import service as condition_service
from billing.conditions.condition import SpendPeriod, Terms
from billing.fraud import service as fraud_service
from billing.fraud.rules.fraud import Limits
from billing.operators import service as operator_service
from billing.thresholds import service as threshold_service
from billing.thresholds.threshold import Thresholds
from billing.tiers import service as tier_service
from billing.tiers.tier import TierRule
from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import PROMPTS, Lab
from dialplan.lab.polling import wait_for
from runtime.database import transaction
from tests.ivr.town import CALLING, Town
from tests.live import failures
from tests.live.callers import Callers, callers, line_of
from tests.live.failures import LATE_MS
from tests.live.house import House, open_house
from tests.live.recording import likeness

pytestmark = pytest.mark.live

SHORT = {
    "CHARGING__GRANT_S": "4",
    "CHARGING__EXTEND_BEFORE_S": "2",
    "CHARGING__MINIMUM_TALK_S": "2",
    "CALL__WARN_AT_S": "[]",
}
TALKS_FOR_EVER = "01133142685317"
FIVE_SECONDS = 5 * 1_000_000 // 60 + 1
MONTH_CAP_MS = 93 * 60_000
LEAST_LIKENESS = 0.9


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: how it is set for a telephone and its account, and how it shows."""

    disposition: str
    prompt: str
    set_for: Callable[[Town, int, Account], None]
    lasts_ms: int = 5_000


def by_tier(thresholds: Thresholds, spend_cap_micros: int = 0) -> Callable[[Town, int, Account], None]:
    """The line is in a credit tier of its own, which has these."""

    def set_for(town: Town, telephone: int, account: Account) -> None:
        del account
        tier = f"tier-{telephone}"
        profile = operator_service.find_profile(town.engine, "town", "calling")
        rule = TierRule(0, tier, 1 + telephone, 0, spend_cap_micros)
        tier_service.put_rule(town.engine, operator_code="town", rule=rule)
        threshold_service.set_thresholds(town.engine, town.clock, profile.id, tier, thresholds, "test")
        threshold_service.set_tier(town.engine, town.clock, line_of(telephone), tier, source="test", by="test")

    return set_for


def month_left(left_ms: int) -> Callable[[Town, int, Account], None]:
    """Others have talked on the line until so much of its month is left."""

    def set_for(town: Town, telephone: int, account: Account) -> None:
        del account
        line, month = line_of(telephone), month_of(town.clock.now())
        with transaction(town.engine) as conn:
            assert usage_store.hold(conn, line, month, MONTH_CAP_MS - left_ms, MONTH_CAP_MS)

    return set_for


def spend_of_line(town: Town, telephone: int, account: Account) -> None:
    """A condition of the account."""
    terms = Terms(spend_limit_micros=FIVE_SECONDS, spend_period=SpendPeriod.DAY)
    condition_service.set_condition(
        town.engine, town.clock, number=account.number, line=line_of(telephone), terms=terms, by="test"
    )


def spend_of_call(town: Town, telephone: int, account: Account) -> None:
    """A limit against fraud."""
    del telephone
    limits = Limits(spend_per_call_micros=FIVE_SECONDS)
    fraud_service.set_account_limits(town.engine, town.clock, account.number, limits, by="test", note="")


LIMITS = (
    Limit("session-cap-reached", "session-cap-reached", by_tier(Thresholds(session_s=5))),
    Limit("day-cap-reached", "day-cap-reached", by_tier(Thresholds(day_s=5))),
    Limit("tier-month-cap-reached", "month-cap-reached", by_tier(Thresholds(month_s=5))),
    Limit("line-cap-reached", "line-cap-reached", by_tier(Thresholds(line_s=5))),
    Limit("tier-spend-cap-reached", "spend-cap-reached", by_tier(Thresholds(), FIVE_SECONDS)),
    Limit("month-cap-reached", "month-cap-reached", month_left(5_000)),
    Limit("condition-spend-limit", "spend-cap-reached", spend_of_line),
    Limit("call-spend-limit", "spend-cap-reached", spend_of_call),
    # two calls on the last line, and so each has what the other left of its month
    Limit("month-cap-reached", "month-cap-reached", month_left(8_000), 4_000),
)
BESIDE = len(LIMITS)
"""The telephone that calls on the line of the one before it."""


def test_each_limit_ends_a_call_in_its_time_and_by_its_name(
    lab: Lab, sqlite_url: str, tmp_path: Path, watch: ManagerLink
) -> None:
    with open_house(lab, sqlite_url, tmp_path, **SHORT) as house, callers(lab, BESIDE + 1) as group:
        accounts = failures.customers(house, BESIDE)
        rate_callers(house.town)
        for telephone, limit in enumerate(LIMITS):
            limit.set_for(house.town, telephone, accounts[telephone])
        place(group)
        cdrs = failures.must_be_sound(house, accounts, watch, BESIDE + 1)
        group.wait_ended()
        for telephone, limit in enumerate((*LIMITS, LIMITS[-1])):
            line = line_of(min(telephone, BESIDE - 1))
            for cdr in (cdr for cdr in cdrs if cdr.ani == line):
                must_be_ended_by(house, cdr, limit)
            must_have_heard(group, telephone, limit.prompt)


def rate_callers(town: Town) -> None:
    """Callers of the service are put into credit tiers; the lowest, of those without one, limits nothing."""
    profile = operator_service.find_profile(town.engine, "town", "calling")
    tier_service.put_rule(town.engine, operator_code="town", rule=TierRule(0, "any", 0, 0, 0))
    tier_service.bind_service(town.engine, profile.id, is_on=True)


def place(group: Callers) -> None:
    """All call, the last telephone on the line before it, and dial."""
    group.call(CALLING, record=True, among=range(BESIDE))
    group.telephones[BESIDE].call(CALLING, line_of(BESIDE - 1), record=True)
    group.wait_answered()
    group.telephones[0].listen(1.0)
    failures.dial(group, TALKS_FOR_EVER)


def must_be_ended_by(house: House, cdr: Cdr, limit: Limit) -> None:
    """In its time; the CDR and the one line of the log name it."""
    assert (cdr.disposition, cdr.hangup_cause) == (limit.disposition, 16), house.explain(cdr.call_id)
    assert limit.lasts_ms <= cdr.used_ms <= limit.lasts_ms + LATE_MS, cdr
    (told,) = [row for row in house.gateway.log_lines("call") if row["call"] == cdr.call_id]
    assert (told["disposition"], told["cause"]) == (limit.disposition, 16)


def must_have_heard(group: Callers, telephone: int, prompt: str) -> None:
    """What came out of the telephone in the end is this prompt, and no other of a limit."""
    recording = group.telephones[telephone].heard()
    wait_for(recording.exists, "the recording")
    known = {limit.prompt for limit in LIMITS} | {"balance-used-up", "thank-you", "apology"}
    alike = {name: likeness(recording, PROMPTS / f"{name}.wav", last_s=8.0) for name in known}
    assert max(alike, key=alike.__getitem__) == prompt, alike
    assert alike[prompt] >= LEAST_LIKENESS, alike
