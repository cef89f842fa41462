"""Everything the demonstration runs on: a directory, a database, two Asterisks and the gateway process.

It is built in steps that can be shown, and taken down whole whatever happened; what a killed run left is cleared away
by the next one (the kernel ends the children of a killed run at once).
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Engine

from dialplan.asterisk.manager_link import ManagerLink
from dialplan.lab.gateway_process import GatewayProcess
from dialplan.lab.instance import Instance
from dialplan.lab.lab import Lab, Ports
from ivr.demo.seed import Ground
from runtime import database, keys, schema
from runtime.clock import SystemClock
from runtime.command import CommandError, ExitCode
from runtime.settings import Settings, load_settings

LINK_TIMEOUT_S = 10.0
Section = Mapping[str, str | int | list[int]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted: settings beside the defaults, and how the softphone reaches the switch."""

    name: str
    settings: Mapping[str, Section]
    keep: bool = False
    bind: str = "127.0.0.1"
    ports: Ports | None = None


class Stage:
    """One demonstration; a context manager, gone at its end. From the main thread only."""

    def __init__(self, plan: Plan) -> None:
        """Write nothing yet."""
        self.folder = self.folder_of(plan.name)
        self.settings_file = self.folder / "tollgate.toml"
        self.log_file = self.folder / "gateway.log"
        self._plan = plan
        self._undo = ExitStack()
        self.lab: Lab
        self.gateway: GatewayProcess
        self.ground: Ground

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        # a second Ctrl-C must not leave half of it standing
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._undo.close()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @staticmethod
    def folder_of(name: str) -> Path:
        """Where the files of a demonstration are; raises CommandError for what is no name."""
        if not re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", name):
            raise CommandError("--name: 1 to 40 small letters, digits and dashes", ExitCode.USAGE)
        return Path("var", name).resolve()

    @property
    def engine(self) -> Engine:
        """The database."""
        return self.ground.engine

    def lay_out(self) -> None:
        """The directory and the settings; raises CommandError when another run has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._undo.enter_context((self.folder / "lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"another demonstration runs in {self.folder}", ExitCode.LOCKED) from None
        if not self._plan.keep:
            for path in self.folder.iterdir():
                if path.name != "lock":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.log_file.unlink(missing_ok=True)
        # settings of another installation must not leak in here
        for name in [name for name in os.environ if name.startswith("TOLLGATE_")]:
            del os.environ[name]
        os.environ["TOLLGATE_CONFIG"] = str(self.settings_file)
        self._write(self._own_settings())

    def make_database(self) -> None:
        """The database, at this program's revision, and the key of its hashes."""
        settings = load_settings()
        keys.make_pepper(settings.security.pepper_file)
        engine = database.create_engine(settings.database.url)
        self._undo.callback(engine.dispose)
        with database.transaction(engine) as connection:
            schema.upgrade(connection)
        pepper = keys.load_pepper(settings.security.pepper_file)
        self.ground = Ground(engine, SystemClock(), pepper, self.folder)

    def start_switches(self) -> None:
        """Both Asterisks; raises NoAsteriskError, InstanceError."""
        settings = load_settings()
        # the captions are made of what the AGI commands play
        self.lab = Lab(
            settings, self._plan.name, ports=self._plan.ports, softphone_bind=self._plan.bind, shows_dialogue=True
        )
        self._undo.callback(self.lab.stop)
        self.lab.start()
        self._write(self._own_settings() | _addresses(self.lab.settings))

    def start_gateway(self) -> None:
        """The gateway process, as `tollgate gateway run` starts it."""
        self.gateway = GatewayProcess({}, self.log_file)
        # the network goes first: its calls are hung up and settled, and nothing holds up the gateway
        self._undo.callback(self.gateway.stop)
        self._undo.callback(self.lab.network.stop)
        self.gateway.start()

    def link(self, instance: Instance) -> ManagerLink:
        """A link to one of the switches, closed with the stage."""
        link = self._undo.enter_context(ManagerLink("127.0.0.1", instance.ami_port, LINK_TIMEOUT_S))
        link.login(self.lab.admin.username, self.lab.admin.secret)
        return link

    def fallen(self) -> str | None:
        """Which part has ended by itself, or none."""
        if not self.gateway.is_up():
            return f"the gateway has ended: see {self.log_file}"
        for instance in (self.lab.gateway, self.lab.network):
            if instance.process is None or instance.process.poll() is not None:
                return f"the {instance.name}'s Asterisk has ended: see {instance.log_file}"
        return None

    def _own_settings(self) -> dict[str, Section]:
        return {
            "database": {"url": f"sqlite:///{self.folder}/tollgate.db"},
            "security": {"pepper_file": f"{self.folder}/pepper"},
            **self._plan.settings,
        }

    def _write(self, sections: Mapping[str, Section]) -> None:
        lines = ["# Written by `tollgate demo`, anew at each start. Holds secrets of the demonstration."]
        for section, values in sections.items():
            lines += ["", f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        self.settings_file.touch(mode=0o600)
        self.settings_file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _addresses(settings: Settings) -> dict[str, Section]:
    """Where the lab's switch is, for the gateway and every command of staff."""
    agi, ami, switch = settings.agi, settings.ami, settings.switch
    return {
        "agi": {"host": agi.host, "port": agi.port, "token": agi.token.get_secret_value()},
        "ami": {
            "host": ami.host,
            "port": ami.port,
            "username": ami.username,
            "secret": ami.secret.get_secret_value(),
        },
        "switch": {
            "name": switch.name,
            "sip_port": switch.sip_port,
            "network_port": switch.network_port,
            "rtp_first_port": switch.rtp_first_port,
            "rtp_last_port": switch.rtp_last_port,
            **_softphone(settings),
        },
    }


def _softphone(settings: Settings) -> Section:
    secret = settings.switch.softphone_secret.get_secret_value()
    return {"softphone_secret": secret} if secret else {}


def kept_secret(path: Path) -> str:
    """A random password that stays the same from run to run; readable by its owner alone."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(5) + "\n")
        return path.read_text(encoding="ascii").strip()
