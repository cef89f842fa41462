"""What is known when a call arrives, kept and asked in one transaction of three statements."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection, Engine

from ani import numbers
from ani.lockout import store as lockout_store
from ani.lockout.lockout import Limits, Way, Wrong
from ani.negative import store as negative_store
from ani.numbers import Ani, NumberRefusal
from ani.reverse_match import store as listing_store
from ani.reverse_match.listing import Standing
from ani.trust import store as trust_store
from ani.trust import trust
from ani.trust.trust import OwnRule, TrustRow
from ani.usage import store as usage_store
from ani.usage import usage
from billing.accounts import store as account_store
from billing.accounts.account import LineAccount, reachable
from billing.calls import service as call_service
from billing.calls.call import NewCall
from billing.conditions import store as condition_store
from billing.operators import store as operator_store
from billing.operators.operator import ServiceProfile
from billing.thresholds import store as threshold_store
from billing.thresholds.threshold import NO_CAPS
from ivr import identifying
from ivr.reception import Arrival, Ring
from runtime import database
from runtime.looks import Looks
from runtime.settings import Settings


def _accounts(rows: Sequence[tuple[Any, ...]]) -> tuple[LineAccount, ...]:
    found = sorted(account_store.line_accounts(rows), key=lambda account: account.account_id)
    return tuple(reachable(found))


_OF_LINE = Looks(
    (
        listing_store.CURRENT,
        negative_store.CURRENT,
        lockout_store.WRONG,
        usage_store.USED_AND_HELD,
        condition_store.MODE,
        condition_store.TOLL_BLOCK,
        trust_store.HAS_OWN,
        threshold_store.HAS_ANY,
    ),
    account_store.ON_LINE,
    _accounts,
)


def arrive(engine: Engine, settings: Settings, limits: Limits, ring: Ring) -> Arrival:
    """Open the call's record and look up all that is known of the number dialled and of the line."""
    home = settings.call.home_country
    asserted = numbers.parse_asserted(ring.asserted_identity, home)
    claimed = numbers.parse_identity_header(ring.claimed_identity)
    line = numbers.parse_ani(asserted or claimed, home)
    ani = line.e164 if isinstance(line, Ani) else ""
    with database.transaction(engine) as connection:
        profile = operator_store.profile_for(connection, ring.dnis)
        profile_id = profile.id if profile else None
        new = NewCall(ring.call_id, ring.switch, ring.uniqueid, ring.channel, ring.dnis, ani, ring.at, profile_id)
        call_service.open_call(connection, new)
        if profile is None:
            return Arrival(profile, line, bool(asserted))
        rows = trust.rows_of(ring.evidence, ani, is_asserted=bool(asserted))
        if isinstance(line, NumberRefusal):
            return _of_nobody(connection, ring, profile, line, rows, is_asserted=bool(asserted))
        return _of_line(connection, settings, limits, ring, profile, line, rows, is_asserted=bool(asserted))


def _of_nobody(
    conn: Connection,
    ring: Ring,
    profile: ServiceProfile,
    line: NumberRefusal,
    rows: tuple[TrustRow, ...],
    *,
    is_asserted: bool,
) -> Arrival:
    own = trust_store.own_rules(conn, profile.id)
    verdict = trust.judge(rows, {row: rule.demand for row, rule in own.items()})
    way = Way(ring.dnis, verdict.is_vouched)
    return Arrival(profile, line, is_asserted, trust=verdict, trust_told=trust.told(verdict, own), way=way)


def _of_line(
    conn: Connection,
    settings: Settings,
    limits: Limits,
    ring: Ring,
    profile: ServiceProfile,
    line: Ani,
    rows: tuple[TrustRow, ...],
    *,
    is_asserted: bool,
) -> Arrival:
    ani = line.e164
    way = Way(ring.dnis, trust.is_vouched(rows))
    listing, block, wrong, used, mode, toll_block, has_own, has_thresholds, accounts = _OF_LINE.all(
        conn,
        line=ani,
        now=ring.at,
        in_month=usage.month_of(ring.at),
        profile_id=profile.id,
        **lockout_store.to_look(ring.at, way, ani),
    )
    own: dict[TrustRow, OwnRule] = trust_store.own_rules(conn, profile.id) if has_own else {}
    verdict = trust.judge(rows, {row: rule.demand for row, rule in own.items()})
    standing = identifying.standard_of(settings.vendor).standing(listing, ring.at)
    return Arrival(
        profile,
        line,
        is_asserted,
        listed=standing in {Standing.HELD, Standing.OLD},
        listing=listing,
        standing=standing,
        block=block,
        lock=lockout_store.lock_of(conn, wrong, Wrong(ani, None, "", way, ring.at), limits),
        accounts=accounts,
        month_left_ms=usage.left_ms(profile.month_cap_s * 1000, *used),
        trust=verdict,
        trust_told=trust.told(verdict, own),
        mode=mode,
        toll_block=toll_block,
        caps=threshold_store.caps(conn, profile.operator_id, profile.id, ani) if has_thresholds else NO_CAPS,
        way=way,
    )
