"""Runs inside the sandbox: runs plot.py as it is, and writes beside it what matplotlib was told to draw.

Called as `python -P draw_worker.py PLOT` in the folder with records.json. Leaves drawn.json: for each saved file its
SHA-256 and the data of every bar, line, point, image and text. Imports nothing of the runner, which trusts no answer.
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
MOST = 200_000  # numbers of one figure


def main(plot: str) -> None:
    sys.path.insert(0, os.getcwd())
    sys.argv = [plot]
    saved: dict[str, Any] = {}
    with contextlib.suppress(ImportError):  # a figure that is drawn without matplotlib is refused later
        watch(saved)
    try:
        runpy.run_path(plot, run_name="__main__")
    finally:
        with open(DRAWN, "w") as file:
            json.dump(saved, file)


def watch(saved: dict[str, Any]) -> None:
    """From now on every figure that is saved to a file is described, as it is at that moment."""
    from matplotlib.backend_bases import FigureCanvasBase

    original = FigureCanvasBase.print_figure

    def print_figure(self: Any, filename: Any, *args: Any, **kwargs: Any) -> Any:
        done = original(self, filename, *args, **kwargs)
        if isinstance(filename, (str, os.PathLike)):
            path = os.fspath(filename)
            if not os.path.isfile(path):  # the format's ending was left to matplotlib
                path = f"{path}.{kwargs.get('format') or self.get_default_filetype()}"
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                saved[os.path.basename(path)] = {"sha256": digest, **describe(self.figure)}
        return done

    FigureCanvasBase.print_figure = print_figure  # type: ignore[method-assign]


def describe(figure: Any) -> dict[str, Any]:
    """Everything on a figure that may state a number."""
    from matplotlib.axes import Axes

    axes = [a for a in figure.findobj(lambda artist: isinstance(artist, Axes)) if a.get_visible()]
    plain = [*figure.texts, getattr(figure, "_suptitle", None), *(t for g in figure.legends for t in g.get_texts())]
    plain += [getattr(figure, "_supxlabel", None), getattr(figure, "_supylabel", None)]
    return {"axes": [describe_axes(a) for a in axes], "texts": texts(plain)}


def describe_axes(axes: Any) -> dict[str, Any]:
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
    """Coordinates of an artist; a side that is not in data coordinates (as of axhline) is left out."""
    in_x, in_y = (transform or artist.get_transform()).contains_branch_seperately(axes.transData)
    label = str(artist.get_label())
    return {
        "kind": kind,
        "label": "" if label.startswith("_") else label,
        "x": numbers(x) if in_x else None,
        "y": numbers(y) if in_y else None,
    }


def describe_patch(axes: Any, patch: Any, bar: Any) -> dict[str, Any]:
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
    return [t.get_text() for t in written if t is not None and t.get_visible() and t.get_text().strip()]


def numbers(values: Any) -> list[float | None]:
    """Finite ones; None in the place of others."""
    import numpy as np

    flat = np.ma.filled(np.ma.asarray(values).astype(float), math.nan).ravel()[:MOST]
    return [float(v) if math.isfinite(v) else None for v in flat]


if __name__ == "__main__":
    main(sys.argv[1])
