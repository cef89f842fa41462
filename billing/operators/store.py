"""Operators, service profiles and toll numbers in the database."""

import dataclasses
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ani.qualification.proof import Fallback
from billing.operators.operator import (
    AccessNumber,
    Operator,
    ProfileTerms,
    Reach,
    ServiceProfile,
    Unidentified,
    normal_dnis,
)
from billing.operators.tables import access_number, operator, service_profile
from billing.tariffs.tables import tariff
from billing.tariffs.tariff import Service
from runtime.frozen import maker
from runtime.prepared import Prepared

_PROFILE: sa.Select[Any] = (
    sa.select(
        service_profile.c.id,
        service_profile.c.name,
        operator.c.id.label("operator_id"),
        operator.c.code.label("operator_code"),
        operator.c.currency,
        operator.c.home_country,
        tariff.c.id.label("tariff_id"),
        tariff.c.name.label("tariff_name"),
        service_profile.c.language,
        service_profile.c.preamble_prompt,
        service_profile.c.minimum_age,
        service_profile.c.age_check,
        service_profile.c.evidence_days,
        service_profile.c.issue_pin,
        service_profile.c.session_cap_s,
        service_profile.c.month_cap_s,
        service_profile.c.reach,
        service_profile.c.bind_line,
        service_profile.c.pin_range,
        operator.c.unidentified,
        service_profile.c.ssn_digits,
        service_profile.c.fallback,
        service_profile.c.terms_version,
        service_profile.c.credit_check,
        service_profile.c.sells,
    )
    .join(operator, operator.c.id == service_profile.c.operator_id)
    .join(tariff, tariff.c.id == service_profile.c.tariff_id)
)
_PROFILE_OF = maker(ServiceProfile)
_FIELDS = [field.name for field in dataclasses.fields(ServiceProfile)]
_WORDS: tuple[tuple[int, type[StrEnum]], ...] = (
    (_FIELDS.index("reach"), Reach),
    (_FIELDS.index("unidentified"), Unidentified),
    (_FIELDS.index("fallback"), Fallback),
    (_FIELDS.index("sells"), Service),
)
_PROFILE_FOR = Prepared(
    _PROFILE.join(access_number, access_number.c.service_profile_id == service_profile.c.id).where(
        access_number.c.dnis == sa.bindparam("number")
    )
)
_IS_OURS = Prepared(sa.select(access_number.c.dnis).where(access_number.c.dnis == sa.bindparam("number")))
_PROFILE_NAMED = _PROFILE.where(
    operator.c.code == sa.bindparam("operator_code"), service_profile.c.name == sa.bindparam("profile_name")
)
_OPERATOR = sa.select(
    operator.c.id, operator.c.code, operator.c.name, operator.c.currency, operator.c.home_country
).where(operator.c.code == sa.bindparam("code"))
_TARIFF_ID = sa.select(tariff.c.id, tariff.c.currency).where(
    tariff.c.operator_id == sa.bindparam("operator_id"), tariff.c.name == sa.bindparam("name")
)
_NUMBER = (
    sa.select(access_number.c.dnis, operator.c.code, service_profile.c.name)
    .join(service_profile, service_profile.c.id == access_number.c.service_profile_id)
    .join(operator, operator.c.id == service_profile.c.operator_id)
)


def profile_for(conn: Connection, dnis: str) -> ServiceProfile | None:
    """The service behind the number that was dialled, with or without its plus; none when nobody has it."""
    number = normal_dnis(dnis)
    if number is None:
        return None
    row = _PROFILE_FOR.first(conn, number=number)
    return None if row is None else _profile(row)


def is_ours(conn: Connection, dnis: str) -> bool:
    """Whether there is a service behind this number."""
    number = normal_dnis(dnis)
    return number is not None and _IS_OURS.first(conn, number=number) is not None


def profile_named(conn: Connection, operator_code: str, name: str) -> ServiceProfile | None:
    """A profile by its operator and name."""
    row = conn.execute(_PROFILE_NAMED, {"operator_code": operator_code, "profile_name": name}).first()
    return None if row is None else _profile(row)


def _profile(row: Sequence[Any]) -> ServiceProfile:
    values = list(row)
    for at, kind in _WORDS:
        values[at] = kind(values[at])
    return _PROFILE_OF(values)


def operator_named(conn: Connection, code: str) -> Operator | None:
    """An operator by its code."""
    row = conn.execute(_OPERATOR, {"code": code}).first()
    return None if row is None else Operator(*row)


def tariff_named(conn: Connection, operator_id: int, name: str) -> tuple[int, str] | None:
    """Id and currency of an operator's tariff."""
    row = conn.execute(_TARIFF_ID, {"operator_id": operator_id, "name": name}).first()
    return None if row is None else (row.id, row.currency)


def service_of(conn: Connection, dnis: str) -> AccessNumber | None:
    """What a toll number reaches now."""
    row = conn.execute(_NUMBER.where(access_number.c.dnis == dnis)).first()
    return None if row is None else AccessNumber(*row)


def operators(conn: Connection) -> list[Operator]:
    """Every operator, by code."""
    rows = conn.execute(
        sa.select(
            operator.c.id, operator.c.code, operator.c.name, operator.c.currency, operator.c.home_country
        ).order_by(operator.c.code)
    )
    return [Operator(*row) for row in rows]


def set_unidentified(conn: Connection, code: str, policy: Unidentified) -> bool:
    """What an operator does with lines nobody could identify; false when there is no such operator."""
    values = {"unidentified": policy.value}
    return conn.execute(sa.update(operator).where(operator.c.code == code).values(values)).rowcount == 1


def profiles(conn: Connection) -> list[ServiceProfile]:
    """Every service profile, by operator and name."""
    return [_profile(row) for row in conn.execute(_PROFILE.order_by(operator.c.code, service_profile.c.name))]


def numbers(conn: Connection) -> list[AccessNumber]:
    """Every toll number, in order."""
    return [AccessNumber(*row) for row in conn.execute(_NUMBER.order_by(access_number.c.dnis))]


def insert_operator(conn: Connection, code: str, name: str, currency: str, home_country: str) -> int:
    """A new operator; gives its id."""
    values = {"code": code, "name": name, "currency": currency, "home_country": home_country}
    return int(conn.execute(sa.insert(operator).returning(operator.c.id), values).scalar_one())


def insert_profile(conn: Connection, operator_id: int, name: str, tariff_id: int, terms: ProfileTerms) -> int:
    """A new service profile; gives its id."""
    values = {"operator_id": operator_id, "name": name, "tariff_id": tariff_id, **dataclasses.asdict(terms)}
    return int(conn.execute(sa.insert(service_profile).returning(service_profile.c.id), values).scalar_one())


def set_sells(conn: Connection, profile_id: int, service: Service) -> None:
    """Whose rates price the calls of a service from now on."""
    conn.execute(sa.update(service_profile).where(service_profile.c.id == profile_id).values(sells=service.value))


def insert_number(conn: Connection, dnis: str, profile_id: int) -> None:
    """A new toll number."""
    conn.execute(sa.insert(access_number), {"dnis": dnis, "service_profile_id": profile_id})
