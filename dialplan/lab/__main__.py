"""`python -m dialplan.lab demo|up`: see the Makefile."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from pydantic import SecretStr

from dialplan.lab import demo
from dialplan.lab.gateway_process import GatewayProcess
from dialplan.lab.lab import Lab
from runtime.settings import CallSettings, Settings, SwitchSettings

DIRECTORY = Path("var/demo")


def main(arguments: list[str]) -> int:
    """Exit code 0 when it went well, 2 for wrong usage, 130 when interrupted."""
    if arguments not in (["demo"], ["up"]):
        sys.stderr.write("usage: python -m dialplan.lab demo|up\n")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _demo() if arguments == ["demo"] else _up()
    except KeyboardInterrupt:
        say("ended")
        return 130
    return 0


def say(line: str) -> None:
    """A line for the person who watches, with the second it came in."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
    sys.stdout.flush()


def _demo() -> None:
    directory = DIRECTORY / "call"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    say("starting two Asterisks: the gateway's and the telephone network's")
    lab = Lab(Settings(), "demo")
    try:
        lab.start()
        environment = demo.surroundings(lab, directory, os.environ)
        desk = demo.Desk(environment)
        say("an operator, a tariff, a line with its subscriber, an account with $1.00")
        demo.seed_once(desk, directory, DIRECTORY / "seeded")
        gateway = GatewayProcess(environment, directory / "gateway.log")
        try:
            gateway.start()
            demo.call_until_the_money_is_gone(lab, desk, say)
        finally:
            gateway.stop()
    finally:
        lab.stop()


def _up() -> None:
    directory = DIRECTORY / "up"
    is_new = not (directory / "tollgate.db").exists()
    directory.mkdir(parents=True, exist_ok=True)
    base = Settings(switch=SwitchSettings(softphone_secret=SecretStr("softphone-1")), call=CallSettings())
    lab = Lab(base, "up")
    try:
        lab.start()
        environment = demo.surroundings(lab, directory, os.environ)
        if is_new:
            demo.seed(demo.Desk(environment), directory)
        environment_file = directory / "environment"
        environment_file.touch(mode=0o600)
        lines = [f"{name}={value}\n" for name, value in environment.items() if name.startswith("TOLLGATE_")]
        environment_file.write_text("".join(lines), encoding="utf-8")
        gateway = GatewayProcess(environment, directory / "gateway.log")
        try:
            gateway.start()
            say(f"up. Register softphone, password softphone-1, at 127.0.0.1:{lab.ports.gateway_sip}")
            say(f"and dial {demo.TOLL_NUMBER}")
            say(f"commands: set -a; . {environment_file}; set +a; .venv/bin/tollgate account list")
            say(f"log: {gateway.log_file}   Ctrl-C ends it")
            while gateway.is_up():
                time.sleep(0.5)
            say("the gateway has ended: see its log")
        finally:
            gateway.stop()
    finally:
        lab.stop()


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
