"""Every setting, its default and its meaning: environment over `tollgate.toml` over the defaults written here.

An unknown key is refused with its name, because a setting that is silently ignored costs somebody money.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from runtime import vendor_address
from runtime.faults import StaffError

PrivateUrl = Annotated[str, AfterValidator(vendor_address.require_private)]


class SettingsError(StaffError):
    """A setting is unknown or has a value that cannot be; the message names the key and what it takes."""


class Section(BaseModel):
    """A group of settings; refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(Section):
    """Where the money is kept."""

    url: str = Field(default="sqlite:///var/tollgate.db", description="sqlite:///path or postgresql://user@host/name")
    busy_timeout_s: float = Field(default=5.0, gt=0, description="SQLite: how long to wait for another writer")


class SecuritySettings(Section):
    """The keys of the keyed hashes, outside the database."""

    pepper_file: Path = Field(
        default=Path("var/pepper"), description="the keys, one a line; `tollgate db upgrade` makes it"
    )


class AgiSettings(Section):
    """The FastAGI server Asterisk connects to."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=4573, ge=1, le=65535, description="TCP port to listen on")
    token: SecretStr = Field(default=SecretStr(""), description="the switch shows it in every turn")
    allowed_peers: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128"), description="networks a switch may connect from"
    )
    header_timeout_s: float = Field(default=10.0, gt=0, description="a peer that says nothing is dropped after this")
    session_cap: int = Field(default=2000, ge=1, description="turns served at once; more are refused")


class AmiSettings(Section):
    """The manager interface of the switch."""

    host: str = Field(default="127.0.0.1", description="address of the switch")
    port: int = Field(default=5038, ge=1, le=65535, description="its manager port")
    username: str = Field(default="tollgate", description="the user in manager.conf")
    secret: SecretStr = Field(default=SecretStr(""), description="the secret of that user in manager.conf")


class SwitchSettings(Section):
    """What `tollgate asterisk render` writes for the switch."""

    name: str = Field(default="gw1", description="the name of the switch in every record")
    sip_port: int = Field(default=5060, ge=1, le=65535, description="UDP port of the switch")
    trunk: str = Field(default="network", description="the trunk of the sample configuration")
    trusted_endpoints: tuple[str, ...] = Field(
        default=(), description="endpoints beside the trunk whose P-Asserted-Identity is believed"
    )
    sounds_dirs: tuple[str, ...] = Field(
        default=(), description="where this machine sees the sounds of the switch, `.../sounds/en`; empty: it is asked"
    )
    ring_timeout_s: int = Field(default=45, ge=5, le=180, description="how long the called party may ring")
    access_numbers: tuple[str, ...] = Field(default=(), description="numbers answered beside 1900NXXXXXX")
    sip_bind: str = Field(default="127.0.0.1", description="address the switch speaks SIP on")
    network_host: str = Field(default="127.0.0.1", description="where calls to destinations are sent")
    network_port: int = Field(default=5070, ge=1, le=65535, description="and its port")
    network_match: tuple[str, ...] = Field(default=("127.0.0.1",), description="addresses that are the trunk")
    rtp_first_port: int = Field(default=10000, ge=1024, le=65000, description="first port of speech")
    rtp_last_port: int = Field(default=20000, ge=1024, le=65535, description="last port of speech")
    stir_shaken_ca_file: str = Field(
        default="", description="certificates that signers of calls are trusted by, as the switch sees it; empty: none"
    )
    stir_shaken_age_s: int = Field(default=15, ge=1, le=600, description="a signature older than this is not trusted")
    softphone_secret: SecretStr = Field(default=SecretStr(""), description="password of `softphone`; empty: none")


class CallSettings(Section):
    """Limits of one call."""

    dialogue_limit_s: int = Field(default=180, ge=5, description="longest time before a call is connected")
    digit_timeout_ms: int = Field(default=5000, ge=500, description="longest pause between two digits")
    entry_attempts: int = Field(default=3, ge=1, le=10, description="tries at each question")
    home_country: str = Field(
        default="US", pattern="^[A-Z]{2}$", description="country of numbers that do not name one (ISO 3166)"
    )
    warn_at_s: tuple[int, ...] = Field(default=(60,), description="the caller is warned with so much left")


class ChargingSettings(Section):
    """How money is held while a call is up."""

    grant_s: int = Field(default=60, ge=2, description="time granted at once")
    extend_before_s: int = Field(default=20, ge=1, description="extend when this much is left of the grant")
    minimum_talk_s: int = Field(default=5, ge=1, description="no call is connected for less")
    settle_grace_s: int = Field(default=30, ge=1, description="a hold lives this much longer than its grant")
    reap_after_s: int = Field(
        default=300, ge=0, description="a call whose hold ended so long ago untold is settled by what is known of it"
    )


class LockoutSettings(Section):
    """How many wrong entries are borne, across calls."""

    per_line_hour: int = Field(default=5, ge=1, description="wrong entries from one line in an hour")
    per_account_half_hour: int = Field(default=10, ge=1, description="wrong entries for one account in half an hour")
    overall_hour: int = Field(default=60, ge=1, description="wrong entries from all lines in an hour")
    per_access_number_hour: int = Field(
        default=60, ge=1, description="wrong entries through one access number in an hour"
    )


class VendorSettings(Section):
    """The company that is asked whose line it is where the listings do not tell, and of persons."""

    kind: Literal["none", "twilio", "json"] = Field(default="none", description="who is asked; none: nobody")
    deadline_ms: int = Field(
        default=1500, ge=50, le=10_000, description="longest a caller waits for it, retry included"
    )
    breaker_failures: int = Field(default=5, ge=1, description="failures in a row after which it is left alone")
    breaker_open_s: float = Field(default=30.0, gt=0, description="for how long")
    daily_limit: int = Field(default=10_000, ge=0, description="requests of one day (UTC) at most")
    cost_micros: int = Field(default=10_000, ge=0, description="what one request costs, in millionths, for the counter")
    listing_days: int = Field(default=60, ge=1, description="a listing not seen for longer is validated again")
    credit_days: int = Field(default=30, ge=1, description="a credit tier set longer ago is found anew")
    needs_first_name: bool = Field(default=False, description="a listing without first name is insufficient")
    needs_address: bool = Field(default=False, description="a listing without address is insufficient")
    twilio_sid: str = Field(default="", description="twilio: account SID, or API key SID")
    twilio_token: SecretStr = Field(default=SecretStr(""), description="twilio: auth token, or API key secret")
    twilio_url: PrivateUrl = Field(default="", description="twilio: another address than its own, for tests")
    json_name: str = Field(default="vendor", max_length=40, description="json: its name in the records")
    json_url: PrivateUrl = Field(default="", description="json: https address of the reverse match")
    json_query: dict[str, str] = Field(default={}, description='json: query parameters; none named: `number = "{ani}"`')
    json_fields: dict[str, str] = Field(
        default={
            name: name
            for name in (
                "first_name",
                "last_name",
                "name",
                "address",
                "postal_code",
                "country",
                "line_type",
                "matched",
                "birth_on",
                "credit_score",
            )
        },
        description="json: where each field stands in the answer; others by their own name, empty: nowhere",
    )
    json_key_header: str = Field(default="", description="json: header that carries the key")
    json_key: SecretStr = Field(default=SecretStr(""), description="json: the key")
    json_person_url: PrivateUrl = Field(
        default="", description="json: https address of the match of a person; empty: none"
    )
    json_person_query: dict[str, str] = Field(
        default={},
        description='json: the members of the JSON body it is asked with; none named: `number = "{ani}"`, '
        '`ssn = "{national_id}"`, `born = "{birth_on}"`',
    )
    json_credit_url: PrivateUrl = Field(default="", description="json: https address of the credit score; empty: none")

    @field_validator("json_query")
    @classmethod
    def _refuse_persons_in_addresses(cls, query: dict[str, str]) -> dict[str, str]:
        vendor_address.require_words(query.values(), vendor_address.LINE_WORDS)
        return query

    @field_validator("json_person_query")
    @classmethod
    def _require_what_is_claimed(cls, body: dict[str, str]) -> dict[str, str]:
        if body:
            vendor_address.require_person_words(body)
        return body

    @field_validator("json_person_url", "json_credit_url")
    @classmethod
    def _require_fields(cls, url: str, info: ValidationInfo) -> str:
        """An answer whose decisive fields are not mapped could never be read."""
        needed = ("matched", "birth_on") if info.field_name == "json_person_url" else ("credit_score",)
        fields = info.data.get("json_fields", {})
        for name in needed:
            if url and not fields.get(name):
                raise ValueError(f"vendor.json_fields does not say where {name} stands in the answer")
        return url


class WebSettings(Section):
    """The HTTP API for other services; a proxy with TLS stands before it."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8480, ge=1, le=65535, description="TCP port to listen on")
    requests_per_s: float = Field(default=200.0, ge=1, description="requests of one API key in a second, lastingly")


class LogSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is logged")
    format: Literal["json", "text"] = Field(default="json", description="json for machines, text for people")


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
    vendor: VendorSettings = VendorSettings()
    web: WebSettings = WebSettings()
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
        source = settings_file()
        where = f" (environment or {source})" if source else " (environment)"
        raise SettingsError("\n".join(f"{line}{where}" for line in _explained(error))) from None
    except ValueError as error:
        raise SettingsError(f"{settings_file()}: {error}") from None


def _explained(error: ValidationError) -> list[str]:
    """Each bad key with what it takes; never with what was given, which may be a secret."""
    return [
        f"{'.'.join(str(part) for part in row['loc'])}: "
        + ("unknown setting" if row["type"] == "extra_forbidden" else row["msg"].removeprefix("Value error, "))
        for row in error.errors(include_input=False)
    ]


@dataclass(frozen=True, slots=True)
class KnownSetting:
    """A setting: where it stands, what it takes and is when nothing is said, and what it means."""

    section: str
    key: str
    default: object
    kind: str
    description: str

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return f"TOLLGATE_{self.section}__{self.key}".upper()


def known_settings() -> Iterator[KnownSetting]:
    """Every setting there is, in the order of this module."""
    for section, model in SECTIONS.items():
        for key, field in model.model_fields.items():
            kind = getattr(field.annotation, "__name__", None) or str(field.annotation)
            yield KnownSetting(section, key, field.default, kind, field.description or "")


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}


def _refuse_unknown_environment() -> None:
    """A misspelt TOLLGATE_ variable is an unknown setting too, which pydantic-settings would pass over."""
    known = {"TOLLGATE_CONFIG", *(row.variable for row in known_settings())}
    known.update(f"TOLLGATE_{section}".upper() for section in SECTIONS)
    unknown = sorted(key for key in os.environ if key.startswith("TOLLGATE_") and key.upper() not in known)
    if unknown:
        raise SettingsError("\n".join(f"{key}: unknown setting in the environment" for key in unknown))
