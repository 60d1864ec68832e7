"""Can a figure be read as it is printed? Letters that are too small, and labels that the edge cuts off.

What is judged is what draw_worker.py measured as the figure was saved; code that changes its answer passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.lab.plots import draw_worker
from agent.lab.plots.drawing import Drawing

TEXT_WIDTH, TALLEST = draw_worker.TEXT_WIDTH, draw_worker.TALLEST  # inches that a page has for a figure
SMALLEST = 6.0  # points, as printed
UNMEASURED = 0.8  # share of the text's width that a figure gets whose size nobody knows
MOST = 3  # texts that one line names


def share(drawing: Drawing | None) -> float:
    """The part of the text's width that a figure is printed at: its own size where a page holds that, never larger."""
    if drawing is None or min(drawing.size) <= 0:
        return UNMEASURED
    width, height = drawing.size
    return round(min(TEXT_WIDTH, width, width * TALLEST / height) / TEXT_WIDTH, 3)


def problems(drawings: dict[str, Drawing], names: Iterable[str]) -> list[str]:
    """What cannot be read in these figures, in lines for the agent, with what helps."""
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
