"""Activations on disk: a real permutation, bounded memory, a disk that is asked first."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from agent.core.errors import InfrastructureError
from agent.lab.worlds import load_module
from tests.support import ROOT
from tests.support.lm_world import FOLDER

shards = load_module(FOLDER / "prepare.py").shards
GROW = """
import sys, torch
from pathlib import Path
from agent.lab.worlds import load_module
torch.set_num_threads(1)
shards = load_module(Path("templates/lm_sae/prepare.py")).shards
rows = int(sys.argv[2])
writer = shards.ShuffledShards(Path(sys.argv[1]), rows, 256, "float32", 4000, 1)
block = torch.ones(1000, 256)
for _ in range(rows // 1000):
    writer.add(block)
writer.finish()
print(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")))
"""


def written(folder: Path, rows: int, seed: int, block: int = 50, dtype: str = "float32") -> np.ndarray:
    """Numbers 0..rows-1 in the order in which the shards hold them."""
    writer = shards.ShuffledShards(folder, rows, 1, dtype, 40, seed)
    for start in range(0, rows, block):
        writer.add(torch.arange(start, min(start + block, rows), dtype=torch.float32)[:, None])
    writer.finish()
    about = json.loads((folder / "about.json").read_text())
    return np.concatenate([shards.from_stored(np.load(folder / name), dtype) for name in about["shards"]]).ravel()


def test_every_row_is_there_once_and_the_shards_are_even(tmp_path):
    order = written(tmp_path / "a", 210, 3)

    assert sorted(order) == list(range(210))
    assert [len(np.load(p)) for p in sorted((tmp_path / "a").glob("*.npy"))] == [35] * 6
    about = json.loads((tmp_path / "a" / "about.json").read_text())
    assert about["rows"] == 210 and about["deviation"] == pytest.approx(np.arange(210).std())


def test_any_row_lands_anywhere_with_the_same_chance_and_neighbours_part(tmp_path):
    """Rows come in blocks of 50 (one batch of text); chi-square and runs over 150 seeds, fixed, at p > 0.001."""
    places, together, first = np.zeros((6, 6)), 0, []
    for seed in range(150):
        order = written(tmp_path / str(seed), 240, seed)
        place = np.argsort(order)
        places += np.histogram2d(np.arange(240) // 40, place // 40, bins=(6, 6), range=((0, 6), (0, 6)))[0]
        together += int((np.abs(np.diff(order)) == 1).sum())
        first.append(place[0] / 240)

    assert stats.chisquare(places.ravel()).pvalue > 0.001
    assert stats.kstest(first, "uniform").pvalue > 0.001
    expected = 150 * 2 * 239 / 240  # of neighbours that stay neighbours in a uniform permutation
    assert abs(together - expected) < 4 * np.sqrt(expected)


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    peaks = []
    for number, rows in enumerate((8_000, 80_000)):
        done = subprocess.run(
            [sys.executable, "-c", GROW, str(tmp_path / str(number)), str(rows)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 10  # MB; the corpus grew by 74


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_stored_rows_come_back_as_the_model_made_them(tmp_path, dtype):
    rows = torch.randn(20, 3).to(getattr(torch, dtype))
    assert np.array_equal(shards.from_stored(shards.to_stored(rows, dtype), dtype), rows.float().numpy())
    assert shards.bytes_needed(1, 10, dtype) == 10 * rows.element_size()


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path):
    line = shards.check_disk(tmp_path, 10**6, "some activations")
    assert "some activations: 0.00 GB on disk" in line and str(tmp_path) in line
    with pytest.raises(InfrastructureError, match="1000000000.00 GB on disk; .* are free in .* smaller profile"):
        shards.check_disk(tmp_path, 10**18, "some activations")
