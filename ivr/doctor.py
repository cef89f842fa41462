"""What a call needs, looked at one thing after the other; each finding says how to mend what is wrong."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from billing.rotation import service as rotation
from ivr.ami.desk import SwitchUnreachableError, open_desk
from runtime import database, schema
from runtime.database_faults import explain_fault
from runtime.faults import StaffError
from runtime.key_record.service import require_keys
from runtime.keys import KeyFileError, load_pepper, read_keys
from runtime.schema import SchemaError
from runtime.settings import Settings
from sounds.presence import directories_in, mend_missing, missing_sounds, needed_sounds, some_of

CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    check: str
    ok: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order in which a call needs them."""
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("database", look_at_database),
        ("key file", _key_file),
        ("keys", _keys),
        ("secrets", _secrets),
        ("prompts", look_at_prompts),
        ("gateway", _gateway),
        ("switch", _switch),
    )
    return [finding(name, check, settings) for name, check in checks]


def finding(name: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    """What one look gives, or what its fault says."""
    try:
        return Finding(name, ok=True, detail=check(settings))
    except SQLAlchemyError as error:
        fault = explain_fault(error)
        return Finding(name, ok=False, detail=fault.line if fault else type(error).__name__)
    except (StaffError, KeyFileError, SchemaError, OSError) as error:
        return Finding(name, ok=False, detail=str(error).splitlines()[0])


def look_at_database(settings: Settings) -> str:
    """Its revision, when it is this program's and this process may write; raises otherwise."""
    engine = database.create_engine(settings.database.url, busy_timeout_s=settings.database.busy_timeout_s)
    try:
        schema.require_current(engine)
        schema.require_writable(engine)
    finally:
        engine.dispose()
    return f"revision {schema.head_revision()}, may be written"


def _key_file(settings: Settings) -> str:
    ring = read_keys(settings.security.pepper_file)
    waits = ""
    if ring.standby is not None:
        waits = (
            f", key {ring.standby} on standby: `tollgate key rotate` puts it in use, `tollgate key retire` removes it"
        )
    return f"{settings.security.pepper_file}: key {ring.writing} in use{waits}"


def _keys(settings: Settings) -> str:
    pepper = load_pepper(settings.security.pepper_file)
    engine = database.create_engine(settings.database.url, busy_timeout_s=settings.database.busy_timeout_s)
    try:
        schema.require_current(engine)
        require_keys(engine, pepper)
        older = rotation.older(engine, pepper)
    finally:
        engine.dispose()
    if older:
        raise StaffError(f"{', '.join(older)}: some stand under an older key: run `tollgate key rotate` to its end")
    return f"all that is kept of secrets is under key {pepper.ring.writing}"


def _secrets(settings: Settings) -> str:
    for name, secret in (("agi.token", settings.agi.token), ("ami.secret", settings.ami.secret)):
        if not secret.get_secret_value():
            raise StaffError(f"{name} is empty: set it in tollgate.toml to the value the switch was rendered with")
    return "agi.token and ami.secret are set"


def look_at_prompts(settings: Settings) -> str:
    """Whether every sound file that is played is there; raises StaffError where not."""
    names = needed_sounds()
    try:
        where = tuple(Path(one) for one in settings.switch.sounds_dirs) or directories_in(_data_directory(settings))
    except SwitchUnreachableError:
        return f"{len(names)} sound files are needed; not looked for: the switch does not say where it has them"
    told = ", ".join(str(one) for one in where)
    missing = missing_sounds(names, where)
    if missing is None:
        return (
            f"{len(names)} sound files are needed; not looked for: {told} is not on this machine (switch.sounds_dirs)"
        )
    if missing:
        raise StaffError(f"{len(missing)} missing in {told}: {some_of(missing)}: {mend_missing(missing)}")
    return f"all {len(names)} sound files are in {told}"


def _data_directory(settings: Settings) -> str:
    ami = settings.ami
    with open_desk(ami.host, ami.port, ami.username, ami.secret.get_secret_value()) as desk:
        return desk.variable("ASTDATADIR")


def _gateway(settings: Settings) -> str:
    address = (settings.agi.host, settings.agi.port)
    try:
        socket.create_connection(address, CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise StaffError(f"nothing listens on {address[0]}:{address[1]}: start `tollgate gateway run`") from error
    return f"listens on {address[0]}:{address[1]}"


def _switch(settings: Settings) -> str:
    ami = settings.ami
    with open_desk(ami.host, ami.port, ami.username, ami.secret.get_secret_value()) as desk:
        return f"{ami.host}:{ami.port} answers; {len(desk.channels())} channels up"
