"""One short conversation with the manager interface: log in, ask, read the answer. For checks, not for calls."""

import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

Message = dict[str, str]


class ManagerLinkError(Exception):
    """The manager interface did not answer, or refused; the message says which."""


class ManagerLink:
    """A logged-in AMI connection with a deadline for every wait. Not for several threads."""

    def __init__(self, host: str, port: int, timeout_s: float = 5.0) -> None:
        """Connect and read the greeting; raises ManagerLinkError when nobody, or somebody else, answers there."""
        self._timeout_s = timeout_s
        self._buffer = b""
        self._asked = 0
        self._kept: list[Message] = []
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise ManagerLinkError(f"no manager interface on {host}:{port} ({error.strerror or error})") from None
        try:
            self.greeting = self._line(time.monotonic() + timeout_s)
        except ManagerLinkError:
            self.close()
            raise
        if not self.greeting.startswith("Asterisk Call Manager/"):
            self.close()
            raise ManagerLinkError(f"what answers on {host}:{port} is not Asterisk")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def login(self, username: str, secret: str) -> Message:
        """Log in; raises ManagerLinkError when refused."""
        answer = self.ask("Login", {"Username": username, "Secret": secret})
        if answer.get("Response") != "Success":
            raise ManagerLinkError(f"login of {username!r} refused: {answer.get('Message', '')}")
        return answer

    def ask(self, action: str, fields: Mapping[str, str] | None = None) -> Message:
        """The answer to one action (not the list that may follow); raises ManagerLinkError when there is none."""
        self._asked += 1
        headers = {"Action": action, "ActionID": str(self._asked), **(fields or {})}
        if any(mark in value for value in headers.values() for mark in "\r\n"):
            raise ManagerLinkError(f"a line break in a field of {action}")
        text = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        try:
            self._socket.sendall(f"{text}\r\n".encode())
        except OSError as error:
            raise ManagerLinkError(f"the manager interface closed the connection ({error})") from None
        wanted = str(self._asked)
        return self._until(
            lambda message: message.get("ActionID") == wanted and "Response" in message and "Event" not in message,
            keep_others=True,
        )

    def event(self, name: str, timeout_s: float | None = None) -> Message:
        """The next event of this name, also one that came while an answer was awaited; others are dropped."""
        for index, message in enumerate(self._kept):
            if message.get("Event") == name:
                del self._kept[: index + 1]
                return message
        self._kept.clear()
        return self._until(lambda message: message.get("Event") == name, timeout_s=timeout_s)

    def listed(self, action: str, fields: Mapping[str, str] | None = None) -> list[Message]:
        """The events a list action answers with; raises ManagerLinkError when refused."""
        answer = self.ask(action, fields)
        if answer.get("Response") != "Success":
            raise ManagerLinkError(f"{action} refused: {answer.get('Message', '')}")
        rows: list[Message] = []
        while True:
            message = self._until(lambda message: "Event" in message)
            if message.get("ActionID") != str(self._asked):
                self._kept.append(message)
                continue
            if message.get("EventList", "").lower() == "complete":
                return rows
            rows.append(message)

    def next_message(self, wait_s: float) -> Message | None:
        """The next message of any kind, in the order they came; None when there is none in time."""
        if self._kept:
            return self._kept.pop(0)
        deadline = time.monotonic() + wait_s
        while b"\r\n\r\n" not in self._buffer:
            if not self._received(deadline):
                return None
        return self._message(deadline)

    def _until(
        self, wanted: Callable[[Message], bool], *, keep_others: bool = False, timeout_s: float | None = None
    ) -> Message:
        deadline = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        while True:
            message = self._message(deadline)
            if wanted(message):
                return message
            if keep_others:
                self._kept.append(message)

    def _message(self, deadline: float) -> Message:
        message: Message = {}
        while line := self._line(deadline):
            key, _, value = line.partition(":")
            message.setdefault(key.strip(), value.strip())
        return message

    def _line(self, deadline: float) -> str:
        while b"\n" not in self._buffer:
            if not self._received(deadline):
                raise ManagerLinkError("the manager interface does not answer")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def _received(self, deadline: float) -> bool:
        """Whether more came before the deadline; raises ManagerLinkError when the connection is gone."""
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        self._socket.settimeout(left_s)
        try:
            chunk = self._socket.recv(65536)
        except TimeoutError:
            return False
        except OSError as error:
            raise ManagerLinkError(f"the manager interface broke off ({error})") from None
        if not chunk:
            raise ManagerLinkError("the manager interface closed the connection")
        self._buffer += chunk
        return True
