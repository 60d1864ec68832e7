"""The charts of a session: seeds as dots, learning curves, a plane of two metrics, and the confirmation's pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from agent.core.record import RunRecord, Training
from agent.pages.drawing.svg import Scale, frame, path, picture, tag
from paper.evidence.confirmation import Confirmation
from paper.evidence.numbers import Quantity

BROAD, SLIM = 720, 360  # a screen's width and a phone's
POINTS = 50  # points of a curve; more cannot be told apart at this size
COLOURS = 8  # classes c0 to c7 of the style sheet
OVERLAID = 12  # most runs whose curves are drawn in one chart
OWN = 420  # width of the chart of one run's curves, which a phone shows nearly as large
STEPS = {"samples": "samples seen", "step": "training step", "steps": "training step"}


@dataclass(frozen=True)
class Point:
    """A run under one condition, with every metric's mean and standard error."""

    run: str
    label: str
    kind: str
    values: Mapping[str, tuple[float, float | None]]


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    class_: str
    label: str = ""


def dots(values: Sequence[float], low: float, high: float, baseline: float | None) -> Markup:
    """One dot for each seed on a scale from `low` to `high`, with a tick at their mean and a line at the baseline's."""
    x = Scale(low, high, 4, 116) if high > low else Scale(low - 1, high + 1, 4, 116)
    parts = [tag("line", class_="rail", x1=4, x2=116, y1=9, y2=9)]
    if baseline is not None:
        at = x.at(baseline)
        parts.append(tag("line", class_="base", x1=at, x2=at, y1=1, y2=17))
    parts += [tag("circle", class_="seed", cx=x.at(v), cy=9, r=3.2) for v in values]
    if values:
        at = x.at(sum(values) / len(values))
        parts.append(tag("line", class_="mean", x1=at, x2=at, y1=4, y2=14))
    shown = ", ".join(f"{v:.4g}" for v in values)
    return picture(120, 18, f"by seed: {shown}", *parts, class_="dots")


# ---------------------------------------------------------------- learning curves


def curve_names(records: Sequence[RunRecord]) -> list[str]:
    """The names of the curves that the trainings reported, the loss first."""
    names = dict.fromkeys(name for r in records for t in r.trainings[:1] for name in t.curves if name not in STEPS)
    return sorted(names, key=lambda name: (name != "loss", name))


def overlay(records: Sequence[RunRecord], name: str, chosen: Sequence[str]) -> Markup | None:
    """A chart of one curve of several runs, each as the mean over its seeds, for a screen and for a phone.

    `chosen` are the runs that are drawn; None if none of them has the curve.
    """
    drawn = [r for r in records if r.run in chosen]
    curves, axis = [], _axis(drawn, name)
    for place, record in enumerate(drawn):
        found = _mean([c for t in record.trainings if (c := _curve(t, name, axis))])
        if found:
            colour = f"c{place % COLOURS}" + (" second" if place >= COLOURS else "")
            curves.append(Curve(*found, class_=f"line {colour}", label=record.label))
    if not curves:
        return None
    label = f"{name} while training, {len(curves)} runs"
    broad = curve_chart(curves, label, name, axis, class_="chart broad")
    return broad + curve_chart(curves, label, name, axis, width=SLIM, height=300, class_="chart slim")


def own_curves(record: RunRecord, baseline: RunRecord | None, name: str, seeds: int) -> Markup | None:
    """A chart of one curve of one run: a line for each of its first `seeds` trainings, over the baseline's mean."""
    curves, axis = [], _axis([record], name)
    if baseline is not None and baseline.run != record.run:
        found = _mean([c for t in baseline.trainings if (c := _curve(t, name, axis))])
        if found:
            curves.append(Curve(*found, class_="line behind", label=baseline.label))
    own = [c for t in record.trainings[:seeds] if (c := _curve(t, name, axis))]
    curves += [Curve(*c, class_="line c0 thin", label=record.label if i == 0 else "") for i, c in enumerate(own)]
    if not own:
        return None
    return curve_chart(curves, f"{name} of {record.label} while training", name, axis, width=OWN, height=220)


def curve_chart(
    curves: Sequence[Curve],
    label: str,
    name: str,
    axis: str,
    *,
    width: float = BROAD,
    height: float = 340,
    class_: str = "chart",
) -> Markup:
    """A chart of curves over the training; its vertical axis is logarithmic if the values span more than a factor of
    20.

    Args:
        label: the name of the chart for readers who do not see it.
        name: of what the curves show.
        axis: in what the progress of the training is counted, a key of STEPS.
    """
    ys = [y for c in curves for y in c.ys if math.isfinite(y)]
    log = bool(ys) and min(ys) > 0 and max(ys) > 20 * min(ys)
    named = [c for c in curves if c.label]
    across = 4 if width >= BROAD else 2
    lines = -(-len(named) // across)
    bottom = height - 44 - 18 * lines
    x = Scale.over([v for c in curves for v in (c.xs[0], c.xs[-1])], 56, width - 16, margin=0.0)
    y = Scale.over(ys, bottom, 30, log)
    parts = frame(x, y, STEPS.get(axis, axis), f"{name} (self-reported{', log scale' if log else ''})")
    for curve in curves:
        points = [(x.at(a), y.at(b)) for a, b in zip(curve.xs, curve.ys, strict=True) if math.isfinite(b)]
        drawn = tag("path", tag("title", curve.label) if curve.label else "", class_=curve.class_, d=path(points))
        parts.append(tag("g", drawn, class_="curve", data_label=curve.label or None))
    for place, curve in enumerate(named):
        left, top = width - 2 - 165 * (across - place % across), bottom + 56 + 18 * (place // across)
        key = tag("line", class_=curve.class_, x1=left, x2=left + 18, y1=top - 4, y2=top - 4)
        text = tag("text", _cut(curve.label, 20), class_="key", x=left + 24, y=top)
        parts.append(tag("g", tag("title", curve.label), key, text, class_="legend", data_label=curve.label))
    return picture(width, height + (8 if lines else 0), label, *parts, class_=class_)


def _axis(records: Sequence[RunRecord], name: str) -> str:
    """In what all trainings of these runs count their progress: samples or steps."""
    curves = [t.curves for r in records for t in r.trainings if len(t.curves.get(name, ())) > 1]
    return next((s for s in STEPS if all(len(c.get(s, ())) == len(c[name]) for c in curves)), "step")


def _curve(training: Training, name: str, axis: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    ys = training.curves.get(name, ())
    xs = training.curves.get(axis, ())
    if len(ys) < 2 or len(xs) != len(ys):
        return None
    places = sorted({round(i * (len(ys) - 1) / (POINTS - 1)) for i in range(POINTS)}) if len(ys) > POINTS else None
    if places is None:
        return tuple(xs), tuple(ys)
    return tuple(xs[p] for p in places), tuple(ys[p] for p in places)


def _mean(
    curves: Sequence[tuple[tuple[float, ...], tuple[float, ...]]],
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if not curves:
        return None
    same = [ys for xs, ys in curves if len(ys) == len(curves[0][1])]
    return curves[0][0], tuple(sum(column) / len(column) for column in zip(*same, strict=True))


# ---------------------------------------------------------------- two metrics


def plane(points: Sequence[Point], x_key: str, y_key: str, labels: Mapping[str, str]) -> Markup:
    """The plane of two metrics, a point for each run with bars of one standard error, for a screen and for a phone.

    The page's script can draw it with other metrics.
    """
    broad = _plane(points, x_key, y_key, labels, BROAD, "chart broad")
    return broad + _plane(points, x_key, y_key, labels, SLIM, "chart slim")


def _plane(
    points: Sequence[Point], x_key: str, y_key: str, labels: Mapping[str, str], width: float, class_: str
) -> Markup:
    shown = [p for p in points if x_key in p.values and y_key in p.values]
    x = Scale.over([p.values[x_key][0] for p in shown], 56, width - 30, margin=0.1)
    y = Scale.over([p.values[y_key][0] for p in shown], 300, 34, margin=0.1)
    parts = [tag("g", *frame(x, y, labels[x_key], labels[y_key]), class_="frame")]
    crowded = len(shown) > 24
    taken: list[tuple[float, float, float]] = []
    for point in shown:
        (mx, ex), (my, ey) = point.values[x_key], point.values[y_key]
        cx, cy = x.at(mx), y.at(my)
        marks = []
        if ex:
            marks.append(tag("line", class_="error", x1=x.at(mx - ex), x2=x.at(mx + ex), y1=cy, y2=cy))
        if ey:
            marks.append(tag("line", class_="error", x1=cx, x2=cx, y1=y.at(my - ey), y2=y.at(my + ey)))
        said = f"{point.label}: {labels[x_key]} {Quantity(mx, ex).text()}, {labels[y_key]} {Quantity(my, ey).text()}"
        marks.append(tag("circle", tag("title", said), cx=cx, cy=cy, r=5.5))
        if not crowded:
            marks.append(_beside(point.label, cx, cy, taken, width - 4))
        parts.append(tag("g", *marks, class_=f"point {point.kind}", data_run=point.run))
    label = f"{labels[y_key]} against {labels[x_key]}, {len(shown)} runs"
    return picture(width, 346, label, *parts, class_=class_)


def _beside(label: str, cx: float, cy: float, taken: list[tuple[float, float, float]], end: float) -> Markup:
    """The label at a place where it covers no other one; `taken` are the places so far, and gets this one."""
    text = _cut(label, 24)
    width = 6.6 * len(text)
    tries = (
        (cx + 10, cy + 4, "start", cx + 10),
        (cx - 10, cy + 4, "end", cx - 10 - width),
        (cx, cy - 11, "middle", cx - width / 2),
        (cx, cy + 20, "middle", cx - width / 2),
        (cx + 8, cy - 10, "start", cx + 8),
        (cx + 8, cy + 18, "start", cx + 8),
    )

    def inside(at: tuple[float, float, str, float]) -> bool:
        return at[3] >= 58 and at[3] + width <= end

    def free(at: tuple[float, float, str, float]) -> bool:
        _, top, _, left = at
        return inside(at) and not any(abs(top - b) < 13 and left < a + w and a < left + width for a, b, w in taken)

    tx, ty, anchor, left = next(filter(free, tries), next(filter(inside, tries[::-1]), tries[0]))
    taken.append((left, ty, width))
    return tag("text", text, class_="name-of", x=tx, y=ty, text_anchor=anchor)


# ---------------------------------------------------------------- confirmation


def pairs(found: Confirmation) -> Markup:
    """Each fresh seed as a line from the baseline's value to the best run's."""
    values = [*found.baseline.values, *found.ours.values]
    y = Scale.over(values, 220, 24, margin=0.12)
    left, right = 150.0, 330.0
    parts = []
    for value, text in y.ticks(5):
        parts.append(tag("line", class_="grid", x1=60, x2=420, y1=y.at(value), y2=y.at(value)))
        parts.append(tag("text", text, class_="tick", x=52, y=y.at(value) + 4, text_anchor="end"))
    for seed, a, b in zip(found.ours.seeds, found.baseline.values, found.ours.values, strict=True):
        better = (b > a) == (found.better == "higher")
        title = tag("title", f"seed {seed}: {a:.4g} to {b:.4g}")
        line = tag("line", class_="pair", x1=left, x2=right, y1=y.at(a), y2=y.at(b))
        ends = [tag("circle", cx=cx, cy=y.at(v), r=4.5) for cx, v in ((left, a), (right, b))]
        parts.append(tag("g", title, line, *ends, class_="better" if better else "worse"))
    for at, series in ((left, found.baseline), (right, found.ours)):
        parts.append(tag("line", class_="mean", x1=at - 18, x2=at + 18, y1=y.at(series.mean), y2=y.at(series.mean)))
        parts.append(tag("text", _cut(series.run.label, 24), class_="name-of", x=at, y=246, text_anchor="middle"))
    label = f"{found.n} pairs of fresh seeds: {found.baseline.run.label} and {found.ours.run.label}"
    return picture(480, 256, label, *parts, class_="chart pairs")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
