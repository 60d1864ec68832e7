"""Writes TeX font metrics: the sizes of characters in TeX's own file format (D. E. Knuth, TFtoPL, sections 8 to 16)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

DESIGN_PT = 10.0
_HEIGHTS = 16  # distinct values of height and of depth that the format can name


class Box(NamedTuple):
    """A character's size; 1.0 is the size of the font."""

    width: float
    height: float
    depth: float


def metrics(boxes: Mapping[int, Box]) -> bytes:
    """A .tfm file for at least one and at most 256 characters by slot, without kerning and ligatures."""
    first, last = min(boxes), max(boxes)
    widths = [0.0, *sorted({box.width for box in boxes.values()})]
    heights = [0.0, *_steps([box.height for box in boxes.values()])]
    depths = [0.0, *_steps([box.depth for box in boxes.values()])]
    kinds = b""
    for slot in range(first, last + 1):
        box = boxes.get(slot)
        kinds += (
            b"\0\0\0\0"
            if box is None
            else bytes(
                [widths.index(box.width, 1), _at_least(heights, box.height) << 4 | _at_least(depths, box.depth), 0, 0]
            )
        )
    parameters = [0.0, 0.25, 0.1, 0.05, 0.45, 1.0, 0.0]  # slant, space, stretch, shrink, x-height, quad, extra space
    values = [*widths, *heights, *depths, 0.0, *parameters]
    header = struct.pack(">II", 0, int(DESIGN_PT * 2**20))  # a checksum of 0 is not compared
    body = header + kinds + b"".join(struct.pack(">i", round(v * 2**20)) for v in values)
    counts = (2, first, last, len(widths), len(heights), len(depths), 1, 0, 0, 0, len(parameters))
    return struct.pack(">12H", 6 + len(body) // 4, *counts) + body


def _steps(values: Sequence[float]) -> list[float]:
    """At most fifteen of the positive values, such that none of all values is larger than the largest of them."""
    distinct = sorted({v for v in values if v > 0})
    most = _HEIGHTS - 1
    return (
        [distinct[-(-len(distinct) * (i + 1) // most) - 1] for i in range(most)] if len(distinct) > most else distinct
    )


def _at_least(steps: Sequence[float], value: float) -> int:
    return next(i for i, step in enumerate(steps) if step >= value)
