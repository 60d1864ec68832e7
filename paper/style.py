"""One look for all figures: serif like the paper's text, readable in grey and to colour-blind eyes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

TEXT_WIDTH = 5.5  # inches; the class's \textwidth, so that figures are never scaled
# Okabe and Ito's colours, ordered so that neighbours differ in lightness too; each has its marker and line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[object, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (6, 2, 1, 2)))
_RC = {
    "font.family": "serif", "font.serif": ["STIXGeneral"], "mathtext.fontset": "stix", "font.size": 8.5,
    "axes.titlesize": 8.5, "axes.labelsize": 8.5, "xtick.labelsize": 7.5, "ytick.labelsize": 8,
    "legend.fontsize": 7.5, "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5,
    "ytick.major.size": 2.5, "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.5,
    "axes.axisbelow": True, "lines.linewidth": 1.2, "lines.markersize": 4.5, "pdf.fonttype": 42,
    "axes.formatter.useoffset": False, "figure.dpi": 100, "savefig.dpi": 200, "text.usetex": False,
}


def draw(path: Path, width: float, height: float, paint: Callable[[Canvas], None]) -> Path:
    """Paint onto a fresh canvas and save it as PDF, with a PNG beside it. The same data give the same bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context({**mpl.rcParamsDefault, **_RC, "backend": mpl.rcParams["backend"]}):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        paint(canvas)
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None, "Creator": None, "Producer": None})
        canvas.savefig(path.with_suffix(".png"), metadata={"Software": None})
    return path.with_suffix(".pdf")


def look(index: int) -> dict[str, object]:
    """Colour and marker of the i-th run."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
