"""The routes by which an outside allocation system supplies PINs, asks for them, and reads what became of them."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from billing.apikeys.apikey import ApiKey, Scope
from billing.pins.allocating import service
from billing.pins.allocation import Wanted
from web.charging.routes import CREATED, PROBLEMS, Idempotency, Work
from web.desk import Refused, holder_of
from web.pins.wire import AllocationAnswer, AllocationBody, Moment, RangeName, UsesAnswer, allocation_answer, use_answer
from web.problem import problem_of

MOST_ANSWERED = 500
router = APIRouter(prefix="/api/v1/pins", tags=["pins"], responses=PROBLEMS)

Key = Annotated[ApiKey, Depends(holder_of(Scope.PINS))]
OnlyKey = Annotated[str | None, Query(pattern=r"^[\x21-\x7e]{1,128}$", description="Only the allocation of this key.")]
OnlyRange = Annotated[RangeName | None, Query(alias="range", description="Only of this range.")]
UsedSince = Annotated[Moment | None, Query(description="Only PINs used at or after this moment.")]
After = Annotated[int, Query(ge=0, le=2**62, description="Only after this id.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ANSWERED, description="At most so many.")]


@router.post(
    "/allocations",
    status_code=CREATED,
    responses={200: {"model": AllocationAnswer, "description": "a replay"}},
)
def allocate(
    key: Key, desk: Work, body: AllocationBody, idempotency: Idempotency, response: Response
) -> AllocationAnswer:
    """Let a PIN open an account, a new one unless it is named; without digits of your own they are drawn."""
    wanted = Wanted(key.operator_id, idempotency, body.account, body.range, body.expires_at, body.pin)
    answer = service.allocate(desk.engine, desk.clock, desk.pepper, wanted, f"api key {key.id}")
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    if answer.is_replay:
        response.status_code = 200
    return allocation_answer(answer)


@router.get("/allocations")
def list_allocations(
    key: Key,
    desk: Work,
    of_key: Annotated[OnlyKey, Query(alias="key")] = None,
    of_range: OnlyRange = None,
    used_since: UsedSince = None,
    after: After = 0,
    limit: Limit = MOST_ANSWERED,
) -> UsesAnswer:
    """What became of the PINs allocated by your operator's keys and files; never their digits. It is kept who asked."""
    found = service.list_uses(
        desk.engine,
        key.operator_id,
        after_id=after,
        limit=limit,
        key=of_key,
        range_name=of_range,
        used_since_at=used_since,
    )
    desk.keep_who_looked(key, [("", use.account_id) for use in found], "GET /pins/allocations")
    now = desk.clock.now()
    next_after = found[-1].id if len(found) == limit else None
    return UsesAnswer(allocations=[use_answer(use, now) for use in found], next_after=next_after)
