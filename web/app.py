"""The application: its routes, its problems, and the work beside them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from ani.lockout.lockout import Limits
from billing.charging.reaping import LOOK_EVERY_S
from billing.consumption import service as consumption
from billing.ledger.transfer import ChangedReplayError
from billing.tariffs.book.service import RateBook
from runtime.clock import Clock
from runtime.keys import Pepper
from runtime.logs import get_logger
from web.charging.routes import router as charging_router
from web.desk import Desk, Refused
from web.edge import Edge
from web.limits import Buckets
from web.lines.routes import router as lines_router
from web.pins.routes import router as pins_router
from web.problem import BUSY, CHANGED_REPLAY, MEDIA_TYPE, Problem

LARGEST_BODY = 16 * 1024


def create_app(engine: Engine, clock: Clock, pepper: Pepper, limits: Limits, requests_per_s: float) -> FastAPI:
    """The application on one database; `limits` bind PINs that are given to it, as they bind callers.

    A key may ask so often, and twice as often for a moment.
    """
    app = FastAPI(
        title="Tollgate",
        version=version("tollgate"),
        description="Charge the same prepaid accounts as calls do: docs/charging-api.md. Allocate PINs: docs/cards.md."
        " Let a subscriber block toll calls from his line: docs/lines.md.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        separate_input_output_schemas=False,
    )
    asked = Buckets(requests_per_s, 2 * requests_per_s)
    app.state.desk = Desk(engine, clock, RateBook(engine, clock), pepper, limits, asked)
    app.include_router(charging_router)
    app.include_router(pins_router)
    app.include_router(lines_router)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(ChangedReplayError, _changed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SQLAlchemyError, _busy)
    app.add_middleware(Edge, clock=clock, limit_bytes=LARGEST_BODY)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    ending = asyncio.create_task(_end_overdue(app.state.desk))
    try:
        yield
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


async def _end_overdue(desk: Desk) -> None:
    """No money stays locked by a service that is gone."""
    log = get_logger("web")
    is_told = False
    while True:
        try:
            ended = await asyncio.to_thread(consumption.end_overdue, desk.engine, desk.clock)
            if ended:
                log.warning("sessions-overdue", ended=len(ended))
            is_told = False
        except SQLAlchemyError as fault:
            if not is_told:
                log.warning("sessions-overdue-put-off", fault=type(fault).__name__)
            is_told = True
        await asyncio.sleep(LOOK_EVERY_S)


def respond(problem: Problem) -> JSONResponse:
    """A problem as an answer."""
    return JSONResponse(
        problem.document(), status_code=problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE
    )


async def _refused(request: Request, fault: Exception) -> JSONResponse:
    del request
    assert isinstance(fault, Refused)  # noqa: S101 - it is registered for nothing else
    return respond(fault.problem)


async def _changed(request: Request, fault: Exception) -> JSONResponse:
    del request, fault
    return respond(CHANGED_REPLAY)


async def _busy(request: Request, fault: Exception) -> JSONResponse:
    del request
    get_logger("web").warning("database", fault=type(fault).__name__)
    return respond(BUSY)


async def _invalid(request: Request, fault: Exception) -> JSONResponse:
    """What is wrong, by field; never what was sent."""
    del request
    assert isinstance(fault, RequestValidationError)  # noqa: S101 - it is registered for nothing else
    errors = tuple(f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}"[:200] for row in fault.errors()[:20])
    return respond(Problem("invalid-request", 422, "The request cannot be meant so", errors=errors))


async def _http(request: Request, fault: Exception) -> JSONResponse:
    del request
    assert isinstance(fault, HTTPException)  # noqa: S101 - it is registered for nothing else
    code = {404: "not-found", 405: "method-not-allowed", 400: "invalid-request"}.get(fault.status_code, "refused")
    return respond(Problem(code, fault.status_code, str(fault.detail), headers=dict(fault.headers or {})))
