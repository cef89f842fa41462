"""Every setting, its default and its meaning: environment over `tollgate.toml` over the defaults written here.

An unknown key is refused with its name, because a setting that is silently ignored costs somebody money.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class SettingsError(Exception):
    """A setting is unknown or has a value that cannot be; the message names the key and what it takes."""


class Section(BaseModel):
    """A group of settings; refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(Section):
    """Where the money is kept."""

    url: str = "sqlite:///var/tollgate.db"
    busy_timeout_s: float = Field(default=5.0, gt=0)


class SecuritySettings(Section):
    """The key of the keyed hashes, outside the database."""

    pepper_file: Path = Path("var/pepper")


class AgiSettings(Section):
    """The FastAGI server Asterisk connects to."""

    host: str = "127.0.0.1"
    port: int = Field(default=4573, ge=1, le=65535)
    token: SecretStr = SecretStr("")
    allowed_peers: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    header_timeout_s: float = Field(default=10.0, gt=0)
    session_cap: int = Field(default=2000, ge=1)


class AmiSettings(Section):
    """The manager interface of the switch."""

    host: str = "127.0.0.1"
    port: int = Field(default=5038, ge=1, le=65535)
    username: str = "tollgate"
    secret: SecretStr = SecretStr("")


class SwitchSettings(Section):
    """What `tollgate asterisk render` writes for the switch."""

    name: str = "gw1"
    sip_port: int = Field(default=5060, ge=1, le=65535)
    trunk: str = "network"
    ring_timeout_s: int = Field(default=45, ge=5, le=180)
    access_numbers: tuple[str, ...] = Field(default=(), description="numbers answered beside 1900NXXXXXX")
    sip_bind: str = "127.0.0.1"
    network_host: str = Field(default="127.0.0.1", description="where calls to destinations are sent")
    network_port: int = Field(default=5070, ge=1, le=65535)
    network_match: tuple[str, ...] = Field(default=("127.0.0.1",), description="addresses that are the trunk")
    rtp_first_port: int = Field(default=10000, ge=1024, le=65000)
    rtp_last_port: int = Field(default=20000, ge=1024, le=65535)
    softphone_secret: SecretStr = Field(
        default=SecretStr(""), description="password of the account softphone; empty: none"
    )


class CallSettings(Section):
    """Limits of one call."""

    dialogue_limit_s: int = Field(default=180, ge=5, description="longest time before a call is connected")
    digit_timeout_ms: int = Field(default=5000, ge=500)
    entry_attempts: int = Field(default=3, ge=1, le=10)
    home_country: str = Field(default="US", pattern="^[A-Z]{2}$")
    warn_at_s: tuple[int, ...] = (60,)


class ChargingSettings(Section):
    """How money is held while a call is up."""

    grant_s: int = Field(default=60, ge=2, description="time granted at once")
    extend_before_s: int = Field(default=20, ge=1, description="extend when this much is left of the grant")
    minimum_talk_s: int = Field(default=5, ge=1, description="no call is connected for less")
    settle_grace_s: int = Field(default=30, ge=1, description="a hold this much past its grant is settled")


class LockoutSettings(Section):
    """How many wrong entries are borne, across calls."""

    per_line_hour: int = Field(default=5, ge=1)
    per_account_half_hour: int = Field(default=10, ge=1)
    overall_hour: int = Field(default=60, ge=1)


class LogSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Settings(BaseSettings):
    """All of it. Environment: TOLLGATE_SECTION__KEY; file: TOLLGATE_CONFIG or ./tollgate.toml or /etc/tollgate."""

    model_config = SettingsConfigDict(
        env_prefix="TOLLGATE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    database: DatabaseSettings = DatabaseSettings()
    security: SecuritySettings = SecuritySettings()
    agi: AgiSettings = AgiSettings()
    ami: AmiSettings = AmiSettings()
    switch: SwitchSettings = SwitchSettings()
    call: CallSettings = CallSettings()
    charging: ChargingSettings = ChargingSettings()
    lockout: LockoutSettings = LockoutSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file."""
        del dotenv_settings, file_secret_settings
        path = settings_file()
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, path)) if path else sources


def settings_file() -> Path | None:
    """The file that is read: TOLLGATE_CONFIG, else ./tollgate.toml, else /etc/tollgate/tollgate.toml, else none."""
    named = os.environ.get("TOLLGATE_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise SettingsError(f"TOLLGATE_CONFIG names {path}, which is not there")
        return path
    for path in (Path("tollgate.toml"), Path("/etc/tollgate/tollgate.toml")):
        if path.is_file():
            return path
    return None


def load_settings() -> Settings:
    """Read everything once; raises SettingsError that names each bad key and what it takes."""
    _refuse_unknown_environment()
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}" for row in error.errors(include_input=False)
        ]
        raise SettingsError("\n".join(lines)) from None
    except ValueError as error:
        raise SettingsError(f"{settings_file()}: {error}") from None


def _refuse_unknown_environment() -> None:
    """A misspelt TOLLGATE_ variable is an unknown setting too, which pydantic-settings would pass over."""
    known = {"TOLLGATE_CONFIG"}
    for name, field in Settings.model_fields.items():
        known.add(f"TOLLGATE_{name}".upper())
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            known.update(f"TOLLGATE_{name}__{key}".upper() for key in section.model_fields)
    unknown = sorted(key for key in os.environ if key.startswith("TOLLGATE_") and key.upper() not in known)
    if unknown:
        raise SettingsError("\n".join(f"{key}: unknown setting in the environment" for key in unknown))
