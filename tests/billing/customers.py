"""An operator with one service, and accounts with money, as tests of the billing room need them."""

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.accounts.tables import account
from billing.operators import service as operator_service
from billing.operators import store as operator_store
from billing.operators.operator import ProfileTerms, Reach, ServiceProfile
from billing.tariffs.tables import tariff
from runtime.clock import Clock
from runtime.database import transaction


def add_tariff(engine: Engine, operator_code: str, name: str, currency: str) -> int:
    """An empty tariff; gives its id."""
    with transaction(engine) as conn:
        operator = operator_store.operator_named(conn, operator_code)
        assert operator is not None
        values = {"operator_id": operator.id, "name": name, "currency": currency}
        return int(conn.execute(sa.insert(tariff).returning(tariff.c.id), values).scalar_one())


def sell(engine: Engine) -> ServiceProfile:
    """Operator acme sells service talk, tariff std, in USD, under 19005550100."""
    operator_service.create_operator(engine, code="acme", name="Acme", currency="USD", home_country="US")
    add_tariff(engine, "acme", "std", "USD")
    profile = operator_service.create_profile(
        engine, operator_code="acme", name="talk", tariff_name="std", terms=ProfileTerms(reach=Reach.ABROAD)
    )
    operator_service.create_number(engine, dnis="+19005550100", operator_code="acme", profile_name="talk")
    return profile


def open_account(engine: Engine, clock: Clock, number: str, *, balance_micros: int = 0) -> Account:
    """An account of acme with money on it that no ledger knows of."""
    made = account_service.create_account(engine, clock, operator_code="acme", number=number)
    with transaction(engine) as conn:
        conn.execute(sa.update(account).where(account.c.id == made.id).values(balance_micros=balance_micros))
    return account_service.find_account(engine, number)
