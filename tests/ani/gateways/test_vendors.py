"""One contract for both adapters, over real connections: what is asked, what is read, and what every fault becomes."""

import json
import logging
import re
import time
from contextlib import suppress
from datetime import date

import pytest

from ani.gateways.choosing import vendor_of
from ani.gateways.fetching import Fetcher
from ani.gateways.json_vendor import JsonRules, JsonVendor
from ani.vendor.vendor import Claim, PersonMatch, Purpose, Vendor, VendorError, VendorOutcome
from runtime.clock import SystemClock
from runtime.faults import StaffError
from runtime.logs import set_up_logs
from runtime.settings import VendorSettings
from tests.ani.gateways.conftest import FIELDS, adapter
from tests.ani.gateways.fake_vendors import FakeVendor

ANI = "+12125550101"


pytestmark = pytest.mark.usefixtures("logs_as_they_were")


def test_a_known_line_has_a_name(vendor: Vendor, fake: FakeVendor) -> None:
    fake.people[ANI] = ("Ana", "Lee")
    found = vendor.reverse_match(ANI, 5.0)
    assert found is not None
    assert (found.first_name.lower(), found.last_name.lower(), found.source) == ("ana", "lee", vendor.name)
    if vendor.name == "twilio":
        assert (found.line_type, found.country) == ("mobile", "US")
        assert "Fields=caller_name" in fake.asked[0]
        assert fake.headers[0]["authorization"].startswith("Basic ")
    else:
        assert fake.asked == ["/v1?phone=%2B12125550101"]
        assert fake.headers[0]["x-key"] == "k"


def test_an_unknown_line_is_nobodys(vendor: Vendor) -> None:
    assert vendor.reverse_match(ANI, 5.0) is None
    assert vendor.match_person(Claim(ANI, national_id="6789"), 5.0) is None


def test_a_person_is_matched(vendor: Vendor, fake: FakeVendor) -> None:
    fake.ssn[ANI], fake.born[ANI] = "123456789", "1970-05-01"
    good = vendor.match_person(Claim(ANI, national_id="6789"), 5.0)
    assert good is not None
    assert good.is_match
    assert good.birth_on == (None if vendor.name == "twilio" else date(1970, 5, 1))
    assert vendor.match_person(Claim(ANI, national_id="0000"), 5.0) == PersonMatch(False)
    assert vendor.match_person(Claim(ANI, birth_on=date(1970, 5, 1)), 5.0) == PersonMatch(True, date(1970, 5, 1))


def test_number_and_date_are_matched_in_one_claim(vendor: Vendor, fake: FakeVendor) -> None:
    fake.ssn[ANI], fake.born[ANI] = "123456789", "1970-05-01"
    born, other = date(1970, 5, 1), date(1970, 5, 2)
    for national_id, claimed, is_match in (("6789", born, True), ("6789", other, False), ("6788", born, False)):
        found = vendor.match_person(Claim(ANI, national_id=national_id, birth_on=claimed), 5.0)
        assert found == PersonMatch(is_match, born if is_match else None)
    assert len(fake.asked) == 3


def test_of_a_person_nothing_stands_in_the_address(fake: FakeVendor, fetcher: Fetcher) -> None:
    adapter("json", fake, fetcher).match_person(Claim(ANI, national_id="987654321"), 5.0)
    assert fake.asked == ["/v1"]
    assert [json.loads(body) for body in fake.bodies] == [{"phone": ANI, "ssn": "987654321"}]


@pytest.mark.parametrize("mode", ["well", "down", "garbage", "key-refused"])
def test_no_question_is_written_down(
    vendor: Vendor, fake: FakeVendor, mode: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    fake.mode = mode
    set_up_logs("debug", "json")
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").debug("is heard")
    for claim in (Claim(ANI, national_id="987654321"), Claim(ANI, birth_on=date(1970, 5, 1))):
        with suppress(VendorError):
            vendor.match_person(claim, 5.0)
    with suppress(VendorError):
        vendor.reverse_match(ANI, 5.0)
    with suppress(VendorError):
        vendor.credit_score(ANI, 5.0)
    assert len(fake.asked) >= 3
    written = caplog.text + capsys.readouterr().err
    assert "is heard" in written
    assert not re.search("987654321|19700501|1970-05-01|2125550101", written)


def test_a_credit_score(vendor: Vendor, fake: FakeVendor) -> None:
    fake.score[ANI] = 720
    assert vendor.credit_score(ANI, 5.0) == (None if vendor.name == "twilio" else 720)


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        ("slow", VendorOutcome.TIMED_OUT),
        ("dripping", VendorOutcome.TIMED_OUT),
        ("dripping-headers", VendorOutcome.TIMED_OUT),
        ("down", VendorOutcome.UNREACHABLE),
        ("garbage", VendorOutcome.UNREADABLE),
        ("endless", VendorOutcome.UNREADABLE),
        ("key-refused", VendorOutcome.REFUSED),
    ],
)
def test_every_fault_has_a_name_and_an_end(vendor: Vendor, fake: FakeVendor, mode: str, outcome: VendorOutcome) -> None:
    fake.mode = mode
    start_s = time.monotonic()
    with pytest.raises(VendorError) as raised:
        vendor.reverse_match(ANI, 0.3)
    assert raised.value.outcome is outcome
    assert ANI not in str(raised.value)
    assert time.monotonic() - start_s < 5.0


def test_a_name_has_several_addresses_and_one_deadline(fake: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        found = {"both": ["127.0.0.1", "127.0.0.1"], "lost": ["127.0.0.1"], "none": []}.get(host, [host])
        return [(2, 1, 6, "", (address, port)) for address in found]

    fetcher = Fetcher(SystemClock().monotonic_s)
    monkeypatch.setattr("socket.getaddrinfo", resolved)
    port = fake.url.rpartition(":")[2]
    fake.people[ANI] = ("Ana", "Lee")
    asked = [f"http://both:{port}/v1", "http://lost:1/v1", "http://none/v1"]
    vendors = [JsonVendor(JsonRules("acme", url, {"phone": "{ani}"}, FIELDS), fetcher) for url in asked]
    assert vendors[0].reverse_match(ANI, 5.0) is not None
    for lost in vendors[1:]:
        with pytest.raises(VendorError) as raised:
            lost.reverse_match(ANI, 5.0)
        assert raised.value.outcome is VendorOutcome.UNREACHABLE
    fetcher.close()


def test_each_serves_what_it_can(fake: FakeVendor, fetcher: Fetcher) -> None:
    assert adapter("twilio", fake, fetcher).serves == {Purpose.REVERSE_MATCH, Purpose.PERSON}
    assert adapter("json", fake, fetcher).serves == set(Purpose)
    assert JsonVendor(JsonRules("acme", "https://a", {}, {}), fetcher).serves == {Purpose.REVERSE_MATCH}


def test_nobody_listens(vendor: Vendor, fake: FakeVendor, fetcher: Fetcher) -> None:
    lost = JsonVendor(JsonRules("acme", "http://127.0.0.1:1/v1", {}, FIELDS), fetcher)
    with pytest.raises(VendorError) as raised:
        lost.reverse_match(ANI, 1.0)
    assert raised.value.outcome is VendorOutcome.UNREACHABLE


@pytest.mark.parametrize("settings", [{"kind": "json"}, {"kind": "twilio"}])
def test_a_vendor_that_lacks_a_setting_is_told(settings: dict[str, str]) -> None:
    with pytest.raises(StaffError, match=r"vendor\."):
        vendor_of(VendorSettings.model_validate(settings), SystemClock())
