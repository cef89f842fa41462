"""The questions a caller is asked."""

from ivr.dialogue.entry import Question

SSN_LAST_FOUR = Question("ssn-last-four", ("tollgate/enter-ssn-last-four",), 4, 4, ("tollgate/try-again",))
SSN = Question("ssn", ("tollgate/enter-ssn",), 9, 9, SSN_LAST_FOUR.complaint)
BIRTH_DATE = Question("birth-date", ("tollgate/enter-date-of-birth",), 8, 8, SSN_LAST_FOUR.complaint)
LICENCE = Question("licence", ("tollgate/enter-licence",), 4, 24, SSN_LAST_FOUR.complaint)
NAME = Question("name", ("tollgate/enter-name",), 2, 24, SSN_LAST_FOUR.complaint)
ACCESS_CODE = Question(
    "access-code", ("tollgate/enter-access-code",), 1, 5, ("tollgate/access-code-wrong",), star_allowed=True
)
PIN = Question("pin", ("tollgate/enter-pin",), 8, 8, ("tollgate/pin-wrong",))
CARD = Question("card", ("tollgate/enter-voucher",), 8, 8, ("tollgate/voucher-wrong",))
BYPASS_CODE = Question("bypass-code", ("tollgate/enter-bypass-code",), 1, 8, ("tollgate/bypass-code-wrong",))
PIN_TO_BLOCK = Question("block-pin", ("tollgate/enter-pin-to-block",), 8, 8, ("tollgate/pin-wrong",))
DESTINATION = Question(
    "destination", ("tollgate/enter-destination",), 2, 20, ("tollgate/destination-not-valid",), star_allowed=True
)
BLOCK_THIS_LINE = "*60"
"""Keyed in place of a destination: the subscriber blocks toll calls from his line."""


def terms(prompt: str) -> Question:
    """The terms, said by this prompt, and the question whether they are accepted: one key."""
    return Question("terms", (f"tollgate/{prompt}", "tollgate/terms-accept"), 1, 1, SSN_LAST_FOUR.complaint)
