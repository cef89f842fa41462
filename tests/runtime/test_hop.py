"""A function on a thread gives, raises and is given up as by asyncio's own way."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.hop import on_thread


class _HereError(Exception):
    pass


def _fails() -> None:
    raise _HereError


def test_what_it_gives_and_raises_comes_back() -> None:
    async def hops() -> tuple[tuple[int, int], str]:
        with ThreadPoolExecutor(1, "hop") as pool:
            with pytest.raises(_HereError):
                await on_thread(pool, _fails)
            return await on_thread(pool, divmod, 7, 2), await on_thread(pool, lambda: threading.current_thread().name)

    assert asyncio.run(hops()) == ((3, 1), "hop_0")


def test_what_is_given_up_before_it_begins_is_not_begun() -> None:
    begun: list[str] = []
    go = threading.Event()

    async def hops() -> None:
        with ThreadPoolExecutor(1) as pool:
            first = asyncio.create_task(on_thread(pool, go.wait))
            second = asyncio.create_task(on_thread(pool, begun.append, "second"))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            go.set()
            assert await first
            first_again = asyncio.create_task(on_thread(pool, begun.append, "third"))
            await first_again

    asyncio.run(hops())
    assert begun == ["third"]


def test_nobody_hears_of_what_was_given_up_when_it_had_begun() -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait()
        raise _HereError

    async def hops() -> None:
        with ThreadPoolExecutor(1) as pool:
            task = asyncio.create_task(on_thread(pool, work))
            await asyncio.get_running_loop().run_in_executor(None, begun.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            go.set()
            await on_thread(pool, int)

    asyncio.run(hops())
