"""Whether two names are one person's, as far as both are known (ANI-3). Pure.

Accents, case, punctuation, titles and the order of first and last name do not count; an initial stands for any name
that begins with it; a suffix (Jr, III) tells people apart only where both have one. Written last name first, as caller
names are (SMITH JOHN A), the last name has to be there whole; of the given names the first may be an initial there, and
middle ones may be missing on either side. Nicknames (Bob, Robert) and names that were cut short, but for initials, are
not known: they are different names.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import product

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "rev", "sir", "herr", "frau", "mme", "sr/a"})
_SUFFIXES = {
    "jr": "2", "jnr": "2", "junior": "2", "ii": "2", "2nd": "2",
    "sr": "1", "snr": "1", "senior": "1",
    "iii": "3", "3rd": "3", "iv": "4", "4th": "4", "v": "5", "5th": "5",
}  # fmt: skip
_DEGREES = frozenset({"md", "phd", "esq", "dds", "cpa", "rn"})
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "’": "'", "‘": "'", "`": "'"}
)
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_PLAIN = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()} | {"'": "", "`": ""})
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
class Name:
    """A name as it is compared: the ways its words may be spelt, without titles; what tells generations apart."""

    spellings: tuple[tuple[str, ...], ...]
    generation: str
    marks: frozenset[str]
    """Its words, in every spelling, and all of them as one."""

    @property
    def is_known(self) -> bool:
        """Whether there is any word in it."""
        return bool(self.spellings[0])

    @property
    def may_be_initial(self) -> bool:
        """Whether there is an initial in it."""
        return 1 in map(len, self.marks)


@lru_cache(maxsize=1024)
def compare(first: str, last: str, other_first: str, other_last: str) -> NameMatch:
    """How the names agree as far as both are known; UNKNOWN when no part is known to both."""
    one, other = _whole(first, last), _whole(other_first, other_last)
    if _are_unlike(one, other):
        return NameMatch.DIFFERENT
    generations = {part.generation for part in one} - {""}, {part.generation for part in other} - {""}
    if generations[0] and generations[1] and generations[0] != generations[1]:
        return NameMatch.DIFFERENT
    found = _straight(one, other)
    if found is NameMatch.DIFFERENT and _are_transposed(one, other):
        return NameMatch.TRANSPOSED
    return found


def is_same_family(last: str, other_last: str) -> bool:
    """Whether these last names are of one family: generations (Jr, Sr) do not tell them apart; an initial is none."""
    one, other = read_name(last, is_last=True), read_name(other_last, is_last=True)
    return one.is_known and other.is_known and _last_names(one, other) in {NameMatch.SAME, NameMatch.PARTIAL}


def fuller(one: str, other: str) -> str:
    """Of two spellings of one name, the one that tells more (a name before its initial); else the first."""
    return other if _told(other) > _told(one) else one


def fuller_name(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, str]:
    """Of two forms of one whole name, first and last, the one that tells more; else the first."""
    return other if sum(map(_told, other)) > sum(map(_told, one)) else one


def split_name(whole: str) -> tuple[str, str]:
    """First and last name out of one text: "Lee, Ana Maria" and "Ana Maria Lee" alike; a single word is a last name.

    Suffixes and degrees (Jr., MD), with commas before them or without, stay with the last name.
    """
    parts = [part.strip() for part in whole[:_LONGEST].split(",")]
    while len(parts) > 2 and not parts[-1]:
        parts.pop()
    marks: list[str] = []
    while len(parts) > 1 and _are_marks(parts[-1], before=parts[0]):
        marks.insert(0, parts.pop())
    if len(parts) > 1:
        last = [parts.pop(0)]
        while len(parts) > 1 and _are_marks(parts[0], before=""):
            last.append(parts.pop(0))
        return " ".join(filter(None, parts)), " ".join((*last, *marks))
    words = parts[0].split()
    tail = 1
    while tail < len(words) and _are_marks(words[-tail], before=" ".join(words[:-tail])):
        tail += 1
    return " ".join(words[:-tail]), " ".join((*words[-tail:], *marks))


def folded(text: str) -> str:
    """The text in small letters without accents: José as jose, Łukasz as lukasz."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text.casefold()).translate(_LETTERS))
    return "".join(mark for mark in plain if not unicodedata.combining(mark))


def suffixes(generation: str) -> tuple[str, ...]:
    """The suffixes that say this generation, or any where it is not known ("")."""
    return tuple(word for word, said in _SUFFIXES.items() if generation in {"", said})


def is_same_text(one: str, other: str) -> bool:
    """Whether two addresses or such differ in case, accents and punctuation only."""
    return _words(one.casefold().translate(_LETTERS)) == _words(other.casefold().translate(_LETTERS))


def _whole(first: str, last: str) -> tuple[Name, Name]:
    return read_name(first), read_name(last, is_last=True)


def _are_unlike(one: tuple[Name, Name], other: tuple[Name, Name]) -> bool:
    """Whether a look at their words tells that they are different: in millions of rows most of those that differ are.

    In every form in which two names are one person's the last name of one of them has a word, or all its words, in the
    other; but for a last name that is an initial.
    """
    if not (one[1].is_known and other[1].is_known) or one[1].may_be_initial or other[1].may_be_initial:
        return False
    return (
        one[1].marks.isdisjoint(other[1].marks)
        and one[1].marks.isdisjoint(other[0].marks)
        and other[1].marks.isdisjoint(one[0].marks)
    )


def _straight(one: tuple[Name, Name], other: tuple[Name, Name]) -> NameMatch:
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


def _are_transposed(one: tuple[Name, Name], other: tuple[Name, Name]) -> bool:
    """First and last name the other way round: all four are needed."""
    if not all(part.is_known for part in (*one, *other)):
        return False
    if _equal(one[0], other[1]) and _equal(one[1], other[0]):
        return True
    return any(_is_last_first(*pair) or _adds_initial(*pair) for pair in ((one, other), (other, one)))


def _is_last_first(turned: tuple[Name, Name], usual: tuple[Name, Name]) -> bool:
    """Whether `turned`, read last name first wherever it was split, is the name of `usual`."""
    for first, last in product(usual[0].spellings, usual[1].spellings):
        whole = first + last
        # an initial is nobody's last name
        for at in range(1, len(first) + 1 if len("".join(last)) > 1 else 0):
            if any(_begins_last_first(words, whole[at:], whole[:at]) for words in _wholes(turned)):
                return True
    return False


def _begins_last_first(words: tuple[str, ...], last: tuple[str, ...], given: tuple[str, ...]) -> bool:
    """Whether the words are this last name, whole, then the given names as far as both go; an initial only for more.

    The first given name may not be the initial of one in `words`: L. Ana is nobody called Ana Lee.
    """
    rest = words[len(last) :]
    if words[: len(last)] != last or not rest:
        return False
    if rest[0] != given[0] and not (len(rest[0]) == 1 and given[0][0] == rest[0]):
        return False
    return all(
        mine == theirs or (1 in {len(mine), len(theirs)} and mine[0] == theirs[0])
        for mine, theirs in zip(rest[1:], given[1:], strict=False)
    )


def _adds_initial(longer: tuple[Name, Name], shorter: tuple[Name, Name]) -> bool:
    """Whether both are written last name first and differ by a middle initial, which was taken for a last name."""
    return any(
        len(last) == 1 and len(last[0]) == 1 and first in _wholes(shorter)
        for first, last in product(longer[0].spellings, longer[1].spellings)
    )


def _wholes(name: tuple[Name, Name]) -> list[tuple[str, ...]]:
    return [first + last for first, last in product(name[0].spellings, name[1].spellings)]


def _equal(one: Name, other: Name) -> bool:
    joined = {"".join(words) for words in one.spellings}
    return not joined.isdisjoint("".join(words) for words in other.spellings)


def _first_names(one: Name, other: Name) -> NameMatch:
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


def _last_names(one: Name, other: Name) -> NameMatch:
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
def read_name(text: str, *, is_last: bool = False) -> Name:
    """A first or last name for comparison; a V is a generation only in a last one, for in a first it is an initial."""
    if text.isascii() and text.isalnum() and len(text) <= _LONGEST:
        word = text.lower()
        return Name(((word,),), "", frozenset((word,)))
    if text.isascii():
        words = [tuple(text[:_LONGEST].lower().translate(_PLAIN).split())]
    else:
        folded = unicodedata.normalize("NFC", text[:_LONGEST].casefold())
        spelt = [folded.translate(_LETTERS), folded.translate(_SPELT_OUT).translate(_LETTERS)]
        words = [_words(one) for one in spelt]
    kept = tuple(dict.fromkeys(_without_marks(one, is_last=is_last) for one in words))
    generation = next((_SUFFIXES[word] for word in words[0][1:] if _is_suffix(word, is_last=is_last)), "")
    return Name(kept, generation, frozenset(mark for one in kept for mark in (*one, "".join(one))))


def _is_suffix(word: str, *, is_last: bool) -> bool:
    return word in _SUFFIXES and (is_last or len(word) > 1)


def _without_marks(words: tuple[str, ...], *, is_last: bool) -> tuple[str, ...]:
    """The words but for titles, suffixes and degrees; all of them where nothing else is left."""
    kept = tuple(
        word
        for at, word in enumerate(words)
        if word not in _TITLES and not (at and (_is_suffix(word, is_last=is_last) or word in _DEGREES))
    )
    return kept or words


def _words(text: str) -> tuple[str, ...]:
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    joined = plain.replace("'", "")
    return tuple("".join(mark if mark.isalnum() else " " for mark in joined).split())


def _are_marks(text: str, before: str) -> bool:
    """Whether these words are suffixes and degrees; a V is one only after two words, for after one it is an initial."""
    words = [word.strip(".") for word in text.casefold().split()]
    return bool(words) and all(word in _DEGREES or _is_suffix(word, is_last=len(before.split()) > 1) for word in words)


def _told(text: str) -> int:
    return sum(len(word) for word in read_name(text).spellings[0])
