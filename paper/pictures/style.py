"""One look for all figures: serif like the paper's text, readable in grey and to colour-blind eyes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from matplotlib.typing import RcKeyType

SYSTEM_FONTS = (  # Debian's fonts-droid-fallback; matplotlib itself ships no Han, kana or hangul
    Path("/usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
)
TEXT_WIDTH = 5.5  # inches; the class's \textwidth, so that figures are never scaled
# Okabe and Ito's colours, ordered so that neighbours differ in lightness too; each has its marker and line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (6, 2, 1, 2)))

GREY = "#cccccc"  # what stands behind
SEED: dict[str, Any] = {"marker": "o", "ls": "none", "mfc": "none", "mec": "#8a8a8a", "ms": 3, "mew": 0.6, "zorder": 2}
_RC: dict[RcKeyType, Any] = {
    "font.family": ["STIXGeneral", "DejaVu Serif", "DejaVu Sans"],  # the next one has what the one before lacks
    "mathtext.fontset": "stix",
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,
    "axes.formatter.useoffset": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "text.usetex": False,
}
# Where a name may stand beside its marker: offset in points, horizontal and vertical alignment; best first.
_BESIDE = (
    (6, 0, "left", "center"),
    (-6, 0, "right", "center"),
    (0, 6, "center", "bottom"),
    (0, -6, "center", "top"),
    (5, 5, "left", "bottom"),
    (-5, 5, "right", "bottom"),
    (5, -5, "left", "top"),
    (-5, -5, "right", "top"),
    (5, 12, "left", "bottom"),
    (-5, 12, "right", "bottom"),
    (5, -12, "left", "top"),
    (-5, -12, "right", "top"),
    (14, 7, "left", "bottom"),
    (14, -7, "left", "top"),
    (-14, 7, "right", "bottom"),
    (-14, -7, "right", "top"),
)


class Point(NamedTuple):
    """A marker that has a name, and how far its bars reach to either side, in data units."""

    x: float
    y: float
    name: str
    bold: bool
    x_bar: float = 0.0
    y_bar: float = 0.0


def draw(path: Path, width: float, height: float, paint: Callable[[Canvas], None]) -> Path:
    """Paint onto a fresh canvas and save it as PDF, with a PNG beside it. The same data give the same bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    fonts: dict[RcKeyType, Any] = {"font.family": [*_RC["font.family"], *system_fonts()]}
    with mpl.rc_context({**mpl.rcParamsDefault, **_RC, **fonts, "backend": mpl.rcParams["backend"]}):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(canvas)  # it measures letters
        paint(canvas)
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None, "Creator": None, "Producer": None})
        canvas.savefig(path.with_suffix(".png"), metadata={"Software": None})
    return path.with_suffix(".pdf")


@cache
def system_fonts() -> tuple[str, ...]:
    """Names of this machine's fonts for Han, kana and hangul, made known to matplotlib."""
    from matplotlib.font_manager import FontProperties, fontManager

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # these fonts have no bold, which is no matter
    there = [path for path in SYSTEM_FONTS if path.is_file()]
    for path in there:
        fontManager.addfont(path)
    return tuple(dict.fromkeys(FontProperties(fname=path).get_name() for path in there))


def look(index: int) -> dict[str, Any]:
    """Colour and marker of the i-th run."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def name_points(axis: Any, points: Sequence[Point]) -> None:
    """Write each name beside its point, where it covers neither a point, nor a bar, nor another name."""
    from matplotlib.transforms import Bbox

    axis.figure.draw_without_rendering()  # the layout is then final, and letters have extents
    renderer = axis.figure.canvas.get_renderer()
    inside = axis.get_window_extent(renderer)
    to_pixels = axis.transData.transform
    corners = [to_pixels((point.x, point.y)) - 4 for point in points]
    taken = [Bbox.from_bounds(left, low, 8, 8) for left, low in corners]
    for x, y, _, _, x_bar, y_bar in points:
        taken += [
            Bbox([to_pixels((x - x_bar, y)) - 2, to_pixels((x + x_bar, y)) + 2]),
            Bbox([to_pixels((x, y - y_bar)) - 2, to_pixels((x, y + y_bar)) + 2]),
        ]
    for place, (x, y, name, bold, _, _) in enumerate(points):
        best: tuple[float, Any, Any] | None = None
        for dx, dy, horizontal, vertical in _BESIDE:
            text = axis.annotate(
                name,
                (x, y),
                (dx, dy),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=7.5,
                fontweight="bold" if bold else "normal",
                annotation_clip=False,
            )
            text.set_in_layout(False)
            box = text.get_window_extent(renderer)
            others = [b for i, b in enumerate(taken) if i != place]
            cost = sum(_overlap(box, b) for b in others) + 3 * (box.width * box.height - _overlap(box, inside))
            near = [_distance(box, b) for b in taken[: len(points)]]
            cost += 50 * sum(d <= near[place] for i, d in enumerate(near) if i != place)  # it would name that one
            if best is None or cost < best[0] - 1e-6:
                if best is not None:
                    best[1].remove()
                best = (cost, text, box)
            else:
                text.remove()
        if best is not None:
            taken.append(best[2])


def _overlap(one: Any, two: Any) -> float:
    width = min(one.x1, two.x1) - max(one.x0, two.x0)
    height = min(one.y1, two.y1) - max(one.y0, two.y0)
    return max(0.0, width) * max(0.0, height)


def _distance(one: Any, two: Any) -> float:
    """Between two boxes; 0 where they touch."""
    across = max(one.x0 - two.x1, two.x0 - one.x1, 0.0)
    along = max(one.y0 - two.y1, two.y0 - one.y1, 0.0)
    return float((across**2 + along**2) ** 0.5)
