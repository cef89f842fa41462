"""The age check in a call: three tries at the social security number, one other proof, then the end (AGE-1, AGE-2).

Whatever fails, the caller hears the same. Who hangs up while he is asked has used a try.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from ani.lockout.lockout import Way
from ani.qualification import service, store
from ani.qualification.proof import SSN_OF_DIGITS, Method
from ani.qualification.qualification import AgeProof, AgeRefusal, Evidence
from billing.operators.operator import ServiceProfile
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.dialogue import questions
from ivr.dialogue.entry import Entry, Keyed, Question
from ivr.refusals import WRONG_ENTRIES, CallRefusal
from runtime import database

QUESTIONS: dict[Method, Question] = {
    Method.SSN_LAST_FOUR: questions.SSN_LAST_FOUR,
    Method.SSN: questions.SSN,
    Method.BIRTH_DATE: questions.BIRTH_DATE,
    Method.LICENCE: questions.LICENCE,
    Method.NAME: questions.NAME,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose age is to be proven, to what service, on which line and through which number."""

    call_id: str
    ani: str
    account_id: int
    way: Way
    profile: ServiceProfile


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What the story lends the age check."""

    entry: Callable[[Question], Entry]
    ask: Callable[[Entry], Awaitable[Keyed]]
    note: Callable[..., None]


async def check_age(office: BackOffice, told: Dialogue, subject: Subject) -> StrEnum | None:
    """None when the caller is of age, by an earlier proof or by one he gives now; else the refusal."""
    evidence = await office.with_shelf(evidence_of, subject)
    if evidence is not None:
        told.note(
            "age",
            "known",
            rule=f"at least {subject.profile.minimum_age}",
            method=evidence.method,
            source=evidence.source,
            of="line" if evidence.is_of_line else "account",
            proven_at=evidence.proven_at.isoformat(),
            evidence_until=evidence.expires_at.isoformat(),
        )
        return None
    refusal = await _prove(office, told, subject, SSN_OF_DIGITS[subject.profile.ssn_digits], tries=None)
    fallback = subject.profile.fallback.method
    if fallback is None or refusal not in {AgeRefusal.NOT_PROVEN, CallRefusal.TOO_MANY_ATTEMPTS}:
        return refusal
    return await _prove(office, told, subject, fallback, tries=1)


async def _prove(
    office: BackOffice, told: Dialogue, subject: Subject, method: Method, tries: int | None
) -> StrEnum | None:
    entry = told.entry(QUESTIONS[method])
    if tries is not None:
        entry = entry.with_tries(tries)
    refusal: StrEnum = CallRefusal.TOO_MANY_ATTEMPTS
    while not entry.exhausted:
        try:
            keyed = await told.ask(entry)
        except CallerGone:
            await office.with_shelf(count_hang_up, subject, method)
            raise
        entry, digits = entry.hear(keyed)
        if digits is None:
            continue
        answer = await office.with_vendor(check_person, subject, method, digits)
        if isinstance(answer, AgeProof):
            told.note(
                "age",
                "proven",
                rule=f"at least {subject.profile.minimum_age}",
                method=answer.method,
                source=answer.source,
                evidence_until=answer.expires_at.isoformat(),
            )
            return None
        told.note("age", str(answer), method=method.value)
        if answer not in WRONG_ENTRIES:
            return answer
        refusal = answer
        entry = entry.wrong(questions.SSN_LAST_FOUR.complaint)
    return refusal


def evidence_of(shelf: Shelf, subject: Subject) -> Evidence | None:
    """The proof of age of this line or account that still stands."""
    with database.reading(shelf.engine) as connection:
        return store.evidence_of(
            connection,
            ani=subject.ani,
            account_id=subject.account_id,
            minimum_age=subject.profile.minimum_age,
            now=shelf.clock.now(),
        )


def check_person(shelf: Shelf, subject: Subject, method: Method, digits: str) -> AgeProof | AgeRefusal:
    """Match what was keyed with what is known of the line, here and at the vendor; keep the proof or count the try."""
    return service.check_person(
        shelf.engine,
        shelf.clock,
        shelf.pepper,
        shelf.limits,
        ani=subject.ani,
        account_id=subject.account_id,
        digits=digits,
        minimum_age=subject.profile.minimum_age,
        evidence_days=subject.profile.evidence_days,
        method=method,
        desk=shelf.vendors,
        call_id=subject.call_id,
        way=subject.way,
    )


def count_hang_up(shelf: Shelf, subject: Subject, method: Method) -> None:
    """Count a caller who left while he was asked."""
    service.count_hang_up(
        shelf.engine,
        shelf.clock,
        ani=subject.ani,
        account_id=subject.account_id,
        kind=method.value,
        way=subject.way,
    )
