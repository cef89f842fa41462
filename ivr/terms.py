"""Asking a caller to agree to the terms, by key, in each call whose service says so (AGE-6)."""

from enum import StrEnum

from billing.agreements import service
from billing.agreements.agreement import Terms
from ivr.age_check import Dialogue
from ivr.back_office import BackOffice, Shelf
from ivr.dialogue import questions
from ivr.refusals import CallRefusal

ACCEPTED, DECLINED = "1", "2"


async def agree_to_terms(
    office: BackOffice, told: Dialogue, call_id: str, profile_id: int, version: int
) -> StrEnum | None:
    """None when the caller agreed, which is kept with the call; any other end of the question is the refusal."""
    terms = await office.with_shelf(_terms_of, profile_id, version)
    if terms is None:
        return CallRefusal.TERMS_NOT_ACCEPTED
    entry = told.entry(questions.terms(terms.prompt))
    while not entry.exhausted:
        entry, digits = entry.hear(await told.ask(entry))
        if digits == ACCEPTED:
            await office.with_shelf(_agree, call_id, terms)
            told.note("terms", "agreed", **terms.told)
            return None
        if digits == DECLINED:
            break
        if digits is not None:
            entry = entry.wrong(questions.SSN_LAST_FOUR.complaint)
    told.note("terms", "not-agreed", **terms.told)
    return CallRefusal.TERMS_NOT_ACCEPTED


def _terms_of(shelf: Shelf, profile_id: int, version: int) -> Terms | None:
    return service.terms_of(shelf.engine, profile_id, version)


def _agree(shelf: Shelf, call_id: str, terms: Terms) -> None:
    service.agree(shelf.engine, shelf.clock, call_id, terms)
