"""What a profile takes, reckoned from its settings."""

import pytest

from agent.app.sizes import Sizes, lines
from tests.support.lm_world import TEMPLATE
from tests.support.tiny import TINY


def sizes(name: str, seeds: int = 21, cuda: bool = True) -> Sizes:
    return Sizes(TEMPLATE.manifest.profiles[name], seeds, cuda, 2)


def test_cached_activations_are_counted_for_every_world():
    gemma = sizes("gemma-2-2b")

    assert gemma.activations_gb == pytest.approx(2 * 5e6 * 2304 * 2 / 1e9)
    assert gemma.worlds == 2 and gemma.tokens == 21 * 4 * 4_999_168
    said = "\n".join(lines(gemma))
    assert "5.0M tokens a training, 419.9M in all" in said
    assert "disk: 46.1 GB of activations, for 2 worlds 92.2 GB where there is room" in said and "cached on disk" in said
    assert "GPU memory: 1.7 GB a training, 8.4 GB while it is measured" in said


def test_a_stream_takes_memory_and_the_model_s_time_in_the_place_of_disk():
    streamed = sizes("gemma-2-2b-streamed")
    said = "\n".join(lines(streamed))

    assert "500.0M tokens a training, 10.5B in all" in said
    assert (
        "disk: 0.9 GB of activations, for 2 worlds 1.8 GB where there is room" in said
        and "made by the model anew in each training" in said
    )
    assert "memory: 6.9 GB beside each training" in said
    assert streamed.training_gb > streamed.model_gb > 5
    training, model = streamed.hours
    assert training == pytest.approx(21 * 6 * 499_998_720 * 2304 * 16384 / 3.6e17)
    assert f"about {training:,.1f} h of training steps and about {model:,.1f} h for the language model" in said


def test_a_cpu_is_told_no_gpu_memory_and_other_templates_nothing():
    said = "\n".join(lines(sizes("tiny", cuda=False)))

    assert "GPU" not in said and "at 20 billion operations a second" in said and "language model" not in said
    assert list(lines(Sizes(TINY.manifest.profiles["wide"], 3, False, 1)))
    unknown = TINY.manifest.profiles["wide"].model_copy(update={"settings": {"d_in": 3}})
    assert not list(lines(Sizes(unknown, 3, False, 1)))
