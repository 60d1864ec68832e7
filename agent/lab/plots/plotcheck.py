"""Does a figure show the records? plot.py draws from them and from perturbed ones; what it drew is compared with both.

Every bar, point, line end and written number must be an expression over the records (known.py): the same one in both
runs. Not: code that changes what draw_worker.py reports, and which of the true numbers are shown.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from agent.lab.plots import texts
from agent.lab.plots.drawing import Artist, Axis, Drawing, Plot
from agent.lab.plots.histograms import is_histogram
from agent.lab.plots.known import ANY, Known, constants, everything, simple

FIELDS = ("metrics", "diagnostics", "curves")  # what is measured; names and labels stay as they are
_KEPT = {"n", "seed", "step", "steps", "samples"}  # counts and places on an axis are not results
DRAWN_BY = {"bar", "line", "points", "segments", "area", "steps", "image"}
LONG = 20  # points of a line that may be a smoothed curve
STAYS = "stays the same when every measured number changes, so it does not show them; read what it draws from the files"
MOST = 4  # numbers that one complaint lists


# ---------------------------------------------------------------- perturbed records


def perturb(records: str, seed: int = 0) -> str:
    """The same records.json with every measured number changed.

    Numbers of one metric (diagnostic, curve) keep their order, so that what is sorted or marked as the best stays
    sorted and the best; the steps between them shrink, each by a factor of its own.
    """
    draw = random.Random(seed)
    entries = json.loads(records)
    pools: dict[tuple[str, ...], set[float]] = {}
    for entry in entries:
        for field in FIELDS:
            _walk(entry.get(field), (field,), lambda path, v: pools.setdefault(path, set()).add(v) or v)
    maps = {path: _moved(sorted(values), draw) for path, values in pools.items()}
    for entry in entries:
        for field in FIELDS:
            if field in entry:
                entry[field] = _walk(entry[field], (field,), lambda path, v: maps[path][v])
    return json.dumps(entries, indent=1) + "\n"


def perturbed(value: Any, draw: random.Random) -> Any:
    """Any JSON with its numbers changed; counts and places on an axis stay."""
    if isinstance(value, dict):
        return {key: item if key in _KEPT else perturbed(item, draw) for key, item in value.items()}
    if isinstance(value, list):
        return [perturbed(item, draw) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value * draw.uniform(0.35, 0.85) + draw.uniform(0.01, 0.05)
    return value


def _walk(value: Any, path: tuple[str, ...], change: Any) -> Any:
    """`change(path, number)` in the place of every number; the path names the metric and tells errors from values."""
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
    """Each value's new one, in the same order."""
    now = values[0] * draw.uniform(0.5, 0.8) + draw.uniform(0.01, 0.03)
    moved = {values[0]: now}
    for before, after in zip(values, values[1:], strict=False):
        now += (after - before) * draw.uniform(0.4, 0.85)
        moved[after] = now
    return moved


# ---------------------------------------------------------------- comparing


def problems(first: dict[str, Drawing], second: dict[str, Drawing], files: dict[str, str], records: str) -> list[str]:
    """What is wrong with the figures of two runs of plot.py, the second on perturbed records; lines for the agent.

    Args:
        first, second: what was drawn, by file name.
        files: the SHA-256 of each picture that is to be taken over, by its name.
        records: records.json of the first run.
    """
    numbers = Numbers(json.loads(records), json.loads(perturb(records)))
    found = []
    for name, digest in files.items():
        before, after = first.get(name), second.get(name)
        if before is None or before.sha256 != digest:
            found.append(
                f"{name}: draw it with matplotlib and save it with savefig, as the last thing done to the file"
            )
        elif after is None:
            found.append(f"{name}: not drawn when the records hold other numbers; draw it whatever the values are")
        else:
            found += [f"{name}: {text}" for text in dict.fromkeys(_compared(before, after, numbers))]
    return found


def unchanged(first: dict[str, Drawing], second: dict[str, Drawing]) -> list[str]:
    """Figures that are the same over other results, and so do not show them; lines for the agent."""
    return [f"{name}: {STAYS}" for name, one in first.items() if name in second and _same(one, second[name])]


@dataclass(frozen=True)
class Numbers:
    """Both versions of the records, and what may be said and drawn of them."""

    first: list[dict[str, Any]]
    second: list[dict[str, Any]]

    @cached_property
    def drawn(self) -> Known:
        return Known.of(everything(self.first), everything(self.second))

    @cached_property
    def said(self) -> Known:
        return Known.of(simple(self.first), simple(self.second))

    @cached_property
    def fixed(self) -> list[float]:
        return constants(self.first)

    @cached_property
    def names(self) -> list[str]:
        """What records and metrics are called; a name may hold a number."""
        found = {str(record.get(key, "")) for record in self.first for key in ("label", "name", "about")}
        for record in self.first:
            found |= {str(label) for label in record.get("metric_labels", {}).values()}
            found |= {str(c.get(key, "")) for c in record.get("conditions", ()) for key in ("name", "label")}
            found |= {*record.get("diagnostics", {}), *record.get("metrics", {})}
        return sorted(found - {""}, key=len, reverse=True)

    def owner(self, label: str) -> int:
        """The run that a label names; ANY where it names none, or more than one."""
        plain = " ".join(label.split())
        owners = [i for i, r in enumerate(self.first) if plain and plain in (r.get("label"), r.get("name"))]
        return owners[0] if len(owners) == 1 else ANY


def _compared(before: Drawing, after: Drawing, numbers: Numbers) -> Iterator[str]:
    if _same(before, after):
        yield STAYS
        return
    same_axes = len(before.axes) == len(after.axes)
    for place, plot in enumerate(before.axes):
        partner = after.axes[place] if same_axes else None
        yield from _plot_problems(plot, partner, numbers, cut_is_told="".join(before.words))
    yield from texts.problems(before.words, after.words, numbers.said, numbers.fixed, numbers.names)


def _same(before: Drawing, after: Drawing) -> bool:
    return [p.artists for p in before.axes] == [p.artists for p in after.axes]


def _plot_problems(plot: Plot, partner: Plot | None, numbers: Numbers, cut_is_told: str) -> Iterator[str]:
    kinds = [artist.kind for artist in plot.artists]
    paired = partner is not None and kinds == [artist.kind for artist in partner.artists]
    strange: list[float] = []
    for place, artist in enumerate(plot.artists):
        other = partner.artists[place] if paired and partner else None
        if artist.kind not in DRAWN_BY:
            yield f"{artist.kind} cannot be compared with the records; draw bars, lines, points, error bars or areas"
            continue
        strange += _Look(plot, artist, other, numbers).strange()
        yield from _hidden(plot, artist)
    if strange:
        shown = ", ".join(f"{v:.4g}" for v in list(dict.fromkeys(strange))[:MOST])
        more = f" and {len(strange) - MOST} more" if len(strange) > MOST else ""
        yield (
            f"it draws {shown}{more}, which is not what records.json holds for that run (a mean, a seed's value, an "
            "interval, a difference or ratio of two runs, a point of a curve); draw the records' numbers as they are"
        )
    yield from _cut(plot, cut_is_told)
    for axis in (plot.x, plot.y):
        yield from texts.tick_problems(axis.ticks)


def _cut(plot: Plot, told: str) -> Iterator[str]:
    """Bars whose axis does not show where they begin."""
    for artist in plot.artists:
        axis = plot.y if artist.upright else plot.x
        stands = artist.kind == "bar" and artist.base[:1] == (0.0,) and axis.scale == "linear"
        if stands and not axis.holds(0.0) and not texts.tells_of_a_cut(told):
            yield "the axis of its bars does not show zero, so that their lengths mislead; let it begin at zero"
            return


def _hidden(plot: Plot, artist: Artist) -> Iterator[str]:
    """Points that the limits of an axis leave out; a long line may be cut, for its start is often far away."""
    if artist.kind not in ("points", "line", "bar") or len(artist.x or ()) >= LONG:
        return
    ends = [a + b for a, b in zip(artist.base, artist.size, strict=False) if a is not None and b is not None]
    along_x, along_y = (artist.x, artist.y)
    if artist.kind == "bar":
        along_x, along_y = (None, tuple(ends)) if artist.upright else (tuple(ends), None)
    for axis, values in ((plot.x, along_x), (plot.y, along_y)):
        if any(v is not None and not axis.holds(v) for v in values or ()):
            yield "a point or bar lies outside of the axis's limits, where nobody sees it; widen them"
            return


@dataclass(frozen=True)
class _Look:
    """One artist, beside the one that is drawn in its place from the perturbed records."""

    plot: Plot
    artist: Artist
    other: Artist | None
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
        """Each side must be known, or be a place; and one of them must be known from the records."""
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
        """Those of the numbers that are neither constants nor an expression."""
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
        """Whether a long line may be a running mean of some curve: it stays within that, and about its mean."""
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
    """Places on an axis of names, or whole numbers that count something."""
    whole = [v for v in values if v is not None]
    return axis.names or all(v == round(v) and 0 <= v <= 50 for v in whole)


def _edges(bars: list[Artist]) -> list[float | None]:
    return [bars[0].at[0], *(bar.at[1] for bar in bars)] if bars and all(len(b.at) == 2 for b in bars) else []


def _outline(area: Artist) -> tuple[list[float], list[float]]:
    """Heights and edges of the steps that the outline of an area makes."""
    corners = [(x, y) for x, y in zip(area.x or (), area.y or (), strict=False) if x is not None and y is not None]
    flat = {(min(a[0], b[0]), max(a[0], b[0]), a[1]) for a, b in pairwise(corners) if a[1] == b[1] and a[0] != b[0]}
    steps = sorted(step for step in flat if step[:2] != (min(corners)[0], max(corners)[0]))
    return [height for *_, height in steps], [steps[0][0], *(end for _, end, _ in steps)] if steps else []
