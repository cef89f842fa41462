"""How the commands of this room show listings and blocks."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from ani.negative.block import Block
from ani.reverse_match.import_store import ListingImport
from ani.reverse_match.listing import Listing
from ani.vendor.store import VendorDay, VendorQuery
from runtime.command import print_document, print_table

IMPORT_FIELDS = ("file", "source", "started", "finished", "read", "loaded", "unchanged", "rejected")
QUERY_FIELDS = ("asked", "vendor", "purpose", "outcome", "requests", "took_ms", "cost_micros")
DAY_FIELDS = ("day", "vendor", "requests", "cost_micros")
BLOCK_FIELDS = (
    "ani",
    "reason",
    "note",
    "blocked_by",
    "blocked_at",
    "until",
    "lifted_by",
    "lifted_at",
    "lift_note",
)


def listing_document(listing: Listing) -> dict[str, object]:
    """A listing without its line, with stable keys."""
    document: dict[str, object] = asdict(listing.identity)
    del document["ani"]
    return document | {
        "valid_from": _moment(listing.valid_from_at),
        "valid_until": _moment(listing.valid_until_at),
        "validated": _moment(listing.seen_at),
    }


def print_imports(found: Sequence[ListingImport], *, as_json: bool) -> None:
    """Imports as a table or as one document."""
    rows = [
        (
            one.file_name,
            one.source,
            _moment(one.started_at),
            _moment(one.finished_at),
            one.rows_read,
            one.rows_loaded,
            one.rows_unchanged,
            one.rows_rejected,
        )
        for one in found
    ]
    if as_json:
        print_document({"imports": [dict(zip(IMPORT_FIELDS, row, strict=True)) for row in rows]})
    else:
        print_table("Imports", IMPORT_FIELDS, rows)


def print_queries(ani: str, found: Sequence[VendorQuery], *, as_json: bool) -> None:
    """Questions about a line as a table or as one document."""
    rows = [
        (_moment(one.asked_at), one.vendor, one.purpose, one.outcome, one.requests, one.took_ms, one.cost_micros)
        for one in found
    ]
    if as_json:
        print_document({"ani": ani, "queries": [dict(zip(QUERY_FIELDS, row, strict=True)) for row in rows]})
    else:
        print_table(f"Asked of {ani}", QUERY_FIELDS, rows)


def print_days(found: Sequence[VendorDay], *, as_json: bool) -> None:
    """Days as a table or as one document."""
    rows = [(one.day.isoformat(), one.vendor, one.requests, one.cost_micros) for one in found]
    if as_json:
        print_document({"days": [dict(zip(DAY_FIELDS, row, strict=True)) for row in rows]})
    else:
        print_table("Vendor", DAY_FIELDS, rows)


def print_blocks(title: str, found: Sequence[Block], *, as_json: bool) -> None:
    """Blocks as a table or as one document."""
    rows = [
        (
            block.ani,
            block.reason.value,
            block.note,
            block.blocked_by,
            _moment(block.blocked_at),
            _moment(block.expires_at),
            block.lifted_by,
            _moment(block.lifted_at),
            block.lift_note,
        )
        for block in found
    ]
    if as_json:
        print_document({"blocks": [dict(zip(BLOCK_FIELDS, row, strict=True)) for row in rows]})
    else:
        print_table(title, BLOCK_FIELDS, rows)


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
