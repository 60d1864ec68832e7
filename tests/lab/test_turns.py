"""Who measures on a GPU waits for the one before."""

from types import SimpleNamespace

import pytest
from filelock import FileLock

from agent.lab.measuring import turns
from agent.lab.measuring.verdict import Stopped


def bench(folder, device, slots, cancelled=lambda: False):
    return SimpleNamespace(
        job=SimpleNamespace(device=device, slots=slots, slots_folder="", folder=str(folder)), cancelled=cancelled
    )


@pytest.mark.parametrize(("device", "slots"), [("cpu", 8), ("cuda", 1)])
def test_on_a_cpu_and_with_one_slot_nobody_waits(tmp_path, device, slots):
    with turns.of_gpu(bench(tmp_path, device, slots)), turns.of_gpu(bench(tmp_path, device, slots)):
        assert not list(tmp_path.iterdir())


def test_with_several_slots_on_a_gpu_the_next_waits_and_a_cancelled_one_leaves(tmp_path):
    asked = []

    def cancelled():
        asked.append(1)
        if len(asked) == 2:
            first.release()
        return len(asked) > 3

    first = FileLock(tmp_path / "measuring.lock")
    first.acquire()
    with turns.of_gpu(bench(tmp_path, "cuda:1", 2, cancelled)):
        assert len(asked) == 2
        with pytest.raises(Stopped, match="cancelled"), turns.of_gpu(bench(tmp_path, "cuda:1", 2, cancelled)):
            pass
