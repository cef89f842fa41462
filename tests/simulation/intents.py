"""What the actors meant: every session, payment and refund that may ever be found in the books, and what was answered.

What is found and was never meant is a violation; so is what was answered and is not found.
"""

from dataclasses import dataclass, field

CALL = "call"


class ViolationError(Exception):
    """Something is wrong with the money."""

    def __init__(self, what: str, account_id: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.account_id = account_id


@dataclass(slots=True)
class MeantSession:
    """A session somebody asked for; the end is what its actor said, once it did."""

    session_id: str
    account_id: int
    service: str
    prefix: str
    cap: int
    call_id: str = ""
    code: str = ""
    """The number, or the code of what is sold."""
    said_used: int | None = None
    granted: int = 0
    answered: bool = False
    charged_micros: int | None = None
    closed: bool = False
    ended_by_silence: bool = False
    answers: dict[int, tuple[int, int, bool]] = field(default_factory=dict)


@dataclass(slots=True)
class MeantTransfer:
    """A movement of money under a key, of one of these amounts."""

    account_id: int
    amounts: tuple[int, ...]
    found_micros: int | None = None


@dataclass(slots=True)
class Intents:
    """Everything meant so far."""

    sessions: dict[str, MeantSession] = field(default_factory=dict)
    transfers: dict[str, MeantTransfer] = field(default_factory=dict)
    refunds_of: dict[str, str] = field(default_factory=dict)
    """Key of a refund to key of the event it is of."""
    refunded_micros: dict[str, int] = field(default_factory=dict)

    def session(self, meant: MeantSession) -> MeantSession:
        """Somebody will ask for this session."""
        return self.sessions.setdefault(meant.session_id, meant)

    def transfer(self, key: str, account_id: int, *amounts: int) -> None:
        """Somebody will move money under this key."""
        self.transfers.setdefault(key, MeantTransfer(account_id, amounts))

    def granted(self, session_id: str, number: int, answer: tuple[int, int, bool], *, replay: bool) -> None:
        """A request was answered: the same answer as ever, and the session is there."""
        meant = self.sessions[session_id]
        first = meant.answers.setdefault(number, answer)
        if first != answer:
            raise ViolationError(
                f"request {number} of session {session_id} was answered {first}, then {answer}", meant.account_id
            )
        meant.answered = True

    def moved(self, key: str) -> None:
        """It was answered that the money moved: it must be in the books."""
        meant = self.transfers[key]
        if meant.found_micros is None:
            raise ViolationError(f"transfer {key} was answered and is not in the books", meant.account_id)
