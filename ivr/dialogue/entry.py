"""What a caller keys in answer to a question: tries counted, digits kept, nothing else remembered.

Pure: the same question serves the age check, the PIN, the access code and the destination.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Keyed:
    """What came back from the keypad; `ended_by_silence` is false when the caller pressed `#` or the entry was full."""

    digits: str = field(repr=False)
    ended_by_silence: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One thing asked for: its prompt and how many digits answer it."""

    name: str
    prompts: tuple[str, ...]
    minimum_digits: int
    maximum_digits: int
    complaint: tuple[str, ...]
    star_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Play the files, which may speak a secret; collect the digits. A key pressed meanwhile is the first digit."""

    name: str
    files: tuple[str, ...] = field(repr=False)
    maximum_digits: int
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A question in progress: how many tries are left and what to say before asking again."""

    question: Question
    tries_left: int
    timeout_ms: int
    lead: tuple[str, ...] = ()
    pound_forgiven: bool = False
    has_keyed: bool = False
    """Whether anything was keyed in an earlier try of this call."""

    @property
    def exhausted(self) -> bool:
        """No try is left."""
        return self.tries_left <= 0

    def ask(self) -> Ask:
        """What to play and collect now."""
        question = self.question
        return Ask(question.name, (*self.lead, *question.prompts), question.maximum_digits, self.timeout_ms)

    def hear(self, keyed: Keyed) -> "tuple[Entry, str | None]":
        """The entry after what was keyed, and the digits if they can be an answer at all.

        A `#` alone is forgiven once: it is the end of an answer that was full before it, and came too late for it.
        """
        digits = keyed.digits
        if not digits and not keyed.ended_by_silence and not self.pound_forgiven:
            return replace(self, pound_forgiven=True), None
        body = digits[1:] if self.question.star_allowed and digits.startswith("*") else digits
        fits = self.question.minimum_digits <= len(digits) <= self.question.maximum_digits
        if fits and body.isascii() and body.isdigit():
            return replace(self, has_keyed=True), digits
        lead = self.question.complaint if digits else ("tollgate/nothing-keyed",)
        has_keyed = self.has_keyed or bool(digits)
        return replace(self, tries_left=self.tries_left - 1, lead=lead, has_keyed=has_keyed), None

    def with_tries(self, tries: int) -> "Entry":
        """The same with so many tries."""
        return replace(self, tries_left=tries)

    def wrong(self, lead: tuple[str, ...]) -> "Entry":
        """The entry after well-formed digits turned out to be wrong."""
        return replace(self, tries_left=self.tries_left - 1, lead=lead)
