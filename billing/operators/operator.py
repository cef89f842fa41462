"""Who sells what under which number: operators, their service profiles, and the toll numbers (CALL-2)."""

import re
from dataclasses import dataclass
from enum import StrEnum

from ani.qualification.proof import SSN_OF_DIGITS, Fallback
from billing.tariffs.tariff import BY_NUMBER, Service

_DNIS = re.compile(r"\+?([0-9]{2,15})")
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")


class ServiceRefusal(StrEnum):
    """Why a call reaches no service."""

    UNKNOWN_NUMBER = "service-unknown"


class Reach(StrEnum):
    """How far an account may call: risky destinations are those listed by staff, wherever they are (CHG-11)."""

    HOME = "home"
    ABROAD = "abroad"
    EVERYWHERE = "everywhere"


class Unidentified(StrEnum):
    """What becomes of a call whose line a vendor should have told, and could not be asked (ANI-2)."""

    DROP = "drop"
    PIN = "pin"


class BadFieldError(ValueError):
    """A field cannot be what was given; the message names it and says what it takes."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who sells: currency ISO 4217, home country ISO 3166 alpha-2."""

    id: int
    code: str
    name: str
    currency: str
    home_country: str


@dataclass(frozen=True, slots=True)
class ProfileTerms:
    """How a service treats its callers: what is said, what is asked, and how long a call or a month may be."""

    language: str = "en"
    preamble_prompt: str = "welcome"
    minimum_age: int = 18
    age_check: bool = False
    evidence_days: int = 365
    issue_pin: bool = False
    session_cap_s: int = 1860
    month_cap_s: int = 5580
    reach: Reach = Reach.HOME
    bind_line: bool = False
    pin_range: str = ""
    ssn_digits: int = 4
    fallback: Fallback = Fallback.NONE
    sells: Service = Service.VOICE


@dataclass(frozen=True, slots=True)
class ServiceProfile:
    """A service as a call finds it: the terms, with what the operator and the tariff decide."""

    id: int
    name: str
    operator_id: int
    operator_code: str
    currency: str
    home_country: str
    tariff_id: int
    tariff_name: str
    language: str
    preamble_prompt: str
    minimum_age: int
    age_check: bool
    evidence_days: int
    issue_pin: bool
    session_cap_s: int
    month_cap_s: int
    reach: Reach = Reach.HOME
    bind_line: bool = False
    pin_range: str = ""
    unidentified: Unidentified = Unidentified.DROP
    ssn_digits: int = 4
    fallback: Fallback = Fallback.NONE
    terms_version: int = 0
    credit_check: bool = False
    sells: Service = Service.VOICE
    """Whose rates price its calls, in the tariff."""


@dataclass(frozen=True, slots=True)
class AccessNumber:
    """A toll number and the service it reaches."""

    dnis: str
    operator_code: str
    profile_name: str


def normal_dnis(dialled: str) -> str | None:
    """The number dialled to reach us, as it is kept: digits without a plus; none if it is not a number."""
    found = _DNIS.fullmatch(dialled)
    return found[1] if found and found[1].isascii() else None


def check_operator(code: str, name: str, currency: str, home_country: str) -> None:
    """Raise BadFieldError unless these can be an operator's."""
    _must(_CODE, code, "code", "1 to 20 of a-z, 0-9 and -")
    _must(_CURRENCY, currency, "currency", "three capital letters (ISO 4217)")
    _must(_COUNTRY, home_country, "home country", "two capital letters (ISO 3166)")
    if not name.strip() or len(name) > 80:
        raise BadFieldError("name: 1 to 80 characters")


def check_profile(name: str, terms: ProfileTerms) -> None:
    """Raise BadFieldError unless these can be a profile's."""
    if not name.strip() or len(name) > 40:
        raise BadFieldError("name: 1 to 40 characters")
    limits = {
        "minimum age": (terms.minimum_age, 0, 120),
        "evidence days": (terms.evidence_days, 1, 36_500),
        "session cap": (terms.session_cap_s, 1, 86_400),
        "month cap": (terms.month_cap_s, 1, 31 * 86_400),
    }
    if terms.sells not in BY_NUMBER:
        raise BadFieldError(f"sells: one of {', '.join(sorted(BY_NUMBER))}, whose rates are found by the number called")
    if terms.ssn_digits not in SSN_OF_DIGITS:
        raise BadFieldError("ssn digits: 4 or 9")
    for field, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise BadFieldError(f"{field}: {least} to {most}")


def _must(pattern: re.Pattern[str], value: str, field: str, takes: str) -> None:
    if pattern.fullmatch(value) is None:
        raise BadFieldError(f"{field}: {takes}")
