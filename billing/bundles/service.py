"""What staff do about bundles: offer them, give them to accounts, look at them, close them. Each one transaction."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from billing.accounts import store as account_store
from billing.accounts.account import Account, AccountState
from billing.allowances import store as allowance_store
from billing.allowances.period import end_of
from billing.bundles import store
from billing.bundles.offer import Given, Offer, Use
from billing.tariffs import service as tariff_service
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError

USES_SHOWN = 50


def create(engine: Engine, clock: Clock, offer: Offer, *, by: str) -> Offer:
    """Offer a bundle; without an operator code it is the only operator's. Raises NotFoundError, StaffError."""
    try:
        with transaction(engine) as conn:
            owner = tariff_service.find_owner(conn, offer.operator_code or None)
            store.add_offer(conn, owner.id, offer, clock.now(), by)
    except IntegrityError:
        raise StaffError(f"there is an offer {offer.name} already") from None
    return replace(offer, operator_code=owner.code)


def grant(
    engine: Engine, clock: Clock, number: str, name: str, *, by: str, expires_at: datetime | None = None
) -> Given:
    """Give an account a bundle of its operator's offers, from now on, for the calls that begin from now on.

    `expires_at` in place of the end of the period. Raises NotFoundError, StaffError.
    """
    now = clock.now()
    with transaction(engine) as conn:
        found = _locked(conn, number)
        if found.state is AccountState.CLOSED:
            raise StaffError(f"account {number} is closed")
        offer = _offer(conn, found.operator_code, name)
        if offer.closed_at is not None:
            raise StaffError(f"offer {name} is closed")
        ends_at = expires_at or end_of(now, offer.period)
        if ends_at is not None and ends_at <= now:
            raise StaffError("it would have expired already")
        given = replace(offer.bundle, expires_at=ends_at)
        bundle_id = allowance_store.add_bundle(
            conn, found.id, given, now, period=offer.period, renews=offer.renews, by=by
        )
        return _given(conn, bundle_id)


def offers(engine: Engine, operator_code: str | None = None) -> list[Offer]:
    """Everything that is or was offered."""
    with reading(engine) as conn:
        return store.offers(conn, operator_code)


def bundles(engine: Engine, clock: Clock, number: str) -> list[Given]:
    """The bundles of an account, with those whose next period has begun as they would be if they were used now."""
    now = clock.now()
    with reading(engine) as conn:
        found = account_store.account_by_number(conn, number)
        if found is None:
            raise NotFoundError(f"no account {number}")
        return [_as_of(one, now) for one in store.bundles_of(conn, found.id)]


def show(engine: Engine, clock: Clock, bundle_id: int) -> tuple[Given, list[Use]]:
    """A bundle of an account and who used it; raises NotFoundError."""
    with reading(engine) as conn:
        return _as_of(_given(conn, bundle_id), clock.now()), store.uses(conn, bundle_id, USES_SHOWN)


def show_offer(engine: Engine, operator_code: str | None, name: str) -> Offer:
    """An offer; raises NotFoundError, StaffError."""
    with reading(engine) as conn:
        return _offer(conn, tariff_service.find_owner(conn, operator_code).code, name)


def close_offer(engine: Engine, clock: Clock, operator_code: str | None, name: str, *, by: str, note: str) -> Offer:
    """Give it to nobody any more; who has one keeps it. Raises NotFoundError, StaffError."""
    now = clock.now()
    with transaction(engine) as conn:
        owner = tariff_service.find_owner(conn, operator_code)
        offer = _offer(conn, owner.code, name)
        if offer.closed_at is not None:
            raise StaffError(f"offer {name} is closed already")
        store.close_offer(conn, owner.id, name, now, by, note)
    return replace(offer, closed_at=now)


def close(engine: Engine, clock: Clock, bundle_id: int, *, by: str, note: str) -> Given:
    """End a bundle: no session begins with it, none gets more of it, and no period follows. Raises StaffError."""
    now = clock.now()
    with transaction(engine) as conn:
        _locked(conn, _given(conn, bundle_id).account_number)
        given = _given(conn, bundle_id)
        if given.closed_at is not None:
            raise StaffError(f"bundle {bundle_id} is closed already")
        store.close_bundle(conn, bundle_id, now, by, note)
    return replace(given, closed_at=now)


def _as_of(given: Given, now: datetime) -> Given:
    """With the units of the period that has begun, where the next use will begin it."""
    if given.state(now) != "to renew":
        return given
    owned = allowance_store.Owned(given.bundle, given.period, given.period_units, given.begins_at).at(now)
    return replace(given, bundle=owned.bundle, begins_at=owned.begins_at)


def _locked(conn: Connection, number: str) -> Account:
    found = account_store.account_by_number(conn, number, lock=True)
    if found is None:
        raise NotFoundError(f"no account {number}")
    return found


def _given(conn: Connection, bundle_id: int) -> Given:
    found = store.bundle_by_id(conn, bundle_id)
    if found is None:
        raise NotFoundError(f"no bundle {bundle_id}")
    return found


def _offer(conn: Connection, operator_code: str, name: str) -> Offer:
    found = store.offers(conn, operator_code, name)
    if not found:
        raise NotFoundError(f"{operator_code} offers no bundle {name}")
    return found[0]
