"""What staff do with operators, service profiles and toll numbers: one short transaction each."""

from sqlalchemy.engine import Engine

from billing.operators import store
from billing.operators.operator import (
    AccessNumber,
    BadFieldError,
    Operator,
    ProfileTerms,
    ServiceProfile,
    Unidentified,
    check_operator,
    check_profile,
    normal_dnis,
)
from billing.pins.store import has_range
from billing.tariffs.tariff import BY_NUMBER, Service
from billing.thresholds.store import set_thresholds
from billing.thresholds.threshold import EVERY_TIER, FirstThresholds
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError


def create_operator(engine: Engine, *, code: str, name: str, currency: str, home_country: str) -> Operator:
    """A new operator; raises StaffError when the code is taken or a field cannot be."""
    try:
        check_operator(code, name, currency, home_country)
    except BadFieldError as error:
        raise StaffError(str(error)) from error
    with transaction(engine) as conn:
        if store.operator_named(conn, code) is not None:
            raise StaffError(f"there is an operator {code} already")
        return Operator(
            store.insert_operator(conn, code, name, currency, home_country), code, name, currency, home_country
        )


def set_unidentified(engine: Engine, *, code: str, policy: Unidentified) -> None:
    """Say what becomes of a call whose line a vendor could not be asked about; raises NotFoundError."""
    with transaction(engine) as conn:
        if not store.set_unidentified(conn, code, policy):
            raise NotFoundError(f"no operator {code}")


def create_profile(
    engine: Engine,
    *,
    operator_code: str,
    name: str,
    tariff_name: str,
    terms: ProfileTerms,
    first: FirstThresholds | None = None,
) -> ServiceProfile:
    """A new service profile of an operator, priced by one of its tariffs in its currency.

    Its lines are bound by the terms, and by the thresholds it is made with, if it is made with some.

    Raises NotFoundError for an unknown operator or tariff, StaffError when the name is taken or a field cannot be.
    """
    try:
        check_profile(name, terms)
    except BadFieldError as error:
        raise StaffError(str(error)) from error
    with transaction(engine) as conn:
        operator = store.operator_named(conn, operator_code)
        if operator is None:
            raise NotFoundError(f"no operator {operator_code}")
        tariff = store.tariff_named(conn, operator.id, tariff_name)
        if tariff is None:
            raise NotFoundError(
                f"operator {operator_code} has no tariff {tariff_name}: `tollgate tariff import` makes one"
            )
        tariff_id, currency = tariff
        if currency != operator.currency:
            raise StaffError(
                f"tariff {tariff_name} is in {currency}, operator {operator_code} sells in {operator.currency}"
            )
        if store.profile_named(conn, operator_code, name) is not None:
            raise StaffError(f"operator {operator_code} has a profile {name} already")
        if terms.pin_range and not has_range(conn, operator.id, terms.pin_range):
            raise NotFoundError(f"operator {operator_code} has no range {terms.pin_range} of PINs")
        store.insert_profile(conn, operator.id, name, tariff_id, terms)
        made = _profile(store.profile_named(conn, operator_code, name), operator_code, name)
        if first is not None:
            set_thresholds(conn, made.id, EVERY_TIER, first.thresholds, first.set_by, first.set_at)
        return made


def set_sells(engine: Engine, operator_code: str, name: str, service: Service) -> None:
    """Let a service be sold by these rates of its tariff; calls that are up keep their price.

    Raises NotFoundError, or StaffError for rates that are not found by the number called.
    """
    if service not in BY_NUMBER:
        raise StaffError(f"sells: one of {', '.join(sorted(BY_NUMBER))}, whose rates are found by the number called")
    with transaction(engine) as conn:
        found = _profile(store.profile_named(conn, operator_code, name), operator_code, name)
        store.set_sells(conn, found.id, service)


def find_profile(engine: Engine, operator_code: str, name: str) -> ServiceProfile:
    """A service by its operator and name; raises NotFoundError."""
    with reading(engine) as conn:
        return _profile(store.profile_named(conn, operator_code, name), operator_code, name)


def create_number(engine: Engine, *, dnis: str, operator_code: str, profile_name: str) -> AccessNumber:
    """Let a toll number reach a service; raises StaffError when it reaches one already or is no number."""
    number = normal_dnis(dnis)
    if number is None:
        raise StaffError("number: 2 to 15 digits, with or without a plus")
    with transaction(engine) as conn:
        profile = _profile(store.profile_named(conn, operator_code, profile_name), operator_code, profile_name)
        taken = store.service_of(conn, number)
        if taken is not None:
            raise StaffError(f"{number} reaches {taken.operator_code}/{taken.profile_name} already")
        store.insert_number(conn, number, profile.id)
    return AccessNumber(number, operator_code, profile_name)


def list_operators(engine: Engine) -> list[Operator]:
    """Every operator, by code."""
    with reading(engine) as conn:
        return store.operators(conn)


def list_profiles(engine: Engine) -> list[ServiceProfile]:
    """Every service profile, by operator and name."""
    with reading(engine) as conn:
        return store.profiles(conn)


def list_numbers(engine: Engine) -> list[AccessNumber]:
    """Every toll number, in order."""
    with reading(engine) as conn:
        return store.numbers(conn)


def _profile(found: ServiceProfile | None, operator_code: str, name: str) -> ServiceProfile:
    if found is None:
        raise NotFoundError(f"operator {operator_code} has no profile {name}")
    return found
