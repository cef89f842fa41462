"""Structured logs: one JSON object a line on stderr, with secrets and digits masked whoever wrote them."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

PLAIN_KEYS = frozenset({"call", "dnis", "uniqueid", "timestamp"})
"""Identifiers that may be long runs of digits and are nobody's secret."""

SECRET_KEYS = frozenset({"pin", "ssn", "code", "access_code", "digits", "keyed", "secret", "token", "password", "card"})
_LONG_DIGITS = re.compile(r"(?<![0-9a-fA-F.+-])\d{8,}(?![0-9a-fA-F.])")

Logger = structlog.stdlib.BoundLogger


def mask_number(number: str) -> str:
    """A telephone number as it may be logged: the last four digits are hidden."""
    return number[:-4] + "xxxx" if len(number) > 4 else "xxxx"


def _mask(logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    del logger, name
    for key, value in event.items():
        if key in SECRET_KEYS:
            event[key] = "***"
        elif isinstance(value, str) and key not in PLAIN_KEYS:
            event[key] = _LONG_DIGITS.sub("***", value)
    return event


def set_up_logs(level: str, style: str) -> None:
    """Send every log line to stderr as JSON (or as text for a person)."""
    renderer: Any = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    if style == "json":
        renderer = structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event, default=str).decode()
        )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=level.upper(), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    if level.upper() != "DEBUG":
        for chatty in ("alembic", "panoramisk"):
            logging.getLogger(chatty).setLevel(logging.WARNING)


def get_logger(room: str) -> Any:
    """A logger that names its room in every line."""
    return structlog.get_logger(room=room)
