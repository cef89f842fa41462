"""Rows that become frozen objects without their constructor."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from runtime.frozen import maker


@dataclass(frozen=True, slots=True)
class Point:
    """Two numbers."""

    x: int
    y: int = 7


def test_it_makes_what_the_constructor_makes() -> None:
    made = maker(Point)((1, 2))
    assert made == Point(1, 2)
    assert hash(made) == hash(Point(1, 2))
    with pytest.raises(FrozenInstanceError):
        made.x = 3  # type: ignore[misc]  # that is what is tested
    for wrong in ((1,), (1, 2, 3)):
        with pytest.raises(TypeError, match="argument"):
            maker(Point)(wrong)
