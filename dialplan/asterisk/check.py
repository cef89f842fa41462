"""Whether a running switch fits this Tollgate: one finding per thing that must be so, in the order to mend them."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dialplan.asterisk.configuration import DIALPLAN_VERSION, SIGNATURE_PROFILE, needed_modules
from dialplan.asterisk.manager_link import ManagerLink, ManagerLinkError
from runtime.settings import Settings

MINIMUM_MAJOR = 20


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


def check(settings: Settings, sounds: Path, prompts: tuple[str, ...]) -> Iterator[Finding]:
    """Look at everything; what depends on the manager interface is left out when that does not answer.

    `sounds` is the directory of the prompts `tollgate/...` as this machine sees it, `prompts` are their names.
    """
    ami = settings.ami
    try:
        link = ManagerLink(ami.host, ami.port)
    except ManagerLinkError as error:
        yield _bad("manager", str(error), "start Asterisk; set enabled=yes and the port in manager.conf")
    else:
        with link:
            yield from _on_link(link, settings)
    yield _prompts(sounds, prompts)
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


def _prompts(sounds: Path, prompts: tuple[str, ...]) -> Finding:
    missing = [name for name in prompts if not any(sounds.glob(f"{name}.*"))]
    if missing:
        some = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        return _bad("sounds", f"{len(missing)} missing in {sounds}: {some}", "python -m sounds.build")
    return _good("sounds", f"{len(prompts)} in {sounds}")


def _agi_port(settings: Settings) -> Finding:
    """Somebody must listen there: the gateway."""
    agi = settings.agi
    try:
        with socket.create_connection((agi.host, agi.port), 2.0):
            return _good("gateway", f"answers on {agi.host}:{agi.port}")
    except OSError:
        return _bad("gateway", f"nobody on {agi.host}:{agi.port}", "start it: `tollgate gateway run`")
