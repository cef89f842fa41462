"""Numbers out of hostile identities, and numbers that were keyed."""

import re
import string

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ani.numbers import (
    UNREADABLE,
    Ani,
    Destination,
    NumberRefusal,
    parse_ani,
    parse_asserted,
    parse_destination,
    parse_identity_header,
)


@pytest.mark.parametrize(
    ("user_part", "home", "e164", "country"),
    [
        ("+16046660001", "US", "+16046660001", "CA"),
        ("16046660001", "US", "+16046660001", "CA"),
        ("6046660001", "US", "+16046660001", "CA"),
        ("2125550123", "CA", "+12125550123", "US"),
        ("+15552340001", "US", "+15552340001", "US"),
        ("+442079460000", "US", "+442079460000", "GB"),
        ("442079460000", "GB", "+442079460000", "GB"),
        ("02079460000", "GB", "+442079460000", "GB"),
        ("0301234567", "DE", "+49301234567", "DE"),
        ("+390612345678", "US", "+390612345678", "IT"),
        ("+5491123456789", "US", "+5491123456789", "AR"),
        ("2423221234", "US", "+12423221234", "BS"),
    ],
)
def test_a_line(user_part: str, home: str, e164: str, country: str) -> None:
    assert parse_ani(user_part, home) == Ani(e164, country)


@pytest.mark.parametrize(
    "user_part",
    ["", "anonymous", "Anonymous", "unknown", "<unknown>", "restricted", "RESTRICTED", "private", "unavailable"],
)
def test_a_withheld_number(user_part: str) -> None:
    assert parse_ani(user_part, "US") is NumberRefusal.WITHHELD


@pytest.mark.parametrize(
    "user_part",
    [
        "1555%0Aagi_network_script%3A%20admin",
        "1555%0A%0A200 result=1 (x)",
        "1%35551230001",
        "+16046660001\n",
        "\n16046660001",
        "+16046660001\r\nEvent: Hangup",
        "16046660001\x00",
        " 16046660001",
        "16046660001 ",
        "1 604 666 0001",
        "+1-604-666-0001",
        "١٦٠٤٦٦٦٠٠٠١",
        "１６０４６６６０００１",
        "++16046660001",
        "+",
        "1604666000x",
        "tel:+16046660001",
        "+16046660001@evil",
        "+16046660001;phone-context=+44",
        "+16046660001#",
        "*79",
        "000",
        "911",
        "5550123",
        "0000000000",
        "+10000000000",
        "+15551230001",
        "1234567890",
        "+112125550123",
        "+4402079460000",
        "+80012345678",
        "+999123456789",
        "1" * 15,
        "1" * 16,
        "9" * 4000,
        "anonymous ",
        "anonymous\n",
        "1604666000１",
    ],
)
def test_everything_else_is_malformed(user_part: str) -> None:
    assert parse_ani(user_part, "US") is NumberRefusal.MALFORMED


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(string.digits + "+%0A\r\n\0 ;@-.()#*x", max_size=25),
    st.from_regex(r"\+?[0-9]{1,18}", fullmatch=True),
)
HOMES = st.sampled_from(["US", "CA", "GB", "DE", "IT", "MX", "AR", "BR", "AU", "BS"])


@given(HOSTILE, HOMES)
@example("+16046660001\n", "US")
@example("+980000", "US")
def test_only_plain_digits_ever_parse(user_part: str, home: str) -> None:
    found = parse_ani(user_part, home)
    if isinstance(found, Ani):
        assert re.fullmatch(r"\+?[0-9]+", user_part, re.ASCII)
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", found.e164)
        assert re.fullmatch("[A-Z]{2}", found.country)


@given(st.from_regex(r"\+?[0-9]{5,18}", fullmatch=True), HOMES)
def test_a_number_found_is_the_same_number_when_read_again(user_part: str, home: str) -> None:
    found = parse_ani(user_part, home)
    if isinstance(found, Ani):
        assert parse_ani(found.e164, home) == found
        assert parse_ani(found.e164, "US") == found


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_example_number_of_every_country_is_a_line(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Western Sahara and Saint Martin share the plan of Morocco and Guadeloupe.
    country = {"EH": "MA", "MF": "BL"}.get(region, region)
    assert parse_ani(e164, "US") == Ani(e164, country)
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    digits = "".join(mark for mark in national if mark.isdigit())
    if len(digits) >= 5:
        assert parse_ani(digits, region) == Ani(e164, country)


@pytest.mark.parametrize(
    ("header", "user_part"),
    [
        ("", ""),
        ("<sip:+16046660001@10.0.0.1>", "+16046660001"),
        ('"Ana" <sip:+16046660001@10.0.0.1;user=phone>;tag=a1', "+16046660001"),
        ("Ana Lía <SIPS:6046660001@h>", "6046660001"),
        ("sip:+16046660001@h;tag=x", "+16046660001"),
        ("<tel:+1-604-666-0001>", "+16046660001"),
        ("tel:+1(604)666.0001", "+16046660001"),
        ("<sip:+16046660001;npdi;cpc=ordinary@h>", "+16046660001"),
        ("<sip:+16046660001@h>, <tel:+442079460000>", UNREADABLE),
        ('<sip:+16046660001@h>;note="a,b", x', UNREADABLE),
        ('<sip:+16046660001@h>;note="a,b"', "+16046660001"),
        ("<sip:+16046660001@h>;tag=1<sip:+16046660002@h>", UNREADABLE),
        ('"<sip:+15550000000@x>" <sip:+16046660001@h>', "+16046660001"),
        (r'"a\"<sip:+15550000000@x>" <sip:+16046660001@h>', "+16046660001"),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', "anonymous"),
        ("<sip:10.0.0.1>", ""),
        ("<sip:1555%0Aagi_x%3A%20y@h>", "1555%0Aagi_x%3A%20y"),
        ("<sip:+1604@6660001@h>", "+1604@6660001"),
        ("<tel:2079460000;phone-context=+44>", "2079460000;phone-context=+44"),
        ("<sip:2079460000;phone-context=+44@h>", "2079460000;phone-context=+44"),
        ("<sip:+1604@h>\r\nEvent: Hangup", UNREADABLE),
        ("<sip:+16046660001@h", UNREADABLE),
        ('"Ana <sip:+16046660001@h>', UNREADABLE),
        ('"Ana" <sip:+16046660001@h>" <sip:+16046660002@h>', UNREADABLE),
        ("<sip:+16046660001@h><sip:+16046660002@h>", UNREADABLE),
        ("<sip:+16046660001@h> Ana", UNREADABLE),
        (",<sip:+16046660001@h>", UNREADABLE),
        ("<sip:+16046660001@h> ;tag=1", "+16046660001"),
        ("+16046660001", UNREADABLE),
        ("http://+16046660001@h", UNREADABLE),
        ("too-long", UNREADABLE),
        ("   ", UNREADABLE),
        ("<sip:+16046660001@h>" + " " * 1024, UNREADABLE),
        (" " * 1024, UNREADABLE),
    ],
)
def test_the_user_part_of_a_header(header: str, user_part: str) -> None:
    assert parse_identity_header(header) == user_part


LINE = "+16046660001"


@pytest.mark.parametrize(
    ("header", "user_part"),
    [
        ("", ""),
        ("<sip:+16046660001@h>", LINE),
        ("<sip:+16046660001@h>, <tel:+16046660001>", LINE),
        ("<sip:+16046660001@h>,tel:+1-604-666-0001", LINE),
        ("<tel:+16046660001>,<sip:6046660001@h>", LINE),
        ('"Ana, her own" <sip:+16046660001@h>;x="1,2" , "A" <tel:+16046660001>', LINE),
        ("sip:+16046660001@h,sip:16046660001@g", LINE),
        ("<sip:+16046660001@h>,<tel:+16046660002>", UNREADABLE),
        ("<sip:+16046660002@h>,<tel:+16046660001>", UNREADABLE),
        ("<sip:anonymous@anonymous.invalid>,<tel:+16046660001>", UNREADABLE),
        ("<tel:+16046660001>,<sip:anonymous@anonymous.invalid>", UNREADABLE),
        ("<sip:anonymous@h>,<sip:anonymous@h>", UNREADABLE),
        ("<sip:fluffy@h>,<tel:+16046660001>", UNREADABLE),
        ("<sip:+16046660001@h>,<sip:10.0.0.1>", UNREADABLE),
        ("<sip:+16046660001@h>,<sip:+16046660001;phone-context=+44@h>", UNREADABLE),
        ("<sip:+16046660001@h>,<tel:+16046660001>,<tel:+16046660001>", UNREADABLE),
        ("<sip:+16046660001@h>,", UNREADABLE),
        (",<sip:+16046660001@h>", UNREADABLE),
        ("<sip:+16046660001@h>,,<tel:+16046660001>", UNREADABLE),
        ("<sip:+16046660001@h>,garbage", UNREADABLE),
        ("garbage,<sip:+16046660001@h>", UNREADABLE),
        ('<sip:+16046660001@h>,"<tel:+16046660001>', UNREADABLE),
        ("too-many", UNREADABLE),
        (f"<sip:{LINE}@h>,<tel:{LINE}>" + " " * 1024, UNREADABLE),
    ],
)
def test_two_asserted_identities_count_where_they_are_of_one_line(header: str, user_part: str) -> None:
    assert parse_asserted(header, "US") == user_part


@given(st.text('<>"\\sip:tel+16046@;=%, \n', max_size=80))
def test_no_list_makes_a_number_of_one_line_of_a_header_that_names_another(text: str) -> None:
    for header in (f"<sip:+16046660001@h>,{text}", f"{text},<sip:+16046660001@h>"):
        assert parse_asserted(header, "US") in {UNREADABLE, LINE, "6046660001", "16046660001"}


@pytest.mark.parametrize("part", [UNREADABLE, "2079460000;phone-context=+44", "+1604@6660001", "1555%0Aagi_x"])
def test_what_is_kept_as_it_came_is_refused(part: str) -> None:
    assert parse_ani(part, "US") is NumberRefusal.MALFORMED


@given(st.text('<>"\\sip:tel+0123456789@;=%, \n', max_size=60))
@example('"' * 60)
@example(" " * 60)
def test_no_header_makes_a_number_that_is_not_in_it(header: str) -> None:
    found = parse_ani(parse_identity_header(header), "US")
    if isinstance(found, Ani):
        assert found.e164.removeprefix("+1") in header


@pytest.mark.parametrize(
    ("digits", "home", "e164", "country"),
    [
        ("6046660001", "US", "+16046660001", "CA"),
        ("16046660001", "US", "+16046660001", "CA"),
        ("011442079460000", "US", "+442079460000", "GB"),
        ("+442079460000", "US", "+442079460000", "GB"),
        ("00442079460000", "DE", "+442079460000", "GB"),
        ("02079460000", "GB", "+442079460000", "GB"),
        ("0016046660001", "GB", "+16046660001", "CA"),
        ("011881612345678", "US", "+881612345678", "001"),
        ("19005551234", "US", "+19005551234", "US"),
    ],
)
def test_a_destination(digits: str, home: str, e164: str, country: str) -> None:
    assert parse_destination(digits, home) == Destination(e164, country)


@pytest.mark.parametrize(
    "digits",
    [
        "",
        "911",
        "112",
        "6660001",
        "011",
        "0111",
        "1604666000",
        "160466600011",
        "0" * 12,
        "16046660001#",
        "*67",
        "9" * 19,
    ],
)
def test_no_destination(digits: str) -> None:
    assert parse_destination(digits, "US") is None


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_an_emergency_number_is_no_destination(region: str) -> None:
    for digits in ("112", "911", "999", "000", "110", "119"):
        assert parse_destination(digits, region) is None
