"""Telephone numbers: the billing number of a line out of a SIP identity, and the destination a caller keyed (ANI-1).

What a SIP peer sends is hostile until it parses: only plain ASCII digits with an optional leading plus ever become a
number. Nothing is decoded, trimmed or repaired, because a repaired number is another number.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import ValidationResult

LONGEST_E164 = 16
SHORTEST_E164 = 8
"""With its plus; what is shorter is a number within one network, whatever the plan of its country says."""
LONGEST_HEADER = 1024
UNREADABLE = "?"
"""What stands for the user part of a header that is not of the grammar; no number."""
_PLAIN = re.compile(r"\+?[0-9]{5,18}")
_NANP = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{6}")
_SHORT = re.compile(r"[0-9]{2,6}")
_EMERGENCY_ANYWHERE = frozenset({"112", "911"})
_WITHHELD = frozenset(
    {"", "anonymous", "private", "restricted", "unavailable", "unknown", "<unknown>", "withheld", "unidentified"}
)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_NAME_ADDRESS = re.compile(rf'(?:[ \t]*{_QUOTED}[ \t]*|[^"<>,;]*)<([^<>]*)>[ \t]*(?:;(?:[^",<>]|{_QUOTED})*)?(,|$)')
_ADDRESS = re.compile(r"([^,<>]*)(,|$)")
_URI = re.compile(r"[ \t]*(sips?|tel):([^ \t<>]*)[ \t]*", re.IGNORECASE)
_VISUAL_SEPARATORS = str.maketrans("", "", "-.()")


class NumberRefusal(StrEnum):
    """Why a line has no number that could be billed."""

    WITHHELD = "number-withheld"
    MALFORMED = "number-malformed"


@dataclass(frozen=True, slots=True)
class Ani:
    """The billing number of a line: E.164 with its plus, and the country (ISO 3166 alpha-2) it belongs to."""

    e164: str
    country: str


@dataclass(frozen=True, slots=True)
class Destination:
    """A number wanted: E.164 with its plus; country ISO 3166 alpha-2, or "001" for codes of no country (+800, +881)."""

    e164: str
    country: str


def parse_ani(user_part: str, home_country: str) -> Ani | NumberRefusal:
    """The line behind the user part of a SIP identity, exactly as it was delivered.

    With a plus it must be E.164 to the digit; without, it is read as dialled within `home_country` (ten digits, or one
    and ten digits, in North America). Possible by length for its country is enough: whether the number is in use is for
    the reverse match to say.
    """
    if user_part.lower() in _WITHHELD:
        return NumberRefusal.WITHHELD
    found = _parse(user_part, home_country)
    if found is None or found.country == "001":
        return NumberRefusal.MALFORMED
    if user_part.startswith("+") and user_part != found.e164:
        return NumberRefusal.MALFORMED
    return Ani(found.e164, found.country)


def parse_listed(number: str, home_country: str) -> Ani | None:
    """What `parse_ani` says of a number of a supplier's file; for one of North America as written there, much faster.

    Which country such a number is of follows from its first six digits (NPA and NXX), so that is asked once for each.
    """
    digits = number.removeprefix("+1") if number.startswith("+1") else number
    if len(digits) == 10 and digits.isascii() and _NANP.fullmatch(digits):
        if digits is not number:
            country = _nanp_country(digits[:6], "US")
            return Ani(number, country) if country else None
        if home_country in {"US", "CA"}:
            country = _nanp_country(digits[:6], home_country)
            return Ani("+1" + digits, country) if country else None
    found = parse_ani(number, home_country)
    return found if isinstance(found, Ani) else None


@lru_cache(maxsize=400_000)
def _nanp_country(npa_nxx: str, home_country: str) -> str:
    """The country of a block of ten thousand numbers; "" where they are none that can be a line."""
    found = parse_ani(f"+1{npa_nxx}0123", home_country)
    return found.country if isinstance(found, Ani) else ""


def parse_destination(digits: str, home_country: str) -> Destination | None:
    """The number wanted, read as dialled within the line's country; none if it is not a possible number.

    International prefixes (011, 00 ...) and trunk prefixes (1, 0 ...) are those of the country. Local numbers without
    an area code are none, and so are short ones; whether a short one is an emergency's, `is_emergency` tells.
    """
    return _parse(digits, home_country)


def is_long_distance(line: str, destination: str) -> bool:
    """True for a destination outside the area of the line (both E.164): another country code or another area code.

    A number that belongs to no area (mobile outside North America, toll-free, a short code's) is outside every area.
    """
    areas = [_area(number) for number in (line, destination)]
    return areas[0] is None or areas[0] != areas[1]


def is_emergency(digits: str, country: str) -> bool:
    """True for the number of an emergency service, as dialled within the country; 112 and 911 are so everywhere."""
    if digits in _EMERGENCY_ANYWHERE:
        return True
    return _SHORT.fullmatch(digits) is not None and phonenumbers.is_emergency_number(digits, country)


def parse_identity_header(header: str) -> str:
    """The user part of a raw From or P-Asserted-Identity header (RFC 3261, 3325, 3966); "" when there is none.

    A header that is there but is not of the grammar gives UNREADABLE, so that nothing less trusted is read instead of
    it; and so does one with more than one identity (`parse_asserted`). A name that closes its own quotation marks and
    puts an address of its choice before the real one is not of the grammar. Percent-encoding is left as it is, so that
    `parse_ani` refuses it. Parameters of the user part are cut off, but one with a phone-context stays: read without
    it, it would be another line's number.
    """
    users = _user_parts(header)
    return users[0] if len(users) == 1 else UNREADABLE if users else ""


def parse_asserted(header: str, home_country: str) -> str:
    """The user part on which all identities of a raw P-Asserted-Identity agree; "" when there is none.

    RFC 3325 allows two, by the SIP and by the tel scheme, in one header or in two (which are one with a comma, RFC
    3261, 7.3.1). Networks that pass on what a caller asserted beside what they assert themselves exist; so two that are
    not numbers of one line, or of which one is no number, say nothing that could be trusted, and neither do three:
    UNREADABLE.
    """
    users = _user_parts(header)
    if len(users) < 2:
        return users[0] if users else ""
    lines = {parse_ani(user, home_country) for user in users}
    agreed = lines.pop() if len(users) == 2 and len(lines) == 1 else None
    return users[0] if isinstance(agreed, Ani) else UNREADABLE


def _user_parts(header: str) -> list[str]:
    """The user part of every identity of a header; one UNREADABLE where any of it is not of the grammar."""
    if not header:
        return []
    if len(header) > LONGEST_HEADER or not header.isprintable():
        return [UNREADABLE]
    users, at, goes_on = [], 0, True
    while goes_on:
        found = _NAME_ADDRESS.match(header, at) or _ADDRESS.match(header, at)
        user = _user_part(found[1]) if found else UNREADABLE
        if found is None or user == UNREADABLE:
            return [UNREADABLE]
        users.append(user)
        at, goes_on = found.end(), found[2] == ","
    return users


def _user_part(address: str) -> str:
    uri = _URI.fullmatch(address.rstrip())
    if uri is None:
        return UNREADABLE
    scheme, rest = uri[1].lower(), uri[2]
    user_part = rest if scheme == "tel" else rest.rpartition("@")[0]
    number, _, parameters = user_part.partition(";")
    if "phone-context" in parameters.lower():
        return user_part
    return number.translate(_VISUAL_SEPARATORS) if scheme == "tel" else number


def _area(e164: str) -> tuple[int, str] | None:
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return None
    length = phonenumbers.length_of_geographical_area_code(number)
    return (number.country_code or 0, phonenumbers.national_significant_number(number)[:length]) if length else None


def _parse(digits: str, home_country: str) -> Destination | None:
    return None if _PLAIN.fullmatch(digits) is None else _parse_plain(digits, home_country)


@lru_cache(maxsize=8192)
def _parse_plain(digits: str, home_country: str) -> Destination | None:
    try:
        number = phonenumbers.parse(digits, home_country)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not SHORTEST_E164 <= len(e164) <= LONGEST_E164 or (e164.startswith("+1") and _NANP.fullmatch(e164, 2) is None):
        return None
    country = phonenumbers.region_code_for_number(number)
    if country is None:
        country = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return Destination(e164, country)
