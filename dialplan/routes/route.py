"""Which trunks carry a number, and in which order they are tried."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

EVERY_NUMBER = "*"
"""How people write the prefix of a route for all numbers; in the tables it is the empty prefix."""

_PREFIX = re.compile(r"\+?([0-9]{1,15})")
_TRUNK = re.compile(r"[A-Za-z0-9_-]{1,40}")


class RouteFieldError(ValueError):
    """A prefix, trunk or rank that cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class Route:
    """A trunk (the name of its endpoint on the switch) for a prefix; of several, the lowest rank is tried first."""

    trunk: str
    prefix: str
    rank: int = 1


class RouteTable:
    """All routes, found by longest prefix."""

    __slots__ = ("_by_prefix", "_lengths")

    def __init__(self, routes: Iterable[Route]) -> None:
        by_prefix: dict[str, list[Route]] = {}
        for route in routes:
            by_prefix.setdefault(route.prefix, []).append(route)
        self._by_prefix = {
            prefix: tuple(sorted(found, key=lambda route: (route.rank, route.trunk)))
            for prefix, found in by_prefix.items()
        }
        self._lengths = tuple(sorted({len(prefix) for prefix in by_prefix}, reverse=True))

    def longest(self, e164_digits: str) -> tuple[Route, ...]:
        """The routes of the longest prefix the number begins with, by rank."""
        for length in self._lengths:
            found = self._by_prefix.get(e164_digits[:length])
            if found is not None and length <= len(e164_digits):
                return found
        return ()


def find_routes(table: RouteTable, e164: str) -> tuple[Route, ...]:
    """The routes to try for a number, in order; none when no prefix matches.

    Only those of the longest prefix: a prefix that has its own trunks never overflows to those of a shorter one.
    """
    return table.longest(e164.removeprefix("+"))


def read_prefix(text: str) -> str:
    """The prefix as it is kept: digits, or nothing for every number ("*"); raises RouteFieldError."""
    if text == EVERY_NUMBER:
        return ""
    found = _PREFIX.fullmatch(text)
    if found is None:
        raise RouteFieldError('the prefix is one to fifteen digits, or "*" for every number')
    return found[1]


def check_trunk(name: str) -> str:
    """The name, if it can stand in a dial string; raises RouteFieldError."""
    if _TRUNK.fullmatch(name) is None:
        raise RouteFieldError("a trunk is named by one to forty letters, digits, hyphens and underscores")
    return name
