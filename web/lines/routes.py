"""The routes by which a subscriber blocks toll calls from his own line, and lifts that again, on a web site (ANI-5)."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from ani.negative.block import NegativeReason, NewBlock
from billing.apikeys.apikey import ApiKey, Scope
from billing.blocks import service
from billing.blocks.own_block import Asker
from billing.consumption.consumption import id_of
from web.charging.routes import CREATED, PROBLEMS, Idempotency, Work
from web.desk import Refused, holder_of
from web.lines.wire import BlockAnswer, BlockBody, LiftAnswer, LiftBody, ProvenBody, block_answer, lift_answer
from web.problem import problem_of

router = APIRouter(prefix="/api/v1/lines", tags=["lines"], responses=PROBLEMS)

Key = Annotated[ApiKey, Depends(holder_of(Scope.LINES))]


@router.post("/blocks", status_code=CREATED, responses={200: {"model": BlockAnswer, "description": "a replay"}})
def block(key: Key, desk: Work, body: BlockBody, idempotency: Idempotency, response: Response) -> BlockAnswer:
    """Block toll calls from a line for its subscriber, who gives the PIN of an account that has the line."""
    wanted = NewBlock(body.line, NegativeReason.SUBSCRIBER, body.note, body.until, body.ends_calls)
    asker = _asker(key, "line block", body, idempotency)
    answer = service.ask_block(desk.engine, desk.clock, desk.pepper, desk.limits, asker, wanted)
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    if answer.is_replay:
        response.status_code = 200
    return block_answer(answer)


@router.post("/blocks/lift")
def lift(key: Key, desk: Work, body: LiftBody, idempotency: Idempotency) -> LiftAnswer:
    """Lift what the subscriber blocked on his line; blocks that staff made stay."""
    asker = _asker(key, "line lift", body, idempotency)
    answer = service.ask_lift(desk.engine, desk.clock, desk.pepper, desk.limits, asker, body.note)
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    return lift_answer(body.line, answer)


def _asker(key: ApiKey, kind: str, body: ProvenBody, idempotency: str) -> Asker:
    request_id = id_of(key.operator_id, kind, idempotency)
    return Asker(f"api key {key.id}", key.operator_id, request_id, body.line, body.pin)
