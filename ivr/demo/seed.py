"""Who is in the demonstration: one operator with its tariff, one line with its subscriber, two accounts.

All numbers are of the range kept free for fiction (+1 NXX 555 01xx).
"""

import csv
import secrets
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from sqlalchemy.engine import Engine

from ani.importing import Source
from ani.qualification import service as qualification_service
from ani.reverse_match import service as listing_service
from billing.accounts import service as account_service
from billing.accounts.account import Account
from billing.ledger import service as ledger_service
from billing.operators import service as operator_service
from billing.operators.operator import ProfileTerms, Reach
from billing.tariffs import service as tariff_service
from billing.tariffs.service import TariffImport
from dialplan.routes import service as route_service
from dialplan.routes.route import Route
from runtime.clock import Clock
from runtime.csv_import import RejectFile
from runtime.faults import NotFoundError
from runtime.keys import Pepper

OPERATOR, TARIFF, MADE_BY = "demo", "standard", "demo"
CHECKED_NUMBER, PIN_NUMBER = "19005550100", "19005550101"
LINE, SUBSCRIBER, SSN_LAST_FOUR = "+14155550142", ("Ann", "Example"), "6789"
CALLER_ACCOUNT, SOFTPHONE_ACCOUNT = "4155550142", "4155550143"
CALLER_MICROS = 20_000
SOFTPHONE_MICROS = 10_000_000
POOR_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Ground:
    """The empty, migrated database that is seeded, and a folder for the files that are imported."""

    engine: Engine
    clock: Clock
    pepper: Pepper
    folder: Path


def seed(ground: Ground) -> None:
    """Operator, tariff, services, numbers, route, and the line of a grown-up subscriber."""
    engine, clock = ground.engine, ground.clock
    operator = operator_service.create_operator(
        engine, code=OPERATOR, name="Demonstration Telephone", currency="USD", home_country="US"
    )
    with (
        as_file(files("billing.tariffs").joinpath("sample.csv")) as sample,
        RejectFile(ground.folder / "tariff.rejects") as rejects,
    ):
        rates, _ = tariff_service.read_tariff_file(sample, {}, "USD", rejects)
    wanted = TariffImport(operator.id, TARIFF, "USD", None, "sample.csv")
    tariff_service.import_tariff(engine, clock, wanted, rates)
    for number, name, terms in (
        (CHECKED_NUMBER, "of-age", ProfileTerms(age_check=True, reach=Reach.ABROAD)),
        (PIN_NUMBER, "calling", ProfileTerms(preamble_prompt="welcome", reach=Reach.ABROAD)),
    ):
        operator_service.create_profile(engine, operator_code=OPERATOR, name=name, tariff_name=TARIFF, terms=terms)
        operator_service.create_number(engine, dnis=number, operator_code=OPERATOR, profile_name=name)
    route_service.add_route(engine, Route("network", "", 1))
    first, last = SUBSCRIBER
    listing = _file(ground, "listing.csv", {"ani": LINE, "first_name": first, "last_name": last})
    listing_service.import_listings(engine, clock, listing, OPERATOR)
    person = {"ani": LINE, "last_name": last, "birth_on": "1980-02-29", "ssn_last_four": SSN_LAST_FOUR}
    identity = _file(ground, "identity.csv", person)
    qualification_service.import_identities(engine, clock, ground.pepper, identity, OPERATOR)
    identity.path.unlink()


def add_caller(ground: Ground) -> Account:
    """The account of the line: enough money for half a minute."""
    made = account_service.create_account(
        ground.engine, ground.clock, operator_code=OPERATOR, name=" ".join(SUBSCRIBER), number=CALLER_ACCOUNT
    )
    _credit(ground, made, CALLER_MICROS)
    account_service.add_line(ground.engine, ground.clock, ground.pepper, number=made.number, line=LINE)
    return made


def add_softphone(ground: Ground) -> tuple[Account, str]:
    """The account of the softphone, made once and topped up when it is poor; with a new PIN, the old ones revoked."""
    engine, clock = ground.engine, ground.clock
    try:
        account = account_service.find_account(engine, SOFTPHONE_ACCOUNT)
        account_service.revoke_pins(engine, clock, number=account.number, by=MADE_BY, note="started again")
    except NotFoundError:
        account = account_service.create_account(
            engine, clock, operator_code=OPERATOR, name="Softphone", number=SOFTPHONE_ACCOUNT
        )
    if account.balance_micros < POOR_MICROS:
        _credit(ground, account, SOFTPHONE_MICROS)
    pin = account_service.issue_pin(engine, clock, ground.pepper, account.id)
    return account_service.find_account(engine, account.number), pin


def is_seeded(engine: Engine) -> bool:
    """Whether an earlier run has left its customers here."""
    return any(number.dnis == PIN_NUMBER for number in operator_service.list_numbers(engine))


def _credit(ground: Ground, account: Account, micros: int) -> None:
    ledger_service.credit(
        ground.engine,
        ground.clock,
        account.number,
        micros,
        key=f"demo-{secrets.token_hex(8)}",
        made_by=MADE_BY,
        note="cash",
    )


def _file(ground: Ground, name: str, row: dict[str, str]) -> Source:
    path = ground.folder / name
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(row)
        writer.writerow(row.values())
    return Source(path, RejectFile(ground.folder / f"{name}.rejects"))
