"""A gateway that runs while another machine puts a new key in use says so, and that the file has come (AGE-5)."""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.engine import Engine
from structlog.testing import CapturingLogger

from billing.rotation import service
from ivr.key_watch import KeyWatch
from runtime.key_record.service import make_and_note
from runtime.keys import add_key, load_pepper
from tests.clock import SettableClock


def test_a_key_of_another_machine_is_missed(engine: Engine, clock: SettableClock, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    make_and_note(engine, here, clock.now())
    shutil.copy2(here, there)
    add_key(there)
    service.put_in_use(engine, clock, there)
    log = CapturingLogger()
    with ThreadPoolExecutor(1) as pool:
        watch = KeyWatch(engine, load_pepper(here), pool, log)
        asyncio.run(watch.look())
        asyncio.run(watch.look())
        shutil.copy2(there, here)
        asyncio.run(watch.look())
    assert [(call.method_name, call.args) for call in log.calls] == [
        ("error", ("key-fault",)),
        ("info", ("keys-complete",)),
    ]
    assert "secrets under key 2" in log.calls[0].kwargs["why"]
