"""Any vendor that answers HTTPS requests with JSON: which field is where is a setting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import orjson

from ani.gateways.fetching import Answer, Fetcher, Request, check_status
from ani.reverse_match.listing import Identity
from ani.reverse_match.names import split_name
from ani.vendor.vendor import Claim, PersonMatch, VendorError, VendorOutcome

NOT_FOUND = 404
_LONGEST = {"first_name": 80, "last_name": 80, "name": 160, "address": 200, "postal_code": 16, "country": 2}
_TRUE = frozenset({"true", "yes", "match", "1"})


@dataclass(frozen=True, slots=True)
class JsonRules:
    """Where to ask, and where in the answer each field stands: `result.people.0.surname`.

    Addresses and query parameters hold `{ani}` and `{digits}` (the line without its plus). Of a person
    `{national_id}`, `{birth_on}`, `{first_name}`, `{last_name}` and `{postal_code}` too, in the members of a JSON body
    that is posted: addresses are written into logs. Questions without an address are not asked.
    """

    name: str
    url: str
    query: Mapping[str, str]
    fields: Mapping[str, str]
    key_header: str = ""
    key: str = field(default="", repr=False)
    person_url: str = ""
    person_query: Mapping[str, str] = field(default_factory=dict)
    credit_url: str = ""


class JsonVendor:
    """The generic vendor; see `ani.vendor.vendor.Vendor` for what its methods promise."""

    def __init__(self, rules: JsonRules, fetcher: Fetcher) -> None:
        self._rules = rules
        self._fetcher = fetcher

    @property
    def name(self) -> str:
        """By which its answers are kept."""
        return self._rules.name

    def reverse_match(self, ani: str, deadline_s: float) -> Identity | None:
        """Whose line it is; none for status 404 and for an answer without a name."""
        document = self._ask("GET", self._rules.url, ani, deadline_s)
        if document is None:
            return None
        first_name, last_name = (self._text(document, name) for name in ("first_name", "last_name"))
        if not (first_name or last_name):
            first_name, last_name = split_name(self._text(document, "name"))
        if not (first_name or last_name):
            return None
        return Identity(
            ani,
            first_name[:80],
            last_name[:80],
            self._text(document, "address"),
            self._text(document, "postal_code"),
            self._text(document, "country").upper(),
            self.name,
            self._text(document, "line_type").lower()[:12],
        )

    def match_person(self, claim: Claim, deadline_s: float) -> PersonMatch | None:
        """Whether the field `matched` is true; the date of birth is that of `birth_on` (YYYY-MM-DD), if there."""
        rules, words = self._rules, _words(claim)
        body = {name: text.format_map(words) for name, text in rules.person_query.items()}
        # A member that is empty is one that nothing is claimed of.
        document = self._ask("POST", rules.person_url, claim.ani, deadline_s, body={k: v for k, v in body.items() if v})
        if document is None:
            return None
        matched = self._found(document, "matched")
        is_match = matched is True or (isinstance(matched, str) and matched.lower() in _TRUE)
        try:
            birth_on = date.fromisoformat(self._text(document, "birth_on")) if is_match else None
        except ValueError:
            birth_on = None
        return PersonMatch(is_match, birth_on)

    def credit_score(self, ani: str, deadline_s: float) -> int | None:
        """The field `credit_score`, a whole number from 0 to 1000."""
        document = self._ask("GET", self._rules.credit_url, ani, deadline_s)
        score = None if document is None else self._found(document, "credit_score")
        if score is None:
            return None
        if isinstance(score, bool) or not isinstance(score, int) or not 0 <= score <= 1000:
            raise VendorError(VendorOutcome.UNREADABLE, "credit_score: not a number from 0 to 1000")
        return score

    def _ask(
        self, method: str, url: str, ani: str, deadline_s: float, body: dict[str, str] | None = None
    ) -> object | None:
        if not url:
            return None
        rules, words = self._rules, _line_words(ani)
        headers = {rules.key_header: rules.key} if rules.key_header else {}
        query = {name: text.format_map(words) for name, text in rules.query.items()} if body is None else {}
        asked = Request(method, url.format_map(words), query, document=body, headers=headers)
        answer = self._fetcher.fetch(asked, deadline_s)
        if answer.status == NOT_FOUND:
            return None
        check_status(answer)
        return _document(answer)

    def _found(self, document: object, name: str) -> object | None:
        path = self._rules.fields.get(name)
        if not path:
            return None
        found: object | None = document
        for step in path.split("."):
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
                found = found[int(step)]
            else:
                return None
        return found

    def _text(self, document: object, name: str) -> str:
        found = self._found(document, name)
        if found is None:
            return ""
        if not isinstance(found, str):
            raise VendorError(VendorOutcome.UNREADABLE, f"{name}: not text")
        text = " ".join(found.split())
        if not text.isprintable() or len(text) > _LONGEST.get(name, 200):
            raise VendorError(VendorOutcome.UNREADABLE, f"{name}: not clean text of that length")
        return text


def _line_words(ani: str) -> dict[str, str]:
    return {"ani": ani, "digits": ani.removeprefix("+")}


def _words(claim: Claim) -> dict[str, str]:
    return {
        **_line_words(claim.ani),
        "first_name": claim.first_name,
        "last_name": claim.last_name,
        "postal_code": claim.postal_code,
        "national_id": claim.national_id,
        "birth_on": claim.birth_on.isoformat() if claim.birth_on else "",
    }


def _document(answer: Answer) -> object:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise VendorError(VendorOutcome.UNREADABLE, "not JSON") from None
