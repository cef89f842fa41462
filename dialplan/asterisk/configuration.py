"""From the settings to the text of every configuration file of the switch; pure.

`tollgate-extensions.conf`, `tollgate-pjsip.conf` and `manager.d/tollgate.conf` are for an Asterisk that exists already:
they are included from its own files. The others make a whole switch that is nothing but the gateway.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from dialplan.asterisk.modules import GATEWAY_MODULES, SIGNATURE_MODULES
from runtime.settings import Settings

# Raised with every change of what the dialplan and the gateway say to each other; `asterisk check` compares it.
DIALPLAN_VERSION = "7"

# The profile by which the trunk verifies signed calls.
SIGNATURE_PROFILE = "tollgate-signed"

HEADER = "Written by `tollgate asterisk render`: change the settings, not this file."

_TEMPLATES = {
    "asterisk.conf": "asterisk.conf",
    "modules.conf": "modules.conf",
    "logger.conf": "logger.conf",
    "rtp.conf": "rtp.conf",
    "extensions.conf": "extensions.conf",
    "tollgate-extensions.conf": "tollgate-extensions.conf",
    "pjsip.conf": "pjsip.conf",
    "tollgate-pjsip.conf": "tollgate-pjsip.conf",
    "manager.conf": "manager.conf",
    "stasis.conf": "stasis.conf",
    "manager.d/tollgate.conf": "manager.d-tollgate.conf",
}
_TEXT = {
    path: files("dialplan.asterisk").joinpath("templates", name).read_text(encoding="utf-8")
    for path, name in _TEMPLATES.items()
}

# Only where signed calls are verified: without certificates the module would refuse to load.
_SIGNATURE_TEMPLATES = {
    "stir_shaken.conf": "stir_shaken.conf",
    "tollgate-stir-shaken.conf": "tollgate-stir-shaken.conf",
}
_SIGNATURE_TEXT = {
    path: files("dialplan.asterisk").joinpath("templates", name).read_text(encoding="utf-8")
    for path, name in _SIGNATURE_TEMPLATES.items()
}

# A module that finds no file of its own complains in the log at every start.
_SILENT = {
    "cdr.conf": "[general]\nenable = no\n",
    "cel.conf": "[general]\nenable = no\n",
    "features.conf": "[general]\n[featuremap]\n[applicationmap]\n",
    "indications.conf": "[general]\ncountry = us\n[us]\ndescription = United States\nringcadence = 2000,4000\n"
    "dial = 350+440\n"
    "busy = 480+620/500,0/500\nring = 440+480/2000,0/4000\ncongestion = 480+620/250,0/250\n",
    "acl.conf": "",
    "ccss.conf": "[general]\n",
    "cli.conf": "[startup_commands]\n",
    "cli_permissions.conf": "[general]\ndefault_perm = permit\n",
    "codecs.conf": "",
    "dnsmgr.conf": "[general]\nenable = no\n",
    "dsp.conf": "[default]\n",
    "http.conf": "[general]\nenabled = no\n",
    "pjproject.conf": "",
    "sorcery.conf": "",
    "udptl.conf": "[general]\n",
}


class ConfigurationError(ValueError):
    """A setting cannot be written into the configuration of the switch; the message names it."""


@dataclass(frozen=True, slots=True)
class Directories:
    """Where one instance of Asterisk lives, as it sees the file system (inside its root directory, when it has one)."""

    config_dir: str = "/etc/asterisk"
    module_dir: str = "/usr/lib/asterisk/modules"
    state_dir: str = "/var/lib/asterisk"
    sounds_dir: str = "/usr/share/asterisk"
    spool_dir: str = "/var/spool/asterisk"
    run_dir: str = "/var/run/asterisk"
    log_dir: str = "/var/log/asterisk"


DEBIAN = Directories()


def render(settings: Settings, directories: Directories = DEBIAN) -> dict[str, str]:
    """Every file of the configuration, by its path below the configuration directory.

    Raises ConfigurationError for a secret that is missing or a value that could not stand in a configuration file.
    """
    values = _values(settings, directories)
    texts = _TEXT | _SIGNATURE_TEXT if settings.switch.stir_shaken_ca_file else _TEXT
    rendered = {path: fill(text, values) for path, text in texts.items()}
    return rendered | {path: f"; {HEADER}\n{text}" for path, text in _SILENT.items()}


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values where the template says `@{name}`; KeyError for a name that has no value."""
    return re.sub(r"@\{([a-z_]+)\}", lambda found: values[found[1]], template)


def needed_modules(settings: Settings) -> tuple[str, ...]:
    """The modules a switch must have loaded for these settings."""
    return GATEWAY_MODULES + (SIGNATURE_MODULES if settings.switch.stir_shaken_ca_file else ())


def agi_url(settings: Settings) -> str:
    """Where the dialplan reaches the gateway."""
    host = settings.agi.host
    return f"agi://{f'[{host}]' if ':' in host else host}:{settings.agi.port}"


def _values(settings: Settings, directories: Directories) -> dict[str, str]:
    switch = settings.switch
    return {
        "header": HEADER,
        "version": DIALPLAN_VERSION,
        "entries": _entries(switch.access_numbers),
        "agi_url": _word("agi.host", agi_url(settings)),
        "token": _secret("agi.token", settings.agi.token.get_secret_value()),
        "dialogue_limit_s": str(settings.call.dialogue_limit_s),
        "ring_timeout_s": str(switch.ring_timeout_s),
        "ami_host": _word("ami.host", settings.ami.host),
        "ami_port": str(settings.ami.port),
        "ami_username": _word("ami.username", settings.ami.username),
        "ami_secret": _secret("ami.secret", settings.ami.secret.get_secret_value()),
        "sip_bind": _word("switch.sip_bind", switch.sip_bind),
        "sip_port": str(switch.sip_port),
        "rtp_first_port": str(switch.rtp_first_port),
        "rtp_last_port": str(switch.rtp_last_port),
        "strict_rtp": "yes",
        "trunk": _trunk(settings),
        "softphone": _softphone(switch.softphone_secret.get_secret_value()),
        "modules": "\n".join(f"load = {name}.so" for name in needed_modules(settings)),
        "stir_shaken_ca_file": _word("switch.stir_shaken_ca_file", switch.stir_shaken_ca_file or "none"),
        "stir_shaken_age_s": str(switch.stir_shaken_age_s),
        "config_dir": directories.config_dir,
        "module_dir": directories.module_dir,
        "state_dir": directories.state_dir,
        "sounds_dir": directories.sounds_dir,
        "spool_dir": directories.spool_dir,
        "run_dir": directories.run_dir,
        "log_dir": directories.log_dir,
    }


def _entries(access_numbers: tuple[str, ...]) -> str:
    """Exact patterns only: with `.` or `!` a hostile request URI would make a channel of any name."""
    patterns = ["_1900NXXXXXX", "_+1900NXXXXXX"]
    for number in access_numbers:
        if not re.fullmatch(r"\+?[0-9]{1,20}", number):
            raise ConfigurationError(f"switch.access_numbers: {number!r} is not a number of digits")
        patterns.append(number)
    return "\n".join(
        f"exten => {pattern},1,Set(TG_DNIS=${{EXTEN}})\n same => n,Goto(tollgate-call,s,1)" for pattern in patterns
    )


def _trunk(settings: Settings) -> str:
    switch = settings.switch
    name = _word("switch.trunk", switch.trunk)
    matches = "\n".join(f"match = {_word('switch.network_match', match)}" for match in switch.network_match)
    signed = f"stir_shaken_profile = {SIGNATURE_PROFILE}\n" if switch.stir_shaken_ca_file else ""
    return (
        f"\n[{name}](tollgate-trunk)\nidentify_by = ip\naors = {name}\n{signed}"
        f"\n[{name}]\ntype = aor\ncontact = sip:{_word('switch.network_host', switch.network_host)}:"
        f"{switch.network_port}\nqualify_frequency = 0\n"
        f"\n[{name}]\ntype = identify\nendpoint = {name}\n{matches}\n"
    )


def _softphone(secret: str) -> str:
    """A telephone on the desk, for `make up`; without a secret there is none."""
    if not secret:
        return ""
    return (
        "\n[softphone](tollgate-trunk)\nidentify_by = auth_username,username\nauth = softphone\naors = softphone\n"
        f"\n[softphone]\ntype = auth\nauth_type = digest\nusername = softphone\npassword = "
        f"{_secret('switch.softphone_secret', secret)}\n"
        "\n[softphone]\ntype = aor\nmax_contacts = 3\nremove_existing = yes\n"
    )


def _word(key: str, value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z._:/\[\]-]{1,200}", value):
        raise ConfigurationError(f"{key}: {value!r} cannot stand in a configuration file")
    return value


def _secret(key: str, value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z_-]{8,200}", value):
        raise ConfigurationError(f"{key}: must be 8 to 200 letters, digits, '-' or '_' (`openssl rand -hex 16`)")
    return value
