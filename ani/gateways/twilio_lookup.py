"""Twilio Lookup v2: caller name, line type and identity match, by Twilio's own client on our bounded requests."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.lookups.v2.phone_number import PhoneNumberInstance

from ani.gateways.fetching import Fetcher, Request
from ani.reverse_match.listing import Identity
from ani.reverse_match.names import split_name
from ani.vendor.vendor import Claim, PersonMatch, Purpose, VendorError, VendorOutcome

NAME = "twilio"
REVERSE_FIELDS = "caller_name,line_type_intelligence"
LINE_TYPES = {
    "landline": "landline",
    "mobile": "mobile",
    "fixedVoip": "voip",
    "nonFixedVoip": "voip",
    "tollFree": "toll-free",
}
MATCHES = frozenset({"exact_match", "high_partial_match"})
UNKNOWN = "no_data_available"


class TwilioVendor:
    """See `ani.vendor.vendor.Vendor` for what its methods promise.

    Twilio tells no date of birth: it matches the one that was claimed. It knows no credit scores.
    """

    def __init__(self, sid: str, token: str, fetcher: Fetcher, base_url: str = "") -> None:
        self._sid, self._token, self._fetcher, self._base_url = sid, token, fetcher, base_url

    @property
    def name(self) -> str:
        """By which its answers are kept."""
        return NAME

    @property
    def serves(self) -> frozenset[Purpose]:
        """All but credit."""
        return frozenset({Purpose.REVERSE_MATCH, Purpose.PERSON})

    @property
    def tells_birth_dates(self) -> bool:
        """No."""
        return False

    def reverse_match(self, ani: str, deadline_s: float) -> Identity | None:
        """The caller name with the type of the line; none where Twilio has no name, or no such number."""
        found = self._fetch(ani, deadline_s, fields=REVERSE_FIELDS)
        if found is None or found.valid is False:
            return None
        whole = _text(found.caller_name, "caller_name")
        if not whole:
            return None
        first_name, last_name = split_name(whole)
        kind = _text(found.line_type_intelligence, "type")
        country = found.country_code or ""
        line_type = LINE_TYPES.get(kind, "other" if kind else "")
        return Identity(ani, first_name[:80], last_name[:80], "", "", str(country)[:2], NAME, line_type)

    def match_person(self, claim: Claim, deadline_s: float) -> PersonMatch | None:
        """True when Twilio matches each thing claimed: exactly for digits and dates, nearly for names."""
        claimed: dict[str, str] = {
            "first_name": claim.first_name,
            "last_name": claim.last_name,
            "postal_code": claim.postal_code,
            "national_id": claim.national_id,
            "date_of_birth": claim.birth_on.strftime("%Y%m%d") if claim.birth_on else "",
        }
        claimed = {name: value for name, value in claimed.items() if value}
        found = self._fetch(claim.ani, deadline_s, fields="identity_match", **claimed)
        answers = {} if found is None else found.identity_match or {}
        judged = {name: _text(answers, f"{name}_match") for name in claimed}
        decisive = {judged.get(name, "") for name in ("national_id", "date_of_birth") if name in claimed}
        if not judged or decisive <= {"", UNKNOWN}:
            return None
        is_match = decisive == {"exact_match"} and all(
            value in MATCHES or value in {"", UNKNOWN} for value in judged.values()
        )
        return PersonMatch(is_match, claim.birth_on if is_match else None)

    def credit_score(self, ani: str, deadline_s: float) -> int | None:
        """None: Twilio does not tell."""
        del ani, deadline_s
        return None

    def _fetch(self, ani: str, deadline_s: float, **asked: str) -> PhoneNumberInstance | None:
        client = Client(self._sid, self._token, http_client=_BoundedHttp(self._fetcher, deadline_s, self._base_url))
        try:
            return client.lookups.v2.phone_numbers(ani).fetch(**asked)
        except TwilioRestException as error:
            if error.status == 404:
                return None
            is_ours = 400 <= error.status < 500 and error.status != 429
            outcome = VendorOutcome.REFUSED if is_ours else VendorOutcome.UNREACHABLE
            raise VendorError(outcome, f"status {error.status}, code {error.code}") from None
        except (TwilioException, ValueError, TypeError, KeyError):
            # The client reads answers without looking whether they are of the form it expects.
            raise VendorError(VendorOutcome.UNREADABLE, "not an answer of Lookup v2") from None


class _BoundedHttp:
    """What carries the requests of Twilio's client: ours, within our deadline, nothing of them logged."""

    def __init__(self, fetcher: Fetcher, deadline_s: float, base_url: str) -> None:
        self.is_async = False
        self.timeout = deadline_s
        self._fetcher, self._deadline_s, self._base = fetcher, deadline_s, urlsplit(base_url)

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001, FBT002  (the client's own signature)
    ) -> Response:
        """Send one request; raises VendorError."""
        del timeout, allow_redirects
        url = urlsplit(uri)
        if self._base.netloc:
            url = url._replace(scheme=self._base.scheme, netloc=self._base.netloc)
        asked = Request(
            method.upper(),
            urlunsplit(url),
            {name: str(value) for name, value in (params or {}).items()},
            None if not data else {name: str(value) for name, value in data.items()},
            None,
            headers or {},
            auth,
        )
        answer = self._fetcher.fetch(asked, self._deadline_s)
        return Response(answer.status, answer.body.decode("utf-8", errors="replace"))


def _text(document: Any, name: str) -> str:
    found = document.get(name) if isinstance(document, dict) else None
    return " ".join(found.split()) if isinstance(found, str) and found.isprintable() else ""
