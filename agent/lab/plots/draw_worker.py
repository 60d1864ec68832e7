"""Runs inside the sandbox: runs plot.py, and writes a description of everything that matplotlib drew for it.

Called as `python -P draw_worker.py PLOT STYLE` in the folder with records.json; STYLE is a JSON object of matplotlib's
settings (agent/core/looks.py). Leaves drawn.json: for each saved file its SHA-256 and the data of every bar, line,
point, image and text. Imports nothing of the runner, which trusts no answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import runpy
import sys
from typing import Any

DRAWN = "drawn.json"
MOST = 200_000  # numbers of one artist
NAMED = 5  # texts of one figure that are reported as small or cut off
EDGE = 1.5  # pixels that a text may reach beyond the picture, because extents are rounded
TEXT_WIDTH, TALLEST = 5.5, 5.0  # inches of width and height that a page has for a figure
# Font sizes that the style sets, and that grow with a large figure.
LETTERS = (
    "font.size",
    "axes.titlesize",
    "axes.labelsize",
    "xtick.labelsize",
    "ytick.labelsize",
    "legend.fontsize",
    "figure.titlesize",
)


def main(plot: str, settings: dict[str, Any]) -> None:
    """Run plot.py with the style, and write drawn.json whether or not it fails."""
    sys.path.insert(0, os.getcwd())
    sys.argv = [plot]
    saved: dict[str, Any] = {}
    with contextlib.suppress(ImportError):  # a figure that is drawn without matplotlib is refused later
        watch(saved)
        style(settings)
    try:
        runpy.run_path(plot, run_name="__main__")
    finally:
        with open(DRAWN, "w") as file:
            json.dump(saved, file)


def style(settings: dict[str, Any]) -> None:
    """Set the paper's style before plot.py runs.

    In a figure that is larger than a page has room for, font sizes grow with it, because it is shrunk when it is
    printed. Sizes that plot.py sets itself stay as they are.
    """
    import matplotlib
    from matplotlib.figure import Figure

    rc: Any = matplotlib.rcParams
    rc.update({"figure.figsize": (TEXT_WIDTH, 3.4), "figure.titlesize": 9, **settings})
    given = {name: float(rc[name]) for name in LETTERS}
    ours = dict(given)
    original = Figure.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        width, height = self.get_size_inches()
        scale = max(1.0, float(width) / TEXT_WIDTH, float(height) / TALLEST)
        for name, size in given.items():
            if rc[name] == ours[name]:
                rc[name] = ours[name] = size * scale

    Figure.__init__ = __init__  # type: ignore[method-assign]


def watch(saved: dict[str, Any]) -> None:
    """Patch matplotlib so that each figure is described in `saved` at the moment when it is saved to a file."""
    import matplotlib
    from matplotlib.backend_bases import FigureCanvasBase

    original = FigureCanvasBase.print_figure

    def print_figure(self: Any, filename: Any, *args: Any, **kwargs: Any) -> Any:
        done = original(self, filename, *args, **kwargs)
        if isinstance(filename, (str, os.PathLike)):
            path = os.fspath(filename)
            if not os.path.isfile(path):  # matplotlib added the ending
                path = f"{path}.{kwargs.get('format') or self.get_default_filetype()}"
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                tight = kwargs.get("bbox_inches", matplotlib.rcParams["savefig.bbox"]) == "tight"
                described = {"sha256": digest, **describe(self.figure), **legibility(self.figure, tight)}
                saved[os.path.basename(path)] = described
        return done

    FigureCanvasBase.print_figure = print_figure  # type: ignore[method-assign]


def legibility(figure: Any, tight: bool) -> dict[str, Any]:
    """The size of the picture in inches, its smallest texts with their sizes in points, and texts cut off at its edge.

    `tight`: it was saved with bbox_inches="tight", which resizes the picture so that it holds every text.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure) if not hasattr(figure.canvas, "get_renderer") else figure.canvas
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()
    width, height = (float(inches) for inches in figure.get_size_inches())
    if tight:
        box = figure.get_tightbbox(renderer)
        width, height = float(box.width), float(box.height)
    shown = shown_texts(figure, renderer)
    smallest = sorted(((text.get_text().strip(), float(text.get_fontsize())) for text in shown), key=lambda one: one[1])
    edge = figure.bbox
    cut = []
    for text in shown if not tight else ():
        box = text.get_window_extent(renderer)
        if box.x0 < edge.x0 - EDGE or box.y0 < edge.y0 - EDGE or box.x1 > edge.x1 + EDGE or box.y1 > edge.y1 + EDGE:
            cut.append(text.get_text().strip())
    return {
        "size": [width, height],
        "letters": [[t[:60], size] for t, size in smallest[:NAMED]],
        "clipped": cut[:NAMED],
    }


def shown_texts(figure: Any, renderer: Any) -> list[Any]:
    """Every text that is visible: tick labels only within the axis's limits, and annotations only if they are drawn."""
    from matplotlib.text import Annotation, Text

    note: Any = Annotation
    ticks = {}
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            drawn = {id(tick) for tick in axis._update_ticks()} if axes.get_visible() and axis.get_visible() else set()
            for tick in (*axis.majorTicks, *axis.minorTicks):
                ticks[id(tick.label1)] = ticks[id(tick.label2)] = id(tick) in drawn
    found = []
    for text in figure.findobj(Text):
        hidden = not text.get_visible() or not text.get_text().strip() or not ticks.get(id(text), True)
        hidden = hidden or (text.axes is not None and not text.axes.get_visible())
        if hidden or (isinstance(text, note) and not text._check_xy(renderer)):
            continue
        if (
            text.get_clip_on()
            and text.axes is not None
            and not text.get_window_extent(renderer).overlaps(text.axes.bbox)
        ):
            continue
        found.append(text)
    return found


def describe(figure: Any) -> dict[str, Any]:
    """Everything in a figure that may state a number: its axes with their artists, and its texts."""
    from matplotlib.axes import Axes

    axes = [a for a in figure.findobj(lambda artist: isinstance(artist, Axes)) if a.get_visible()]
    plain = [*figure.texts, getattr(figure, "_suptitle", None), *(t for g in figure.legends for t in g.get_texts())]
    plain += [getattr(figure, "_supxlabel", None), getattr(figure, "_supylabel", None)]
    return {"axes": [describe_axes(a) for a in axes], "texts": texts(plain)}


def describe_axes(axes: Any) -> dict[str, Any]:
    """The two axes, artists and texts of one plot, as drawing.Plot reads them."""
    legend = axes.get_legend()
    written = [*axes.texts, axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label]
    written += list(legend.get_texts()) if legend else []
    written += [cell.get_text() for table in axes.tables for cell in table.get_celld().values()]
    return {
        "x": describe_axis(axes.xaxis, axes.get_xlim(), axes.get_xscale()),
        "y": describe_axis(axes.yaxis, axes.get_ylim(), axes.get_yscale()),
        "artists": [] if axes.get_label() == "<colorbar>" else artists(axes),
        "texts": texts(written),
    }


def describe_axis(axis: Any, limits: Any, scale: str) -> dict[str, Any]:
    """Limits, scale, and the labels of ticks if the script set them, as drawing.Axis reads them."""
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    named = isinstance(axis.get_major_formatter(), (FixedFormatter, FuncFormatter, StrCategoryFormatter))
    labels = [text.get_text() for text in axis.get_majorticklabels()]
    at = numbers(axis.get_majorticklocs())
    return {
        "limits": numbers(limits),
        "scale": scale,
        "ticks": [[a, label] for a, label in zip(at, labels, strict=False)] if named else [],
    }


def artists(axes: Any) -> list[dict[str, Any]]:
    """Every visible artist of a plot, as drawing.Artist reads it."""
    from matplotlib.container import BarContainer

    bars = {id(p): (c, c.orientation) for c in axes.containers if isinstance(c, BarContainer) for p in c.patches}
    found: list[dict[str, Any]] = []
    for line in axes.lines:
        if line.get_visible():
            found.append(points("line", axes, line, line.get_xdata(orig=False), line.get_ydata(orig=False)))
    for patch in axes.patches:
        if patch.get_visible():
            found.append(describe_patch(axes, patch, bars.get(id(patch))))
    for collection in axes.collections:
        if collection.get_visible():
            found += describe_collection(axes, collection)
    for image in axes.images:
        found.append({"kind": "image", "label": "", "values": numbers(image.get_array())})
    return found


def points(kind: str, axes: Any, artist: Any, x: Any, y: Any, transform: Any = None) -> dict[str, Any]:
    """The coordinates of an artist; None for one that is not in data coordinates, such as x of an axhline."""
    in_x, in_y = (transform or artist.get_transform()).contains_branch_seperately(axes.transData)
    label = str(artist.get_label())
    return {
        "kind": kind,
        "label": "" if label.startswith("_") else label,
        "x": numbers(x) if in_x else None,
        "y": numbers(y) if in_y else None,
    }


def describe_patch(axes: Any, patch: Any, bar: Any) -> dict[str, Any]:
    """A bar, the steps of a histogram, or an area. `bar` is its (container, orientation) if it is a bar."""
    import numpy as np
    from matplotlib.patches import Rectangle, StepPatch

    if isinstance(patch, Rectangle) and bar:
        container, orientation = bar
        x, y, width, height = patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()
        upright = orientation != "horizontal"
        label = str(container.get_label() or "")
        own = str(patch.get_label())
        label = label if label and not label.startswith("_") else "" if own.startswith("_") else own
        return {
            "kind": "bar",
            "label": label,
            "upright": upright,
            "base": numbers([y if upright else x]),
            "size": numbers([height if upright else width]),
            "at": numbers([x, x + width] if upright else [y, y + height]),
        }
    if isinstance(patch, StepPatch):
        values, edges, _ = patch.get_data()
        return {"kind": "steps", "label": str(patch.get_label()), "values": numbers(values), "edges": numbers(edges)}
    vertices = np.asarray(patch.get_patch_transform().transform(patch.get_path().vertices), dtype=float)
    kind = "area" if type(patch).__name__ in ("Rectangle", "Polygon") else type(patch).__name__
    return points(kind, axes, patch, vertices[:, 0], vertices[:, 1])


def describe_collection(axes: Any, collection: Any) -> list[dict[str, Any]]:
    """Points, images, line segments or areas; an artist of another kind has no coordinates."""
    import numpy as np
    from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh

    if isinstance(collection, PathCollection):
        xy = np.asarray(collection.get_offsets(), dtype=float)
        return [points("points", axes, collection, xy[:, 0], xy[:, 1], collection.get_offset_transform())]
    if isinstance(collection, QuadMesh):
        return [{"kind": "image", "label": "", "values": numbers(collection.get_array())}]
    if isinstance(collection, (LineCollection, PolyCollection)):
        kind = "segments" if isinstance(collection, LineCollection) else "area"
        found = []
        for path in collection.get_paths():
            xy = np.asarray(path.vertices, dtype=float)
            if len(xy):
                found.append(points(kind, axes, collection, xy[:, 0], xy[:, 1]))
        return found
    return [{"kind": type(collection).__name__, "label": "", "x": None, "y": None}]


def texts(written: Any) -> list[str]:
    """The visible texts among these that are not empty."""
    return [t.get_text() for t in written if t is not None and t.get_visible() and t.get_text().strip()]


def numbers(values: Any) -> list[float | None]:
    """The first MOST values as floats, with None in place of those that are not finite."""
    import numpy as np

    flat = np.ma.filled(np.ma.asarray(values).astype(float), math.nan).ravel()[:MOST]
    return [float(v) if math.isfinite(v) else None for v in flat]


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
