"""`make demo` and `make up`: a gateway with a telephone network around it, driven by the same commands staff use."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.lab import Lab
from dialplan.lab.polling import wait_for
from dialplan.lab.telephone import Telephone

TOLL_NUMBER = "19005550100"
LINE = "+12125550100"
SSN_LAST_FOUR = "6789"
DESTINATION = "12125550117"
BALANCE = "1.00"
ACCOUNT = "4155550100"

_RATES = "prefix,destination,price_per_minute,increments\n1,North America,6.00,1/1\n44,United Kingdom,0.12,6/6\n"
_LISTING = "ani,first_name,last_name,address,postal_code,country\n{line},Ann,Example,1 Main Street,10001,US\n"
_PERSON = "ani,last_name,birth_on,ssn_last_four\n{line},Example,1980-02-29,{ssn}\n"

Say = Callable[[str], None]


class Desk:
    """The commands of staff, on one database."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    def run(self, *arguments: str) -> str:
        """What the command prints; raises CalledProcessError with what it complained of."""
        program = str(Path(sys.executable).with_name("tollgate"))
        done = subprocess.run(  # noqa: S603 - our own program, words of ours
            [program, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, ["tollgate", *arguments], done.stdout, done.stderr)
        return done.stdout

    def ask(self, *arguments: str) -> Any:
        """The JSON document of the command."""
        return json.loads(self.run(*arguments, "--json"))


def seed(desk: Desk, directory: Path) -> None:
    """An operator with a toll number, a tariff, a line with its subscriber, and an account with a little money."""
    for name, text in (
        ("rates.csv", _RATES),
        ("lines.csv", _LISTING.format(line=LINE)),
        ("persons.csv", _PERSON.format(line=LINE, ssn=SSN_LAST_FOUR)),
    ):
        (directory / name).write_text(text, encoding="utf-8")
    desk.run("db", "upgrade")
    desk.run("operator", "create", "demo", "Demonstration Telephone")
    desk.run("tariff", "import", str(directory / "rates.csv"), "--operator", "demo", "--tariff", "standard")
    desk.run("profile", "create", "demo", "talk", "--tariff", "standard", "--age-check")
    desk.run("number", "create", f"+{TOLL_NUMBER}", "demo", "talk")
    desk.run("route", "add", "*", "network")
    desk.run("listing", "import", str(directory / "lines.csv"), "--source", "demo")
    desk.run("identity", "import", str(directory / "persons.csv"), "--source", "demo")
    desk.run("account", "create", "demo", "--name", "Ann Example", "--number", ACCOUNT)
    desk.run("account", "credit", ACCOUNT, BALANCE, "--key", "demo-1")
    desk.run("line", "add", ACCOUNT, LINE)


def seed_once(desk: Desk, directory: Path, kept: Path) -> None:
    """Seed, or take a copy of what was seeded before by the same code: a dozen commands are ten seconds."""
    stamp = hashlib.sha256(Path(__file__).read_bytes())
    for migration in sorted(Path("migrations/versions").glob("*.py")):
        stamp.update(migration.read_bytes())
    seeded = kept / stamp.hexdigest()[:16]
    if not seeded.is_dir():
        seed(desk, directory)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(directory, kept / "part")
        (kept / "part").rename(seeded)
    else:
        shutil.copytree(seeded, directory, dirs_exist_ok=True)


def surroundings(lab: Lab, directory: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of every process of the demonstration: the lab's addresses, a database of its own."""
    kept = {name: inherited[name] for name in ("PATH", "HOME", "LANG") if name in inherited}
    return {
        **kept,
        **lab.environment(),
        "TOLLGATE_DATABASE__URL": f"sqlite:///{directory.resolve()}/tollgate.db",
        "TOLLGATE_SECURITY__PEPPER_FILE": str(directory.resolve() / "pepper"),
    }


def call_until_the_money_is_gone(lab: Lab, desk: Desk, say: Say) -> None:
    """One prepaid call from ring to ledger; raises NotSeenError where it sticks."""
    ami = lab.settings.ami
    with (
        ManagerLink("127.0.0.1", lab.ports.network_ami, 30.0) as network,
        ManagerLink("127.0.0.1", lab.ports.gateway_ami, 60.0) as switch,
    ):
        network.login(lab.admin.username, lab.admin.secret)
        switch.login(ami.username, ami.secret.get_secret_value())
        telephone = Telephone(network, lab.network)
        say(f"{LINE} dials the toll number {TOLL_NUMBER}: it rings")
        telephone.call(TOLL_NUMBER, LINE, record=True)
        telephone.wait_answered()
        say("the gateway knows the line and asks for the last four digits of the social security number")
        telephone.press(SSN_LAST_FOUR)
        say(f"then for the number wanted: {DESTINATION}")
        telephone.press(DESTINATION + "#", gap_s=0.12)
        answered = switch.event("UserEvent")
        say(f"the destination has answered: ${BALANCE} at $6.00 a minute lasts ten seconds")
        ended = switch.event("UserEvent")
        say(f"cut by the switch after {Decimal(ended['Ended']) - Decimal(answered['Answered'])} s")
        telephone.wait_ended(60.0)
    wait_for(lambda: bool(desk.ask("call", "list")), "the call's record", 15.0)
    say("what it cost, and why:")
    sys.stdout.write(desk.run("call", "explain", str(desk.ask("call", "list")[0]["call"])))
    sys.stdout.write(desk.run("account", "show", ACCOUNT))
    say(f"what the caller heard: {telephone.heard()}")
