"""Asking a company whose line it is while a caller waits, and nobody else."""

import asyncio
from concurrent.futures import Executor
from datetime import timedelta

from sqlalchemy.engine import Engine

from ani.numbers import Ani
from ani.reverse_match import service
from ani.reverse_match.listing import Standard
from ani.reverse_match.service import Identified
from ani.vendor.service import VendorDesk
from ani.vendor.vendor import Purpose, VendorOutcome
from runtime.clock import Clock
from runtime.settings import VendorSettings


def standard_of(settings: VendorSettings) -> Standard:
    """What has to be known of a line, and for how long a listing is believed."""
    return Standard(settings.needs_first_name, settings.needs_address, timedelta(days=settings.listing_days))


async def identify(
    engine: Engine, clock: Clock, desk: VendorDesk | None, pool: Executor | None, line: Ani, call_id: str
) -> Identified:
    """What the vendor says of the line; for the caller that takes no longer than the vendor's deadline."""
    if desk is None or not desk.serves(Purpose.REVERSE_MATCH):
        return Identified(None, VendorOutcome.NO_VENDOR, "", 0)
    loop = asyncio.get_running_loop()
    work = loop.run_in_executor(pool, service.identify, engine, clock, desk.since(clock.monotonic_s()), line, call_id)
    try:
        return await asyncio.wait_for(work, desk.rules.deadline_s)
    except TimeoutError:
        return Identified(None, VendorOutcome.TIMED_OUT, "", round(desk.rules.deadline_s * 1000))
