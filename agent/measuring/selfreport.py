"""What an experiment says about itself: its curve, its diagnostics, its own results. Never trusted.

Input is parsed JSON or text that the harvest has copied; anything odd is dropped, and how much is said.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NAME = re.compile(r"[a-z0-9_]{1,64}")
MAX_POINTS = 200
MAX_CURVES = 16
MAX_DIAGNOSTICS = 64
MAX_LINE = 4096  # characters of one log line


def curves(lines: Iterable[str]) -> tuple[dict[str, tuple[float, ...]], dict[str, float], int]:
    """Thinned curves, the last step and sample count, and how many lines were dropped."""
    points: list[dict[str, float]] = []
    dropped = 0
    for line in lines:
        point = _point(line)
        if point is not None:
            points.append(point)
        elif line.strip():
            dropped += 1
    if not points:
        return {}, {}, dropped
    names = [name for name in points[0] if all(name in point for point in points)]
    kept = [points[i] for i in thinned(len(points), MAX_POINTS)]
    declared = {name: points[-1][name] for name in ("steps", "samples") if name in points[-1]}
    if "step" in points[-1]:
        declared["steps"] = points[-1]["step"]
    return {n: tuple(point[n] for point in kept) for n in names[:MAX_CURVES]}, declared, dropped


def thinned(count: int, most: int) -> list[int]:
    """At most `most` positions spread evenly over 0..count-1, both ends included."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def diagnostics(value: Any) -> tuple[dict[str, float], int]:
    """The finite, well-named numbers of a flat object, and how many entries were dropped."""
    if not isinstance(value, Mapping):
        return {}, 1
    good = {k: float(v) for k, v in value.items() if NAME.fullmatch(str(k)) and _finite(v)}
    kept = dict(list(good.items())[:MAX_DIAGNOSTICS])
    return kept, len(value) - len(kept)


def final_info(value: Any, names: Sequence[str], condition: str) -> dict[str, float]:
    """The metrics of a final_info.json: {dataset: {"means": {metric: number}}}, or flat.

    The dataset that bears the condition's name counts, else the only one there is. A metric may be called
    `x` or `x_mean`. What is not there or not a number is left out.
    """
    if not isinstance(value, Mapping):
        return {}
    found = value
    datasets = {k: v["means"] for k, v in value.items()
                if isinstance(v, Mapping) and isinstance(v.get("means"), Mapping)}
    if datasets:
        only = next(iter(datasets.values())) if len(datasets) == 1 else {}
        found = datasets.get(condition, only)
    metrics = {}
    for name in names:
        number = found.get(name, found.get(f"{name}_mean"))
        if isinstance(number, int | float) and not isinstance(number, bool):
            metrics[name] = _float(number)
    return metrics


def _point(line: str) -> dict[str, float] | None:
    if len(line) > MAX_LINE or not line.strip():
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    numbers = {k: float(v) for k, v in value.items() if NAME.fullmatch(k) and _finite(v)}
    return numbers if numbers and len(numbers) == len(value) else None


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
