"""The SQL of offers, and of bundles as staff see them."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.accounts.tables import account
from billing.allowances.tables import bundle, bundle_offer, bundle_use
from billing.bundles.offer import Given, Offer, Use
from billing.operators.tables import operator
from billing.pricing.bundles import Bundle, CoverRule

_OFFERS = sa.select(bundle_offer, operator.c.code).join(operator).order_by(operator.c.code, bundle_offer.c.name)
_GIVEN = sa.select(bundle, account.c.number).join(account).order_by(bundle.c.id)


def add_offer(conn: Connection, operator_id: int, offer: Offer, at: datetime, by: str) -> None:
    """Keep an offer; raises IntegrityError when the operator has one of this name."""
    given = offer.bundle
    conn.execute(
        sa.insert(bundle_offer).values(
            operator_id=operator_id,
            name=offer.name,
            measure=given.measure,
            rule=given.rule.value,
            priority=given.priority,
            services=" ".join(given.services),
            prefixes=" ".join(given.prefixes),
            price_micros=given.price_micros,
            covers_fees=given.covers_fees,
            units=given.units,
            rolls_over=given.rolls_over,
            period=offer.period,
            renews=offer.renews,
            created_at=at,
            created_by=by,
        )
    )


def offers(conn: Connection, operator_code: str | None = None, name: str | None = None) -> list[Offer]:
    """Offers by operator and name, those that are closed too."""
    query = _OFFERS
    if operator_code is not None:
        query = query.where(operator.c.code == operator_code)
    if name is not None:
        query = query.where(bundle_offer.c.name == name)
    return [_offer(row) for row in conn.execute(query)]


def offer_by_id(conn: Connection, offer_id: int) -> Offer:
    """An offer that is known to be there, closed or not."""
    return _offer(conn.execute(_OFFERS.where(bundle_offer.c.id == offer_id)).one())


def close_offer(conn: Connection, operator_id: int, name: str, at: datetime, by: str, note: str) -> None:
    """Give it to nobody from now on."""
    conn.execute(
        sa.update(bundle_offer)
        .where(bundle_offer.c.operator_id == operator_id, bundle_offer.c.name == name)
        .values(closed_at=at, closed_by=by, close_note=note)
    )


def bundles_of(conn: Connection, account_id: int) -> list[Given]:
    """Every bundle an account was given."""
    return [_given(row) for row in conn.execute(_GIVEN.where(bundle.c.account_id == account_id))]


def bundle_by_id(conn: Connection, bundle_id: int) -> Given | None:
    """A bundle by its number."""
    row = conn.execute(_GIVEN.where(bundle.c.id == bundle_id)).first()
    return None if row is None else _given(row)


def uses(conn: Connection, bundle_id: int, limit: int) -> list[Use]:
    """The sessions and events that hold or took units of a bundle, the latest first."""
    rows = conn.execute(
        sa.select(bundle_use.c.session_id, bundle_use.c.held, bundle_use.c.used)
        .where(bundle_use.c.bundle_id == bundle_id, bundle_use.c.held + bundle_use.c.used > 0)
        .order_by(bundle_use.c.session_id.desc())
        .limit(limit)
    )
    return [Use(row.session_id, row.held, row.used) for row in rows]


def close_bundle(conn: Connection, bundle_id: int, at: datetime, by: str, note: str) -> None:
    """Let no session hold of it any more; what is held is taken or freed as if nothing had been."""
    conn.execute(sa.update(bundle).where(bundle.c.id == bundle_id).values(closed_at=at, closed_by=by, close_note=note))


def _offer(row: sa.Row[Any]) -> Offer:
    return Offer(row.code, row.name, replace(_bundle(row, row.units), id=0), row.period, row.renews, row.closed_at)


def _given(row: sa.Row[Any]) -> Given:
    return Given(
        row.number,
        _bundle(row, row.units - row.held, row.expires_at),
        row.held,
        row.period,
        row.period_units,
        row.renews,
        row.begins_at,
        row.next_id,
        row.granted_by,
        row.closed_at,
    )


def _bundle(row: sa.Row[Any], units: int, expires_at: datetime | None = None) -> Bundle:
    return Bundle(
        row.id,
        units,
        row.measure,
        CoverRule(row.rule),
        row.priority,
        expires_at,
        tuple(row.services.split()),
        tuple(row.prefixes.split()),
        row.price_micros,
        row.covers_fees,
        row.rolls_over,
        row.name,
    )
