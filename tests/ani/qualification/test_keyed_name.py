"""Names by the keys they are on: what is right as well as written, and what is not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ani.qualification.keyed_name import can_be_spelt, is_name_keyed
from ani.qualification.proof import LONGEST_KEYED, keypad

LONG = ("Maximiliana Alexandra", "Featherstonehaugh-Cholmondeley")
CASES = [
    (("Ana", "Lee"), "ANALEE", True),
    (("Ana", "Lee"), "LEEANA", False),
    (("Ana", "Lee"), "ANA", False),
    (("Ana", "Lee"), "LEE", False),
    (("Ana", "Lee"), "ALEE", False),  # an initial proves less than was asked for
    (("Ana", "Lee"), "EVELEE", False),
    (("Ana", "Lee"), "ANAROE", False),
    (("Ana", "Lee"), "ANAMLEE", False),  # BOBOLEE is on the same keys
    (("Ana", "Lee"), "ANAMARIALEE", False),
    # accents
    (("José", "García"), "JOSEGARCIA", True),
    (("José", "García"), "JOSGARCA", False),
    (("Jürgen", "Müller"), "JUERGENMUELLER", True),
    (("Jürgen", "Müller"), "JURGENMULLER", True),
    (("Łukasz", "Żak"), "LUKASZZAK", True),
    (("Sean", "O'Brien"), "SEANOBRIEN", True),
    # middle names, initials, suffixes, titles
    (("Ana Maria", "Lee"), "ANAMARIALEE", True),
    (("Ana Maria", "Lee"), "ANAMLEE", True),
    (("Ana Maria", "Lee"), "ANALEE", True),
    (("Ana Maria", "Lee"), "ANAROSALEE", False),
    (("A", "Lee"), "ANALEE", True),
    (("A", "Lee"), "ALEE", True),
    (("A", "Lee"), "EVELEE", False),
    (("A", "Lee"), "ANAROE", False),
    (("John", "Smith Jr."), "JOHNSMITH", True),
    (("John", "Smith Jr."), "JOHNSMITHJR", True),
    (("John", "Smith Jr."), "JOHNSMITHII", True),
    (("John", "Smith Jr."), "JOHNSMITHSR", False),
    (("John", "Smith"), "JOHNSMITHJR", True),
    (("John", "Smith, MD"), "JOHNSMITH", True),
    (("Dr. Ana", "Lee"), "ANALEE", True),
    (("Dr. Ana", "Lee"), "DRANALEE", True),
    (("Juan", "Garcia Lopez"), "JUANGARCIALOPEZ", True),
    # longer than can be keyed
    (LONG, "".join(LONG)[:25].replace(" ", ""), True),
    (LONG, "MaximilianaFeatherstonehaughCholmondeley"[:24], True),
    (LONG, "MaximilianaFeatherstoneha", False),
    (LONG, "MaximilianaFeatherston", False),
    (("A", LONG[1]), "AlexandraWinterbottomLong"[:24], False),
    # not in letters of the keys
    (("李", "小龙"), "2", False),
    (("", "Lee"), "LEE", False),
    (("Ana", ""), "ANA", False),
]


@pytest.mark.parametrize(("name", "keyed", "expected"), CASES)
def test_what_is_the_name(name: tuple[str, str], keyed: str, expected: bool) -> None:
    assert is_name_keyed(*name, keypad(keyed)) is expected


@settings(max_examples=100)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_name_is_keyed_as_it_is_written(first: str, last: str) -> None:
    keys = (keypad(first) + keypad(last))[:LONGEST_KEYED]
    assert is_name_keyed(first, last, keys) is can_be_spelt(first, last)
    assert not is_name_keyed(first, last, "")
