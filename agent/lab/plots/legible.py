"""Checks whether a figure is legible as it is printed: texts that are too small, and labels cut off at the edge.

It judges what draw_worker.py measured when the figure was saved. Code that changes this answer is not noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.lab.plots import draw_worker
from agent.lab.plots.drawing import Drawing

TEXT_WIDTH, TALLEST = draw_worker.TEXT_WIDTH, draw_worker.TALLEST
SMALLEST = 6.0  # points, as printed
UNMEASURED = 0.8  # share of the text's width for a figure whose size is not known
MOST = 3  # texts that one line names


def share(drawing: Drawing | None) -> float:
    """The share of the text's width at which a figure is printed: its own size, or less if the page is smaller."""
    if drawing is None or min(drawing.size) <= 0:
        return UNMEASURED
    width, height = drawing.size
    return round(min(TEXT_WIDTH, width, width * TALLEST / height) / TEXT_WIDTH, 3)


def problems(drawings: dict[str, Drawing], names: Iterable[str]) -> list[str]:
    """Lines for the agent about what cannot be read in these figures, each with its remedy."""
    return [f"{name}: {text}" for name in names if name in drawings for text in _of(drawings[name])]


def _of(drawing: Drawing) -> Iterator[str]:
    width, height = drawing.size
    if min(width, height) <= 0:
        return
    scale = share(drawing) * TEXT_WIDTH / width
    small = [(text, size * scale) for text, size in drawing.letters if size * scale < SMALLEST - 0.05]
    if small:
        named = ", ".join(f'"{text}" ({size:.1f} pt)' for text, size in small[:MOST])
        yield (
            f"it is saved {width:.1f} by {height:.1f} inches and printed {width * scale:.1f} inches wide, where "
            f"{named} {'is' if len(small) == 1 else 'are'} smaller than {SMALLEST:g} pt; draw it at most "
            f"{TEXT_WIDTH:g} by {TALLEST:g} inches (figsize) and leave the sizes of letters to the style"
        )
    if drawing.clipped:
        named = ", ".join(f'"{text}"' for text in drawing.clipped[:MOST])
        yield (
            f"the edge of the picture cuts off {named}; create it with layout='constrained', or save it with "
            "bbox_inches='tight', or shorten or rotate the label"
        )
