"""Operators, service profiles and toll numbers."""

import pytest
from sqlalchemy.engine import Engine

from billing.operators import service, store
from billing.operators.operator import ProfileTerms, normal_dnis
from runtime.database import reading, rehearsing
from runtime.faults import NotFoundError, StaffError
from tests.billing.customers import add_tariff, sell


@pytest.mark.parametrize(
    ("dialled", "kept"),
    [
        ("19005550100", "19005550100"),
        ("+19005550100", "19005550100"),
        ("99", "99"),
        ("", None),
        ("1", None),
        ("+", None),
        ("1900555010x", None),
        ("1900\n", None),
        ("٣٣٣", None),
        ("1" * 16, None),
    ],
)
def test_number_dialled_is_kept_as_plain_digits(dialled: str, kept: str | None) -> None:
    assert normal_dnis(dialled) == kept


def test_a_call_finds_its_service_with_or_without_plus(engine: Engine) -> None:
    sell(engine)
    with reading(engine) as conn:
        found = store.profile_for(conn, "+19005550100")
        assert found == store.profile_for(conn, "19005550100")
        assert found is not None
        assert (found.operator_code, found.currency, found.home_country, found.tariff_name) == (
            "acme",
            "USD",
            "US",
            "std",
        )
        assert (found.session_cap_s, found.month_cap_s, found.age_check) == (1860, 5580, False)
        assert store.profile_for(conn, "19005550101") is None
        assert store.profile_for(conn, "x' OR 1=1") is None


def test_lists(engine: Engine) -> None:
    sell(engine)
    assert [operator.code for operator in service.list_operators(engine)] == ["acme"]
    assert [profile.name for profile in service.list_profiles(engine)] == ["talk"]
    assert [number.dnis for number in service.list_numbers(engine)] == ["19005550100"]


def test_nothing_is_made_twice(engine: Engine) -> None:
    sell(engine)
    with pytest.raises(StaffError, match="already"):
        service.create_operator(engine, code="acme", name="A", currency="USD", home_country="US")
    with pytest.raises(StaffError, match="already"):
        service.create_profile(engine, operator_code="acme", name="talk", tariff_name="std", terms=ProfileTerms())
    with pytest.raises(StaffError, match="acme/talk already"):
        service.create_number(engine, dnis="+19005550100", operator_code="acme", profile_name="talk")


def test_what_is_not_there_is_named(engine: Engine) -> None:
    sell(engine)
    with pytest.raises(NotFoundError, match="no operator nobody"):
        service.create_profile(engine, operator_code="nobody", name="x", tariff_name="std", terms=ProfileTerms())
    with pytest.raises(NotFoundError, match="no tariff gold"):
        service.create_profile(engine, operator_code="acme", name="x", tariff_name="gold", terms=ProfileTerms())
    with pytest.raises(NotFoundError, match="no profile x"):
        service.create_number(engine, dnis="12", operator_code="acme", profile_name="x")


def test_a_tariff_in_another_currency_is_refused(engine: Engine) -> None:
    sell(engine)
    add_tariff(engine, "acme", "euro", "EUR")
    with pytest.raises(StaffError, match="in EUR"):
        service.create_profile(engine, operator_code="acme", name="x", tariff_name="euro", terms=ProfileTerms())


@pytest.mark.parametrize(
    ("field", "value"),
    [("code", "A b"), ("currency", "usd"), ("home_country", "USA"), ("name", " "), ("name", "x" * 81)],
)
def test_fields_are_checked(sqlite_engine: Engine, field: str, value: str) -> None:
    fields = {"code": "a", "name": "A", "currency": "USD", "home_country": "US"}
    with pytest.raises(StaffError, match=field.replace("_", " ")):
        service.create_operator(sqlite_engine, **(fields | {field: value}))


def test_terms_are_checked(sqlite_engine: Engine) -> None:
    sell(sqlite_engine)
    with pytest.raises(StaffError, match="session cap"):
        service.create_profile(
            sqlite_engine, operator_code="acme", name="x", tariff_name="std", terms=ProfileTerms(session_cap_s=0)
        )


def test_a_rehearsal_leaves_nothing(engine: Engine) -> None:
    service.create_operator(rehearsing(engine), code="acme", name="A", currency="USD", home_country="US")
    assert service.list_operators(engine) == []
