"""Keys change while callers key their PINs: each is found before, while and after, on both databases (AGE-5)."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from billing.accounts import service as account_service
from billing.accounts.account import AccountRefusal
from billing.accounts.tables import account_line, pin
from billing.cards.tables import card
from billing.pins.allocating.service import allocate
from billing.pins.allocation import Wanted
from billing.pins.tables import pin_allocation
from billing.rotation import service, store
from migrations.tables import metadata
from runtime import keyed
from runtime.database import reading, transaction
from runtime.key_record.service import known_keys, make_and_note, require_keys
from runtime.keyed import Keyed
from runtime.keys import KeyFileError, Pepper, add_key, key_of, load_pepper
from tests.billing.cards.shop import open_kiosk
from tests.billing.rotation.secrets import KEYS, SUPPLIED, Secrets
from tests.clock import SettableClock
from tests.ivr.town import ANN


@pytest.fixture
def secrets(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Secrets:
    return Secrets(open_kiosk(engine, clock, pepper, tmp_path), tmp_path)


def stands_under(engine: Engine) -> set[int]:
    """The keys that the renewed columns stand under."""
    with reading(engine) as conn:
        return {
            key_of(one)
            for holder in store.holders()
            for column in (holder.column, *holder.followers)
            for one in conn.execute(sa.select(column)).scalars()
            if one is not None
        }


def test_every_column_of_hashes_says_what_it_is() -> None:
    silent = [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.c
        if column.name.endswith("_hash")
        and isinstance(column.type, sa.String)
        and not isinstance(column.type, sa.LargeBinary)
        and not isinstance(column.info.get(keyed.KEY), Keyed)
        and not column.foreign_keys
    ]
    assert silent == []


def test_every_secret_is_found_under_every_key(secrets: Secrets) -> None:
    engine = secrets.engine
    secrets.write(Pepper(KEYS[0]))
    secrets.prove(Pepper(KEYS[0]))
    secrets.prove(Pepper(*KEYS[:2], writing=1))
    secrets.prove(Pepper(*KEYS[:2]))
    for last in (2, 3, 4):
        pepper = Pepper(*KEYS[:last])
        done = service.rotate(engine, pepper)
        assert (done.key_id, done.left, stands_under(engine)) == (last, 0, {last})
        assert done.renewed > 8
        assert service.older(engine, pepper) == []
        secrets.prove(pepper)
        assert service.rotate(engine, pepper).renewed == 0
    assert secrets.opens(Pepper(KEYS[3]), secrets.pin) is AccountRefusal.WRONG_PIN
    with pytest.raises(KeyFileError, match="under a key that the key file does not have"):
        service.rotate(engine, Pepper(*KEYS[:2]))


def test_what_is_written_under_a_new_key_is_found_too(secrets: Secrets) -> None:
    secrets.write(Pepper(*KEYS[:3]))
    secrets.prove(Pepper(*KEYS[:3]))
    secrets.prove(Pepper(*KEYS[:3], writing=1))
    assert secrets.persons(Pepper(*KEYS[:3]), born="1980-05-02") == 1, "a correction is still one"
    assert stands_under(secrets.engine) == {3}


def test_the_same_secret_is_not_given_twice_across_keys(secrets: Secrets) -> None:
    secrets.write(Pepper(KEYS[0]))
    pepper = Pepper(*KEYS[:2])
    again = Wanted(secrets.supplied.operator_id, "again", range_name="mail", pin=SUPPLIED)
    taken = allocate(secrets.engine, secrets.clock, pepper, again, "t")
    assert taken == "pin-taken"


def test_cards_go_along_with_their_pins_and_are_used_in_between(secrets: Secrets) -> None:
    kiosk, engine = secrets.kiosk, secrets.engine
    digits = [one for _, one in kiosk.cards("b", 6)]
    assert isinstance(kiosk.key(digits[0]), int)
    pepper = Pepper(*kiosk.pepper.ring.keys, KEYS[3])
    (holder,) = [one for one in store.holders() if one.name == "pin.pin_hash"]
    assert {one.table.name for one in holder.followers} == {"card", "pin_allocation"}
    with transaction(engine) as conn:
        batch = store.renew(conn, holder, pepper.renewed, lambda *_: "", key_id=2, after_id=0, limit=3)
        assert batch.renewed == 3
    kiosk = replace(kiosk, pepper=pepper)
    assert isinstance(kiosk.key(digits[1]), int)
    assert isinstance(kiosk.key(digits[5]), int)
    assert service.rotate(engine, pepper).left == 0
    assert all(isinstance(kiosk.key(one), int) for one in digits)
    with reading(engine) as conn:
        joined = sa.select(sa.func.count()).select_from(card).join(pin, pin.c.pin_hash == card.c.pin_hash)
        assert conn.scalar(joined) == 6


def test_a_run_that_was_cut_off_is_run_again(secrets: Secrets) -> None:
    pepper, engine = Pepper(*KEYS[:2]), secrets.engine
    secrets.write(Pepper(KEYS[0]))
    pins = [account_service.issue_pin(engine, secrets.clock, Pepper(KEYS[0]), secrets.account.id) for _ in range(20)]

    class CutOffError(Exception):
        pass

    def cut_off(column: str, done: int, total: int) -> None:
        if column == "pin.pin_hash" and done >= 8:
            raise CutOffError

    with pytest.raises(CutOffError):
        service.rotate(engine, pepper, cut_off, batch_rows=4)
    assert stands_under(engine) == {1, 2}
    assert "pin.pin_hash" in service.older(engine, pepper)
    secrets.prove(pepper)
    assert service.rotate(engine, pepper, batch_rows=4).left == 0
    assert stands_under(engine) == {2}
    assert all(secrets.opens(pepper, one) == secrets.account.id for one in pins)


def test_callers_are_found_while_keys_rotate(secrets: Secrets, times: Callable[[int, int], int]) -> None:
    engine, first = secrets.engine, Pepper(KEYS[0])
    pins = [account_service.issue_pin(engine, secrets.clock, first, secrets.account.id) for _ in range(times(24, 600))]
    pepper, wrong, over = Pepper(*KEYS[:2], writing=1), [], threading.Event()

    def call() -> None:
        while not over.is_set():
            for digits in pins:
                answer = secrets.opens(pepper, digits)
                if answer != secrets.account.id:
                    wrong.append(answer)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        assert service.rotate(engine, Pepper(*KEYS[:2]), batch_rows=3).left == 0
    finally:
        over.set()
        caller.join()
    assert wrong == []
    assert stands_under(engine) == {2}


def test_a_secret_that_stands_twice_is_left_and_said(secrets: Secrets) -> None:
    engine, pepper = secrets.engine, Pepper(*KEYS[:2])
    for _ in range(3):
        account_service.issue_pin(engine, secrets.clock, Pepper(KEYS[0]), secrets.account.id)
    with transaction(engine) as conn:
        row = conn.execute(sa.select(pin).order_by(pin.c.id).limit(1)).one()._asdict()
        conn.execute(sa.insert(pin), {**row, "id": 999, "pin_hash": pepper.renewed(row["pin_hash"])})
    done = service.rotate(engine, pepper)
    assert (done.renewed, done.left) == (2, 1)
    assert service.older(engine, pepper) == ["pin.pin_hash"]


def test_history_stays_as_it_is(secrets: Secrets) -> None:
    secrets.write(Pepper(KEYS[0]))
    with pytest.raises(sa.exc.IntegrityError, match="never changed"), transaction(secrets.engine) as conn:
        conn.execute(sa.update(pin_allocation).values(at=secrets.clock.now() + timedelta(1)))
    with pytest.raises(sa.exc.IntegrityError, match="never changed"), transaction(secrets.engine) as conn:
        conn.execute(sa.delete(pin_allocation))


def test_an_empty_code_stays_empty(secrets: Secrets) -> None:
    account_service.add_line(secrets.engine, secrets.clock, Pepper(KEYS[0]), number=secrets.account.number, line=ANN)
    assert service.rotate(secrets.engine, Pepper(*KEYS[:2])).left == 0
    with reading(secrets.engine) as conn:
        assert conn.execute(sa.select(account_line.c.access_code_hash)).scalars().all() == [None]


def test_a_key_file_that_does_not_fit_is_known_at_once(engine: Engine, clock: SettableClock, tmp_path: Path) -> None:
    path, other = tmp_path / "key", tmp_path / "other"
    assert make_and_note(engine, path, clock.now())
    assert not make_and_note(engine, path, clock.now())
    require_keys(engine, load_pepper(path))
    before = path.read_bytes()
    assert add_key(path) == 2
    pepper = load_pepper(path)
    assert (pepper.ring.writing, len(pepper.ring.keys)) == (1, 2)
    require_keys(engine, pepper)
    used = service.put_in_use(engine, clock, path)
    assert (used.ring.writing, pepper.ring.writing) == (2, 2), "a process that runs knows it too"
    with reading(engine) as conn:
        assert set(known_keys(conn)) == {1, 2}
    other.write_bytes(before)
    other.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"under key 2 .* has 1 key"):
        require_keys(engine, load_pepper(other))
    with pytest.raises(KeyFileError, match=r"key 1 .* not the one"):
        require_keys(engine, Pepper(*KEYS[:2]))
    with pytest.raises(KeyFileError, match="bring the file"):
        make_and_note(engine, tmp_path / "lost", clock.now())
    assert not (tmp_path / "lost").exists()
