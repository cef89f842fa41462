"""Loading listings from a source's file, and looking one up (ANI-1)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from ani.importing import Once, Source, load_file, parse_line, parse_text
from ani.reverse_match import store
from ani.reverse_match.listing import Identity, Listing, absorb
from runtime.clock import Clock
from runtime.csv_import import BadRowError, Column, ImportResult
from runtime.database import reading

COLUMNS = (
    Column("ani"),
    Column("first_name", required=False),
    Column("last_name", required=False),
    Column("address", required=False),
    Column("postal_code", required=False),
    Column("country", required=False),
)


def import_listings(engine: Engine, clock: Clock, source: Source, supplier: str) -> ImportResult:
    """Load listings; one that says something new of its line supersedes the listing that held, which then ends now.

    Columns: ani, first_name, last_name, address, postal_code, country (the number's own when absent). `supplier`
    names who the file is from.
    """
    now = clock.now()
    once = Once("ani: the line is")

    def parse(fields: dict[str, str]) -> Identity:
        identity = _parse_identity(fields, source.home_country, supplier)
        once.check(int(identity.ani), identity)
        return identity

    return load_file(engine, source, COLUMNS, parse, lambda conn, batch: _write(conn, batch, now))


def listings_of(engine: Engine, ani: str) -> list[Listing]:
    """Every listing the line ever had, oldest first; the last may hold now."""
    with reading(engine) as conn:
        return store.history(conn, ani)


def _parse_identity(fields: dict[str, str], home_country: str, supplier: str) -> Identity:
    ani, country = parse_line(fields["ani"], home_country)
    country = fields["country"].upper() or country
    if not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise BadRowError("country: not two letters (ISO 3166)")
    first_name = parse_text(fields, "first_name", 80)
    last_name = parse_text(fields, "last_name", 80)
    if not (first_name or last_name):
        raise BadRowError("last_name: neither first nor last name")
    address = parse_text(fields, "address", 200)
    return Identity(ani, first_name, last_name, address, parse_text(fields, "postal_code", 16), country, supplier)


def _write(conn: Connection, batch: Sequence[Identity], now: datetime) -> int:
    store.lock(conn)
    current = store.current_listings(conn, {identity.ani for identity in batch})
    changed: dict[str, Identity] = {}
    for identity in batch:
        held = current.get(identity.ani)
        merged = absorb(held.identity, identity) if held else identity
        if held is None or merged is not held.identity:
            changed[identity.ani] = merged
    superseded = changed.keys() & current.keys()
    if superseded:
        store.end_listings(conn, superseded, now)
    if changed:
        store.insert_listings(conn, changed.values(), now)
    return len(changed)
