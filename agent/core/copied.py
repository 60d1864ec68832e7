"""A changed copy of a frozen value, for folds that make one for each event of a log."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def replace(value: T, **changes: Any) -> T:
    """As dataclasses.replace, several times as fast: fields are copied as they are, and nothing is computed anew.

    Raises:
        TypeError: a name is no field.
    """
    fields = vars(value)
    if not changes.keys() <= fields.keys():
        raise TypeError(f"{type(value).__name__} has no field {', '.join(changes.keys() - fields.keys())}")
    copy = object.__new__(type(value))
    vars(copy).update(fields, **changes)
    return copy
