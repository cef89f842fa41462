"""How an account is paid for (ACC-7): before use, after it up to a limit, or so with a statement each period."""

from sqlalchemy.engine import Engine

from ani.access.service import Staff
from billing.accounts import store
from billing.accounts.account import Account, AccountKind, AccountState, kind_conflict
from billing.money import format_amount
from runtime.database import transaction
from runtime.faults import NotFoundError, StaffError


def set_limit(engine: Engine, number: str, *, kind: AccountKind | None, limit_micros: int | None, by: Staff) -> Account:
    """Change what kind an account is, how far below zero it may go, or both; what is up keeps what it holds.

    Without a limit it keeps the one it has, and has none once it is prepaid. Without a kind it stays periodic if it
    was, and else is prepaid or postpaid by the limit. Who did it is kept with the change, as is what it was before.

    Raises NotFoundError, and StaffError for a closed account and for a limit that does not cover what is owed and held.
    """
    with transaction(engine) as conn:
        found = store.account_by_number(conn, number, lock=True)
        if found is None:
            raise NotFoundError(f"no account {number}")
        if found.state is AccountState.CLOSED:
            raise StaffError(f"account {number} is closed")
        if limit_micros is None:
            limit_micros = 0 if kind is AccountKind.PREPAID else found.limit_micros
        if kind is None:
            kind = found.kind if found.is_periodic else (AccountKind.POSTPAID if limit_micros else AccountKind.PREPAID)
        conflict = kind_conflict(kind, limit_micros)
        if conflict is not None:
            raise StaffError(conflict)
        if found.balance_micros - found.held_micros + limit_micros < 0:
            raise StaffError(f"account {number} owes or holds more than this limit covers")
        store.set_limit(conn, found.id, limit_micros, is_periodic=kind is AccountKind.PERIODIC)
        was = f"was {found.kind}, {format_amount(found.limit_micros)}"
        by.keep_change(conn, found.id, f"kind: {kind}, limit {format_amount(limit_micros)}, {was}")
        return store.account_by_id(conn, found.id) or found
