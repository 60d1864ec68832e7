"""All numbers that a figure may honestly show: what the records hold, and what can be computed from it.

The real and the perturbed version of the records are expanded into lists in the same order. A drawn number, and the
number that plot.py draws in its place from the perturbed records, must be the same expression over both versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ANY = -1  # owner of numbers that compare runs; in a question, it stands for every owner
ALL = -2  # owner of numbers that summarise all runs, which may not be drawn for a single run
EXACT = 1e-6  # relative tolerance
ALONE = 1e-9  # relative tolerance for a drawn number without a partner in the second figure
Owned = tuple[int, float]  # the index of the run that a number belongs to (or ANY, ALL), and the number


@dataclass(frozen=True)
class Known:
    """All expressions: their values over both versions of the records [n, 2], sorted by the first, and owners [n]."""

    pairs: np.ndarray
    owners: np.ndarray

    @classmethod
    def of(cls, first: list[Owned], second: list[Owned]) -> Known:
        import numpy as np

        pairs = np.array([(a, b) for (_, a), (_, b) in zip(first, second, strict=True)], dtype=float).reshape(-1, 2)
        owners = np.array([owner for owner, _ in first], dtype=int)
        order = np.argsort(pairs[:, 0], kind="stable")
        return cls(pairs[order], owners[order])

    def holds(self, a: float, b: float | None, owner: int = ANY, within: tuple[float, float] | None = None) -> bool:
        """Whether some expression gives `a` over the real and `b` over the perturbed records.

        Args:
            b: None if there is no partner in the second figure; `a` must then be met nearly exactly.
            owner: a run; only its numbers count, and those with owner ANY. ANY: all numbers count.
            within: absolute tolerances of a and b, for numbers that were rounded.
        """
        import numpy as np

        relative = ALONE if b is None else EXACT
        near_a, near_b = within or (relative * abs(a) + 1e-12, relative * abs(b or 0.0) + 1e-12)
        start, stop = np.searchsorted(self.pairs[:, 0], [a - near_a, a + near_a + 1e-15])
        ours = np.ones(stop - start, dtype=bool)
        if owner != ANY:
            ours = (self.owners[start:stop] == owner) | (self.owners[start:stop] == ANY)
        if b is not None:
            ours &= np.abs(self.pairs[start:stop, 1] - b) <= near_b
        return bool(ours.any())


def constants(records: list[dict[str, Any]]) -> list[float]:
    """Counts and settings, which are no measured numbers."""
    found = {0.0, 1.0, 100.0, float(len(records))}
    for record in records:
        found |= {float(t) for t in record.get("targets", {}).values()}
        for condition in record.get("conditions", ()):
            found |= {float(v) for v in condition.get("settings", {}).values() if isinstance(v, int | float)}
        found |= {float(value["n"]) for _, _, value in _measured(record) if "n" in value}
        found |= {float(curve["seed"]) for curve in record.get("curves", ()) if "seed" in curve}
    return sorted(found)


def simple(records: list[dict[str, Any]]) -> list[Owned]:
    """The numbers that a text may state: values of a run, and differences and ratios of means in one metric."""
    return [*(pair for place, r in enumerate(records) for pair in _of_run(place, r)), *_between(records)]


def everything(records: list[dict[str, Any]]) -> list[Owned]:
    """The numbers that may be drawn: those of `simple`, ends of intervals, and every point of every curve."""
    found = simple(records)
    for place, record in enumerate(records):
        found += [(place, v) for _, _, value in _measured(record) for v in _bands(value)]
        for values in filter(None, record.get("diagnostics", {}).values()):
            said = {"mean": fmean(values), "n": len(values), "values": values}
            found += [(place, v) for v in _bands(said)]
        found += [(place, v) for v in _across_metrics(record)]
        found += [(place, v) for v in _curves(record)]
    return found + list(_scaled(records))


def _measured(record: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for metric, by_condition in record.get("metrics", {}).items():
        for condition, value in by_condition.items():
            yield metric, condition, value


def _of_run(place: int, record: dict[str, Any]) -> Iterator[Owned]:
    for _, _, value in _measured(record):
        yield from ((place, v) for one in _numbers(value) for v in _forms(one))
    for values in record.get("diagnostics", {}).values():
        yield from ((place, v) for one in (*values, *_summary(values)) for v in _forms(one))
    for metric in record.get("metrics", {}):
        means = [value["mean"] for name, _, value in _measured(record) if name == metric]
        if len(means) > 1:
            yield from ((place, v) for v in (fmean(means), max(means), min(means)))
        yield from ((place, v) for a in means for b in means if a != b for v in _compared(a, b))


def _numbers(value: dict[str, Any]) -> list[float]:
    se = value.get("se") or 0.0
    return [value["mean"], se, *value.get("values", ()), *_summary(value.get("values", ()))]


def _forms(one: float) -> tuple[float, ...]:
    """A number, its complement to one, and both in percent."""
    return one, 100 * one, 1 - one, 100 * (1 - one)


def _summary(values: Any) -> list[float]:
    """Mean, quantiles and spreads; how many there are depends only on how many values there are."""
    import numpy as np

    if not len(values):
        return []
    a = np.asarray(values, dtype=float)
    spread = [a.std(), a.std(ddof=1), a.std(ddof=1) / len(a) ** 0.5] if len(a) > 1 else []
    return [float(v) for v in (a.mean(), *np.quantile(a, [0, 0.25, 0.5, 0.75, 1]), *spread)]


def _bands(value: dict[str, Any]) -> Iterator[float]:
    """Lengths and ends of error bars and confidence intervals around a mean."""
    from scipy.special import stdtrit

    mean, n = value["mean"], value.get("n") or 1
    summary = _summary(value.get("values", ()))
    widths = [value.get("se") or 0.0, *summary[6:]]
    factors = [1.0, 2.0, 1.645, 1.96, 2.576, *([float(stdtrit(n - 1, 0.975))] if n > 1 else [])]
    for width in widths:
        for factor in factors:
            yield from (factor * width, mean - factor * width, mean + factor * width)


def _between(records: list[dict[str, Any]]) -> Iterator[Owned]:
    """Comparisons of two runs in one metric under one condition: of means, and of single seeds in their order."""
    values = [{(m, c): v for m, c, v in _measured(record)} for record in records]
    for one in values:
        for other in values:
            for key in one.keys() & other.keys() if one is not other else ():
                a, b = one[key], other[key]
                yield from ((ANY, v) for v in _compared(a["mean"], b["mean"]))
                width = ((a.get("se") or 0.0) ** 2 + (b.get("se") or 0.0) ** 2) ** 0.5
                difference = a["mean"] - b["mean"]
                yield from ((ANY, v) for v in (width, difference - width, difference + width))
                for x, y in zip(a.get("values", ()), b.get("values", ()), strict=False):
                    yield from ((ANY, v) for v in _compared(x, y))


def _compared(a: float, b: float) -> tuple[float, ...]:
    """Difference, ratio and relative change, each also in percent."""
    ratio = a / b if b else 0.0
    return a - b, 100 * (a - b), ratio, 100 * ratio, ratio - 1, 100 * (ratio - 1)


def _across_metrics(record: dict[str, Any]) -> Iterator[float]:
    means = [(name, value["mean"]) for name, _, value in _measured(record)]
    for name, a in means:
        for other, b in means:
            if name != other:
                yield from (a / b if b else 0.0, a * b, a - b, a + b)


def _scaled(records: list[dict[str, Any]]) -> Iterator[Owned]:
    """Summaries of a metric over all runs, and each run's mean as a share of the largest, the range or the sum."""
    import numpy as np

    keys = dict.fromkeys((m, c) for record in records for m, c, _ in _measured(record))
    for key in keys:
        means = [v["mean"] if (v := {(m, c): v for m, c, v in _measured(r)}.get(key)) else None for r in records]
        a = np.array([m for m in means if m is not None], dtype=float)
        yield from ((ALL, float(v)) for v in (a.mean(), np.median(a), a.max(), a.min(), a.std()))
        width = a.max() - a.min()
        for place, mean in enumerate(means):
            if mean is not None:
                yield place, mean / a.max() if a.max() else 0.0
                yield place, (mean - a.min()) / width if width else 0.0
                yield place, mean / a.sum() if a.sum() else 0.0


def _curves(record: dict[str, Any]) -> Iterator[float]:
    """Points of curves, their logarithms, and means and bands over seeds point by point."""
    import numpy as np

    curves = record.get("curves", ())
    names = sorted({name for curve in curves for name, points in curve.items() if isinstance(points, list)})
    for name in names:
        shown = [np.asarray(curve[name], dtype=float) for curve in curves if name in curve]
        for points in shown:
            yield from points.tolist()
            if len(points):
                yield from (float(v) for v in (points.mean(), points.min(), points.max(), points[-5:].mean()))
            yield from np.log10(np.maximum(np.abs(points), 1e-300)).tolist()
        if len(shown) > 1 and len({len(points) for points in shown}) == 1:
            stack = np.stack(shown)
            mean, sd = stack.mean(axis=0), stack.std(axis=0)
            sample = stack.std(axis=0, ddof=1)
            for width in (sd, sample, sample / len(shown) ** 0.5):
                for values in (mean, mean - width, mean + width, mean - 1.96 * width, mean + 1.96 * width):
                    yield from values.tolist()
