"""A copy with changes is what dataclasses.replace gives."""

import dataclasses

import pytest

from agent.core.copied import replace


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: tuple[int, ...] = ()


def test_a_copy_is_equal_to_that_of_dataclasses_and_leaves_the_original():
    point = Point(1, (2,))
    assert replace(point, x=5) == dataclasses.replace(point, x=5) == Point(5, (2,))
    assert point == Point(1, (2,))


def test_a_field_that_is_none_is_refused():
    with pytest.raises(TypeError, match="Point has no field z"):
        replace(Point(1), z=2)
