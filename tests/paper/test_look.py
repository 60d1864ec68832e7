"""The one look of all figures survives a grey printer and colour-blind eyes, and names stand beside their points."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.transforms import Bbox

from paper.pictures.style import COLOURS, GREY, LINES, MARKERS, Point, draw, look, name_points

# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as other eyes see it.
EYES = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear RGB, D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz / np.array([0.9505, 1, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_any_two_series_differ_without_their_colour():
    assert len(set(MARKERS)) == len(set(map(str, LINES))) == len(COLOURS) == len(set(COLOURS))
    assert all(one["marker"] != two["marker"] for one, two in combinations(map(look, range(len(COLOURS))), 2))


@pytest.mark.parametrize("eye", EYES)
def test_baselines_and_experiments_differ_in_colour_to_all_eyes(eye):
    one, two = (lab(np.array(EYES[eye]) @ linear(look(i)["color"])) for i in (0, 1))

    assert np.linalg.norm(one - two) > 20


def test_what_stands_behind_is_paler_than_what_stands_out_also_in_grey():
    behind = lab(linear(GREY))[0]

    assert all(behind - lab(linear(look(i)["color"]))[0] > 20 for i in (0, 1))


def test_names_cover_no_other_name_and_stay_inside(tmp_path):
    points = [Point(0.1 * i, 0.02 * (i % 3), f"A run called {i}", i == 3, 0.02, 0.004) for i in range(8)]
    seen = {}

    def paint(canvas):
        axis = canvas.subplots()
        axis.plot([p[0] for p in points], [p[1] for p in points], "o")
        axis.margins(0.3)
        name_points(axis, points)
        boxes = [text.get_window_extent() for text in axis.texts]
        bars = [Bbox(axis.transData.transform([(p.x - p.x_bar, p.y), (p.x + p.x_bar, p.y)])) for p in points]
        seen["overlaps"] = sum(a.overlaps(b) for a, b in combinations(boxes, 2))
        seen["struck out"] = sum(text.overlaps(bar) for text in boxes for bar in bars)
        seen["bold"] = [text.get_text() for text in axis.texts if text.get_fontweight() == "bold"]
        frame = axis.get_window_extent()
        seen["outside"] = sum(b.x0 < frame.x0 - 1 or b.x1 > frame.x1 + 1 for b in boxes)

    draw(tmp_path / "figure", 5.5, 3.0, paint)

    assert seen == {"overlaps": 0, "struck out": 0, "bold": ["A run called 3"], "outside": 0}
