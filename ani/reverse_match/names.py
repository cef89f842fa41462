"""Whether two names are one person's, as far as both are known (ANI-3). Pure.

Accents, case, punctuation, titles and the order of first and last name do not count; an initial stands for any name
that begins with it; a suffix (Jr, III) tells people apart only where both have one. Nicknames (Bob, Robert) and names
that were cut short other than to an initial are not known: they are different names.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "rev", "sir", "herr", "frau", "mme", "sr/a"})
_SUFFIXES = {
    "jr": "2", "jnr": "2", "junior": "2", "ii": "2", "2nd": "2",
    "sr": "1", "snr": "1", "senior": "1",
    "iii": "3", "3rd": "3", "iv": "4", "4th": "4",
}  # fmt: skip
_DEGREES = frozenset({"md", "phd", "esq", "dds", "cpa", "rn"})
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "’": "'", "‘": "'", "`": "'"}
)
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_LONGEST = 200


class NameMatch(StrEnum):
    """How two names agree; all but DIFFERENT and UNKNOWN are one person."""

    SAME = "same"
    INITIAL = "initial"
    PARTIAL = "partial"
    TRANSPOSED = "transposed"
    DIFFERENT = "different"
    UNKNOWN = "unknown"

    @property
    def is_same(self) -> bool:
        """Whether they are one person's."""
        return self not in {NameMatch.DIFFERENT, NameMatch.UNKNOWN}


@dataclass(frozen=True, slots=True)
class _Name:
    """A name as it is compared: the ways its words may be spelt, without titles; what tells generations apart."""

    spellings: tuple[tuple[str, ...], ...]
    generation: str

    @property
    def is_known(self) -> bool:
        return bool(self.spellings[0])


def compare(first: str, last: str, other_first: str, other_last: str) -> NameMatch:
    """How the names agree as far as both are known; UNKNOWN when no part is known to both."""
    one, other = (_name(first), _name(last)), (_name(other_first), _name(other_last))
    generations = {part.generation for part in one} - {""}, {part.generation for part in other} - {""}
    if generations[0] and generations[1] and generations[0] != generations[1]:
        return NameMatch.DIFFERENT
    found = _straight(one, other)
    if found is NameMatch.DIFFERENT and _are_transposed(one, other):
        return NameMatch.TRANSPOSED
    return found


def is_same_family(last: str, other_last: str) -> bool:
    """Whether these last names are those of one family: generations (Jr, Sr) do not tell families apart."""
    one, other = _name(last), _name(other_last)
    return one.is_known and other.is_known and _last_names(one, other) is not NameMatch.DIFFERENT


def fuller(one: str, other: str) -> str:
    """Of two spellings of one name, the one that tells more (a name before its initial); else the first."""
    return other if _told(other) > _told(one) else one


def split_name(whole: str) -> tuple[str, str]:
    """First and last name out of one text: "Lee, Ana Maria" and "Ana Maria Lee" alike; a single word is a last name."""
    last, comma, first = whole[:_LONGEST].partition(",")
    if comma and _suffix(first) is None:
        return first.strip(), last.strip()
    words = whole[:_LONGEST].replace(",", " ").split()
    tail = 1
    while tail < len(words) and _suffix(words[-tail]) is not None:
        tail += 1
    return " ".join(words[:-tail]), " ".join(words[-tail:])


def is_same_text(one: str, other: str) -> bool:
    """Whether two addresses or such differ in case, accents and punctuation only."""
    return _words(one.casefold().translate(_LETTERS)) == _words(other.casefold().translate(_LETTERS))


def _straight(one: tuple[_Name, _Name], other: tuple[_Name, _Name]) -> NameMatch:
    found = [
        _first_names(one[0], other[0]) if one[0].is_known and other[0].is_known else None,
        _last_names(one[1], other[1]) if one[1].is_known and other[1].is_known else None,
    ]
    known = [match for match in found if match is not None]
    if not known:
        return NameMatch.UNKNOWN
    if NameMatch.DIFFERENT in known:
        return NameMatch.DIFFERENT
    is_whole = len(known) == 2 or (one[0].is_known == other[0].is_known and one[1].is_known == other[1].is_known)
    weaker = [match for match in known if match is not NameMatch.SAME]
    return weaker[0] if weaker else NameMatch.SAME if is_whole else NameMatch.PARTIAL


def _are_transposed(one: tuple[_Name, _Name], other: tuple[_Name, _Name]) -> bool:
    """First and last name the other way round: all four are needed, and whole ones, for an initial would fit many."""
    if not all(part.is_known for part in (*one, *other)):
        return False
    return _equal(one[0], other[1]) and _equal(one[1], other[0])


def _equal(one: _Name, other: _Name) -> bool:
    joined = {"".join(words) for words in one.spellings}
    return not joined.isdisjoint("".join(words) for words in other.spellings)


def _first_names(one: _Name, other: _Name) -> NameMatch:
    if _equal(one, other):
        return NameMatch.SAME
    best = NameMatch.DIFFERENT
    for mine in one.spellings:
        for theirs in other.spellings:
            pairs = list(zip(mine, theirs, strict=False))
            if all(a == b for a, b in pairs):
                return NameMatch.PARTIAL
            if all(a == b or (1 in {len(a), len(b)} and a[0] == b[0]) for a, b in pairs):
                best = NameMatch.INITIAL
    return best


def _last_names(one: _Name, other: _Name) -> NameMatch:
    """Of a name of several words, any run of whole words is a part: Lopez of Garcia Lopez, not of Lopezon."""
    if _equal(one, other):
        return NameMatch.SAME
    for mine in one.spellings:
        for theirs in other.spellings:
            short, long = sorted((mine, theirs), key=len)
            if any(long[at : at + len(short)] == short for at in range(len(long) - len(short) + 1)):
                return NameMatch.PARTIAL
            if len(short) == len(long) == 1 and 1 in {len(short[0]), len(long[0])} and short[0][0] == long[0][0]:
                return NameMatch.INITIAL
    return NameMatch.DIFFERENT


@lru_cache(maxsize=4096)
def _name(text: str) -> _Name:
    folded = unicodedata.normalize("NFC", text[:_LONGEST].casefold())
    spelt = [folded.translate(_LETTERS), folded.translate(_SPELT_OUT).translate(_LETTERS)]
    words = [_words(one) for one in spelt]
    kept = tuple(dict.fromkeys(_without_marks(one) for one in words))
    generation = next((_SUFFIXES[word] for word in words[0][1:] if word in _SUFFIXES), "")
    return _Name(kept or ((),), generation)


def _without_marks(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words but for titles, suffixes and degrees; all of them where nothing else is left."""
    kept = tuple(
        word
        for at, word in enumerate(words)
        if word not in _TITLES and not (at and (word in _SUFFIXES or word in _DEGREES))
    )
    return kept or words


def _words(text: str) -> tuple[str, ...]:
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    joined = plain.replace("'", "")
    return tuple("".join(mark if mark.isalnum() else " " for mark in joined).split())


def _suffix(text: str) -> str | None:
    word = text.casefold().strip(" .,")
    return word if word in _SUFFIXES or word in _DEGREES else None


def _told(text: str) -> int:
    return sum(len(word) for word in _name(text).spellings[0])
