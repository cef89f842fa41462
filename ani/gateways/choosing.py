"""The vendor that the settings name."""

from ani.gateways.fetching import Fetcher
from ani.gateways.json_vendor import JsonRules, JsonVendor
from ani.vendor.breaker import BreakerRules
from ani.vendor.service import AskRules
from ani.vendor.vendor import Vendor
from runtime.clock import Clock
from runtime.faults import StaffError
from runtime.settings import VendorSettings

QUERY = {"number": "{ani}"}
PERSON_QUERY = {"number": "{ani}", "ssn": "{national_id}", "born": "{birth_on}"}


def vendor_of(settings: VendorSettings, clock: Clock) -> Vendor | None:
    """The vendor, ready to be asked; none where nobody is asked. Raises StaffError where a setting is missing."""
    if settings.kind == "none":
        return None
    fetcher = Fetcher(clock.monotonic_s)
    if settings.kind == "json":
        if not settings.json_url:
            raise StaffError("vendor.json_url: the address of the vendor is needed")
        rules = JsonRules(
            settings.json_name,
            settings.json_url,
            settings.json_query or QUERY,
            settings.json_fields,
            settings.json_key_header,
            settings.json_key.get_secret_value(),
            settings.json_person_url,
            settings.json_person_query or PERSON_QUERY,
            settings.json_credit_url,
        )
        return JsonVendor(rules, fetcher)
    if not (settings.twilio_sid and settings.twilio_token.get_secret_value()):
        raise StaffError("vendor.twilio_sid and vendor.twilio_token are needed")
    try:
        from ani.gateways.twilio_lookup import TwilioVendor
    except ImportError:
        raise StaffError("vendor.kind twilio: install tollgate[twilio]") from None
    return TwilioVendor(settings.twilio_sid, settings.twilio_token.get_secret_value(), fetcher, settings.twilio_url)


def rules_of(settings: VendorSettings) -> AskRules:
    """How the vendor is asked."""
    breaker = BreakerRules(settings.breaker_failures, settings.breaker_open_s)
    return AskRules(settings.deadline_ms / 1000, breaker, settings.daily_limit, settings.cost_micros)
