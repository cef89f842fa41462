"""From the event loop to a thread and back, at half of what asyncio's own way costs: a call takes five such hops."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def on_thread(pool: Executor, function: Callable[..., T], *arguments: object) -> T:
    """What the function gives, or raises, on a thread of the pool.

    Given up meanwhile, it is not begun if it has not been; what has begun ends, and nobody hears of it.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()
    work = pool.submit(_work, loop, answer, function, arguments)
    try:
        return await answer
    except asyncio.CancelledError:
        work.cancel()
        raise


def _work(
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[Any],
    function: Callable[..., Any],
    arguments: tuple[object, ...],
) -> None:
    found: Any = None
    fault: BaseException | None = None
    try:
        found = function(*arguments)
    except BaseException as error:  # noqa: BLE001 - whoever waits raises it
        fault = error
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_tell, answer, found, fault)


def _tell(answer: asyncio.Future[Any], found: object, fault: BaseException | None) -> None:
    if answer.done():
        return
    if fault is None:
        answer.set_result(found)
    else:
        answer.set_exception(fault)
