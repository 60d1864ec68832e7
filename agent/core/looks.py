"""The style of every figure of a session: matplotlib's settings, and a colour and a marker for each run.

The runner's own figures (paper/pictures) and those that a template's plot.py draws in the sandbox share both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from agent.core.record import RunRecord

TEXT_WIDTH = 5.5  # inches; figures are drawn for the width of the paper's text, so that none is scaled
# Baselines have cold colours and discs or triangles, experiments have warm colours and other shapes. The colours of
# the two groups can be told apart by colour-blind readers as well.
BASELINE_COLOURS = ("#0072B2", "#56B4E9", "#000000")
BASELINE_MARKERS = ("o", "^", "v", "<", ">")
EXPERIMENT_COLOURS = ("#D55E00", "#882255", "#E69F00", "#CC79A7", "#661100", "#CC6677")
EXPERIMENT_MARKERS = ("s", "D", "P", "X", "*", "p", "d", "h", "8")
SIZE = 4.5  # points; the size of a marker, except for those that look smaller or larger than they are
SIZES = {"D": 4.0, "P": 5.4, "X": 5.4, "*": 6.8, "p": 5.2, "d": 5.2}

# matplotlib's settings by their names. A font supplies the letters that the fonts before it lack.
STYLE: dict[str, Any] = {
    "font.family": ["STIXGeneral", "DejaVu Serif", "DejaVu Sans"],
    "mathtext.fontset": "stix",
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "legend.handlelength": 1.4,
    "legend.labelspacing": 0.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.4,
    "axes.axisbelow": True,
    "axes.prop_cycle": f"cycler('color', {[*EXPERIMENT_COLOURS[:1], *BASELINE_COLOURS, *EXPERIMENT_COLOURS[1:]]})",
    "lines.linewidth": 1.2,
    "lines.markersize": SIZE,
    "errorbar.capsize": 2,
    "axes.formatter.useoffset": False,
    "pdf.fonttype": 42,  # TrueType, so that the letters of a figure stay text
    "ps.fonttype": 42,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "text.usetex": False,
}


class Look(TypedDict):
    """A run's colour and marker under matplotlib's names: `axis.plot(x, y, **look)`."""

    color: str
    marker: str
    markersize: float  # points


def looks(records: Sequence[RunRecord]) -> dict[str, Look]:
    """Each run's look, by the run's id. A run keeps its look when later runs are added.

    The two runs of a confirmation look like the runs that they repeat.
    """
    found: dict[str, Look] = {}
    seen = {"baseline": 0, "experiment": 0}
    for record in (r for r in records if r.kind != "confirmation"):
        found[record.run] = _look(seen[record.kind], record.kind == "baseline")
        seen[record.kind] += 1
    repeats = {r.run: found[r.parent] for r in records if r.kind == "confirmation" and r.parent in found}
    return found | repeats


def _look(place: int, baseline: bool) -> Look:
    colours = BASELINE_COLOURS if baseline else EXPERIMENT_COLOURS
    markers = BASELINE_MARKERS if baseline else EXPERIMENT_MARKERS
    marker = markers[place % len(markers)]
    return {"color": colours[place % len(colours)], "marker": marker, "markersize": SIZES.get(marker, SIZE)}
