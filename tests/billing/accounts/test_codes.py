"""Access codes that are taken away, on both databases."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.lockout.lockout import Limits
from billing.accounts import service, store
from billing.accounts.account import AccountRefusal
from billing.accounts.codes.service import remove_code, set_code
from billing.accounts.tables import account_line
from billing.conditions import service as conditions
from billing.conditions.condition import Terms
from runtime.database import reading
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper
from tests.billing.customers import open_account, sell
from tests.clock import SettableClock

LINE = "+12125550100"
LIMITS = Limits(per_line_hour=3, per_account_half_hour=4, overall_hour=60)


def test_a_code_is_taken_away_with_a_reason(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    open_account(engine, clock, "1")
    service.add_line(engine, clock, pepper, number="1", line=LINE, code="7")
    conditions.set_condition(engine, clock, number="1", line=LINE, terms=Terms(("+12125550101",)), by="ann")
    assert remove_code(engine, clock, number="1", line="2125550100", by="ann", note="shared no more") == LINE
    with reading(engine) as conn:
        assert [found.has_code for found in store.accounts_on_line(conn, LINE)] == [False]
        rows = conn.execute(
            sa.select(
                account_line.c.access_code_hash.is_not(None), account_line.c.removed_by, account_line.c.remove_note
            ).order_by(account_line.c.removed_at.is_not(None))
        )
        assert [tuple(row) for row in rows] == [(False, None, None), (True, "ann", "shared no more")]
    assert service.check_access_code(engine, clock, pepper, LIMITS, LINE, "7") is AccountRefusal.WRONG_CODE
    assert len(conditions.list_conditions(engine, number="1")) == 1
    with pytest.raises(NotFoundError, match="has no access code"):
        remove_code(engine, clock, number="1", line=LINE, by="ann", note="again")
    set_code(engine, clock, pepper, number="1", line=LINE, code="7")


def test_no_code_is_taken_away_that_tells_accounts_apart(engine: Engine, clock: SettableClock, pepper: Pepper) -> None:
    sell(engine)
    for number, code in (("1", "7"), ("2", "8")):
        open_account(engine, clock, number)
        service.add_line(engine, clock, pepper, number=number, line=LINE, code=code)
    with pytest.raises(StaffError, match="account 2 is on"):
        remove_code(engine, clock, number="1", line=LINE, by="ann", note="x")
    service.close_account(engine, clock, number="2", by="ann", note="moved")
    remove_code(engine, clock, number="1", line=LINE, by="ann", note="x")
