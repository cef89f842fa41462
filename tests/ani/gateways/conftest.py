"""A fake vendor, and both adapters on it."""

from collections.abc import Iterator

import pytest

from ani.gateways.fetching import Fetcher
from ani.gateways.json_vendor import JsonRules, JsonVendor
from ani.gateways.twilio_lookup import TwilioVendor
from ani.vendor.vendor import Vendor
from runtime.clock import SystemClock
from tests.ani.gateways.fake_vendors import FakeVendor, serving

FIELDS = {
    "first_name": "people.0.given",
    "last_name": "people.0.family",
    "matched": "match",
    "birth_on": "born",
    "credit_score": "score",
}
PERSON = {"phone": "{ani}", "ssn": "{national_id}", "born": "{birth_on}"}


@pytest.fixture
def fake() -> Iterator[FakeVendor]:
    with serving(FakeVendor()) as vendor:
        yield vendor


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    made = Fetcher(SystemClock().monotonic_s)
    yield made
    made.close()


def adapter(kind: str, fake: FakeVendor, fetcher: Fetcher) -> Vendor:
    """The adapter of that kind, asking the fake."""
    if kind == "twilio":
        return TwilioVendor("AC123", "token", fetcher, fake.url)
    url = f"{fake.url}/v1"
    return JsonVendor(JsonRules("acme", url, {"phone": "{ani}"}, FIELDS, "X-Key", "k", url, PERSON, url), fetcher)


@pytest.fixture(params=["twilio", "json"])
def vendor(request: pytest.FixtureRequest, fake: FakeVendor, fetcher: Fetcher) -> Vendor:
    """The test runs twice: the same contract for both adapters."""
    return adapter(request.param, fake, fetcher)
