"""The age check in a call: three tries at the social security number, one other proof, then the end (AGE-1, AGE-2).

The other proof is compared with other sources than the number was. It is asked for where there is none, too, and then
nothing proves it: else a fourth question would tell who is known from who is not.

Whatever fails, the caller hears the same. Who hangs up while he is asked has used a try.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from ani.lockout.lockout import Tell, Way
from ani.qualification import service, store
from ani.qualification.proof import SSN_OF_DIGITS, Method
from ani.qualification.qualification import AgeProof, AgeQuestion, AgeRefusal, Checked, Evidence
from billing.operators.operator import ServiceProfile
from ivr.agi.faults import CallerGone
from ivr.back_office import BackOffice, Shelf
from ivr.dialogue import questions
from ivr.dialogue.entry import Entry, Keyed, Question
from ivr.refusals import WRONG_ENTRIES, CallRefusal
from runtime import database

NUMBER_TRIES, FALLBACK_TRIES = 3, 1
"""A rule of the service and no setting: `call.entry_attempts` can only make fewer of them (AGE-1, AGE-2)."""
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


@dataclass(frozen=True, slots=True)
class Proof:
    """What is asked for: how often at most, if the call allows as much, and from which sources not."""

    method: Method
    tries: int
    barred: frozenset[str] = frozenset()


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
    number = SSN_OF_DIGITS[subject.profile.ssn_digits]
    refusal, compared = await _prove(office, told, subject, Proof(number, NUMBER_TRIES))
    fallback = subject.profile.fallback.method
    if fallback is None or refusal not in {AgeRefusal.NOT_PROVEN, CallRefusal.TOO_MANY_ATTEMPTS}:
        return refusal
    barred, has_other = await office.with_shelf(barred_sources, subject, fallback, compared)
    if not has_other:
        told.note("age", "no-other-source", method=fallback.value, compared=_names(compared))
    refusal, _ = await _prove(office, told, subject, Proof(fallback, FALLBACK_TRIES, barred))
    return refusal


async def _prove(
    office: BackOffice, told: Dialogue, subject: Subject, proof: Proof
) -> tuple[StrEnum | None, frozenset[str]]:
    """None when it is proven, else the refusal; and the sources that what was keyed was compared with."""
    method = proof.method
    entry = told.entry(QUESTIONS[method])
    entry = entry.with_tries(min(proof.tries, entry.tries_left))
    refusal: StrEnum = CallRefusal.TOO_MANY_ATTEMPTS
    compared: frozenset[str] = frozenset()
    while not entry.exhausted:
        try:
            keyed = await told.ask(entry)
        except CallerGone:
            await office.with_shelf(count_hang_up, subject, method)
            raise
        entry, digits = entry.hear(keyed)
        if digits is None:
            continue
        checked = await office.with_vendor(check_person, subject, proof, digits, office.locks.append)
        if checked.answer is AgeQuestion.BIRTH_DATE:
            born = await _birth_date(office, told, subject)
            checked = await office.with_vendor(check_person, subject, proof, digits, office.locks.append, born)
        answer = checked.answer
        compared |= checked.compared
        if isinstance(answer, AgeProof):
            told.note(
                "age",
                "proven",
                rule=f"at least {subject.profile.minimum_age}",
                method=answer.method,
                source=answer.source,
                evidence_until=answer.expires_at.isoformat(),
            )
            return None, compared
        told.note("age", str(answer), method=method.value, compared=_names(checked.compared), **office.lock_told())
        if answer not in WRONG_ENTRIES:
            return answer, compared
        refusal = answer
        entry = entry.wrong(questions.SSN_LAST_FOUR.complaint)
    return refusal, compared


async def _birth_date(office: BackOffice, told: Dialogue, subject: Subject) -> str:
    """What is keyed for the date of birth that goes with the number, in one try; "" for nothing that can be one."""
    entry = told.entry(questions.BIRTH_DATE).with_tries(1)
    while not entry.exhausted:
        try:
            keyed = await told.ask(entry)
        except CallerGone:
            await office.with_shelf(count_hang_up, subject, Method.BIRTH_DATE)
            raise
        entry, digits = entry.hear(keyed)
        if digits is not None:
            return digits
    return ""


def _names(sources: frozenset[str]) -> str:
    return ", ".join(sorted(sources))


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


def barred_sources(
    shelf: Shelf, subject: Subject, method: Method, compared: frozenset[str]
) -> tuple[frozenset[str], bool]:
    """The sources the other proof may not come from, and whether there is another."""
    return service.barred_sources(
        shelf.engine, shelf.pepper, shelf.vendors, ani=subject.ani, method=method, compared=compared
    )


def check_person(
    shelf: Shelf, subject: Subject, proof: Proof, digits: str, tell: Tell, born: str | None = None
) -> Checked:
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
        method=proof.method,
        desk=shelf.vendors,
        call_id=subject.call_id,
        way=subject.way,
        barred=proof.barred,
        tell=tell,
        born=born,
    )


def count_hang_up(shelf: Shelf, subject: Subject, method: Method) -> None:
    """Count a caller who left while he was asked."""
    service.count_hang_up(
        shelf.engine,
        shelf.clock,
        shelf.limits,
        ani=subject.ani,
        account_id=subject.account_id,
        kind=method.value,
        way=subject.way,
    )
