"""What a company that knows lines and people is asked, and how an answer or its absence is called (ANI-2). Pure."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol

from ani.reverse_match.listing import Identity


class Purpose(StrEnum):
    """What a vendor is asked for."""

    REVERSE_MATCH = "reverse-match"
    PERSON = "person"
    CREDIT = "credit"


class VendorOutcome(StrEnum):
    """What became of a question."""

    FOUND = "found"
    NOT_FOUND = "not-found"
    TIMED_OUT = "timed-out"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    SPARED = "spared"
    DAILY_LIMIT = "daily-limit"
    NO_VENDOR = "no-vendor"

    @property
    def is_answer(self) -> bool:
        """Whether the vendor said something of the line, be it that it does not know it."""
        return self in {VendorOutcome.FOUND, VendorOutcome.NOT_FOUND}


class VendorError(Exception):
    """The vendor, or the way to it, failed; never shows what was asked."""

    def __init__(self, outcome: VendorOutcome, why: str) -> None:
        super().__init__(f"{outcome}: {why}")
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Claim:
    """What a caller says of himself; what he did not say is "". Never shown, not even by repr."""

    ani: str
    first_name: str = field(default="", repr=False)
    last_name: str = field(default="", repr=False)
    address: str = field(default="", repr=False)
    postal_code: str = field(default="", repr=False)
    national_id: str = field(default="", repr=False)
    birth_on: date | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PersonMatch:
    """A vendor's word on a claim: whether all of it matches, and the date of birth, if told or claimed and matched."""

    is_match: bool
    birth_on: date | None = field(default=None, repr=False)


class Vendor(Protocol):
    """A vendor. Each method asks once and is done within the deadline, or raises VendorError."""

    @property
    def name(self) -> str:
        """By which its answers are kept; at most 40 characters."""
        ...

    @property
    def serves(self) -> frozenset[Purpose]:
        """What it can be asked for at all; it is asked for nothing else."""
        ...

    @property
    def tells_birth_dates(self) -> bool:
        """Whether it tells when a person that matches was born; else it only matches the date that is claimed."""
        ...

    def reverse_match(self, ani: str, deadline_s: float) -> Identity | None:
        """Whose line it is; none where the vendor does not know."""
        ...

    def match_person(self, claim: Claim, deadline_s: float) -> PersonMatch | None:
        """Whether the person is who he says; none where the vendor knows nobody to compare with."""
        ...

    def credit_score(self, ani: str, deadline_s: float) -> int | None:
        """The credit score of whoever has the line, 0 to 1000; none where the vendor does not know."""
        ...
