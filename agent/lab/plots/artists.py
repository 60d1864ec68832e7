"""Finds the numbers in one artist of a figure (a bar, a line, an image ...) that do not come from the records.

Not here: checks of a whole figure (plotcheck.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from agent.lab.plots import texts
from agent.lab.plots.drawing import Artist, Axis, Plot
from agent.lab.plots.histograms import is_histogram
from agent.lab.plots.known import ANY, Known, constants, everything, simple

LONG = 20  # points; a line with at least so many may be a smoothed curve
MOST = 4  # numbers that one complaint lists


@dataclass(frozen=True)
class Numbers:
    """The numbers that a figure may show, over two versions of the records: the real and the perturbed ones."""

    first: list[dict[str, Any]]
    second: list[dict[str, Any]]

    @cached_property
    def drawn(self) -> Known:
        """The numbers that may be drawn."""
        return Known.of(everything(self.first), everything(self.second))

    @cached_property
    def said(self) -> Known:
        """The numbers that may be written."""
        return Known.of(simple(self.first), simple(self.second))

    @cached_property
    def fixed(self) -> list[float]:
        """Counts and settings, which are the same in both versions."""
        return constants(self.first)

    @cached_property
    def names(self) -> list[str]:
        """Names of runs, metrics, conditions and diagnostics, the longest first; a name may contain a number."""
        found = {str(record.get(key, "")) for record in self.first for key in ("label", "name", "about")}
        for record in self.first:
            found |= {str(label) for label in record.get("metric_labels", {}).values()}
            found |= {str(c.get(key, "")) for c in record.get("conditions", ()) for key in ("name", "label")}
            found |= {*record.get("diagnostics", {}), *record.get("metrics", {})}
        return sorted(found - {""}, key=len, reverse=True)

    def unknown_words(self, before: list[str], after: list[str]) -> Iterator[str]:
        """Complaints about numbers in texts that do not come from the records."""
        return texts.problems(before, after, self.said, self.fixed, self.names)

    def owner(self, label: str) -> int:
        """The index of the run that a label names; ANY if it names none, or more than one."""
        plain = " ".join(label.split())
        owners = [i for i, r in enumerate(self.first) if plain and plain in (r.get("label"), r.get("name"))]
        return owners[0] if len(owners) == 1 else ANY


@dataclass(frozen=True)
class Look:
    """One artist, and the one that plot.py draws in its place from the perturbed records."""

    plot: Plot
    artist: Artist
    other: Artist | None  # None: the second figure has other artists
    numbers: Numbers

    def strange(self) -> list[float]:
        """The numbers that no expression over the records gives."""
        artist = self.artist
        if artist.kind == "bar":
            return self._bar()
        if artist.kind == "steps":
            good = is_histogram(artist.values, artist.edges, self.numbers.first)
            return [] if good else self._unknown(artist.values, self.other.values if self.other else None, [])
        if artist.kind == "image":
            return self._unknown(artist.values, self.other.values if self.other else None, [])
        if artist.kind == "area" and is_histogram(*_outline(artist), self.numbers.first):
            return []
        return self._points()

    def _bar(self) -> list[float]:
        """A bar's length must be known, and its base be zero, known, or the end of another bar."""
        size, base = self.artist.size[:1], self.artist.base[:1]
        if not size or size[0] is None or base[0] is None:
            return []
        axis = self.plot.x if self.artist.upright else self.plot.y
        middle = sum(v for v in self.artist.at if v is not None) / 2
        owner = self.numbers.owner(self.artist.label)
        owner = self.numbers.owner(axis.label_at(middle)) if owner == ANY else owner
        bars = [a for a in self.plot.artists if a.kind == "bar" and a.upright == self.artist.upright]
        if is_histogram([b.size[0] for b in bars], _edges(bars), self.numbers.first):
            return []
        bad = self._unknown(size, self.other.size[:1] if self.other else None, [owner])
        ends = {round(b.base[0] + b.size[0], 12) for b in bars if b.base[0] is not None and b.size[0] is not None}
        stands = base[0] == 0 or round(base[0], 12) in ends
        if not stands:
            bad += self._unknown(base, self.other.base[:1] if self.other else None, [owner])
        return bad

    def _points(self) -> list[float]:
        """Each coordinate must be known or be a mere position, and at least one of the two must be known."""
        artist, other = self.artist, self.other
        named = self.numbers.owner(artist.label)
        sides = [
            (self.plot.x, artist.x, other.x if other else None, self.plot.y, artist.y),
            (self.plot.y, artist.y, other.y if other else None, self.plot.x, artist.x),
        ]
        unknown: list[list[float]] = []
        measured = False
        for axis, values, partner, across, places in sides:
            if values is None:
                continue
            owners = [named] * len(values)
            if named == ANY and across.names and places is not None and len(places) == len(values):
                owners = [self.numbers.owner(across.label_at(p)) if p is not None else ANY for p in places]
            bad = self._unknown(values, partner, owners)
            if bad and len(values) >= LONG and self._smoothed(values):
                bad = []
            measured = measured or not bad
            unknown.append([] if bad and _is_place(axis, values) else bad)
        left = [v for bad in unknown for v in bad]
        if left or measured or not unknown:
            return left
        return [v for values in (artist.x, artist.y) for v in values or () if v is not None][:MOST]

    def _unknown(self, values: Any, partner: Any, owners: list[int]) -> list[float]:
        """Those of the numbers that are neither constants nor an expression over the records.

        `partner` are the numbers in their place in the second figure, `owners` the runs that they are drawn for.
        """
        paired = partner is not None and len(partner) == len(values)
        bad = []
        for place, a in enumerate(values):
            b = partner[place] if paired else None
            owner = owners[min(place, len(owners) - 1)] if owners else ANY
            if a is None or (a in self.numbers.fixed and (b is None or a == b)):
                continue
            if not self.numbers.drawn.holds(a, b, owner):
                bad.append(a)
        return bad

    def _smoothed(self, values: Any) -> bool:
        """Whether a line may be a running mean of some curve: it stays within its range, and has about its mean."""
        shown = [v for v in values if v is not None]
        for record in self.numbers.first:
            for curve in record.get("curves", ()):
                for points in curve.values():
                    if isinstance(points, list) and len(points) >= len(shown) and points and shown:
                        low, high = min(points), max(points)
                        near = abs(sum(shown) / len(shown) - sum(points) / len(points)) <= 0.1 * (high - low)
                        if near and low <= min(shown) and max(shown) <= high:
                            return True
        return False


def _is_place(axis: Axis, values: Any) -> bool:
    """Whether the values are positions on an axis of names, or small whole numbers that count something."""
    whole = [v for v in values if v is not None]
    return axis.names or all(v == round(v) and 0 <= v <= 50 for v in whole)


def _edges(bars: list[Artist]) -> list[float | None]:
    """The edges between bars that stand side by side, as in a histogram."""
    return [bars[0].at[0], *(bar.at[1] for bar in bars)] if bars and all(len(b.at) == 2 for b in bars) else []


def _outline(area: Artist) -> tuple[list[float], list[float]]:
    """Heights and edges of the steps in the outline of an area, which may be a histogram."""
    corners = [(x, y) for x, y in zip(area.x or (), area.y or (), strict=False) if x is not None and y is not None]
    flat = {(min(a[0], b[0]), max(a[0], b[0]), a[1]) for a, b in pairwise(corners) if a[1] == b[1] and a[0] != b[0]}
    steps = sorted(step for step in flat if step[:2] != (min(corners)[0], max(corners)[0]))
    return [height for *_, height in steps], [steps[0][0], *(end for _, end, _ in steps)] if steps else []
