"""An operator with a tariff, a service profile and accounts, in a database, for tests of money."""

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.usage.tables import line_usage
from billing.accounts.tables import account
from billing.calls import service as call_service
from billing.calls.call import Authorise, Authorised, CallEvent, Cdr, NewCall, Settle
from billing.ledger import service as ledger_service
from billing.ledger.transfer import Credited
from billing.operators.tables import operator, service_profile
from billing.rating import Rate
from billing.tariffs.tables import rate, tariff, tariff_version
from runtime.database import transaction
from runtime.ids import new_id
from tests.clock import SettableClock

UNIT = 1_000_000
ANI = "+12125550100"
T = TypeVar("T")


class Books:
    """The tables a call needs, filled through the services where money is concerned."""

    def __init__(self, engine: Engine, clock: SettableClock, *, month_cap_s: int = 5580) -> None:
        self.engine = engine
        self.clock = clock
        self._accounts = 0
        with transaction(engine) as conn:
            self.operator_id = conn.execute(
                sa.insert(operator)
                .values(code="acme", name="Acme", currency="USD", home_country="US")
                .returning(operator.c.id)
            ).scalar_one()
            tariff_id = conn.execute(
                sa.insert(tariff)
                .values(operator_id=self.operator_id, name="standard", currency="USD")
                .returning(tariff.c.id)
            ).scalar_one()
            self.version_id = conn.execute(
                sa.insert(tariff_version)
                .values(tariff_id=tariff_id, number=1, effective_at=clock.now(), imported_at=clock.now())
                .returning(tariff_version.c.id)
            ).scalar_one()
            self.profile_id = conn.execute(
                sa.insert(service_profile)
                .values(
                    operator_id=self.operator_id,
                    name="calling",
                    tariff_id=tariff_id,
                    age_check=False,
                    issue_pin=False,
                    month_cap_s=month_cap_s,
                    reach="abroad",
                )
                .returning(service_profile.c.id)
            ).scalar_one()

    def rate(self, prefix: str = "33", **prices: int) -> Rate:
        """A rate of the tariff: one unit a minute by whole minutes, unless told otherwise."""
        made = Rate(self.version_id, prefix, "France", "USD", UNIT, initial_s=60, increment_s=60)
        made = dataclasses.replace(made, **prices)  # type: ignore[arg-type]  # only whole numbers are changed
        with transaction(self.engine) as conn:
            conn.execute(
                sa.insert(rate).values(
                    tariff_version_id=made.tariff_version_id,
                    prefix=made.prefix,
                    destination=made.destination,
                    price_per_minute_micros=made.price_per_minute_micros,
                    connect_fee_micros=made.connect_fee_micros,
                    minimum_s=made.minimum_s,
                    initial_s=made.initial_s,
                    increment_s=made.increment_s,
                    blocked=made.blocked,
                )
            )
        return made

    def account(self, balance_micros: int = 0, limit_micros: int = 0) -> int:
        """An account, with what was paid in."""
        self._accounts += 1
        number = f"{self._accounts:010d}"
        with transaction(self.engine) as conn:
            account_id = conn.execute(
                sa.insert(account)
                .values(
                    number=number,
                    operator_id=self.operator_id,
                    currency="USD",
                    limit_micros=limit_micros,
                    created_at=self.clock.now(),
                )
                .returning(account.c.id)
            ).scalar_one()
        if balance_micros:
            credited = ledger_service.credit(self.engine, self.clock, number, balance_micros, new_id(), "test")
            assert isinstance(credited, Credited)
        return int(account_id)

    def number(self, account_id: int) -> str:
        """The number of an account."""
        with transaction(self.engine) as conn:
            return str(conn.execute(sa.select(account.c.number).where(account.c.id == account_id)).scalar_one())

    def set_state(self, account_id: int, state: str) -> None:
        """Open or close an account."""
        with transaction(self.engine) as conn:
            conn.execute(sa.update(account).where(account.c.id == account_id).values(state=state))

    def money(self, account_id: int) -> tuple[int, int]:
        """Balance and holds of an account."""
        with transaction(self.engine) as conn:
            row = conn.execute(
                sa.select(account.c.balance_micros, account.c.held_micros).where(account.c.id == account_id)
            ).one()
        return row.balance_micros, row.held_micros

    def talk(self, ani: str = ANI) -> tuple[int, int]:
        """Milliseconds used and held by a line, in all months."""
        with transaction(self.engine) as conn:
            row = conn.execute(
                sa.select(
                    sa.func.coalesce(sa.func.sum(line_usage.c.used_ms), 0),
                    sa.func.coalesce(sa.func.sum(line_usage.c.held_ms), 0),
                ).where(line_usage.c.ani == ani)
            ).one()
        return int(row[0]), int(row[1])

    def call(self, ani: str = ANI, events: Sequence[CallEvent] = ()) -> str:
        """A call that arrived."""
        call_id = new_id()
        new = NewCall(
            call_id,
            "gw1",
            f"uid-{call_id}",
            f"PJSIP/network-{call_id[:8]}",
            "19005550199",
            ani,
            self.clock.now(),
            service_profile_id=self.profile_id,
            events=tuple(events),
        )
        with transaction(self.engine) as conn:
            assert call_service.open_call(conn, new) == call_id
        return call_id

    def asking(self, call_id: str, account_id: int, price: Rate, **changes: object) -> Authorise:
        """What a call asks for: a minute at first, half an hour at most."""
        values: dict[str, object] = {
            "call_id": call_id,
            "session_id": new_id(),
            "account_id": account_id,
            "rate": price,
            "destination": "+33123456789",
            "trunk": "network",
            "ani": ANI,
            "session_cap_ms": 1_860_000,
            "month_cap_ms": 5_580_000,
            "wanted_ms": 60_000,
            "minimum_ms": 5_000,
            "profile_id": self.profile_id,
            **changes,
        }
        return Authorise(**values)  # type: ignore[arg-type]  # the names are checked when it is made

    def authorise(self, wanted: Authorise) -> Authorised | call_service.Refusal:
        """Ask for it."""
        return call_service.authorise(self.engine, self.clock, wanted)

    def up(self, account_id: int, price: Rate, **changes: object) -> str:
        """A call that is authorised."""
        call_id = self.call(ani=str(changes.get("ani", ANI)))
        assert isinstance(self.authorise(self.asking(call_id, account_id, price, **changes)), Authorised)
        return call_id

    def told(self, call_id: str, talked_ms: int | None, **changes: object) -> Settle:
        """The end of a call that talked so long; none for one not answered."""
        ended_at = self.clock.now()
        answered_at = None if talked_ms is None else ended_at - timedelta(milliseconds=talked_ms)
        values: dict[str, object] = {
            "call_id": call_id,
            "answered_at": answered_at,
            "ended_at": ended_at,
            "disposition": "no-answer" if talked_ms is None else "answered",
            "hangup_cause": 16,
            "settled_from": "gateway",
            **changes,
        }
        return Settle(**values)  # type: ignore[arg-type]  # the names are checked when it is made

    def settle(self, call_id: str, talked_ms: int | None, **changes: object) -> Cdr:
        """End a call."""
        return call_service.settle(self.engine, self.clock, self.told(call_id, talked_ms, **changes))

    def assert_sound(self) -> None:
        """Nothing in the books disagrees."""
        assert ledger_service.audit(self.engine) == []


def at_once(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run each on a thread of its own, all starting together; raises what any of them raises."""
    start = Barrier(len(tasks))

    def run(task: Callable[[], T]) -> T:
        start.wait(30)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result(60) for future in [pool.submit(run, task) for task in tasks]]
