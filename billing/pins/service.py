"""What staff do with ranges of PINs: make one, list them, and see what became of their PINs (PIN-2)."""

from datetime import datetime

from sqlalchemy.engine import Connection, Engine

from billing.operators.store import operator_named
from billing.pins import store
from billing.pins.pin_range import PinRange, RangeTerms, RangeUse, ends_at, most_of, overlaps, range_fault
from runtime.clock import Clock
from runtime.database import reading, transaction
from runtime.faults import NotFoundError, StaffError


def create_range(engine: Engine, clock: Clock, operator_code: str, terms: RangeTerms, *, by: str) -> PinRange:
    """A new range of an operator.

    Raises NotFoundError for an unknown operator, StaffError when the name is taken, when the first digits are those of
    another range, or when a field cannot be.
    """
    fault = range_fault(terms)
    if fault is not None:
        raise StaffError(fault)
    with transaction(engine) as conn:
        operator = operator_named(conn, operator_code)
        if operator is None:
            raise NotFoundError(f"no operator {operator_code}")
        for other in store.ranges(conn):
            if other.operator_id == operator.id and other.name == terms.name:
                raise StaffError(f"operator {operator_code} has a range {terms.name} already")
            if overlaps(other.prefix, terms.prefix):
                raise StaffError(f"prefix: PINs of range {other.operator_code}/{other.name} begin so already")
        most = terms.most or most_of(terms.prefix)
        store.insert_range(conn, operator.id, terms, most, clock.now(), by)
        return find_range(conn, operator.id, terms.name)


def list_ranges(engine: Engine, operator_code: str | None = None) -> list[PinRange]:
    """Every range, by operator and name."""
    with reading(engine) as conn:
        return store.ranges(conn, operator_code)


def report_use(engine: Engine, clock: Clock, by: str, operator_code: str | None = None) -> list[RangeUse]:
    """What became of the PINs, by `range`, `site`, `campaign` or `operator`."""
    with reading(engine) as conn:
        return store.range_uses(conn, by, clock.now(), operator_code)


def find_range(conn: Connection, operator_id: int, name: str) -> PinRange:
    """A range of an operator, in a transaction under way; raises NotFoundError."""
    found = store.range_named(conn, operator_id, name)
    if found is None:
        raise NotFoundError(f"the operator has no range {name}: `tollgate pin range create` makes one")
    return found


def take_from(conn: Connection, found: PinRange, many: int) -> None:
    """Count PINs that are about to be issued, in a transaction under way; raises StaffError when there are too few."""
    if not store.count_issued(conn, found.id, many):
        raise StaffError(f"range {found.name} has {found.left} PINs left of {found.most}")


def end_of(found: PinRange, now: datetime) -> datetime | None:
    """When a PIN of this range that is issued now ends."""
    return ends_at(found.period, found.period_days, now)
