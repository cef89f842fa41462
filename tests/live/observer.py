"""An observer of the switch that shares no code with the gateway: the asterisk-ami library, its own login."""

import threading
from types import TracebackType
from typing import Any, Self

from asterisk.ami import AMIClient

from dialplan.lab.instance import Login
from dialplan.lab.polling import wait_for


class Observer:
    """Keeps every event its login may see, as that library understands it; a context manager."""

    def __init__(self, port: int, login: Login) -> None:
        # with a time-out its listener would end in the first three silent seconds
        self._client = AMIClient(address="127.0.0.1", port=port, timeout=None)
        self._lock = threading.Lock()
        self._events: list[tuple[str, dict[str, str]]] = []
        assert not self._client.login(username=login.username, secret=login.secret).response.is_error()
        self._client.add_event_listener(self._heard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.logoff()
        # the library leaves its socket to the garbage collector
        wait_for(self._client.finished.is_set, "the switch has closed the link", 5.0)
        self._client.disconnect()

    def events(self, name: str = "") -> list[tuple[str, dict[str, str]]]:
        """What came so far, all or of one name."""
        with self._lock:
            return [event for event in self._events if name in {"", event[0]}]

    def wait(self, name: str, number: int, timeout_s: float = 20.0) -> list[tuple[str, dict[str, str]]]:
        """Wait for so many events of a name."""
        wait_for(lambda: len(self.events(name)) >= number, f"{number} events {name}", timeout_s)
        return self.events(name)

    def text(self) -> str:
        """Everything that came, names, keys and values."""
        return repr(self.events())

    def _heard(self, event: Any, **_: object) -> None:
        with self._lock:
            self._events.append((str(event.name), dict(event.keys)))
