"""Checks whether bars are a histogram of numbers in the records, by counting again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

CLOSE = 1e-6


def is_histogram(heights: Sequence[float | None], edges: Sequence[float | None], records: list[dict[str, Any]]) -> bool:
    """Whether some set of numbers in the records has these counts, shares, density or cumulative counts between edges.

    heights [n], edges [n + 1].
    """
    import numpy as np

    if len(heights) < 2 or len(edges) != len(heights) + 1 or None in heights or None in edges:
        return False
    shown, bounds = np.array(heights, dtype=float), np.array(edges, dtype=float)
    if (np.diff(bounds) <= 0).any():
        return False
    widths = np.diff(bounds)
    # a little wider, because edges that were computed from widths lose a last digit
    bounds[[0, -1]] += np.array([-CLOSE, CLOSE]) * (bounds[-1] - bounds[0])
    for pool in _pools(records):
        counts, _ = np.histogram(pool, bounds)
        total = counts.sum()
        forms = [counts, np.cumsum(counts)]
        forms += [counts / total, counts / total / widths] if total else []
        if total and any(np.allclose(shown, form, rtol=CLOSE, atol=CLOSE) for form in forms):
            return True
    return False


def _pools(records: list[dict[str, Any]]) -> Iterator[list[float]]:
    """Sets of numbers that a histogram may show: values of a metric, a diagnostic or a curve, of one run or of all."""
    together: dict[str, list[float]] = {}
    for record in records:
        own: dict[str, list[float]] = {}
        for metric, by_condition in record.get("metrics", {}).items():
            for value in by_condition.values():
                values = list(value.get("values", ()))
                yield values
                own.setdefault(f"metric {metric}", []).extend(values)
                together.setdefault(f"mean {metric}", []).append(value["mean"])
        for name, values in record.get("diagnostics", {}).items():
            own.setdefault(f"diagnostic {name}", []).extend(values)
        for curve in record.get("curves", ()):
            for name, points in curve.items():
                if isinstance(points, list):
                    yield points
                    own.setdefault(f"curve {name}", []).extend(points)
        yield from own.values()
        for name, values in own.items():
            together.setdefault(name, []).extend(values)
    yield from together.values()
