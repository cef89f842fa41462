"""Terms and agreements in SQL."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from billing.agreements.agreement import Agreement, Terms
from billing.agreements.tables import service_terms, terms_agreement
from billing.operators.tables import service_profile
from runtime.prepared import Prepared

_TERMS = Prepared(
    sa.select(*service_terms.c).where(
        service_terms.c.service_profile_id == sa.bindparam("profile"),
        service_terms.c.version == sa.bindparam("of_version"),
    )
)
_AGREE = Prepared(sa.insert(terms_agreement), tuple(column.name for column in terms_agreement.c))


def terms_of(conn: Connection, profile_id: int, version: int) -> Terms | None:
    """One version."""
    row = _TERMS.first(conn, profile=profile_id, of_version=version)
    return Terms(*row) if row else None


def versions(conn: Connection, profile_id: int) -> list[Terms]:
    """Every version of a service's terms, the oldest first."""
    rows = conn.execute(
        sa.select(service_terms)
        .where(service_terms.c.service_profile_id == profile_id)
        .order_by(service_terms.c.version)
    )
    return [Terms(*row) for row in rows]


def insert_terms(conn: Connection, terms: Terms) -> None:
    """Add a version."""
    conn.execute(
        sa.insert(service_terms).values(
            service_profile_id=terms.profile_id,
            version=terms.version,
            text=terms.text,
            text_sha256=terms.text_sha256,
            prompt=terms.prompt,
            made_by=terms.made_by,
            made_at=terms.made_at,
        )
    )


def ask_for(conn: Connection, profile_id: int, version: int) -> None:
    """Let the service ask for this version from the next call on; 0: for none."""
    conn.execute(sa.update(service_profile).where(service_profile.c.id == profile_id).values(terms_version=version))


def agree(conn: Connection, call_id: str, terms: Terms, at: datetime) -> None:
    """Keep with the call that its caller agreed."""
    _AGREE.run(
        conn,
        call_id=call_id,
        service_profile_id=terms.profile_id,
        version=terms.version,
        text_sha256=terms.text_sha256,
        agreed_at=at,
    )


def agreement_of(conn: Connection, call_id: str) -> Agreement | None:
    """What the caller of this call agreed to."""
    table = terms_agreement.c
    row = conn.execute(
        sa.select(table.call_id, table.version, table.text_sha256, table.agreed_at).where(table.call_id == call_id)
    ).first()
    return Agreement(*row) if row else None
