"""The one look of all figures survives a grey printer and colour-blind eyes, and is a run's own."""

import numpy as np
import pytest

from agent.core.looks import BASELINE_COLOURS, EXPERIMENT_COLOURS, looks
from paper.pictures.style import GREY, LINES, MARKERS
from tests.support import paper_fixture

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


def records(baselines=3, experiments=7):
    one, other, *_ = paper_fixture.records()
    other = other.model_copy(update={"kind": "experiment"})
    first = [one.model_copy(update={"run": f"0.{i}"}) for i in range(baselines)]
    return [*first, *(other.model_copy(update={"run": str(i)}) for i in range(1, experiments + 1))]


def test_any_two_conditions_differ_without_a_colour():
    assert len(set(MARKERS)) == len(MARKERS) == len(set(map(str, LINES))) == len(LINES)


def test_any_two_runs_differ_without_their_colour():
    given = looks(records())

    assert len({one["marker"] for one in given.values()}) == len(given) == 10


def test_a_run_keeps_its_look_when_others_follow_and_its_confirmation_looks_like_it():
    arms = paper_fixture.confirmation()
    few, many = (looks([*paper_fixture.records(), *more, *arms]) for more in ([], records(0, 9)[4:]))

    assert all(many[run] == one for run, one in few.items())
    assert many["confirm.best"] == many["2"] and many["confirm.baseline"] == many["0.topk"]


@pytest.mark.parametrize("eye", EYES)
def test_a_baseline_differs_from_every_experiment_in_colour_to_all_eyes(eye):
    cold, warm = ([lab(np.array(EYES[eye]) @ linear(c)) for c in cs] for cs in (BASELINE_COLOURS, EXPERIMENT_COLOURS))

    assert min(np.linalg.norm(one - two) for one in cold for two in warm) > 20


def test_what_stands_behind_is_paler_than_what_stands_out_also_in_grey():
    behind = lab(linear(GREY))[0]

    assert all(behind - lab(linear(one["color"]))[0] > 10 for one in looks(records()).values())
