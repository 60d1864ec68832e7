"""Draws a figure in the one style of a session: serif like the paper's text, readable in grey and by the colour-blind.

The style itself, and the colour and marker of each run, are in agent/core/looks.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.looks import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SYSTEM_FONTS = (  # of Debian's fonts-droid-fallback, because matplotlib's own fonts have no Han, kana or hangul
    Path("/usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
)
# Of conditions, by their order.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (6, 2, 1, 2)))

GREY = "#cccccc"  # of curves in the background
# Of the values of single seeds.
SEED: dict[str, Any] = {"marker": "o", "ls": "none", "mfc": "none", "mec": "#8a8a8a", "ms": 3, "mew": 0.6, "zorder": 2}


def draw(path: Path, width: float, height: float, paint: Callable[[Canvas], None]) -> Path:
    """Let `paint` draw on a fresh canvas of this size in inches, and save it as PDF, with a PNG beside it.

    The same data give the same bytes. Returns the path of the PDF.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    settings: dict[Any, Any] = {**STYLE, "font.family": [*STYLE["font.family"], *system_fonts()]}
    with mpl.rc_context({**mpl.rcParamsDefault, **settings, "backend": mpl.rcParams["backend"]}):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(canvas)  # the layout needs a backend that can measure letters
        paint(canvas)
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None, "Creator": None, "Producer": None})
        canvas.savefig(path.with_suffix(".png"), metadata={"Software": None})
    return path.with_suffix(".pdf")


@cache
def system_fonts() -> tuple[str, ...]:
    """The names of this machine's fonts for Han, kana and hangul, after they were registered with matplotlib."""
    from matplotlib.font_manager import FontProperties, fontManager

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it warns that these fonts have no bold
    there = [path for path in SYSTEM_FONTS if path.is_file()]
    for path in there:
        fontManager.addfont(path)
    return tuple(dict.fromkeys(FontProperties(fname=path).get_name() for path in there))
