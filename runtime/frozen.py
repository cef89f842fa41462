"""Frozen, slotted dataclasses made from a row of values, where many are made."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")


def maker(kind: type[T]) -> Callable[[Iterable[Any]], T]:
    """What makes one of these from the values of all its fields, in order; raises ValueError for too few or too many.

    The constructor of a frozen class takes ten times as long: it looks up each name anew. Nothing that the class
    checks or works out in `__post_init__` is done here.
    """
    setters = tuple(kind.__dict__[one.name].__set__ for one in fields(kind))  # type: ignore[arg-type]  # a dataclass

    def make(values: Iterable[Any]) -> T:
        made = object.__new__(kind)
        for put, value in zip(setters, values, strict=True):
            put(made, value)
        return made

    return make
