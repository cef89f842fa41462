"""Terms of a service: each wording is a version, and an agreement names the one that was heard (AGE-6). Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

LONGEST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Terms:
    """One wording of a service's terms: the text as kept, and the prompt by which the caller hears it."""

    profile_id: int
    version: int
    text: str
    text_sha256: str
    prompt: str
    made_by: str
    made_at: datetime

    @property
    def told(self) -> dict[str, object]:
        """What a call's record says of it: which wording, since when there is it, and who set it."""
        set_at = self.made_at.isoformat(timespec="seconds")
        return {"version": self.version, "text_sha256": self.text_sha256, "set_at": set_at, "set_by": self.made_by}


@dataclass(frozen=True, slots=True)
class Agreement:
    """A caller agreed to this version, in this call."""

    call_id: str
    version: int
    text_sha256: str
    agreed_at: datetime


def normal_text(text: str) -> str:
    """The text with its white space made plain; empty when it cannot be terms."""
    plain = " ".join(text.split())
    return plain if plain.isprintable() and len(plain) <= LONGEST_TEXT else ""


def text_sha256(text: str) -> str:
    """SHA-256 of the text (UTF-8), 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
