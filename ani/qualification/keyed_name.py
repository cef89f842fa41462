"""Whether what was keyed is the name of a person, by the rules of names (ANI-3) and of keys (AGE-2). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from ani.qualification.proof import LONGEST_KEYED, keypad
from ani.reverse_match.names import Name, read_name, suffixes


@dataclass(frozen=True, slots=True)
class _Form:
    """Keys a name begins and ends with, and how many others may be between them."""

    head: str
    tail: str
    most_between: int = 0

    def is_keyed(self, digits: str) -> bool:
        """Whether the digits are of this form; as many as can be keyed are compared where the whole is longer."""
        whole = self.head + self.tail
        if len(digits) == LONGEST_KEYED < len(whole):
            return whole.startswith(digits)
        if not len(whole) <= len(digits) <= len(whole) + self.most_between:
            return False
        return digits.startswith(self.head) and digits.endswith(self.tail)


def is_name_keyed(first_name: str, last_name: str, digits: str) -> bool:
    """Whether the digits are first and last name by the keys they are on.

    Accents and titles do not count; ä may be keyed A or AE. Middle names and suffixes may be left out, middle names
    keyed as initials. Where an initial alone is known of the first name, any that begins with it will do; where more is
    known, an initial will not. Of a name longer than can be keyed, as much as can be.
    """
    if not can_be_spelt(first_name, last_name):
        return False
    return any(form.is_keyed(digits) for form in _forms(first_name, last_name))


def can_be_spelt(first_name: str, last_name: str) -> bool:
    """Whether both names are known, and in letters that are on the keys."""
    return bool(keypad(first_name) and keypad(last_name))


def _forms(first_name: str, last_name: str) -> Iterator[_Form]:
    # as it is written, with its title and whatever else
    yield _Form(keypad(first_name) + keypad(last_name), "")
    first, last = read_name(first_name), read_name(last_name, is_last=True)
    ends = ("", *(keypad(word) for word in suffixes(first.generation or last.generation)))
    for (given, *middle), family in product(_keyed(first), _keyed(last)):
        if not family:
            continue
        for end in ends:
            tail = "".join(family) + end
            if len(given) == 1:
                yield _Form(given, tail, LONGEST_KEYED)
            else:
                yield from (_Form(given + between, tail) for between in _shortened(middle))


def _keyed(name: Name) -> Iterator[list[str]]:
    """The words of each spelling as keys; those that have none are left out."""
    for words in name.spellings:
        if keys := [key for word in words if (key := keypad(word))]:
            yield keys


def _shortened(middle: list[str]) -> set[str]:
    """The ways middle names are keyed: whole, as initials, not at all."""
    return {"", "".join(middle), "".join(keys[0] for keys in middle)}
