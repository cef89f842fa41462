"""What has to be shown again is sealed: persons of a line, and PINs drawn for an outside system (AGE-5)."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ani.qualification.proof import Method
from ani.qualification.tables import identity_record
from billing.people import service as people_service
from billing.pins.allocation import Allocated, Wanted
from billing.pins.tables import pin_allocation
from billing.rotation import service
from runtime.database import reading, transaction
from runtime.keys import Pepper, key_of
from runtime.sealing import SealedValueError
from tests.billing.cards.shop import open_kiosk
from tests.billing.rotation.secrets import KEYS, Secrets
from tests.clock import SettableClock
from tests.ivr.town import ANN

BORN = "1980-05-01"


@pytest.fixture
def secrets(engine: Engine, clock: SettableClock, pepper: Pepper, tmp_path: Path) -> Secrets:
    found = Secrets(open_kiosk(engine, clock, pepper, tmp_path), tmp_path)
    found.write(Pepper(KEYS[0]))
    return found


def everything(engine: Engine, table: sa.Table) -> str:
    with reading(engine) as conn:
        return repr(conn.execute(sa.select(table)).all())


def exported(secrets: Secrets, pepper: Pepper) -> dict[str, object]:
    asked = people_service.Asked(ANN, "", "t", "he asked")
    kept = people_service.export(secrets.engine, secrets.clock, pepper, asked, "US")
    ((row,),) = [one.rows for one in kept if one.table == "identity_record"]
    return dict(row)


def test_a_person_is_sealed_and_shown_to_himself(secrets: Secrets) -> None:
    shown = everything(secrets.engine, identity_record)
    assert "Ash" not in shown
    assert "1980" not in shown
    for keys in (KEYS[:1], KEYS[:2], KEYS[:3]):
        pepper = Pepper(*keys)
        service.rotate(secrets.engine, pepper)
        row = exported(secrets, pepper)
        assert (row["first_name"], row["last_name"], row["birth_on"]) == ("Ann", "Ash", date(1980, 5, 1))
        assert "person_sealed" not in row
        assert secrets.proves_age(pepper, Method.BIRTH_DATE, "05011980")
        assert secrets.proves_age(pepper, Method.NAME, "266" + "274")
        assert not secrets.proves_age(pepper, Method.BIRTH_DATE, "05021980")


def test_a_seal_that_was_moved_to_another_row_is_refused(secrets: Secrets) -> None:
    with transaction(secrets.engine) as conn:
        conn.execute(sa.update(identity_record).values(ani="+12125550199"))
    with pytest.raises(SealedValueError, match="moved"):
        secrets.persons(Pepper(KEYS[0]), line="+12125550199")
    second = Wanted(secrets.drawn.operator_id, "second", range_name="mail")
    other = secrets.allocate(Pepper(KEYS[0]), second)
    with transaction(secrets.engine) as conn:
        chosen = sa.select(pin_allocation.c.pin_sealed).where(pin_allocation.c.key == "drawn")
        taken = conn.scalar(chosen)
        conn.execute(sa.update(pin_allocation).where(pin_allocation.c.key == "second").values(pin_sealed=taken))
    assert isinstance(other, Allocated)
    with pytest.raises(SealedValueError, match="moved"):
        secrets.allocate(Pepper(KEYS[0]), second)


def test_a_drawn_pin_is_sealed_and_told_again(secrets: Secrets) -> None:
    digits = secrets.allocated.pin
    assert digits is not None
    assert digits not in everything(secrets.engine, pin_allocation)
    for keys in (KEYS[:2], KEYS[:3]):
        service.rotate(secrets.engine, Pepper(*keys))
        again = secrets.allocate(Pepper(*keys), secrets.drawn)
        assert (again.pin, again.is_replay) == (digits, True)
    with reading(secrets.engine) as conn:
        found = {row.key: row.pin_sealed for row in conn.execute(sa.select(pin_allocation))}
    assert (key_of(found["drawn"]), found["supplied"]) == (3, None)


def test_a_pin_of_before_there_were_seals_is_told_as_ever(secrets: Secrets) -> None:
    engine, pepper = secrets.engine, Pepper(KEYS[0])
    with transaction(engine) as conn:
        conn.execute(sa.update(pin_allocation).values(pin_sealed=None))
        conn.exec_driver_sql(
            "INSERT INTO pin_allocation (operator_id, key, content_hash, account_id, pin_hash, draw, made_by, at) "
            "SELECT operator_id, 'old', content_hash, account_id, pin_hash, 2, made_by, at FROM pin_allocation "
            "WHERE key = 'drawn'"
        )
    told = secrets.allocate(pepper, Wanted(secrets.drawn.operator_id, "old", range_name="mail")).pin
    number = int(pepper.digest("allocated-pin", str(secrets.drawn.operator_id), "old", "2"), 16) % 10**6
    assert told == f"71{number:06d}"
    newer = Pepper(*KEYS[:2])
    service.rotate(engine, newer)
    assert secrets.allocate(newer, Wanted(secrets.drawn.operator_id, "old", range_name="mail")).pin == told


def test_persons_of_before_there_were_seals_are_used_and_then_sealed(secrets: Secrets) -> None:
    engine, pepper = secrets.engine, Pepper(KEYS[0])
    plain = {"person_sealed": None, "birth_on": date.fromisoformat(BORN), "first_name": "Ann", "last_name": "Ash"}
    with transaction(engine) as conn:
        conn.execute(sa.update(identity_record).values(plain))
    assert secrets.proves_age(pepper, Method.BIRTH_DATE, "05011980")
    assert exported(secrets, pepper)["last_name"] == "Ash"
    assert secrets.persons(pepper) == 0
    assert (service.in_plain(engine), service.older(engine, pepper)) == (1, ["identity_record.birth_on (in plain)"])
    assert service.rotate(engine, pepper).renewed == 1
    assert (service.in_plain(engine), service.older(engine, pepper)) == (0, [])
    assert "Ash" not in everything(engine, identity_record)
    assert secrets.proves_age(pepper, Method.BIRTH_DATE, "05011980")
    assert exported(secrets, pepper)["birth_on"] == date(1980, 5, 1)


def test_a_correction_between_keys_can_be_read_and_renewed(secrets: Secrets) -> None:
    """The hash stands under key 1 still and the seal under key 2 already, or the other way about."""
    engine, newer = secrets.engine, Pepper(*KEYS[:2])
    assert secrets.persons(newer, born="1981-05-01") == 1
    assert secrets.proves_age(newer, Method.BIRTH_DATE, "05011981")
    assert service.rotate(engine, newer).left == 0
    assert secrets.persons(Pepper(*KEYS[:2], writing=1), born="1982-05-01") == 1
    assert set(service.older(engine, newer)) == {
        "identity_record.ssn_last_four_hash",
        "identity_record.ssn_hash",
        "identity_record.licence_hash",
    }
    assert service.rotate(engine, newer).left == 0
    assert service.older(engine, newer) == []
    assert secrets.proves_age(newer, Method.BIRTH_DATE, "05011982")
