"""Synchronous orders of an operator at a terminal: log in, one action, log off.

Through the asterisk-ami library, which shares no code with the gateway's own link. Its default time-out ends its
listener after three silent seconds, and it answers None then; so every wait here is bounded and a None is a fault.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from asterisk.ami import AMIClient, SimpleAction

from runtime.faults import BusyError, StaffError

ANSWER_TIMEOUT_S = 5


class SwitchUnreachableError(BusyError):
    """The switch cannot be asked now; the message says what to look at."""


class LoginRefusedError(StaffError):
    """The switch answers, but does not know this user and secret."""


class Desk:
    """A logged-in operator."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def hang_up(self, channel: str, cause: int) -> bool:
        """End a channel (name); false when there is no such channel."""
        answer = self._ask("Hangup", Channel=channel, Cause=str(cause))
        return not answer.is_error()

    def channels(self) -> list[Mapping[str, str]]:
        """Every live channel as the switch lists it (Channel, Uniqueid, Linkedid, Seconds, ...)."""
        rows: list[Mapping[str, str]] = []
        complete = threading.Event()

        def heard(event: Any, **_: object) -> None:
            if event.name == "StatusComplete":
                complete.set()
            elif event.name == "Status":
                rows.append(dict(event.keys))

        listener = self._client.add_event_listener(heard, white_list=["Status", "StatusComplete"])
        try:
            self._ask("Status")
            if not complete.wait(ANSWER_TIMEOUT_S):
                raise SwitchUnreachableError("the switch did not finish its list of channels")
        finally:
            self._client.remove_event_listener(listener)
        return rows

    def variable(self, name: str) -> str:
        """A global variable of the switch, or one of its own; empty where it is not set."""
        return str(self._ask("Getvar", Variable=name).keys.get("Value", ""))

    def _ask(self, action: str, **fields: str) -> Any:
        answer = self._client.send_action(SimpleAction(action, **fields)).response
        if answer is None:
            raise SwitchUnreachableError(f"the switch did not answer {action} in {ANSWER_TIMEOUT_S} s")
        return answer


@contextmanager
def open_desk(host: str, port: int, username: str, secret: str) -> Iterator[Desk]:
    """A desk at this switch; raises SwitchUnreachableError, or LoginRefusedError."""
    client = AMIClient(address=host, port=port, timeout=ANSWER_TIMEOUT_S)
    try:
        answer = client.login(username=username, secret=secret).response
    except OSError as error:
        client.finished = threading.Event()  # without one the library cannot close the socket that it opened
        client.disconnect()
        raise SwitchUnreachableError(f"no switch answers on {host}:{port} ({error.strerror or error})") from None
    try:
        if answer is None:
            raise SwitchUnreachableError(f"the switch on {host}:{port} accepts connections but does not answer")
        if answer.is_error():
            raise LoginRefusedError(f"the switch refuses the user {username!r}: check ami.username and ami.secret")
        yield Desk(client)
    finally:
        client.logoff()
