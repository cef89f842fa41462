"""The tariff of an account's own: it prices its calls in place of the service's, and what other services sell it."""

from sqlalchemy.engine import Connection, Engine

from ani.access.service import Staff
from billing.accounts import store
from billing.accounts.account import Account, AccountState
from billing.operators.store import tariff_named
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError


def set_tariff(engine: Engine, number: str, name: str | None, by: Staff) -> Account:
    """Price an account by this tariff of its operator from now on, None by the service's; what is up keeps its price.

    Who did it is kept with the change, as is what it was before.
    Raises NotFoundError for an unknown account or tariff, StaffError for one in another currency or a closed account.
    """
    with transaction(engine) as conn:
        found = store.account_by_number(conn, number, lock=True)
        if found is None:
            raise NotFoundError(f"no account {number}")
        if found.state is AccountState.CLOSED:
            raise StaffError(f"account {number} is closed")
        tariff_id = tariff_id_of(conn, store.operator_id_of(conn, found.id), name, found.currency, "account")
        store.set_tariff(conn, found.id, tariff_id)
        by.keep_change(conn, found.id, f"tariff: {_named(conn, tariff_id)}, was {_named(conn, found.tariff_id)}")
        return store.account_by_id(conn, found.id) or found


def _named(conn: Connection, tariff_id: int | None) -> str:
    return "that of the service" if tariff_id is None else store.tariff_name(conn, tariff_id) or str(tariff_id)


def name_of(engine: Engine, account: Account) -> str | None:
    """The name of an account's own tariff; none where it has none."""
    if account.tariff_id is None:
        return None
    with reading(engine) as conn:
        return store.tariff_name(conn, account.tariff_id)


def tariff_id_of(conn: Connection, operator_id: int, name: str | None, currency: str, whose: str) -> int | None:
    """The operator's tariff of this name, which must be in the currency of what it is to price; none for no name."""
    if name is None:
        return None
    found = tariff_named(conn, operator_id, name)
    if found is None:
        raise NotFoundError(f"the operator has no tariff {name}")
    if found[1] != currency:
        raise StaffError(f"tariff {name} is in {found[1]}, the {whose} in {currency}")
    return found[0]
