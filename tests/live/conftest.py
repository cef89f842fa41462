"""The lab of the live tests: a real switch for the gateway and a real telephone network around it, started once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.instance import Login
from dialplan.lab.lab import Lab
from dialplan.lab.telephone import Telephone
from runtime.settings import CallSettings, Settings
from tests import host
from tests.live.stub_gateway import StubGateway

# Short enough that a test can wait for the apology of a frozen gateway.
DIALOGUE_LIMIT_S = 16


HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this directory are live, and tried again when the host disturbed them."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            if item.get_closest_marker("load") is None:
                item.add_marker(host.AGAIN)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Both switches, up. `lab.environment()` is what a gateway process needs to serve them."""
    base = Settings().model_copy(update={"call": CallSettings(dialogue_limit_s=DIALOGUE_LIMIT_S)})
    with Lab(base, f"test-{os.getpid()}") as running:
        yield running


@pytest.fixture
def stub(lab: Lab) -> Iterator[StubGateway]:
    """A gateway that does what the test says, on the port the dialplan calls."""
    with StubGateway(lab.ports.agi, lab.settings.agi.token.get_secret_value()) as gateway:
        yield gateway


@pytest.fixture
def watch(lab: Lab) -> Iterator[ManagerLink]:
    """The gateway's own login to its switch: its rights, its filter."""
    ami = lab.settings.ami
    with linked(lab.ports.gateway_ami, Login(ami.username, ami.secret.get_secret_value())) as link:
        yield link


@pytest.fixture
def admin(lab: Lab) -> Iterator[ManagerLink]:
    """A login to the gateway's switch that may do everything."""
    with linked(lab.ports.gateway_ami, lab.admin) as link:
        yield link


@pytest.fixture
def telephone(lab: Lab, tmp_path: Path) -> Iterator[Telephone]:
    """A telephone in the network, on hook; put on hook again after the test."""
    with linked(lab.ports.network_ami, lab.admin) as link:
        one = Telephone(link, lab.network)
        yield one
        one.hang_up()


def linked(port: int, login: Login, timeout_s: float = 20.0) -> ManagerLink:
    """A logged-in link to a manager interface on loopback."""
    link = ManagerLink("127.0.0.1", port, timeout_s)
    link.login(login.username, login.secret)
    return link
