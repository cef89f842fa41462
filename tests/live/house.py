"""A gateway with a town of customers behind it, on a lab's switches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing.accounts.account import Account
from billing.calls import service as call_service
from billing.calls import store as call_store
from billing.calls.call import Cdr
from dialplan.lab.gateway_process import GatewayProcess
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from runtime import database, keys
from runtime.clock import SystemClock
from tests.ivr.town import Town, build_town


@dataclass(frozen=True, slots=True)
class House:
    """The gateway process, its customers, and what became of their calls."""

    gateway: GatewayProcess
    town: Town

    def cdrs(self) -> list[Cdr]:
        """All CDRs, the newest first."""
        with database.reading(self.town.engine) as connection:
            return call_store.list_cdrs(connection, limit=100_000)

    def wait_cdrs(self, number: int, timeout_s: float = 20.0) -> list[Cdr]:
        """Wait for so many CDRs and give them, the newest first."""
        wait_for(lambda: len(self.cdrs()) >= number, f"{number} CDRs", timeout_s)
        return self.cdrs()

    def wait_free(self, account: Account, timeout_s: float = 20.0) -> int:
        """Wait until nothing of the account is held; gives its balance."""
        wait_for(lambda: self.town.balance(account)[1] == 0, "no hold", timeout_s)
        return self.town.balance(account)[0]

    def explain(self, call_id: str) -> Any:
        """Everything kept of a call."""
        return call_service.explain(self.town.engine, call_id)


@contextmanager
def open_house(lab: Lab, url: str, folder: Path, **settings: str) -> Iterator[House]:
    """A migrated database with a town, and a gateway serving the lab; stopped at the end."""
    keys.make_pepper(folder / "pepper")
    engine = database.create_engine(url)
    environment = {
        **lab.environment(),
        "TOLLGATE_DATABASE__URL": url,
        "TOLLGATE_SECURITY__PEPPER_FILE": str(folder / "pepper"),
        **{f"TOLLGATE_{name}": value for name, value in settings.items()},
    }
    gateway = GatewayProcess(environment, folder / "gateway.log")
    try:
        town = build_town(engine, SystemClock(), keys.load_pepper(folder / "pepper"), folder)
        gateway.start()
        yield House(gateway, town)
    finally:
        gateway.stop()
        engine.dispose()
