"""Looking listings up, and loading them from a supplier's file (ANI-1)."""

from dataclasses import dataclass, replace

from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.numbers import Ani
from ani.qualification import store as qualification_store
from ani.reverse_match import store
from ani.reverse_match.listing import Listing, Report, changes_hands, succeed
from ani.reverse_match.loading import service as loading
from ani.vendor.service import VendorDesk
from ani.vendor.vendor import Purpose, VendorOutcome
from runtime.clock import Clock
from runtime.csv_import import ImportResult
from runtime.database import reading, transaction


def import_listings(engine: Engine, clock: Clock, source: Source, supplier: str) -> ImportResult:
    """Load listings; `supplier` names who the file is from."""
    return loading.load_listings(engine, clock, source, supplier)


def listings_of(engine: Engine, ani: str) -> list[Listing]:
    """Every listing the line ever had, oldest first; the last may hold now."""
    with reading(engine) as conn:
        return store.history(conn, ani)


@dataclass(frozen=True, slots=True)
class Identified:
    """What the vendor's word made of a line: the listing that holds now, if any, and what became of the question."""

    listing: Listing | None
    outcome: VendorOutcome
    vendor: str
    took_ms: int


def identify(engine: Engine, clock: Clock, desk: VendorDesk, line: Ani, call_id: str | None) -> Identified:
    """Ask the vendor whose line it is, and keep a hit for later calls with its source and date (ANI-2).

    The listing that held is history then, or validated where the vendor says the same (ANI-4). Where the line turns
    out to be another customer's, what was proven on it before ends.
    """
    asked = desk.ask(
        Purpose.REVERSE_MATCH,
        line.e164,
        call_id,
        lambda vendor, deadline_s: vendor.reverse_match(line.e164, deadline_s),
    )
    if asked.answer is None:
        return Identified(None, asked.outcome, asked.vendor, asked.took_ms)
    found = replace(asked.answer, country=asked.answer.country or line.country)
    now = clock.now()
    with transaction(engine) as conn:
        store.lock_line(conn, line.e164)
        last = store.last_listing(conn, line.e164)
        held = last if last is not None and last.valid_until_at is None else None
        new = succeed(held, Report(found), now, former=last)
        if isinstance(new, Listing):
            if held is not None:
                store.end_listings(conn, [(line.e164, new.valid_from_at)])
            store.insert_listings(conn, [new])
            if changes_hands(last, new):
                qualification_store.end_evidence_on(conn, [line.e164], now)
        else:
            store.validate_listings(conn, [line.e164], now, None)
        return Identified(store.current_listing(conn, line.e164), asked.outcome, asked.vendor, asked.took_ms)
