"""A training of templates/saes that was killed goes on from its checkpoint, and ends as if nobody had killed it."""

import json
import random

import numpy as np
import pytest
import torch

from tests.support.lm_world import FOLDER, HOOK

saes = pytest.importorskip("saes")
from saes.checkpoint import Checkpoint  # noqa: E402

STEPS = 60
RECIPE = saes.Recipe(steps=STEPS, lr=0.01, dead_after=300, resamplings=3)
ALL = [getattr(saes, name) for name in saes.__all__ if name.endswith("SAE") and name != "SAE"]


class Killed(Exception):
    pass


class Noisy(saes.BatchTopKSAE):
    """What an experiment may add: attributes of its own, and chance from three generators."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.seen, self.mean = [], None

    def loss(self, x, step):
        self.seen.append(float(x.sum()))
        self.mean = x.mean(0) if self.mean is None else self.mean.lerp(x.mean(0), 0.1)
        noise = 0.01 * torch.randn_like(x) + 1e-3 * np.random.rand() + 1e-3 * random.random()
        return super().loss(x + noise + 0.01 * self.mean, step)


def dies(step):
    """A killed process leaves the checkpoints from before its last step."""

    class Dying(Checkpoint):
        steps = 0

        @property
        def due(self):
            self.steps += 1
            if self.steps == step + 1:
                raise Killed
            return self.steps == step

    return Dying


def begin(architecture, rows):
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    sae = architecture(8, 24, 3)
    sae.start(rows.first(100))
    return sae


def file_rows(folder):
    np.save(folder / "activations.npy", np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32))
    return saes.open_rows({"data": str(folder), "device": "cpu"})


def shard_rows(folder):
    place = folder / HOOK
    place.mkdir()
    for name in ("a", "b", "c"):
        rows = np.random.default_rng(ord(name)).standard_normal((170, 8)).astype(np.float32)
        np.save(place / f"{name}.npy", rows)
    about = {"rows": 510, "d_in": 8, "dtype": "float32", "shards": ["a.npy", "b.npy", "c.npy"], "deviation": 2.0}
    (place / "about.json").write_text(json.dumps(about))
    return saes.open_rows({"data": str(folder), "device": "cpu", "hook_name": HOOK, "seed": 5})


def trained(rows, architecture, folder, checkpoint):
    sae = begin(architecture, rows)
    numbers = saes.train(sae, rows.batches(32, STEPS), RECIPE, folder / "log.jsonl", checkpoint)
    sae.save(folder / "sae.safetensors")
    return (folder / "sae.safetensors").read_bytes(), (folder / "log.jsonl").read_text(), numbers, vars(sae)


@pytest.mark.parametrize("kind", [file_rows, shard_rows])
@pytest.mark.parametrize("architecture", [*ALL, Noisy], ids=lambda a: a.__name__)
@pytest.mark.parametrize("step", [1, 31])
def test_a_killed_training_ends_as_an_undisturbed_one(tmp_path, kind, architecture, step):
    rows, saved = kind(tmp_path), tmp_path / "state"
    whole = trained(rows, architecture, tmp_path, None)
    (tmp_path / "log.jsonl").unlink()
    with pytest.raises(Killed):
        trained(rows, architecture, tmp_path, dies(step)(saved, None, 1 << 24))
    (tmp_path / "log.jsonl").unlink()  # a new process begins in an empty folder
    resumed = trained(rows, architecture, tmp_path, Checkpoint(saved, saved, 1 << 24, 1e9))

    assert resumed[:3] == whole[:3]
    assert getattr(architecture, "seen", None) is None and resumed[3].get("seen") == whole[3].get("seen")


def test_what_cannot_be_saved_is_said_once_and_the_training_goes_on(tmp_path, capsys):
    class Odd(saes.TopKSAE):
        def loss(self, x, step):
            self.kept = lambda: x
            return super().loss(x, step)

    rows = file_rows(tmp_path)
    whole = trained(rows, Odd, tmp_path, None)[0]
    assert trained(rows, Odd, tmp_path, Checkpoint(tmp_path / "state", None, 1 << 24, 0.0))[0] == whole
    assert trained(rows, saes.TopKSAE, tmp_path, Checkpoint(tmp_path / "state", None, 5000, 0.0))[0] == whole

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(line.startswith("no checkpoints: this training cannot be saved: ") for line in said)
    assert "larger than the limits of its template allow" in said[1]
    assert not (tmp_path / "state").exists() and not (tmp_path / "state.part").exists()


def test_the_task_of_a_job_says_where_checkpoints_lie():
    told = {"save": "/checkpoint/state", "load": "", "most_bytes": 10}

    assert Checkpoint.of({}) is None
    assert Checkpoint.of({"checkpoint": told, "checkpoint_s": 0}).due
    assert not Checkpoint.of({"checkpoint": told}).due and Checkpoint.of({"checkpoint": told}).loaded() is None
    assert FOLDER.is_dir()
