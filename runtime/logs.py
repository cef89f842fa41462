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
SILENT = ("httpx2", "httpcore2", "httpx", "httpcore", "urllib3", "requests", "twilio", "h2", "hpack", "hpack2", "h11")
"""Libraries that write requests down, addresses, headers and all: nobody reads them, not even at level debug."""

TERSE = ("alembic", "panoramisk")
"""Libraries that are heard from warnings on; below that panoramisk writes whole actions, our login too."""

_LONG_DIGITS = re.compile(r"(?<![0-9a-fA-F.+-])\d{8,}(?![0-9a-fA-F.])")

Logger = structlog.stdlib.BoundLogger


def mask_number(number: str) -> str:
    """A telephone number as it may be logged: the last four digits are hidden."""
    return number[:-4] + "xxxx" if len(number) > 4 else "xxxx"


def masked(text: str) -> str:
    """The text without any row of eight digits or more."""
    return _LONG_DIGITS.sub("***", text)


def _mask(logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    del logger, name
    for key, value in event.items():
        if key in SECRET_KEYS:
            event[key] = "***"
        elif isinstance(value, str) and key not in PLAIN_KEYS:
            event[key] = masked(value)
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
    _set_up_libraries(level.upper())


class LibraryLog(logging.Handler):
    """Standard-library records on stderr as it is at that moment, masked like our own, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.addFilter(lambda record: record.name.partition(".")[0] not in SILENT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write it; what cannot be put together is said by its logger's name alone."""
        try:
            text = self.format(record)
        except (TypeError, ValueError):  # its message does not fit its arguments, which may be secret
            text = f"{record.levelname} {record.name} a record that cannot be read"
        sys.stderr.write(masked(text) + "\n")


def _set_up_libraries(level: str) -> None:
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, LibraryLog)]:
        root.removeHandler(handler)
    root.addHandler(LibraryLog())
    root.setLevel(level)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for name in TERSE:
        logging.getLogger(name).setLevel(logging.WARNING)


def get_logger(room: str) -> Any:
    """A logger that names its room in every line."""
    return structlog.get_logger(room=room)
