"""Whether a running switch fits this Tollgate: one finding per thing that must be so, in the order to mend them."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dialplan.asterisk.configuration import DIALPLAN_VERSION, SIGNATURE_PROFILE, needed_modules
from dialplan.asterisk.manager_link import ManagerLink, ManagerLinkError
from runtime.settings import Settings
from sounds.presence import directories_in, mend_missing, missing_sounds, some_of

MINIMUM_MAJOR = 20
DATA_DIRECTORY = "/usr/share/asterisk"
"""Where a packaged Asterisk has its sounds, when it does not say."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `advice` says what to do when it is not good."""

    name: str
    good: bool
    seen: str
    advice: str = ""


def _good(name: str, seen: str) -> Finding:
    return Finding(name, good=True, seen=seen)


def _bad(name: str, seen: str, advice: str) -> Finding:
    return Finding(name, good=False, seen=seen, advice=advice)


def check(settings: Settings, sounds: Sequence[Path], names: Iterable[str]) -> Iterator[Finding]:
    """Look at everything; what depends on the manager interface is left out when that does not answer.

    `names` are the sounds that are played, searched in the directories `sounds` as this machine sees them; without any
    in those of the settings, else where the switch says that it has them.
    """
    ami = settings.ami
    directories = tuple(sounds) or tuple(Path(one) for one in settings.switch.sounds_dirs)
    try:
        link = ManagerLink(ami.host, ami.port)
    except ManagerLinkError as error:
        yield _bad("manager", str(error), "start Asterisk; set enabled=yes and the port in manager.conf")
    else:
        with link:
            yield from _on_link(link, settings)
            directories = directories or directories_in(_data_directory(link))
    yield _prompts(directories or directories_in(DATA_DIRECTORY), names)
    yield _agi_port(settings)


def _on_link(link: ManagerLink, settings: Settings) -> Iterator[Finding]:
    ami = settings.ami
    try:
        link.login(ami.username, ami.secret.get_secret_value())
    except ManagerLinkError as error:
        yield _bad("login", str(error), "include manager.d/tollgate.conf and reload manager")
        return
    yield _good("login", f"{ami.username} at {ami.host}:{ami.port}")
    try:
        link.event("FullyBooted", 5.0)
        yield _good("events", "FullyBooted seen")
    except ManagerLinkError:
        yield _bad("events", "no FullyBooted", f"give {ami.username} read=system,user")
    yield _version(link)
    yield _rights(link)
    yield _modules(link, needed_modules(settings))
    yield _dialplan(link)
    yield _trunk(link, settings.switch.trunk)
    if settings.switch.stir_shaken_ca_file:
        yield _signatures(link, settings.switch.trunk)


def _version(link: ManagerLink) -> Finding:
    release = link.ask("CoreSettings").get("AsteriskVersion", "")
    number = release.removeprefix("certified/").split(".")[0]
    good = number.isdigit() and int(number) >= MINIMUM_MAJOR
    return Finding("version", good, release or "not told", f"Asterisk {MINIMUM_MAJOR} or later is needed")


def _rights(link: ManagerLink) -> Finding:
    advice = "the user needs write=call,reporting and nothing more"
    # asked for what cannot be: the refusal tells whether the right or the thing is missing
    nobody = {"Channel": "tollgate-check", "Timeout": "1"}
    record = {"Family": "tollgate", "Key": "tollgate-check"}
    for action, fields in (("AbsoluteTimeout", nobody), ("Setvar", nobody | {"Variable": "X"}), ("DBGet", record)):
        answer = link.ask(action, fields)
        if "ermission" in answer.get("Message", ""):
            return _bad("rights", f"{action} refused", advice)
    if "ermission" not in link.ask("Command", {"Command": "core show uptime"}).get("Message", ""):
        return _bad("rights", "Command allowed", advice)
    return _good("rights", "call, reporting; no command")


def _modules(link: ManagerLink, needed: tuple[str, ...]) -> Finding:
    missing = [name for name in needed if link.ask("Getvar", {"Variable": f"IFMODULE({name}.so)"}).get("Value") != "1"]
    if missing:
        return _bad("modules", f"missing: {', '.join(missing)}", "load them in modules.conf")
    return _good("modules", f"{len(needed)} loaded")


def _dialplan(link: ManagerLink) -> Finding:
    advice = "run `tollgate asterisk render`, include tollgate-extensions.conf, `dialplan reload`"
    try:
        rows = link.listed("ShowDialPlan", {"Context": "tollgate-version"})
    except ManagerLinkError:
        return _bad("dialplan", "no context tollgate-version", advice)
    versions = {row.get("Extension", "") for row in rows}
    return Finding(
        "dialplan", versions == {DIALPLAN_VERSION}, f"version {', '.join(sorted(versions)) or 'unknown'}", advice
    )


def _trunk(link: ManagerLink, trunk: str) -> Finding:
    fields = {name: _endpoint(link, trunk, name) for name in ("context", "trust_id_inbound", "callerid")}
    advice = "include tollgate-pjsip.conf in pjsip.conf, or give your endpoint the same settings"
    if not fields["context"]:
        return _bad("trunk", f"no endpoint {trunk}", advice)
    good = fields["context"] == "tollgate-in" and fields["trust_id_inbound"] in {"false", "no"}
    return Finding("trunk", good, f"{trunk}: " + ", ".join(f"{key}={value}" for key, value in fields.items()), advice)


def _signatures(link: ManagerLink, trunk: str) -> Finding:
    seen = _endpoint(link, trunk, "stir_shaken_profile")
    advice = "include tollgate-stir-shaken.conf in stir_shaken.conf, and give the trunk that stir_shaken_profile"
    return Finding("signatures", seen == SIGNATURE_PROFILE, f"{trunk}: stir_shaken_profile={seen}", advice)


def _endpoint(link: ManagerLink, trunk: str, field: str) -> str:
    return link.ask("Getvar", {"Variable": f"PJSIP_ENDPOINT({trunk},{field})"}).get("Value", "")


def _data_directory(link: ManagerLink) -> str:
    try:
        return link.ask("Getvar", {"Variable": "ASTDATADIR"}).get("Value") or DATA_DIRECTORY
    except ManagerLinkError:  # it refused the login
        return DATA_DIRECTORY


def _prompts(directories: Sequence[Path], names: Iterable[str]) -> Finding:
    wanted = tuple(names)
    where = ", ".join(str(one) for one in directories)
    missing = missing_sounds(wanted, directories)
    if missing is None:
        return _bad("sounds", f"{where}: not on this machine", "say where they are: --sounds, or switch.sounds_dirs")
    if missing:
        return _bad("sounds", f"{len(missing)} missing in {where}: {some_of(missing)}", mend_missing(missing))
    return _good("sounds", f"{len(wanted)} in {where}")


def _agi_port(settings: Settings) -> Finding:
    """Somebody must listen there: the gateway."""
    agi = settings.agi
    try:
        with socket.create_connection((agi.host, agi.port), 2.0):
            return _good("gateway", f"answers on {agi.host}:{agi.port}")
    except OSError:
        return _bad("gateway", f"nobody on {agi.host}:{agi.port}", "start it: `tollgate gateway run`")
