"""Changes the numbers in records, to see whether a figure that is drawn from them changes too."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

FIELDS = ("metrics", "diagnostics", "curves")  # what is measured; names and labels stay as they are
_KEPT = {"n", "seed", "step", "steps", "samples"}  # counts and positions on an axis, which are no results


def perturb(records: str, seed: int = 0) -> str:
    """The same records.json with every measured number changed.

    Numbers of one metric (diagnostic, curve) keep their order, so that code which sorts runs or marks the best draws
    them in the same places. The differences between neighbours shrink, each by a factor of its own.
    """
    draw = random.Random(seed)
    entries = json.loads(records)
    pools: dict[tuple[str, ...], set[float]] = {}

    def collect(path: tuple[str, ...], number: float) -> float:
        pools.setdefault(path, set()).add(number)
        return number

    for entry in entries:
        for field in FIELDS:
            _walk(entry.get(field), (field,), collect)
    maps = {path: _moved(sorted(values), draw) for path, values in pools.items()}
    for entry in entries:
        for field in FIELDS:
            if field in entry:
                entry[field] = _walk(entry[field], (field,), lambda path, v: maps[path][v])
    return json.dumps(entries, indent=1) + "\n"


def perturbed(value: Any, draw: random.Random) -> Any:
    """Any JSON value with its numbers changed, except counts and positions on an axis."""
    if isinstance(value, dict):
        return {key: item if key in _KEPT else perturbed(item, draw) for key, item in value.items()}
    if isinstance(value, list):
        return [perturbed(item, draw) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value * draw.uniform(0.35, 0.85) + draw.uniform(0.01, 0.05)
    return value


def _walk(value: Any, path: tuple[str, ...], change: Callable[[tuple[str, ...], float], float]) -> Any:
    """The value with `change(path, number)` in place of every number.

    The path names the field and the metric, and keeps standard errors ("se") apart from values.
    """
    if isinstance(value, dict):
        return {
            key: item if key in _KEPT else _walk(item, path if len(path) > 1 and key != "se" else (*path, key), change)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_walk(item, path, change) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return change(path, value)
    return value


def _moved(values: list[float], draw: random.Random) -> dict[float, float]:
    """A new number for each of the sorted values, in the same order."""
    now = values[0] * draw.uniform(0.5, 0.8) + draw.uniform(0.01, 0.03)
    moved = {values[0]: now}
    for before, after in zip(values, values[1:], strict=False):
        now += (after - before) * draw.uniform(0.4, 0.85)
        moved[after] = now
    return moved
