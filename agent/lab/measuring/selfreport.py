"""Parses what an experiment reports about itself: curves, diagnostics, and its own results. Nothing of it is trusted.

The input is text or parsed JSON from the harvested copies. Entries of another form are dropped and counted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.core.record import Statistic

NAME = re.compile(r"[a-z0-9_]{1,64}")
MAX_POINTS = 200
MAX_CURVES = 16
MAX_DIAGNOSTICS = 64
MAX_NUMBERS = 256  # of one final_info.json
MAX_LINE = 4096  # characters of one log line


def curves(lines: Iterable[str]) -> tuple[dict[str, tuple[float, ...]], dict[str, float], int]:
    """Reads log.jsonl: the curves, thinned to MAX_POINTS, the last step and sample count, and how many lines were
    dropped.
    """
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
    declared: dict[str, float] = {name: points[-1][name] for name in ("steps", "samples") if name in points[-1]}
    if "step" in points[-1]:
        declared["steps"] = points[-1]["step"]
    return {n: tuple(point[n] for point in kept) for n in names[:MAX_CURVES]}, declared, dropped


def thinned(count: int, most: int) -> list[int]:
    """At most `most` positions, spread evenly over 0..count-1, both ends included."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def diagnostics(value: Any) -> tuple[dict[str, float], int]:
    """Reads diagnostics.json: the finite numbers of a flat object whose names match NAME, and how many were dropped."""
    if not isinstance(value, Mapping):
        return {}, 1
    good = {k: float(v) for k, v in value.items() if NAME.fullmatch(str(k)) and _finite(v)}
    kept = dict(list(good.items())[:MAX_DIAGNOSTICS])
    return kept, len(value) - len(kept)


@dataclass
class Reported:
    """The numbers of a final_info.json or another result file, under plain names."""

    means: dict[str, float] = field(default_factory=dict)
    curves: dict[str, tuple[float, ...]] = field(default_factory=dict)  # of results that are series
    stderrs: dict[str, float] = field(default_factory=dict)
    values: dict[str, tuple[float, ...]] = field(default_factory=dict)  # the numbers that a mean was taken of
    undefined: list[str] = field(default_factory=list)  # names whose mean is NaN or infinite
    base: dict[str, str] = field(default_factory=dict)  # each name -> the same without the data set that it ends in
    dropped: int = 0  # entries that are no single number

    def statistic(self, name: str) -> Statistic | None:
        """The reported spread behind a mean; None if there is none."""
        stderr, values = self.stderrs.get(name), self.values.get(name, ())
        return None if stderr is None and len(values) < 2 else Statistic(stderr=stderr, values=values)


def final_info(value: Any, condition: str = "") -> Reported:
    """Every number of a final_info.json, in any of its forms.

    The forms are {dataset: {"means": {...}, "stderrs": {...}, "final_info_dict": {...}, ...}}, nested or not, with a
    single number in place of the means, {dataset: {metric: number}}, and a flat object. If a dataset has the
    condition's name, only that one is read. With several datasets, each name ends in its dataset (`loss_enwik8`).
    `x_mean` becomes `x`.
    """
    said = Reported()
    if not isinstance(value, Mapping):
        return said
    datasets = {k: v for k, v in value.items() if isinstance(v, Mapping) and "means" in v}
    if not datasets and value and all(isinstance(v, Mapping) for v in value.values()):
        datasets = {k: {"means": v} for k, v in value.items()}
    if condition in datasets:
        value = datasets = {condition: datasets[condition]}
    for key, entry in value.items():
        if key in datasets:
            _take_dataset(said, str(key), datasets[key], several=len(datasets) > 1)
        else:
            _take(said, (str(key),), entry, "")
    return said


def _take_dataset(said: Reported, key: str, entry: Mapping[str, Any], *, several: bool) -> None:
    """The means of one data set, and the statistics behind them."""
    means, errors, values = (entry.get(name) for name in ("means", "stderrs", "final_info_dict"))
    if not isinstance(means, Mapping):
        return _take(said, (key,), means, "")
    suffix = f"_{slug(key)}" if several else ""
    _take(said, (), means, suffix)
    extra = Reported()
    _take(extra, (), errors if isinstance(errors, Mapping) else {}, suffix)
    said.stderrs |= extra.stderrs | extra.means
    for name, some in values.items() if isinstance(values, Mapping) else ():
        if isinstance(some, list) and some and all(map(_finite, some)) and len(said.values) < MAX_NUMBERS:
            said.values[slug(str(name)) + suffix] = tuple(map(float, some[:MAX_POINTS]))


def slug(text: str) -> str:
    """The text as a name that expressions can use: lower case letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48] or "value"


def _take(said: Reported, path: tuple[str, ...], value: Any, suffix: str, depth: int = 0) -> None:
    """Add a number, or the numbers of a nested object, under the joined names of the path."""
    if isinstance(value, Mapping) and depth < 6:
        for key, item in value.items():
            _take(said, (*path, str(key)), item, suffix, depth + 1)
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        said.dropped += 1
        return
    name, target = slug("_".join(path)), said.means
    for ending, kept in (("_mean", said.means), ("_stderr", said.stderrs), ("_sem", said.stderrs)):
        if name.endswith(ending):
            name, target = name.removesuffix(ending), kept
            break
    number = _float(value)
    if not math.isfinite(number):
        said.undefined += [name + suffix] if target is said.means else []
    elif len(said.means) + len(said.stderrs) < MAX_NUMBERS:
        target[name + suffix] = number
    said.base[name + suffix] = name


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
    """The number as a float; infinity for an integer that is too large."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(_float(value))
