"""Tells the log once that a process cannot use its database, and what to do; and once that it can again."""

import threading
from typing import Any

from runtime.database_faults import explain_fault


class DatabaseWatch:
    """Hears of every transaction of an engine (`runtime.database.watched`), on whatever thread it was."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._mutex = threading.Lock()
        self._told: str | None = None

    def failed(self, error: Exception) -> None:
        """Tell what stops every transaction, unless that was told; of a fault of one transaction its maker tells."""
        fault = explain_fault(error)
        if fault is None or not fault.stops_all:
            return
        with self._mutex:
            if fault.line == self._told:
                return
            self._told = fault.line
        self._log.error("database-fault", why=fault.line)

    def worked(self) -> None:
        """Something was written and kept."""
        if self._told is None:
            return
        with self._mutex:
            was_told, self._told = self._told, None
        if was_told is not None:
            self._log.info("database-back")
