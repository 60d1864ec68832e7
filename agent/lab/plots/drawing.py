"""Parses what draw_worker.py reports about figures. Hostile code may have written it; malformed parts are dropped."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from agent.core.schema import Strict

Numbers = tuple[float | None, ...]


class Axis(Strict):
    """One axis of a plot."""

    limits: tuple[float, float]
    scale: str
    ticks: tuple[tuple[float, str], ...]  # (position, label), if the script set the labels itself

    def holds(self, value: float) -> bool:
        """Whether a value lies within the limits."""
        low, high = sorted(self.limits)
        return low - 1e-9 * abs(low) <= value <= high + 1e-9 * abs(high)

    @property
    def names(self) -> bool:
        """Whether it is an axis of names, on which a position says nothing."""
        words = [label for _, label in self.ticks if any(c.isalpha() for c in label)]
        return len(words) * 2 > len([label for _, label in self.ticks if label.strip()])

    def label_at(self, place: float) -> str:
        """The label of the nearest tick, if that is less than 0.5 away; else ""."""
        nearest = min(self.ticks, key=lambda tick: abs(tick[0] - place), default=(0.0, ""))
        return nearest[1] if abs(nearest[0] - place) < 0.5 else ""


class Artist(Strict):
    """One thing that is drawn: a bar (base, size, and `at`, its two sides), points or a line (x, y), the steps of a
    histogram (values, edges), or an image (values).
    """

    kind: str
    label: str
    x: Numbers | None = None
    y: Numbers | None = None
    upright: bool = True
    base: Numbers = ()
    size: Numbers = ()
    at: Numbers = ()
    values: Numbers = ()
    edges: Numbers = ()


class Plot(Strict):
    """One plot of a figure, which is an Axes of matplotlib."""

    x: Axis
    y: Axis
    artists: tuple[Artist, ...]
    texts: tuple[str, ...]


class Drawing(Strict):
    """One saved picture, with everything in it that may state a number."""

    sha256: str
    axes: tuple[Plot, ...]
    texts: tuple[str, ...]
    size: tuple[float, float] = (0.0, 0.0)  # inches, as saved
    letters: tuple[tuple[str, float], ...] = ()  # the smallest texts with their sizes in points, as saved
    clipped: tuple[str, ...] = ()  # texts that reach beyond the edge of the picture

    @property
    def words(self) -> list[str]:
        """All texts of the picture."""
        return [*self.texts, *(text for plot in self.axes for text in plot.texts)]


def parse(value: Any) -> dict[str, Drawing]:
    """The drawings by file name; malformed ones are left out."""
    found = {}
    for name, one in value.items() if isinstance(value, dict) else ():
        try:
            # by way of JSON, because a strict model makes tuples of lists only there
            found[str(name)] = Drawing.model_validate_json(json.dumps(one))
        except ValidationError:
            continue
    return found
