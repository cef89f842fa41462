"""Several telephones at once, each on a line of its own, driven in step."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dialplan.asterisk.manager_link import ManagerLink, ManagerLinkError
from dialplan.lab.instance import Login
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from dialplan.lab.telephone import Telephone


def line_of(number: int) -> str:
    """The line of the telephone with this number."""
    return f"+1212555{1000 + number:04d}"


class Callers:
    """Telephones 0, 1, 2, ...; what is done is done to all that are named, else to all."""

    def __init__(self, link: ManagerLink, lab: Lab, number: int) -> None:
        self.telephones = [Telephone(link, lab.network) for _ in range(number)]

    def __len__(self) -> int:
        return len(self.telephones)

    def call(self, dnis: str, *, record: bool = False) -> None:
        """All dial."""
        for number, telephone in enumerate(self.telephones):
            telephone.call(dnis, line_of(number), record=record)

    def wait_answered(self, timeout_s: float = 20.0) -> None:
        """Return when all are answered."""
        for telephone in self.telephones:
            telephone.wait_answered(timeout_s)

    def press(self, digits: str | Callable[[int], str], among: Sequence[int] | None = None) -> None:
        """All key, digit by digit in step; a telephone whose call is over keys in vain."""
        chosen = range(len(self.telephones)) if among is None else among
        texts = {number: digits if isinstance(digits, str) else digits(number) for number in chosen}
        for place in range(max(map(len, texts.values()), default=0)):
            begun_s = time.monotonic()
            for number, text in texts.items():
                if place < len(text):
                    self._press_one(self.telephones[number], text[place])
            time.sleep(max(0.0, begun_s + 0.16 - time.monotonic()))

    def _press_one(self, telephone: Telephone, digit: str) -> None:
        try:
            telephone.press_once(digit)
        except ManagerLinkError:
            if telephone.is_up():
                raise

    def up(self) -> int:
        """How many calls stand."""
        return sum(telephone.is_up() for telephone in self.telephones)

    def wait_ended(self, timeout_s: float = 30.0) -> None:
        """Return when all calls are over."""
        wait_for(lambda: self.up() == 0, "all calls end", timeout_s)

    def hang_up(self) -> None:
        """All are put on hook."""
        for telephone in self.telephones:
            telephone.hang_up()


@contextmanager
def callers(lab: Lab, number: int) -> Iterator[Callers]:
    """So many telephones on hook; put on hook again at the end."""
    with ManagerLink("127.0.0.1", lab.ports.network_ami, 20.0) as link:
        _log_in(link, lab.admin)
        group = Callers(link, lab, number)
        try:
            yield group
        finally:
            group.hang_up()


def _log_in(link: ManagerLink, login: Login) -> None:
    link.login(login.username, login.secret)
    # nobody reads the events of a long test
    link.ask("Events", {"EventMask": "off"})
