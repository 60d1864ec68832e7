"""Activations that a model makes while a training reads them: the same rows for all, as if they were cached."""

import json
import shutil

import numpy as np
import pytest
import torch

from agent.core.errors import InfrastructureError, UserError
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.train import train
from agent.lab.worlds import load_module
from agent.sandbox.boxes import BubblewrapSandbox
from tests.support.lm_world import FOLDER, HOOK, SMALL, TASK, TEMPLATE, draw, lm_job, trained

STREAMED = {**SMALL, "streamed": True, "shuffle_rows": 3000, "samples": 12_800}
BLOCK = 3000 // 15 * 15  # whole sequences of 15 rows
streams = load_module(FOLDER / "prepare.py").streams


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    for above in (folder, folder.parent):
        above.chmod(0o755)  # the sandbox's user must reach its mounts
    return draw(folder / "world", STREAMED)


def rows(world, count, seed=0, start=0, **changed) -> np.ndarray:
    settings = {**TASK, **STREAMED, **changed}
    found, blocks = [], load_module(FOLDER / "feed.py").rows(settings, world / "truth", seed, start)
    while sum(map(len, found)) < count:
        found.append(next(blocks))
    return np.concatenate(found)[:count]


def stream_of(world, folder, count, shards) -> None:
    """Cached rows: those of the stream, in its order."""
    place = folder / "train" / HOOK
    place.mkdir(parents=True)
    about = json.loads((world / "train" / HOOK / "about.json").read_text())
    names = [f"{number:05d}.npy" for number in range(shards)]
    for name, part in zip(names, np.array_split(rows(world, count), shards), strict=True):
        np.save(place / name, part)
    (place / "about.json").write_text(json.dumps({**about, "shards": names}))


def bench_of(folder, world, **changes) -> Bench:
    profile = TEMPLATE.manifest.profiles["tiny"]
    job = lm_job(folder, profile, {**STREAMED, **changes}, folder / "train", world / "truth")
    return Bench.of(job, 0, job.conditions[0], BubblewrapSandbox(), lambda: False)


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
def test_a_streamed_training_equals_a_cached_one_at_the_same_rows_and_order(tmp_path, world):
    (tmp_path / "cached").mkdir()
    (tmp_path / "fed").mkdir()
    stream_of(world, tmp_path / "cached", STREAMED["samples"], 1)
    stream_of(world, tmp_path / "fed", 10_000, 1)  # the sample that sets bias and scale: the first rows in both
    cached = trained(tmp_path / "alone", tmp_path / "cached", "experiment.py", {**TASK, "samples": 12_800})
    bench = bench_of(tmp_path / "fed", world)

    end = train(bench, bench.paths, bench.settings)

    assert end.reason == "ok", bench.paths.text("train.stderr").read_text()
    assert json.loads((bench.paths.out / "feed.json").read_text()) == {"row": 0}
    assert (bench.paths.out / "sae.safetensors").read_bytes() == (cached / "sae.safetensors").read_bytes()
    assert (bench.paths.out / "log.jsonl").read_text() == (cached / "log.jsonl").read_text()


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
def test_a_feeder_that_fails_is_the_runners_loss_and_says_why(tmp_path, world):
    (tmp_path / "fed").mkdir()
    stream_of(world, tmp_path / "fed", 1000, 1)
    bench = bench_of(tmp_path / "fed", world, hook_name="blocks.0.hook_resid_post")
    truth = tmp_path / "truth"
    shutil.copytree(world / "truth", truth)
    (truth / "stream.json").unlink()
    moved = bench.job.model_copy(update={"truth_data": str(truth)})

    with pytest.raises(InfrastructureError, match=r"feed.py: gave no more rows: .*stream.json"):
        train(Bench.of(moved, 0, moved.conditions[0], bench.sandbox, bench.cancelled), bench.paths, bench.settings)


def test_rows_depend_on_world_and_seed_and_any_row_is_a_beginning(world):
    whole = rows(world, 2 * BLOCK + 500)

    assert whole.shape == (2 * BLOCK + 500, 32) and whole.dtype == np.float32
    assert np.array_equal(rows(world, 700, start=BLOCK - 300), whole[BLOCK - 300 : BLOCK + 400])
    assert np.array_equal(rows(world, 500, start=2 * BLOCK), whole[2 * BLOCK :])
    other = rows(world, BLOCK, seed=1)
    assert not np.array_equal(other, whole[:BLOCK])
    assert np.array_equal(np.sort(other, axis=0), np.sort(whole[:BLOCK], axis=0)), "another order of the same rows"


def test_a_block_holds_the_rows_of_its_text_in_random_order(world):
    """The rows of one sequence are spread over the whole block."""
    model = load_module(FOLDER / "evaluate.py").load_truth(world / "truth", TASK).model
    note = streams.read_note(world / "truth")
    text = streams.training_text(note, model, STREAMED)
    first = torch.from_numpy(next(text).astype(np.int64))[None]
    made = streams.rows_of(model, first, HOOK).numpy()
    block = rows(world, BLOCK)
    places = [int(np.abs(block - row).max(axis=1).argmin()) for row in made]

    assert np.allclose(block[places], made, atol=1e-5) and len(set(places)) == 15
    assert max(places) - min(places) > BLOCK / 2 and sorted(places) != places


def test_rows_are_stored_as_shards_store_them(world):
    stored = rows(world, 1000, dtype="float32")
    halved = streams.shards.to_stored(torch.from_numpy(stored), "bfloat16")

    assert halved.dtype == np.int16
    assert np.allclose(streams.shards.from_stored(halved, "bfloat16"), stored, rtol=0.01)


def test_a_text_that_ends_is_told_with_how_many_rows_it_gave(world):
    model = load_module(FOLDER / "evaluate.py").load_truth(world / "truth", TASK).model
    text = iter([np.zeros(16, np.int32)] * 250)
    settings = {**TASK, **STREAMED}
    blocks = streams.shuffled(model, text, settings, str(settings["hook_name"]), (1, 0), 100)

    assert len(next(blocks)) == BLOCK - 100
    with pytest.raises(UserError, match=f"its text ends after {BLOCK - 100} rows; lower samples"):
        next(blocks)


def test_the_note_of_a_stream_tells_no_secret_and_the_world_is_the_same_otherwise(world):
    note = json.loads((world / "truth" / "stream.json").read_text())

    assert note.keys() == {"shuffle", "words", "training"}
    assert str(2**200 + 1) not in json.dumps(note)
    assert not list((world / "train").rglob("stream.json"))
