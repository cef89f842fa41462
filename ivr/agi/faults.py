"""What can go wrong, named by whose fault it is. No message ever holds an argument, a value or a digit."""

import traceback
from dataclasses import dataclass
from enum import StrEnum, unique


class ChannelFault(Exception):  # noqa: N818 - faults are named by what happened
    """The command did not do what was asked."""


class CallerGone(ChannelFault):
    """The channel is no longer ours: hung up, redirected, past its time limit, or Asterisk closed the connection.

    It does not prove that the person left: after a redirect or an absolute timeout the dialplan goes on with them.
    """


class ChannelDead(CallerGone):
    """Asterisk answered 511. EXEC, variables, the database and NOOP are still permitted."""


class CommandFailed(ChannelFault):
    """A negative result while the channel is up: a missing prompt file or application, or a refused operation."""


class CommandInvalid(ChannelFault):
    """Asterisk answered 510 or 520: a mistake of ours, or a module that is not loaded."""


class ChannelBroken(ChannelFault):
    """The conversation lost its place: no reply in time, garbage, a command given up. The session is never used
    again."""


@unique
class FaultKind(StrEnum):
    """Why a connection was not served to its end."""

    HEADER = "header"
    SILENT = "silent"
    TOKEN = "token"  # noqa: S105 - the name of a refusal, not a secret
    ROUTE = "route"
    FULL = "full"
    PEER = "peer"
    HANDLER = "handler"
    BROKEN = "broken"
    DRAINED = "drained"


@dataclass(frozen=True, slots=True)
class SessionFault:
    """One fault, fit for a log: the type of the error and where it was raised, never its text, which may hold digits.

    `path` and `uniqueid` come from the environment and are empty before it was believed.
    """

    kind: FaultKind
    peer: str
    path: str = ""
    uniqueid: str = ""
    error: str = ""
    where: tuple[str, ...] = ()


def raised_at(error: BaseException) -> tuple[str, ...]:
    """Give the innermost places of a traceback as `function:line`, at most six."""
    return tuple(f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-6:])
