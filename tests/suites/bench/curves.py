"""Sparsity against recovery as a picture for BENCHMARKS.md: a curve an architecture over a profile's conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paper.pictures.style import LINES, MARKERS, draw
from tests.support import ROOT

IMAGES = ROOT / "docs" / "images"
# Okabe and Ito's colours, which colour-blind eyes tell apart, ordered so that neighbours differ in lightness too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
Curve = Sequence[tuple[float, Mapping[str, tuple[float, float]]]]  # l0 reached, and by metric: mean, standard error


def picture(profile: str, curves: Mapping[str, Curve], metrics: Mapping[str, str]) -> str:
    """Draw docs/images/<profile>.png, a plane for each metric; the line of Markdown that shows it."""

    def paint(canvas: Any) -> None:
        axes = canvas.subplots(1, len(metrics), squeeze=False).ravel()
        for axis, (metric, label) in zip(axes, metrics.items(), strict=True):
            for place, (name, curve) in enumerate(curves.items()):
                means, errors = zip(*(found[metric] for _, found in curve), strict=True)
                axis.errorbar(
                    [l0 for l0, _ in curve],
                    means,
                    yerr=errors,
                    capsize=1.5,
                    elinewidth=0.8,
                    label=name,
                    ls=LINES[place % len(LINES)],
                    color=COLOURS[place % len(COLOURS)],
                    marker=MARKERS[place % len(MARKERS)],
                )
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter("{x:g}")
            axis.set_xlabel("L0 on held-out rows")
            axis.set_ylabel(label)
        handles, names = axes[0].get_legend_handles_labels()
        canvas.legend(handles, names, loc="outside upper center", ncols=len(names))

    drawn = draw(IMAGES / profile, 7.5, 3.0, paint)
    drawn.unlink()  # the page shows the PNG beside it
    return (
        f"![{' and '.join(metrics.values())} against L0, a curve an architecture, profile {profile}]"
        f"(docs/images/{profile}.png)"
    )
