"""What an AGI server has done since it started."""

from dataclasses import dataclass

from ivr.agi.faults import FaultKind


@dataclass(slots=True)
class Counters:
    """Totals since the start; `live` and `waiting` are the present state.

    `connections` is the sum of the sessions, the health checks (closed before a whole environment), the refusals, the
    silent ones, and those that wait. A session ends completed, callers_gone, crashed, broken or drained.
    """

    connections: int = 0
    health_checks: int = 0
    silent: int = 0
    refused_peer: int = 0
    refused_full: int = 0
    refused_header: int = 0
    refused_token: int = 0
    refused_route: int = 0
    refused_draining: int = 0
    sessions: int = 0
    completed: int = 0
    callers_gone: int = 0
    crashed: int = 0
    broken: int = 0
    drained: int = 0
    reporter_failures: int = 0
    live: int = 0
    waiting: int = 0

    def refused(self, kind: FaultKind) -> None:
        """Count a connection that did not become a session."""
        name = _REFUSALS[kind]
        setattr(self, name, getattr(self, name) + 1)


_REFUSALS = {
    FaultKind.SILENT: "silent",
    FaultKind.PEER: "refused_peer",
    FaultKind.FULL: "refused_full",
    FaultKind.HEADER: "refused_header",
    FaultKind.TOKEN: "refused_token",
    FaultKind.ROUTE: "refused_route",
    FaultKind.DRAINED: "refused_draining",
}
