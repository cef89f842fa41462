"""What every request needs and none owns, and who may ask."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.engine import Engine

from ani.access.service import record_reads
from ani.lockout.lockout import Limits
from billing.apikeys import service as key_service
from billing.apikeys.apikey import ApiKey, Scope
from billing.tariffs.book.service import RateBook
from runtime.clock import Clock
from runtime.keys import Pepper
from web.limits import Buckets
from web.problem import OTHER_SCOPE, UNAUTHORISED, Problem, too_many

FAILURES_PER_S = 1 / 6
FAILURES_AT_ONCE = 20.0
"""Wrong keys from one address: twenty, then ten a minute."""


class Refused(Exception):  # noqa: N818 - a refusal on its way to the edge, not an error
    """A request is answered by a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Desk:
    """The shelf of the web process."""

    engine: Engine
    clock: Clock
    rates: RateBook
    pepper: Pepper
    limits: Limits
    asked: Buckets
    failed: Buckets = field(default_factory=lambda: Buckets(FAILURES_PER_S, FAILURES_AT_ONCE))

    def keep_who_looked(self, key: ApiKey, people: Iterable[tuple[str, int | None]], what: str) -> None:
        """Keep that the holder of the key is about to be shown these people (a line or "", an account or none)."""
        record_reads(self.engine, self.clock, self.pepper, people, by=f"api key {key.id}", reason=what)


def desk_of(request: Request) -> Desk:
    """The desk of this application."""
    found: Desk = request.app.state.desk
    return found


_bearer = HTTPBearer(auto_error=False, bearerFormat="tollgate_ID_SECRET", description="`tollgate apikey create`")


async def authorised(
    request: Request, presented: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> ApiKey:
    """Whose key was presented; raises Refused for none, a wrong one, and one that asks too often."""
    desk = desk_of(request)
    peer = request.client.host if request.client else ""
    if desk.failed.is_empty(peer, desk.clock.monotonic_s()):
        raise Refused(too_many(desk.failed.wait_s(peer, desk.clock.monotonic_s()) or 1))
    key = await _found(desk, presented.credentials) if presented is not None else None
    if key is None:
        if presented is not None:
            desk.failed.wait_s(peer, desk.clock.monotonic_s())
        raise Refused(UNAUTHORISED)
    request.state.key_id = key.id
    wait_s = desk.asked.wait_s(key.id, desk.clock.monotonic_s())
    if wait_s:
        raise Refused(too_many(wait_s))
    return key


def holder_of(scope: Scope) -> Callable[[ApiKey], Awaitable[ApiKey]]:
    """Who may ask where keys need this scope; another valid key is told so."""

    async def holder(key: Annotated[ApiKey, Depends(authorised)]) -> ApiKey:
        if scope not in key.scopes:
            raise Refused(OTHER_SCOPE)
        return key

    return holder


async def _found(desk: Desk, text: str) -> ApiKey | None:
    from anyio.to_thread import run_sync

    return await run_sync(key_service.key_of, desk.engine, text)
