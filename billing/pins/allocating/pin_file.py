"""A file of PINs from an outside allocation system; running it again changes nothing (PIN-5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.engine import Engine

from ani.importing import Source
from billing.accounts.account import is_account_number, is_pin
from billing.ledger.transfer import ChangedReplayError
from billing.pins.allocating.service import allocate
from billing.pins.allocation import Allocated, Wanted, is_key
from runtime.clock import Clock
from runtime.csv_import import BadRowError, Column, ImportResult, Rejected, Row, read_rows
from runtime.keys import Pepper

COLUMNS = (
    Column("key"),
    Column("pin", secret=True),
    Column("account", required=False),
    Column("range", required=False),
    Column("expires_at", required=False),
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose PINs a file brings, the range of rows that name none, and who imports it."""

    operator_id: int
    range_name: str
    made_by: str


def import_pins(engine: Engine, clock: Clock, pepper: Pepper, source: Source, owner: Owner) -> ImportResult:
    """Allocate each row, in a transaction of its own; rows that were allocated before are unchanged.

    Raises CsvFileError; what was allocated before it stays.
    """

    def one(fields: dict[str, str]) -> Allocated:
        return _allocated(engine, clock, pepper, owner, fields)

    result = ImportResult()
    with source.rejects:
        rows: Iterator[Row[Allocated] | Rejected] = read_rows(
            source.path, COLUMNS, source.mapping, one, source.watch, tell_ignored=source.tell_ignored
        )
        for row in rows:
            if isinstance(row, Rejected):
                source.rejects.write(row)
                result += ImportResult(rejected=1)
            else:
                result += ImportResult(unchanged=1) if row.value.is_replay else ImportResult(loaded=1)
    return result


def _allocated(engine: Engine, clock: Clock, pepper: Pepper, owner: Owner, fields: dict[str, str]) -> Allocated:
    if not is_key(fields["key"]):
        raise BadRowError("key: 1 to 128 printable characters without spaces")
    if not is_pin(fields["pin"]):
        raise BadRowError("pin: eight digits")
    if fields["account"] and not is_account_number(fields["account"]):
        raise BadRowError("account: 1 to 32 letters, digits and dashes")
    wanted = Wanted(
        owner.operator_id,
        fields["key"],
        fields["account"] or None,
        fields["range"] or owner.range_name or None,
        _moment(fields["expires_at"]),
        fields["pin"],
    )
    try:
        answer = allocate(engine, clock, pepper, wanted, owner.made_by)
    except ChangedReplayError:
        raise BadRowError("key: was used for another allocation") from None
    if not isinstance(answer, Allocated):
        raise BadRowError(str(answer))
    return answer


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRowError("expires_at: not a moment such as 2027-01-01T00:00Z") from None
