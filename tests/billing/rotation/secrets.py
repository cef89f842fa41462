"""One of each secret there is, to be written under one key and proven under another."""

from pathlib import Path

import pytest

from ani.access import service as access_service
from ani.access import store as access_store
from ani.access.access import Action
from ani.importing import Source
from ani.lockout.lockout import Limits
from ani.qualification import service as qualification_service
from ani.qualification.proof import Method
from ani.qualification.qualification import AgeProof
from billing.accounts import service as account_service
from billing.accounts.account import AccountRefusal
from billing.conditions import service as condition_service
from billing.ledger import service as ledger_service
from billing.ledger.transfer import ChangedReplayError
from billing.operators.store import operator_named
from billing.pins import service as pin_service
from billing.pins.allocating.service import allocate
from billing.pins.allocation import Allocated, Wanted
from billing.pins.pin_range import RangeTerms
from runtime.csv_import import RejectFile
from runtime.database import reading, transaction
from runtime.keys import Pepper
from tests.billing.cards.shop import Kiosk
from tests.ivr.town import ANN

LIMITS = Limits(10_000, 10_000, 10_000)
KEYS = [bytes([number]) * 32 for number in range(1, 5)]
SSN, LICENCE, CODE, BYPASS, SUPPLIED = "123456789", "CA1234567", "4711", "12345", "71000042"
PERSONS = "ani,birth_on,first_name,last_name,ssn,licence_state,licence"


class Secrets:
    """One of each secret there is, written under whatever key a pepper has in use, and proven by any other."""

    def __init__(self, kiosk: Kiosk, folder: Path) -> None:
        self.kiosk, self.folder = kiosk, folder
        self.engine, self.clock = kiosk.engine, kiosk.clock
        pin_service.create_range(self.engine, self.clock, "acme", RangeTerms("mail", prefix="71"), by="t")
        self.account = account_service.create_account(self.engine, self.clock, operator_code="acme")
        with reading(self.engine) as conn:
            found = operator_named(conn, "acme")
        assert found is not None
        self.supplied = Wanted(found.id, "supplied", range_name="mail", pin=SUPPLIED)
        self.drawn = Wanted(found.id, "drawn", range_name="mail")

    def write(self, pepper: Pepper) -> None:
        number = self.account.number
        self.pin = account_service.issue_pin(self.engine, self.clock, pepper, self.account.id)
        account_service.add_line(self.engine, self.clock, pepper, number=number, line=ANN, code=CODE)
        condition_service.set_bypass(self.engine, self.clock, pepper, number=number, line=ANN, code=BYPASS, by="t")
        assert self.persons(pepper) == 1
        self.allocated = self.allocate(pepper, self.drawn)
        self.allocate(pepper, self.supplied)
        with transaction(self.engine) as conn:
            names = access_service.names(pepper, ANN, None)
            access_service.record(conn, self.clock, names, by="t", action=Action.READ, reason="r")
        ledger_service.credit(self.engine, self.clock, number, 1_000_000, "k", "t")
        assert ledger_service.seal(self.engine, self.clock, pepper, "t") is not None

    def persons(self, pepper: Pepper, born: str = "1980-05-01", line: str = ANN) -> int:
        path = self.folder / "persons.csv"
        path.write_text(f"{PERSONS}\n{line},{born},Ann,Ash,{SSN},CA,1234567\n")
        source = Source(path, RejectFile(self.folder / "rejects.csv"))
        return qualification_service.import_identities(self.engine, self.clock, pepper, source, "bureau").loaded

    def allocate(self, pepper: Pepper, wanted: Wanted) -> Allocated:
        answer = allocate(self.engine, self.clock, pepper, wanted, "t")
        assert isinstance(answer, Allocated)
        return answer

    def proves_age(self, pepper: Pepper, method: Method, digits: str) -> bool:
        answer = qualification_service.check_person(
            self.engine,
            self.clock,
            pepper,
            LIMITS,
            ani=ANN,
            account_id=None,
            digits=digits,
            minimum_age=18,
            evidence_days=1,
            method=method,
        )
        return isinstance(answer.answer, AgeProof)

    def opens(self, pepper: Pepper, digits: str) -> int | AccountRefusal:
        return account_service.check_pin(self.engine, self.clock, pepper, LIMITS, ANN, digits)

    def prove(self, pepper: Pepper) -> None:
        """Every secret is found, and no wrong one."""
        engine, clock, account_id = self.engine, self.clock, self.account.id
        assert self.opens(pepper, self.pin) == account_id
        assert isinstance(self.opens(pepper, SUPPLIED), int)
        assert self.opens(pepper, "00000000") is AccountRefusal.WRONG_PIN
        assert account_service.check_access_code(engine, clock, pepper, LIMITS, ANN, CODE) == account_id
        assert isinstance(account_service.check_access_code(engine, clock, pepper, LIMITS, ANN, "1"), AccountRefusal)
        for code, is_right in ((BYPASS, True), ("9", False)):
            refusal = condition_service.check_bypass(
                engine, clock, pepper, LIMITS, account_id=account_id, ani=ANN, code=code
            )
            assert (refusal is None) is is_right
        for method, digits in (
            (Method.SSN, SSN),
            (Method.SSN_LAST_FOUR, SSN[-4:]),
            (Method.LICENCE, "22" + "1234567"),
        ):
            assert self.proves_age(pepper, method, digits)
            assert not self.proves_age(pepper, method, digits.replace("7", "8"))
        assert self.persons(pepper) == 0, "a file loaded again changes nothing"
        again = self.allocate(pepper, self.drawn)
        assert (again.pin, again.is_replay) == (self.allocated.pin, True)
        assert self.opens(pepper, again.pin or "") == self.opens(pepper, self.allocated.pin or "")
        assert self.allocate(pepper, self.supplied).is_replay
        with pytest.raises(ChangedReplayError):
            self.allocate(pepper, Wanted(self.supplied.operator_id, "supplied", range_name="mail", pin="71000043"))
        with reading(engine) as conn:
            assert len(access_store.accesses(conn, access_service.every_name(pepper, ANN, None), 9)) == 1
        assert ledger_service.audit(engine, pepper) == []
