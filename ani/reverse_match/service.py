"""Looking listings up, and loading them from a supplier's file (ANI-1)."""

from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.reverse_match import store
from ani.reverse_match.listing import Listing
from ani.reverse_match.loading import service as loading
from runtime.clock import Clock
from runtime.csv_import import ImportResult
from runtime.database import reading


def import_listings(engine: Engine, clock: Clock, source: Source, supplier: str) -> ImportResult:
    """Load listings; `supplier` names who the file is from."""
    return loading.load_listings(engine, clock, source, supplier)


def listings_of(engine: Engine, ani: str) -> list[Listing]:
    """Every listing the line ever had, oldest first; the last may hold now."""
    with reading(engine) as conn:
        return store.history(conn, ani)
