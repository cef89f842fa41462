"""Several telephones at once, each on a line of its own, driven in step."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

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

    def __init__(self, links: Sequence[ManagerLink], lab: Lab) -> None:
        # a link of its own for each, because the switch answers an order to key only when the digit is over
        self.telephones = [Telephone(link, lab.network) for link in links]

    def __len__(self) -> int:
        return len(self.telephones)

    def call(self, dnis: str, *, record: bool = False, among: Sequence[int] | None = None) -> None:
        """All dial."""
        for number in self._chosen(among):
            self.telephones[number].call(dnis, line_of(number), record=record)

    def wait_answered(self, timeout_s: float = 20.0, among: Sequence[int] | None = None) -> None:
        """Return when all are answered."""
        for number in self._chosen(among):
            self.telephones[number].wait_answered(timeout_s)

    def press(self, digits: str | Callable[[int], str], among: Sequence[int] | None = None) -> None:
        """All key at once; a telephone whose call is over keys in vain."""
        chosen = self._chosen(among)
        with ThreadPoolExecutor(max(1, len(chosen))) as hands:
            for done in [
                hands.submit(self._press, one, digits if isinstance(digits, str) else digits(one)) for one in chosen
            ]:
                done.result()

    def _chosen(self, among: Sequence[int] | None) -> Sequence[int]:
        return range(len(self.telephones)) if among is None else among

    def _press(self, number: int, digits: str) -> None:
        telephone = self.telephones[number]
        try:
            telephone.press(digits)
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
    with ExitStack() as stack:
        links = [stack.enter_context(ManagerLink("127.0.0.1", lab.ports.network_ami, 20.0)) for _ in range(number)]
        for link in links:
            _log_in(link, lab.admin)
        group = Callers(links, lab)
        try:
            yield group
        finally:
            group.hang_up()


def _log_in(link: ManagerLink, login: Login) -> None:
    link.login(login.username, login.secret)
    # nobody reads the events of a long test
    link.ask("Events", {"EventMask": "off"})
