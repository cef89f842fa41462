"""What staff do with access codes, one short transaction each. A code that is taken away is kept with its reason."""

from sqlalchemy.engine import Engine

from ani.typed_line import typed_line
from billing.accounts import store
from billing.accounts.account import AccountState
from billing.accounts.codes.store import end_code
from billing.accounts.service import check_code, free_code_hash, named_account, open_account
from runtime.clock import Clock
from runtime.database import transaction
from runtime.faults import NotFoundError, StaffError
from runtime.keys import Pepper


def set_code(engine: Engine, clock: Clock, pepper: Pepper, *, number: str, line: str, code: str) -> str:
    """Set the access code that picks this account on a line; gives the line in E.164."""
    check_code(code)
    with transaction(engine) as conn:
        found = open_account(conn, number)
        ani = typed_line(line, found.home_country)
        code_hash = free_code_hash(conn, pepper, ani, code, found.id)
        if not store.set_code(conn, account_id=found.id, ani=ani, code_hash=code_hash, at=clock.now()):
            raise NotFoundError(f"{ani} is not on account {number}")
    return ani


def remove_code(engine: Engine, clock: Clock, *, number: str, line: str, by: str, note: str) -> str:
    """Let a line open this account without an access code; gives the line in E.164.

    Raises NotFoundError where there is no code, StaffError while another account is on the line: without their codes
    nothing tells the two apart.
    """
    with transaction(engine) as conn:
        found = named_account(conn, number)
        ani = typed_line(line, found.home_country)
        on_line = store.every_account_on_line(conn, ani)
        others = [one for one in on_line if one.account_id != found.id and one.state is not AccountState.CLOSED]
        if others and len(others) < len(on_line):
            raise StaffError(
                f"account {others[0].number} is on {ani} too, and the codes tell them apart: take one of them off the "
                "line (`tollgate line remove`)"
            )
        if not end_code(conn, account_id=found.id, ani=ani, at=clock.now(), by=by, note=note):
            raise NotFoundError(f"account {number} has no access code on {ani}")
    return ani
