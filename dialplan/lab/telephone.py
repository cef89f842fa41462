"""A telephone in the network: it dials, keys digits one by one (RFC 4733), listens, and is put on hook."""

import itertools
import os
import time
from pathlib import Path

from dialplan.asterisk.manager_link import ManagerLink, ManagerLinkError, Message
from dialplan.lab.instance import Instance
from dialplan.lab.polling import wait_for

_counter = itertools.count(1)


class Telephone:
    """Driven through the manager interface of the network; nothing of it runs on the gateway's switch."""

    def __init__(self, link: ManagerLink, network: Instance) -> None:
        self._link = link
        self._network = network
        self._channel = ""
        self._record = ""

    def call(self, number: str, line: str = "+12125550100", *, record: bool = False) -> None:
        """Dial from a line (what the network says the caller's number is); with `record` keep what is heard."""
        self._channel = f"telephone-{os.getpid()}-{next(_counter)}"
        self._record = f"{self._network.base}/spool/{self._channel}" if record else ""
        answer = self._link.ask(
            "Originate",
            {
                "Channel": f"PJSIP/{number}@gateway",
                "ChannelId": self._channel,
                "CallerID": f"<{line}>",
                "Context": "caller",
                "Exten": "s",
                "Priority": "1",
                "Timeout": "60000",
                "Async": "true",
                "Variable": f"CALLER_RECORD={self._record}",
            },
        )
        _must(answer)

    def wait_answered(self, timeout_s: float = 10.0) -> None:
        """Return when the gateway has answered."""
        wait_for(lambda: self._state() == "6", "the gateway answers", timeout_s)

    def listen(self, seconds: float) -> None:
        """Wait as a person does who listens before he keys."""
        time.sleep(seconds)

    def press(self, digits: str, gap_s: float = 0.1) -> None:
        """Key digits as a hand does, 0.1 s each."""
        for digit in digits:
            # answered when the digit is over
            _must(self._link.ask("PlayDTMF", {"Channel": self._channel, "Digit": digit, "Duration": "100"}))
            time.sleep(gap_s)

    def is_up(self) -> bool:
        """Whether the call still stands."""
        return self._state() != ""

    def wait_ended(self, timeout_s: float = 20.0) -> None:
        """Return when the call is over."""
        wait_for(lambda: not self.is_up(), "the call ends", timeout_s)

    def hang_up(self) -> None:
        """Put it on hook; nothing when it is."""
        if self._channel:
            self._link.ask("Hangup", {"Channel": self._channel})
            wait_for(lambda: not self.is_up(), "the telephone is on hook", 5.0)

    def heard(self) -> Path:
        """The recording of what came out of it; complete once the call is over."""
        return self._network.installation.outside(f"{self._record}-heard.wav")

    def _state(self) -> str:
        if not self._channel:
            return ""
        try:
            rows = self._link.listed("Status", {"Channel": self._channel})
        except ManagerLinkError:
            return ""
        return rows[0].get("ChannelState", "") if rows else ""


def _must(answer: Message) -> None:
    if answer.get("Response") != "Success":
        raise ManagerLinkError(f"the network refused: {answer.get('Message', '')}")
