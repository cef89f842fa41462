"""What callers key of themselves: persons of lines, with numbers, dates, licences, and accounts with access codes."""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ani.importing import Source
from ani.qualification import service as qualification_service
from ani.qualification.proof import Fallback
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms, Reach
from runtime.csv_import import RejectFile
from tests.ivr.town import CALLING
from tests.live.crowd import PlannedCall
from tests.live.house import House

BY_FOUR, BY_NINE = "19005550131", "19005550132"
SENIOR = date(1940, 1, 1)
KINDS = ("number and date", "whole number", "whole number and licence", "code")


@dataclass(frozen=True, slots=True)
class Secretive:
    """A call and what is secret of it: long enough to be told from any other digits, or not."""

    kind: str
    call: PlannedCall
    long: tuple[str, ...]
    short: str = ""


def services(house: House) -> None:
    """Two services that check ages after one try at the number: by four digits and date, by nine and licence."""
    for dnis, name, digits, fallback in (
        (BY_FOUR, "four", 4, Fallback.BIRTH_DATE),
        (BY_NINE, "nine", 9, Fallback.LICENCE),
    ):
        terms = ProfileTerms(age_check=True, reach=Reach.ABROAD, ssn_digits=digits, fallback=fallback)
        operator_service.create_profile(
            house.town.engine, operator_code="town", name=name, tariff_name="retail", terms=terms
        )
        operator_service.create_number(house.town.engine, dnis=dnis, operator_code="town", profile_name=name)


def callers(house: House, number: int, first: int, chance: random.Random, hand: Path) -> list[Secretive]:
    """So many callers of each kind, each from a line of his own; what is known of them is loaded from `hand`."""
    born = [SENIOR + timedelta(days) for days in chance.sample(range(15_000), number)]
    whole = [f"{one:09}" for one in chance.sample(range(10**8, 10**9), 2 * number)]
    licences = [f"CA{one}" for one in chance.sample(range(10**7, 10**8), number)]
    codes = [str(one) for one in chance.sample(range(3_000, 10_000), number)]
    four = [str(one) for one in chance.sample(range(3_000, 10_000), number)]
    lines = [f"+1212558{at:04d}" for at in range(first, first + 4 * number)]
    made, known = [], []
    for at in range(number):
        mine = dict(zip(KINDS, lines[4 * at : 4 * at + 4], strict=True))
        calls = [first + 4 * at + kind for kind in range(4)]
        date_keyed = f"{born[at]:%m%d%Y}"
        known += [
            ("motor", mine["number and date"], "Ash", born[at].isoformat(), "", "", ""),
            ("bureau", mine["whole number"], "Ash", "1970-05-01", whole[at], "", ""),
            ("motor", mine["whole number and licence"], "Ash", "1970-05-01", "", "CA", licences[at][2:]),
        ]
        keyed = (
            ("number and date", four[at], (date_keyed,), BY_FOUR, (date_keyed,), four[at]),
            ("whole number", whole[at], (), BY_NINE, (whole[at],), ""),
            (
                "whole number and licence",
                whole[number + at],
                (f"22{licences[at][2:]}#",),
                BY_NINE,
                (whole[number + at], licences[at][2:]),
                "",
            ),
            ("code", f"*{codes[at]}", (), CALLING, (), codes[at]),
        )
        for place, (kind, pin, then, dnis, secret, brief) in enumerate(keyed):
            planned = PlannedCall(calls[place], mine[kind], pin, hear_ms=100, talk_ms=300, then=then, dnis=dnis)
            made.append(Secretive(kind, planned, secret, brief))
            code = pin if kind == "code" else None
            house.town.account(f"{kind} {first + at}", 1_000_000_000, line=mine[kind], code=code)
    for supplier in ("motor", "bureau"):
        _load(house, hand / f"{supplier}-{first}.csv", supplier, [row[1:] for row in known if row[0] == supplier])
    return made


def _load(house: House, path: Path, supplier: str, rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("ani", "last_name", "birth_on", "ssn", "licence_state", "licence"))
        writer.writerows(rows)
    town, source = house.town, Source(path, RejectFile(path.with_suffix(".rejects")))
    result = qualification_service.import_identities(town.engine, town.clock, town.pepper, source, supplier)
    assert result.loaded == len(rows), result
