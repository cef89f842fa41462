"""Answers that say no, as RFC 9457 problems: one table from what is refused to its status and title, pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:tollgate:problem:"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem as it is answered; `detail` never holds what was sent."""

    code: str
    status: int
    title: str
    detail: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The body."""
        body: dict[str, object] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = list(self.errors)
        return body


UNAUTHORISED = Problem(
    "unauthorised", 401, "A valid API key is needed", headers={"WWW-Authenticate": 'Bearer realm="tollgate"'}
)
OTHER_SCOPE = Problem("scope-missing", 403, "This API key is not for this: it has another scope")
CHANGED_REPLAY = Problem(
    "changed-replay", 422, "This key or request number was used for another request; nothing was done"
)
TOO_LARGE = Problem("request-too-large", 413, "The request is too large")
BUSY = Problem("try-again", 503, "The database does not answer; repeat the same request", headers={"Retry-After": "2"})
OWN_FAULT = Problem("own-fault", 500, "The request could not be served; repeat it as it is")

TITLES: Final = {
    "no-credit": (402, "The account cannot pay for it"),
    "account-closed": (409, "The account is closed"),
    "account-unknown": (404, "There is no such account"),
    "range-unknown": (422, "There is no such range of PINs"),
    "range-full": (409, "No PIN of this range is left"),
    "pin-not-in-range": (422, "A PIN you supply begins with the digits of a range of your operator"),
    "pin-taken": (409, "This PIN was issued before"),
    "expiry-not-possible": (422, "The PIN would end before it begins, or in a hundred years"),
    "pin-wrong": (403, "This PIN opens no account of this line"),
    "locked-out": (403, "Too many wrong PINs: none is judged for now"),
    "block-unknown": (404, "The subscriber has no block on this line"),
    "block-end-past": (422, "The block would end before it begins"),
    "session-unknown": (404, "There is no such session"),
    "event-unknown": (404, "There is no such event"),
    "session-ended": (409, "The session has ended"),
    "session-expired": (409, "Nothing was heard of the session in time: it was ended by what it last reported"),
    "session-cap-reached": (422, "The session may not use so much"),
    "tariff-unknown": (422, "There is no such tariff"),
    "currency-differs": (422, "Tariff and account have different currencies"),
    "destination-blocked": (422, "What is sold under this code is not allowed"),
    "destination-not-priced": (422, "What is sold under this code has no price"),
    "more-than-was-charged": (409, "There is no more of this event to give back"),
    "account-suspended": (403, "The account is suspended"),
    "destination-abroad": (403, "The account may not call so far"),
    "destination-risky": (403, "The account may not call there"),
    "too-many-calls-at-once": (403, "The account has as many calls up as it may"),
    "too-many-calls-in-an-hour": (403, "The account called as often as it may within an hour"),
    "recharge-cooling-down": (403, "The account was recharged too short a time ago"),
    "destination-too-often": (403, "This destination was called as often as it may be within an hour"),
    "call-spend-limit": (403, "This costs more than the account may spend at once"),
    "hour-spend-limit": (403, "The account spent as much as it may within an hour"),
    "day-spend-limit": (403, "The account spent as much as it may within a day"),
    "measure-not-for-sessions": (422, "This is sold by the event, not by use"),
}


def problem_of(refusal: StrEnum) -> Problem:
    """The problem that tells of a refusal."""
    status, title = TITLES.get(refusal.value, (422, "The request was refused"))
    return Problem(refusal.value, status, title)


def too_many(wait_s: int) -> Problem:
    """The problem of who asks too often, with the seconds until he may again."""
    return Problem("too-many-requests", 429, "Too many requests", headers={"Retry-After": str(wait_s)})
