"""What `tollgate tariff list` and `tollgate tariff show` do."""

from collections.abc import Mapping, Sequence

from billing.money import format_amount
from billing.pricing.notation import written
from billing.rating import VOICE, Rate
from billing.tariffs import service, store
from billing.tariffs.tariff import version_in_effect
from runtime import command, database
from runtime.clock import SystemClock
from runtime.command import ExitCode
from runtime.faults import NotFoundError


def list_tariffs(operator: str | None, *, as_json: bool) -> int:
    """A row for each tariff."""
    now = SystemClock().now()
    rows: list[dict[str, object]] = []
    with database.reading(command.open_engine(command.open_settings())) as conn:
        operator_id = None if operator is None else service.find_owner(conn, operator).id
        for listed in store.list_tariffs(conn, operator_id):
            current = version_in_effect(store.versions(conn, listed.tariff.id), now)
            rows.append(
                {
                    "operator": listed.operator_code,
                    "tariff": listed.tariff.name,
                    "currency": listed.tariff.currency,
                    "version": current and current.number,
                    "effective_at": current and current.effective_at.isoformat(),
                }
            )
    return _print_rows("Tariffs", rows, as_json=as_json)


def show_versions(operator: str | None, name: str, *, as_json: bool) -> int:
    """A row for each version, also of those to come."""
    with database.reading(command.open_engine(command.open_settings())) as conn:
        tariff = service.find_tariff(conn, service.find_owner(conn, operator), name)
        versions = store.versions(conn, tariff.id)
    current = version_in_effect(versions, SystemClock().now())
    rows = [
        {
            "version": one.number,
            "in_effect": "yes" if current is not None and one.id == current.id else "no",
            "effective_at": one.effective_at.isoformat(),
            "imported_at": one.imported_at.isoformat(),
            "source": one.source,
            "rates": one.rates,
        }
        for one in versions
    ]
    return _print_rows(f"Versions of {name}", rows, as_json=as_json)


def show_rates(operator: str | None, name: str, number: int | None, prefix: str, *, as_json: bool) -> int:
    """A row for each rate, in the columns of a tariff file."""
    with database.reading(command.open_engine(command.open_settings())) as conn:
        tariff = service.find_tariff(conn, service.find_owner(conn, operator), name)
        versions = store.versions(conn, tariff.id)
        if number is None:
            version = version_in_effect(versions, SystemClock().now())
        else:
            version = next((one for one in versions if one.number == number), None)
        if version is None:
            raise NotFoundError(f"{name} has no version {number}" if number is not None else f"{name}: none in effect")
        found = [rate for rate in store.rates_of_version(conn, version.id) if rate.prefix.startswith(prefix)]
    return _print_rows(f"{name}, version {version.number}", [rate_row(rate) for rate in found], as_json=as_json)


def rate_row(rate: Rate) -> dict[str, object]:
    """A rate in the columns of a tariff file."""
    return {
        "prefix": rate.prefix,
        "destination": rate.destination,
        "price_per_minute": format_amount(rate.price_per_minute_micros),
        "connect_fee": format_amount(rate.connect_fee_micros),
        "minimum_s": rate.minimum_s,
        "increments": f"{rate.initial_s}/{rate.increment_s}",
        "blocked": "yes" if rate.blocked else "no",
        **({} if rate.service == VOICE else {"service": rate.service}),
        **written(rate.terms),
    }


def _print_rows(title: str, rows: Sequence[Mapping[str, object]], *, as_json: bool) -> int:
    if as_json:
        command.print_document(rows)
    elif rows:
        columns = tuple(dict.fromkeys(name for row in rows for name in row))
        command.print_table(title, columns, [tuple(row.get(name, "") for name in columns) for row in rows])
    return ExitCode.OK if rows else ExitCode.NOTHING
