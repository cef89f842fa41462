"""Frozen, slotted dataclasses made from a row of values, where many are made."""

from collections.abc import Callable, Iterable
from dataclasses import fields, make_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def maker(kind: type[T]) -> Callable[[Iterable[Any]], T]:
    """What makes one of these from the values of all its fields, in order; raises TypeError for too few or too many.

    The constructor of a frozen class takes three times as long: it stores each value by a call. Here a twin with the
    same slots, which is not frozen, is made, and becomes one of the frozen class. Nothing that the class checks or
    works out in `__post_init__` is done here.
    """
    twin: Any = make_dataclass(kind.__name__, [one.name for one in fields(kind)], slots=True)  # type: ignore[arg-type]  # a dataclass

    def make(values: Iterable[Any]) -> T:
        made = twin(*values)
        made.__class__ = kind
        return made  # type: ignore[no-any-return]  # from now on it is one

    return make
