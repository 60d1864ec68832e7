"""One look for all figures: serif like the paper's text, readable in grey and to colour-blind eyes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.looks import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SYSTEM_FONTS = (  # Debian's fonts-droid-fallback; matplotlib itself ships no Han, kana or hangul
    Path("/usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
)
# Where there are no runs to tell apart: Okabe and Ito's colours, ordered so that neighbours differ in lightness too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (6, 2, 1, 2)))

GREY = "#cccccc"  # what stands behind
SEED: dict[str, Any] = {"marker": "o", "ls": "none", "mfc": "none", "mec": "#8a8a8a", "ms": 3, "mew": 0.6, "zorder": 2}


def draw(path: Path, width: float, height: float, paint: Callable[[Canvas], None]) -> Path:
    """Paint onto a fresh canvas and save it as PDF, with a PNG beside it. The same data give the same bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    settings: dict[Any, Any] = {**STYLE, "font.family": [*STYLE["font.family"], *system_fonts()]}
    with mpl.rc_context({**mpl.rcParamsDefault, **settings, "backend": mpl.rcParams["backend"]}):
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
    """Colour and marker of the i-th of several series that are no runs."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
