"""The names of Asterisk's own English core sounds (set 1.6.1) that Tollgate plays."""

_NUMBERS = (*range(21), 30, 40, 50, 60, 70, 80, 90)
_NUMBER_WORDS = ("hundred", "thousand", "million", "billion", "minus", "dollars", "pound", "star")

# The set has no file for `hour`, `dollar`, `cent` or `point`; these are prompts of the manifest.
CORE_SOUNDS = frozenset(
    {
        *(f"digits/{number}" for number in _NUMBERS),
        *(f"digits/{word}" for word in _NUMBER_WORDS),
        "letters/plus",
        "hours",
        "minute",
        "minutes",
        "second",
        "seconds",
    }
)
