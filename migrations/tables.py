"""Every table of every room, gathered so that Alembic can compare them with the database."""

import importlib

from runtime.database import metadata

MODULES = (
    "ani.access.tables",
    "ani.lockout.tables",
    "ani.negative.tables",
    "ani.qualification.tables",
    "ani.reverse_match.tables",
    "ani.trust.tables",
    "ani.usage.tables",
    "ani.vendor.tables",
    "ani.vendor.tables",
    "billing.accounts.tables",
    "billing.agreements.tables",
    "billing.allowances.tables",
    "billing.apikeys.tables",
    "billing.calls.tables",
    "billing.cards.tables",
    "billing.charging.tables",
    "billing.conditions.tables",
    "billing.fraud.tables",
    "billing.ledger.tables",
    "billing.operators.tables",
    "billing.pins.tables",
    "billing.plans.tables",
    "billing.tariffs.tables",
    "billing.thresholds.tables",
    "billing.tiers.tables",
    "dialplan.routes.tables",
    "runtime.key_record.tables",
)
for module in MODULES:
    importlib.import_module(module)

__all__ = ["MODULES", "metadata"]
