"""What draw_worker.py says a figure shows, parsed. Hostile code may have written it: what is odd is no figure."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from agent.core.schema import Strict

Numbers = tuple[float | None, ...]


class Axis(Strict):
    limits: tuple[float, float]
    scale: str
    ticks: tuple[tuple[float, str], ...]  # where the script named them itself

    def holds(self, value: float) -> bool:
        low, high = sorted(self.limits)
        return low - 1e-9 * abs(low) <= value <= high + 1e-9 * abs(high)

    @property
    def names(self) -> bool:
        """Whether it is an axis of names, where a place says nothing."""
        words = [label for _, label in self.ticks if any(c.isalpha() for c in label)]
        return len(words) * 2 > len([label for _, label in self.ticks if label.strip()])

    def label_at(self, place: float) -> str:
        """The name of the tick that lies nearest."""
        nearest = min(self.ticks, key=lambda tick: abs(tick[0] - place), default=(0.0, ""))
        return nearest[1] if abs(nearest[0] - place) < 0.5 else ""


class Artist(Strict):
    """A bar (base, size, the two ends of its place), points of a line or cloud, steps of a histogram, an image."""

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
    x: Axis
    y: Axis
    artists: tuple[Artist, ...]
    texts: tuple[str, ...]


class Drawing(Strict):
    """One saved picture."""

    sha256: str
    axes: tuple[Plot, ...]
    texts: tuple[str, ...]
    size: tuple[float, float] = (0.0, 0.0)  # inches, as saved
    letters: tuple[tuple[str, float], ...] = ()  # the smallest texts with their sizes in points, as saved
    clipped: tuple[str, ...] = ()  # texts that reach beyond the edge of the picture

    @property
    def words(self) -> list[str]:
        return [*self.texts, *(text for plot in self.axes for text in plot.texts)]


def parse(value: Any) -> dict[str, Drawing]:
    """Drawings by file name; those that are malformed are left out."""
    found = {}
    for name, one in value.items() if isinstance(value, dict) else ():
        try:
            found[str(name)] = Drawing.model_validate_json(json.dumps(one))  # lists become tuples in JSON alone
        except ValidationError:
            continue
    return found
