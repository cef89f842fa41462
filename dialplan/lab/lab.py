"""Both Asterisks as one thing: made from settings, started, and gone afterwards."""

import contextlib
import json
import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from dialplan.asterisk import configuration
from dialplan.asterisk.modules import GATEWAY_MODULES
from dialplan.lab.installation import Installation, find_installation
from dialplan.lab.instance import Instance, Login
from runtime.settings import Settings

NETWORK_MODULES = (
    *GATEWAY_MODULES,
    "format_sln",
    "app_echo",
    "app_milliwatt",
    "app_mixmonitor",
    "app_senddtmf",
    "func_dialplan",
    "func_pjsip_endpoint",
    "func_math",
)

# The lab's own switch has more trunks: one that refuses (for the next route), one where nobody is, and one for a
# measuring instrument that takes calls itself.
_LAB_TRUNKS = """
[refusing](tollgate-trunk)
identify_by = auth_username
aors = {trunk}
from_domain = refusing.invalid

[dead](tollgate-trunk)
identify_by = auth_username
aors = dead

[dead]
type = aor
contact = sip:127.0.0.1:9

[callee](tollgate-trunk)
identify_by = auth_username
aors = callee

[callee]
type = aor
contact = sip:127.0.0.1:{callee_sip}
"""

# A softphone on another machine reaches the switch at that address, and must be told it for its audio.
_SOFTPHONE_TRANSPORT = """
[softphone-udp]
type = transport
protocol = udp
bind = {bind}:{sip_port}
"""
_SOFTPHONE = "[softphone](tollgate-trunk)\n"

_USER = """
[{name}]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = {read}
write = {write}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of a lab; each RTP range is `RTP_SPAN` wide."""

    gateway_sip: int
    gateway_ami: int
    agi: int
    network_sip: int
    network_ami: int
    gateway_rtp: int
    network_rtp: int
    callee_sip: int


RTP_SPAN = 4000

# Where `python -m sounds.build` puts the prompts.
PROMPTS = Path("sounds/en/tollgate")


def free_ports() -> Ports:
    """Ports nobody uses now."""
    with ExitStack() as held:
        gateway_sip, network_sip, callee_sip = (_held(held, socket.SOCK_DGRAM) for _ in range(3))
        gateway_ami, network_ami, agi = (_held(held, socket.SOCK_STREAM) for _ in range(3))
    # two labs at once may share a range: Asterisk takes the next port when one is in use
    first = 12000 + 100 * (os.getpid() % 80)
    return Ports(gateway_sip, gateway_ami, agi, network_sip, network_ami, first, first + RTP_SPAN, callee_sip)


class Lab:
    """The switch of the gateway and the telephone network around it, on loopback.

    `settings` are those of a gateway that is to serve it. `observer` may only read events, `admin` may do everything,
    both on the gateway's switch; `admin` on the network too. Use as a context manager, or `start` and `stop`.
    """

    def __init__(
        self,
        base: Settings,
        name: str,
        *,
        ports: Ports | None = None,
        sounds: Path | None = None,
        installation: Installation | None = None,
        softphone_bind: str = "127.0.0.1",
        shows_dialogue: bool = False,
    ) -> None:
        """Write nothing yet; raises NoAsteriskError when this machine has none.

        With `shows_dialogue` the gateway's switch makes events of AGI commands, of keys and of lines of the dialplan.
        The softphone may come by `softphone_bind` too, one address of this machine; everything else is on loopback.
        """
        self.ports = ports or free_ports()
        self.installation = installation or find_installation()
        self.settings = _settings(base, self.ports)
        self.observer = Login("observer", secrets.token_hex(16))
        self.admin = Login("admin", secrets.token_hex(16))
        self._softphone_bind = softphone_bind
        self._shows_dialogue = shows_dialogue
        self._sounds = sounds if sounds is not None else PROMPTS
        where = f"/srv/tollgate/{name}" if self.installation.root else str(Path("var/lab", name).resolve())
        self.gateway = Instance("gateway", self.installation, f"{where}/gateway", ami_port=self.ports.gateway_ami)
        switch = self.settings.switch.model_copy(update={"sounds_dirs": self.gateway.sounds_dirs()})
        self.settings = self.settings.model_copy(update={"switch": switch})
        self.network = Instance("network", self.installation, f"{where}/network", ami_port=self.ports.network_ami)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()

    def start(self) -> None:
        """Write both configurations and start both; raises InstanceError. Nothing runs when it raises."""
        try:
            for instance, text in ((self.gateway, self.gateway_files()), (self.network, self.network_files())):
                instance.write(text, self._sounds)
                instance.start(self.admin)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both; their directories, with the logs, stay."""
        self.gateway.stop()
        self.network.stop()

    def remove(self) -> None:
        """End both and delete their directories."""
        self.gateway.remove()
        self.network.remove()
        with contextlib.suppress(OSError):  # not empty: it is not ours alone
            self.gateway.outside.parent.rmdir()

    def gateway_files(self) -> dict[str, str]:
        """What `tollgate asterisk render` writes, with the lab's users and trunks beside it."""
        rendered = configuration.render(self.settings, self.gateway.directories)
        rendered["tollgate-pjsip.conf"] += _LAB_TRUNKS.format(
            trunk=self.settings.switch.trunk, callee_sip=self.ports.callee_sip
        )
        if self._softphone_bind != "127.0.0.1":
            rendered["tollgate-pjsip.conf"] = self._reachable(rendered["tollgate-pjsip.conf"])
        if self._shows_dialogue:
            lines = rendered["stasis.conf"].splitlines(keepends=True)
            rendered["stasis.conf"] = "".join(line for line in lines if not line.startswith("decline = agi_exec_"))
            lines = rendered["manager.conf"].splitlines(keepends=True)
            rendered["manager.conf"] = "".join(line for line in lines if not line.startswith("disabledevents = "))
        rendered["manager.d/lab.conf"] = _user(self.observer, "call,cdr,user", "") + _user(self.admin, "all", "all")
        return rendered

    def _reachable(self, pjsip: str) -> str:
        transport = _SOFTPHONE_TRANSPORT.format(bind=self._softphone_bind, sip_port=self.ports.gateway_sip)
        return pjsip.replace(_SOFTPHONE, f"{_SOFTPHONE}media_address = {self._softphone_bind}\n") + transport

    def network_files(self) -> dict[str, str]:
        """The telephone network: the same frame, another dialplan."""
        switch = self.settings.switch.model_copy(
            update={"rtp_first_port": self.ports.network_rtp, "rtp_last_port": self.ports.network_rtp + RTP_SPAN - 1}
        )
        ami = self.settings.ami.model_copy(update={"port": self.ports.network_ami})
        settings = self.settings.model_copy(update={"switch": switch, "ami": ami})
        rendered = configuration.render(settings, self.network.directories)
        for name in ("tollgate-extensions.conf", "tollgate-pjsip.conf", "manager.d/tollgate.conf"):
            del rendered[name]
        values = {
            "network_sip_port": str(self.ports.network_sip),
            "gateway_sip_port": str(self.ports.gateway_sip),
        }
        rendered["extensions.conf"] = _template("network-extensions.conf", values)
        rendered["pjsip.conf"] = _template("network-pjsip.conf", values)
        rendered["manager.d/lab.conf"] = _user(self.admin, "all", "all")
        rendered["modules.conf"] = "[modules]\nautoload = no\n" + "".join(
            f"load = {name}.so\n" for name in NETWORK_MODULES
        )
        return rendered

    def environment(self) -> dict[str, str]:
        """The variables a gateway process needs to serve this lab."""
        settings = self.settings
        return {
            "TOLLGATE_AGI__HOST": settings.agi.host,
            "TOLLGATE_AGI__PORT": str(settings.agi.port),
            "TOLLGATE_AGI__TOKEN": settings.agi.token.get_secret_value(),
            "TOLLGATE_AMI__HOST": settings.ami.host,
            "TOLLGATE_AMI__PORT": str(settings.ami.port),
            "TOLLGATE_AMI__USERNAME": settings.ami.username,
            "TOLLGATE_AMI__SECRET": settings.ami.secret.get_secret_value(),
            "TOLLGATE_SWITCH__NAME": settings.switch.name,
            "TOLLGATE_SWITCH__SOUNDS_DIRS": json.dumps(settings.switch.sounds_dirs),
            "TOLLGATE_SWITCH__SIP_PORT": str(settings.switch.sip_port),
            "TOLLGATE_SWITCH__NETWORK_PORT": str(settings.switch.network_port),
        }


def _settings(base: Settings, ports: Ports) -> Settings:
    """The settings with the lab's addresses, and with secrets where there are none."""
    switch = base.switch.model_copy(
        update={
            "sip_port": ports.gateway_sip,
            "sip_bind": "127.0.0.1",
            "network_host": "127.0.0.1",
            "network_port": ports.network_sip,
            "network_match": ("127.0.0.1",),
            "rtp_first_port": ports.gateway_rtp,
            "rtp_last_port": ports.gateway_rtp + RTP_SPAN - 1,
        }
    )
    agi = base.agi.model_copy(update={"host": "127.0.0.1", "port": ports.agi, "token": _or_random(base.agi.token)})
    ami = base.ami.model_copy(
        update={"host": "127.0.0.1", "port": ports.gateway_ami, "secret": _or_random(base.ami.secret)}
    )
    return base.model_copy(update={"switch": switch, "agi": agi, "ami": ami})


def _or_random(secret: SecretStr) -> SecretStr:
    return secret if secret.get_secret_value() else SecretStr(secrets.token_hex(16))


def _held(held: ExitStack, kind: socket.SocketKind) -> int:
    holder = held.enter_context(socket.socket(socket.AF_INET, kind))
    holder.bind(("127.0.0.1", 0))
    port: int = holder.getsockname()[1]
    return port


def _template(name: str, values: Mapping[str, str]) -> str:
    text = files("dialplan.lab").joinpath("templates", name).read_text(encoding="utf-8")
    return configuration.fill(text, values)


def _user(login: Login, read: str, write: str) -> str:
    return _USER.format(name=login.username, secret=login.secret, read=read, write=write)
