"""What a signed call says of itself: the claims of its PASSporT (RFC 8225, with `shaken` of RFC 8588). Pure.

Nothing here is proof: whether it was signed, by whom and when, Asterisk verified (RFC 8224) or did not.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any

LONGEST_CLAIMS = 2000
SHORTEST_NATIONAL = 7
_DIGITS = re.compile(r"[0-9]{1,15}")
_BASE64URL = re.compile(r"[0-9A-Za-z_-]+={0,2}")


@dataclass(frozen=True, slots=True)
class Passport:
    """Who called, as E.164 with its plus, and the numbers he called, digits as they were signed."""

    caller: str = field(repr=False)
    called: tuple[str, ...]


def parse_claims(encoded: str) -> Passport | None:
    """The claims of a PASSporT, base64url as they stand between its two dots; none where they are not of the grammar.

    A name that stands twice is refused: two readers could see two different callers.
    """
    if len(encoded) > LONGEST_CLAIMS or not _BASE64URL.fullmatch(encoded):
        return None
    padded = encoded.rstrip("=")
    try:
        text = base64.urlsafe_b64decode(padded + "=" * (-len(padded) % 4))
        claims = json.loads(text, object_pairs_hook=_once)
    except (binascii.Error, ValueError, RecursionError):
        return None
    caller = _member(_member(claims, "orig"), "tn")
    called = _member(_member(claims, "dest"), "tn")
    if not isinstance(caller, str) or not _DIGITS.fullmatch(caller) or not isinstance(called, list):
        return None
    return Passport(f"+{caller}", tuple(number for number in called if isinstance(number, str)))


def vouched_number(encoded: str, dialled: str) -> str:
    """The number a PASSporT was made for, E.164 with its plus; "" where it was made for a call to somebody else.

    `dialled` is the number as the switch has it: national digits without country code count as those of the last
    digits, so a switch that is told `9005550100` takes a signature for `19005550100`. A signature for a call to
    another number was copied from that call (RFC 8224 section 12.1).
    """
    passport = parse_claims(encoded)
    digits = dialled.removeprefix("+")
    if passport is None or len(digits) < SHORTEST_NATIONAL:
        return ""
    is_ours = any(_is_same(number, digits, is_whole=dialled.startswith("+")) for number in passport.called)
    return passport.caller if is_ours else ""


def _is_same(signed: str, digits: str, *, is_whole: bool) -> bool:
    if not _DIGITS.fullmatch(signed):
        return False
    return signed == digits or (not is_whole and len(signed) - len(digits) in {1, 2, 3} and signed.endswith(digits))


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
