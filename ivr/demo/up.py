"""`make up`: the same gateway and network, kept up for a softphone."""

import socket
from dataclasses import dataclass, replace

from billing.accounts.account import Account
from billing.money import format_amount
from dialplan.lab.lab import free_ports
from ivr.demo import seed
from ivr.demo.books import Books
from ivr.demo.showing import Showing
from ivr.demo.stage import Plan, Stage, kept_secret
from ivr.demo.view import View
from ivr.demo.watch import Watch
from runtime.clock import SystemClock
from runtime.command import CommandError
from sounds.manifest import load_manifest

USER = "softphone"
NUMBERS = (
    ("1 212 555 0100", "rings a second, answers, sends a tone until you hang up"),
    ("1 212 555 0111", "is busy"),
    ("1 212 555 0114", "is not a number in service"),
    ("1 212 555 0115", "does not take the call"),
    ("1 212 555 0116", "rings, and nobody answers"),
    ("1 212 555 0117", "answers at once and sends you back what you say"),
    ("1 212 555 0125", "answers, and hangs up after 5 s"),
    ("1 900 555 0199", "is blocked: premium rate"),
)
LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Door:
    """How a softphone gets in."""

    server: str
    port: int
    password: str
    pin: str
    account: Account
    settings_file: str
    log_file: str

    @property
    def document(self) -> dict[str, object]:
        """For a script."""
        return {
            "sip_server": self.server,
            "sip_port": self.port,
            "sip_user": USER,
            "sip_password": self.password,
            "dial": seed.PIN_NUMBER,
            "pin": self.pin,
            "account": self.account.number,
            "settings_file": self.settings_file,
        }

    @property
    def lines(self) -> list[str]:
        """For a person."""
        money = format_amount(self.account.balance_micros, self.account.currency)
        width = max(len(number) for number, _ in NUMBERS)
        return [
            "",
            "Register a softphone (SIP over UDP, digits by RFC 4733):",
            f"  server    {self.server}:{self.port}",
            f"  user      {USER}",
            f"  password  {self.password}",
            "",
            f"Dial        {seed.PIN_NUMBER}",
            f"PIN         {self.pin}     (account {self.account.number}, {money})",
            "",
            "Then a destination and #; its last two digits say what the telephone network does:",
            *(f"  {number:<{width}}  {what}" for number, what in NUMBERS),
            "",
            "Look at it from another terminal:",
            f"  export TOLLGATE_CONFIG={self.settings_file}",
            "  .venv/bin/tollgate call live",
            "  .venv/bin/tollgate call list",
            f"  tail -f {self.log_file}",
            "",
            "Up. Ctrl-C ends everything.",
            "",
        ]


def plan(name: str, bind: str, port: int) -> Plan:
    """Settings and ports; raises CommandError when the softphone could not come in there."""
    for address in {"127.0.0.1", bind}:
        _must_be_free(address, port)
    secret = kept_secret(Stage.folder_of(name) / "softphone-secret")
    return Plan(
        name,
        {"call": {"warn_at_s": [60, 15]}, "switch": {"softphone_secret": secret}},
        keep=True,
        bind=bind,
        ports=replace(free_ports(), gateway_sip=port),
    )


def open_door(stage: Stage, view: View, bind: str, port: int) -> Door:
    """Start everything, and say how to get in."""
    stage.lay_out()
    with view.step("an embedded SQLite database, migrated"):
        stage.make_database()
        if not seed.is_seeded(stage.engine):
            seed.seed(stage.ground)
        account, pin = seed.add_softphone(stage.ground)
    with view.step("two Asterisks: the gateway's, and one that plays the telephone network"):
        stage.start_switches()
    with view.step("the Tollgate gateway"):
        stage.start_gateway()
    password = stage.lab.settings.switch.softphone_secret.get_secret_value()
    return Door(bind, port, password, pin, account, str(stage.settings_file), str(stage.log_file))


def watch_calls(stage: Stage, view: View) -> None:
    """Show the calls until something ends; raises CommandError naming it, KeyboardInterrupt on Ctrl-C."""
    switch = stage.link(stage.lab.gateway)
    books = Books(stage.engine, stage.lab.settings.switch.name)
    showing = Showing(Watch(load_manifest().texts("en")), books, view, SystemClock())
    with view.call():
        while (fault := stage.fallen()) is None:
            showing.see(switch.next_message(LOOK_S))
    raise CommandError(fault)


def _must_be_free(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not an address"
            wanted = "choose by --bind and --port, as in make up UP='--port 5062'"
            raise CommandError(f"cannot speak SIP on {address}:{port}: {why}; {wanted}") from None
