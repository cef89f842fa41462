"""The routes of the charging API: each one call of one use-case, by the key of one operator."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Response

from billing.apikeys.apikey import ApiKey, Scope
from billing.consumption import service
from billing.consumption.consumption import Event, Open, Sold, id_of
from billing.money import parse_amount
from web.charging.wire import (
    EndAnswer,
    EventAnswer,
    EventBody,
    ProblemAnswer,
    RefundAnswer,
    RefundBody,
    SessionAnswer,
    SessionBody,
    SoldBody,
    TerminateBody,
    UpdateBody,
    end_answer,
    event_answer,
    refund_answer,
    session_answer,
)
from web.desk import Desk, Refused, desk_of, holder_of
from web.problem import MEDIA_TYPE, problem_of

CREATED = 201
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "content": {MEDIA_TYPE: {}}, "description": text}
    for status, text in (
        (401, "no valid API key"),
        (402, "the account cannot pay for it"),
        (403, "the key is not for this, or a limit of the account forbids it"),
        (404, "there is no such thing, or it is another operator's"),
        (409, "it is not in a state for that"),
        (413, "the request is too large"),
        (422, "the request cannot be meant, or repeats a key with another content"),
        (429, "too many requests: see Retry-After"),
        (503, "the database does not answer: repeat the same request after Retry-After"),
    )
}
router = APIRouter(prefix="/api/v1/charging", tags=["charging"], responses=PROBLEMS)

Key = Annotated[ApiKey, Depends(holder_of(Scope.CHARGING))]
Work = Annotated[Desk, Depends(desk_of)]
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Idempotency = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="Chosen before the request is sent; the same again is the same request, for ever.",
    ),
]


@router.post("/sessions", status_code=CREATED, responses={200: {"model": SessionAnswer, "description": "a replay"}})
def open_session(
    key: Key, desk: Work, body: SessionBody, idempotency: Idempotency, response: Response
) -> SessionAnswer:
    """Open a session: hold the price of what is granted first."""
    wanted = Open(id_of(key.operator_id, "session", idempotency), _sold(key, body), body.wanted, body.minimum, body.cap)
    answer = service.open_session(desk.engine, desk.clock, desk.rates, wanted)
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    _say_replay(response, replay=answer.is_replay)
    return session_answer(answer)


@router.get("/sessions/{session_id}")
def show_session(key: Key, desk: Work, session_id: Id) -> SessionAnswer:
    """A session as it stands."""
    answer = service.show_session(desk.engine, key.operator_id, session_id)
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    return session_answer(answer)


@router.post("/sessions/{session_id}/updates")
def update_session(key: Key, desk: Work, session_id: Id, body: UpdateBody) -> SessionAnswer:
    """Tell what was used so far, and hold more so that `wanted` in all may be used."""
    answer = service.extend_session(
        desk.engine, desk.clock, key.operator_id, session_id, body.request_number, body.used, body.wanted
    )
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    return session_answer(answer)


@router.post("/sessions/{session_id}/terminate")
def terminate_session(key: Key, desk: Work, session_id: Id, body: TerminateBody) -> EndAnswer:
    """End a session: charge what was used of what was granted, and free the rest."""
    answer = service.end_session(
        desk.engine,
        desk.clock,
        key.operator_id,
        session_id,
        body.used,
        _made_by(key),
        is_answered=body.connected,
    )
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    ended, unit = answer
    return end_answer(session_id, ended, unit, body.used)


@router.post("/events", status_code=CREATED, responses={200: {"model": EventAnswer, "description": "a replay"}})
def debit(key: Key, desk: Work, body: EventBody, idempotency: Idempotency, response: Response) -> EventAnswer:
    """Charge something at once, whole or not at all."""
    event = Event(id_of(key.operator_id, "event", idempotency), _sold(key, body), body.units)
    answer = service.debit(desk.engine, desk.clock, desk.rates, event, _made_by(key))
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    _say_replay(response, replay=answer.is_replay)
    return event_answer(answer)


@router.post(
    "/events/{event_id}/refunds",
    status_code=CREATED,
    responses={200: {"model": RefundAnswer, "description": "a replay"}},
)
def refund(
    key: Key, desk: Work, event_id: Id, body: RefundBody, idempotency: Idempotency, response: Response
) -> RefundAnswer:
    """Give back what an event cost, or a part of it."""
    amount = None if body.amount is None else parse_amount(body.amount)
    answer = service.refund(
        desk.engine,
        desk.clock,
        key.operator_id,
        event_id,
        id_of(key.operator_id, f"refund of {event_id}", idempotency),
        amount,
        _made_by(key),
    )
    if isinstance(answer, StrEnum):
        raise Refused(problem_of(answer))
    _say_replay(response, replay=answer.is_replay)
    return refund_answer(answer)


def _sold(key: ApiKey, body: SoldBody) -> Sold:
    return Sold(key.operator_id, body.account, body.tariff, body.service, body.code, body.access_number)


def _made_by(key: ApiKey) -> str:
    return f"api key {key.id}"


def _say_replay(response: Response, *, replay: bool) -> None:
    if replay:
        response.status_code = 200
