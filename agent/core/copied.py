"""A faster dataclasses.replace, for folding a log: that makes one copy of the state for each event."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def replace(value: T, **changes: Any) -> T:
    """A copy of `value` with these fields changed. __init__ and __post_init__ are not called.

    Raises:
        TypeError: a name is not a field.
    """
    fields = vars(value)
    if not changes.keys() <= fields.keys():
        raise TypeError(f"{type(value).__name__} has no field {', '.join(changes.keys() - fields.keys())}")
    copy = object.__new__(type(value))
    vars(copy).update(fields, **changes)
    return copy
