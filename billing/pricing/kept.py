"""What was fixed when a session started, as the text it is kept in: so that every later price of it is the same."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from billing.pricing.bundles import Bundle, CoverRule
from billing.pricing.rate import NO_CONTEXT, Context


def context_text(context: Context) -> str:
    """The context as JSON, without what is as usual; empty when nothing is fixed."""
    if context == NO_CONTEXT:
        return ""
    return json.dumps(_changed(asdict(context), asdict(NO_CONTEXT)), default=_moment, separators=(",", ":"))


def context_of_text(text: str) -> Context:
    """The context kept as this text."""
    if not text:
        return NO_CONTEXT
    found: dict[str, Any] = json.loads(text)
    bundles = tuple(_bundle(one) for one in found.pop("bundles", ()))
    started_at = found.pop("started_at", None)
    return Context(**found, started_at=_read(started_at), bundles=bundles)


def _changed(given: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value != usual[name]}


def _bundle(fields: dict[str, Any]) -> Bundle:
    fields |= {"services": tuple(fields["services"]), "prefixes": tuple(fields["prefixes"])}
    return Bundle(**fields | {"rule": CoverRule(fields["rule"]), "expires_at": _read(fields["expires_at"])})


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not kept: {type(value).__name__}")
