"""Partial names (ANI-3): one table of cases, each told both ways round."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ani.reverse_match import names
from ani.reverse_match.names import NameMatch, compare, read_name, split_name

SAME, INITIAL, PARTIAL = NameMatch.SAME, NameMatch.INITIAL, NameMatch.PARTIAL
TRANSPOSED, DIFFERENT, UNKNOWN = NameMatch.TRANSPOSED, NameMatch.DIFFERENT, NameMatch.UNKNOWN

CASES = [
    # case, accents, punctuation, titles
    (("Ana", "Lee"), ("ANA", "lee"), SAME),
    (("José", "García"), ("Jose", "Garcia"), SAME),
    (("Jürgen", "Müller"), ("Juergen", "Mueller"), SAME),
    (("Jürgen", "Müller"), ("Jurgen", "Muller"), SAME),
    (("Søren", "Ås"), ("Soren", "Aas"), SAME),
    (("Łukasz", "Żak"), ("Lukasz", "Zak"), SAME),
    (("Sean", "O'Brien"), ("Sean", "OBrien"), SAME),
    (("Sean", "O’Brien"), ("Sean", "O'Brien"), SAME),
    (("Mary-Jane", "Watson"), ("Mary Jane", "Watson"), SAME),
    (("Mary-Jane", "Watson"), ("Maryjane", "Watson"), SAME),
    (("Ana", "Smith-Lee"), ("Ana", "Smith Lee"), SAME),
    (("Dr. Ana", "Lee"), ("Ana", "Lee"), SAME),
    (("Ana", "Lee, MD"), ("Ana", "Lee"), SAME),
    # initials
    (("A", "Lee"), ("Ana", "Lee"), INITIAL),
    (("A.", "Lee"), ("Ana", "Lee"), INITIAL),
    (("J.P.", "Lee"), ("Jean Paul", "Lee"), INITIAL),
    (("Ana M", "Lee"), ("Ana Maria", "Lee"), INITIAL),
    (("B", "Lee"), ("Ana", "Lee"), DIFFERENT),
    # a part missing
    (("", "Lee"), ("Ana", "Lee"), PARTIAL),
    (("Ana", ""), ("Ana", "Lee"), PARTIAL),
    (("Ana", "Lee"), ("Ana Maria", "Lee"), PARTIAL),
    (("Ana", "Garcia"), ("Ana", "Garcia Lopez"), PARTIAL),
    (("Ana", "Lopez"), ("Ana", "Garcia Lopez"), PARTIAL),
    (("Ana", "Garcia"), ("Ana", "Garciaparra"), DIFFERENT),
    (("", "Lee"), ("", "Lee"), SAME),
    (("Ana", ""), ("", "Lee"), UNKNOWN),
    (("", ""), ("Ana", "Lee"), UNKNOWN),
    # suffixes
    (("John", "Lee Jr"), ("John", "Lee"), SAME),
    (("John", "Lee Jr."), ("John", "Lee, Junior"), SAME),
    (("John", "Lee II"), ("John", "Lee Jr"), SAME),
    (("John", "Lee Jr"), ("John", "Lee Sr"), DIFFERENT),
    (("John", "Lee III"), ("John", "Lee Jr"), DIFFERENT),
    (("John", "Smith V"), ("John", "Smith"), SAME),
    (("John", "Smith V"), ("John", "Smith, 5th"), SAME),
    (("John", "Smith V"), ("John", "Smith IV"), DIFFERENT),
    (("John V", "Smith"), ("John B", "Smith"), DIFFERENT),  # an initial there
    (("John V", "Smith"), ("John Victor", "Smith"), INITIAL),
    (("John V", "Smith Jr"), ("John", "Smith Jr"), PARTIAL),
    # transposed
    (("Lee", "Ana"), ("Ana", "Lee"), TRANSPOSED),
    (("GARCIA", "JOSE"), ("José", "García"), TRANSPOSED),
    (("L", "Ana"), ("Ana", "Lee"), DIFFERENT),
    # last name first, as a caller name is written, and split where it stands
    (("SMITH JOHN", "A"), ("John A", "Smith"), TRANSPOSED),
    (("SMITH JOHN", "A"), ("John Albert", "Smith"), TRANSPOSED),
    (("Smith John", "Albert"), ("John A", "Smith"), TRANSPOSED),
    (("Smith John", "J"), ("John", "Smith"), TRANSPOSED),
    (("Smith John", "Jacob"), ("John", "Smith"), TRANSPOSED),
    (("Smith", "John"), ("John Jacob", "Smith"), TRANSPOSED),
    (("Smith", "John A"), ("John", "Smith"), TRANSPOSED),
    (("Smith", "J"), ("John", "Smith"), TRANSPOSED),
    (("Smith", "J"), ("Jane", "Smith"), TRANSPOSED),
    (("SMITH J", "A"), ("John Albert", "Smith"), TRANSPOSED),
    (("Garcia Lopez", "Juan"), ("Juan Garcia", "Lopez"), TRANSPOSED),
    (("Garcia Lopez", "Juan"), ("Juan", "García López"), TRANSPOSED),
    (("GARCIA LOPEZ", "J"), ("Juan Garcia", "Lopez"), TRANSPOSED),
    (("MUELLER", "JURGEN A"), ("Jürgen", "Müller"), TRANSPOSED),
    (("OBRIEN SEAN", "P"), ("Sean", "O'Brien"), TRANSPOSED),
    (("SMITH JOHN", "A"), ("SMITH", "JOHN"), TRANSPOSED),
    (("SMITH", "JOHN JR"), ("John", "Smith Jr"), TRANSPOSED),
    # and other people
    (("Smith", "John"), ("Jones", "John"), DIFFERENT),
    (("Smith John", "A"), ("Jones John", "A"), DIFFERENT),
    (("Smith John", "A"), ("John B", "Smith"), DIFFERENT),
    (("Smith John", "Albert"), ("John Bernard", "Smith"), DIFFERENT),
    (("Smith John", "A"), ("Jane", "Smith"), DIFFERENT),
    (("Smith John", "A"), ("John A", "Smithson"), DIFFERENT),
    (("Smith", "J"), ("Bob", "Smith"), DIFFERENT),
    (("Smith", "J"), ("John", "Smythe"), DIFFERENT),
    (("S", "John"), ("John", "Smith"), DIFFERENT),
    (("Smith John", "A"), ("John A", "S"), DIFFERENT),
    (("SMITH JOHN", "A"), ("SMITH", "JANE"), DIFFERENT),
    (("SMITH JOHN", "A"), ("SMITH JOHN", "B"), DIFFERENT),
    (("Garcia Lopez", "Juan"), ("Juan Lopez", "Garcia"), DIFFERENT),
    (("Garcia Lopez", "Juan"), ("Jose Garcia", "Lopez"), DIFFERENT),
    (("SMITH", "JOHN JR"), ("John", "Smith Sr"), DIFFERENT),
    # others
    (("Ana", "Lee"), ("Eve", "Lee"), DIFFERENT),
    (("Ana", "Lee"), ("Ana", "Roe"), DIFFERENT),
    (("Robert", "Lee"), ("Bob", "Lee"), DIFFERENT),
    (("李", "小龙"), ("李", "小龙"), SAME),
]


@pytest.mark.parametrize(("one", "other", "expected"), CASES)
def test_how_names_agree(one: tuple[str, str], other: tuple[str, str], expected: NameMatch) -> None:
    assert compare(*one, *other) is expected
    assert compare(*other, *one) is expected


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        ("Lee, Ana Maria", ("Ana Maria", "Lee")),
        ("Ana Maria Lee", ("Ana Maria", "Lee")),
        ("LEE", ("", "LEE")),
        ("John Lee, Jr.", ("John", "Lee Jr.")),
        ("John Lee III", ("John", "Lee III")),
        ("John Smith V", ("John", "Smith V")),
        ("John Smith, V", ("John", "Smith V")),
        ("Smith V", ("Smith", "V")),
        ("Smith, V", ("V", "Smith")),
        ("John Smith, Jr., MD", ("John", "Smith Jr. MD")),
        ("John Smith, Jr. MD,", ("John", "Smith Jr. MD")),
        ("John A Smith Jr., Esq.", ("John A", "Smith Jr. Esq.")),
        ("Smith, John, Jr., MD", ("John", "Smith Jr. MD")),
        ("Smith, Jr., John", ("John", "Smith Jr.")),
        ("Smith Jr, John A", ("John A", "Smith Jr")),
        ("Lee, MD", ("", "Lee MD")),
        ("Garcia Lopez,", ("", "Garcia Lopez")),
        (", Ana", ("Ana", "")),
        ("", ("", "")),
    ],
)
def test_a_whole_name_is_split(whole: str, parts: tuple[str, str]) -> None:
    assert split_name(whole) == parts


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        ("SMITH JOHN A", ("John A", "Smith")),
        ("Smith John J", ("John", "Smith")),
        ("Smith J", ("John", "Smith")),
        ("Garcia Lopez Juan", ("Juan", "Garcia Lopez")),
        ("John Smith, Jr., MD", ("John", "Smith Jr")),
        ("John Smith V", ("John", "Smith")),
        ("SMITH JOHN V", ("John V", "Smith")),
    ],
)
def test_a_caller_name_is_known_again(whole: str, parts: tuple[str, str]) -> None:
    assert compare(*split_name(whole), *parts).is_same
    assert compare(*split_name(whole), *split_name(" ".join(parts))).is_same


@settings(max_examples=100)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_compared_the_same_both_ways(first: str, last: str, other_first: str, other_last: str) -> None:
    found = compare(first, last, other_first, other_last)
    assert compare(other_first, other_last, first, last) is found
    assert compare(first, last, first, last) is not DIFFERENT


WORDS = ("ana", "A", "lee", "L", "Mc", "Donald", "McDonald", "Müller", "Mueller", "jr", "V", "Dr", "O'Hara", "Garcia")
PART = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)


@settings(max_examples=200)
@given(PART, PART, PART, PART)
def test_a_quick_look_at_the_words_tells_no_other_thing(
    first: str, last: str, other_first: str, other_last: str
) -> None:
    one, other = names._whole(first, last), names._whole(other_first, other_last)
    if names._are_unlike(one, other):
        assert names._straight(one, other) is DIFFERENT
        assert not names._are_transposed(one, other)


@settings(max_examples=200)
@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_plain_letters_are_read_like_others(text: str) -> None:
    # a letter that is not plain, in a word of its own, takes the longer way
    read = read_name(f"{text} ñ", is_last=True).spellings
    assert [words[:-1] for words in read] == [words[:-1] for words in read_name(f"{text} n", is_last=True).spellings]
