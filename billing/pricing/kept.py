"""What was fixed when a session started, as the text it is kept in: so that every later price of it is the same.

The moment stands with the session, and a bundle is named by its id alone: what it is does not change, and how many
units of it the session has stands with those.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from billing.pricing.bundles import Bundle
from billing.pricing.rate import NO_CONTEXT, Context, context_of

_SOLD = '"sold":'


def context_text(context: Context, sold_as: str = "") -> str:
    """The context as JSON, without its moment and what is as usual; empty when nothing is left.

    `sold_as`: whose rates price the session, where its own service does not say it.
    """
    if not sold_as and replace(context, started_at=None) == NO_CONTEXT:
        return ""
    kept: dict[str, object] = {
        "access": context.access_number,
        "answered": context.is_answered,
        "used": context.month_used,
        "micros": context.month_micros,
        "bundles": [one.id for one in context.bundles],
        "rings": context.rings_ms,
        "sold": sold_as,
    }
    return json.dumps({name: value for name, value in kept.items() if value}, separators=(",", ":"))


def sold_as_of_text(text: str) -> str:
    """Whose rates price a session kept with this text; empty where its own service says it."""
    return str(json.loads(text).get("sold", "")) if _SOLD in text else ""


def bundles_of_text(text: str) -> list[int]:
    """The ids of the bundles in a context kept as this text, in the order of their use."""
    return [int(one) for one in json.loads(text).get("bundles", ())] if text else []


def context_of_text(text: str, started_at: datetime, bundles: Mapping[int, Bundle]) -> Context:
    """The context kept as this text; raises KeyError when one of its bundles is not among those given."""
    if not text:
        return context_of((started_at, "", False, 0, 0, (), 0))
    found: dict[str, Any] = json.loads(text)
    return Context(
        started_at,
        access_number=found.get("access", ""),
        is_answered=found.get("answered", False),
        month_used=found.get("used", 0),
        month_micros=found.get("micros", 0),
        bundles=tuple(bundles[one] for one in found.get("bundles", ())),
        rings_ms=found.get("rings", 0),
    )
