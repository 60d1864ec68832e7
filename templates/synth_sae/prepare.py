"""Draws a synthetic world with known features and writes its activations. Only the runner runs it.

The world is sae_lens's SyntheticModel: hierarchical, correlated, Zipf-distributed features in superposition. It is
drawn from a secret. torch's CPU generator keeps only 32 bits of a seed, so an experiment could find a world that was
seeded that way by search; here the secret fills the generator's whole state. With the setting `world`, the features and
their statistics are those of a published world, and only the rows are drawn from the secret.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from agent import InfrastructureError, UserError

WORLD, NOTE = "world", "stream.json"  # written beside the truth, for feed.py
CHUNK_BYTES = 1 << 26  # of true feature activations that are sampled at a time; sampling takes about ten times as much


def prepare(settings: dict, secret: int, train_dir: Path, truth_dir: Path) -> None:
    """Writes `activations.npy` into train_dir, and into truth_dir, which no experiment sees, held-out rows and truth.

    Raises:
        UserError, InfrastructureError: the published world cannot be used, or `streamed` is set without one.
    """
    world_seed, train_seed, held_out_seed, stream_seed = np.random.SeedSequence(secret).spawn(4)
    source = str(settings.get("world", ""))
    world = published_world(source, settings) if source else draw_world(settings, world_seed)
    directions = world.feature_dict.feature_vectors.detach().numpy()
    # in one file with the directions, because the parents alone are the same in every world, and so is their hash
    parent = parents(world.hierarchy.roots, int(settings["num_features"]))
    np.savez(truth_dir / "features.npz", directions=directions, parent=parent)
    fill_torch_generator(train_seed)
    write_rows(world, int(settings["pool"]), train_dir / "activations.npy", None)
    fill_torch_generator(held_out_seed)
    write_rows(world, int(settings["held_out"]), truth_dir / "x.npy", truth_dir / "feature_acts.npz")
    if settings.get("streamed"):
        keep_for_stream(world, settings, stream_seed, train_dir, truth_dir)


def published_world(source: str, settings: dict):
    """A SyntheticModel by the name of its repository on the Hugging Face hub, or from the folder where it was saved.

    Raises:
        InfrastructureError: it cannot be loaded.
        UserError: its size is not the one in the settings.
    """
    try:
        world = loaded(source)
    except Exception as problem:  # the hub raises a dozen kinds of exceptions
        why = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise InfrastructureError(f"world {source}: cannot be loaded from a folder or the hub: {why}") from problem
    found = world.cfg.num_features, world.cfg.hidden_dim
    if found != (int(settings["num_features"]), int(settings["d_in"])):
        raise UserError(f"world {source}: num_features = {found[0]} and d_in = {found[1]}, unlike the profile's")
    return world


def loaded(source: str, device: str = "cpu"):
    """Loads a world with sae_lens's own loader. What it draws at random is the same each time."""
    from sae_lens.synthetic import SyntheticModel

    fill_torch_generator(np.random.SeedSequence(0))
    return SyntheticModel.load_from_source(source, device=device)


def keep_for_stream(world, settings: dict, seed: np.random.SeedSequence, train_dir: Path, truth_dir: Path) -> None:
    """Writes what feed.py draws rows from, and about.json, which tells trainings to take the rows on disk as a sample.

    Its `deviation` makes the library's scale of the rows one, so that they keep their own.

    Raises:
        UserError: the world is not a published one; the file of a drawn world does not hold all of it.
    """
    if not settings.get("world"):
        raise UserError("streamed: rows can only be streamed from a published `world`; set it, or leave `streamed` out")
    world.save(truth_dir / WORLD)
    (truth_dir / NOTE).write_text(json.dumps({"stream": seed.generate_state(8, np.uint32).tolist()}))
    d_in = int(settings["d_in"])
    about = {"rows": int(settings["pool"]), "d_in": d_in, "dtype": "float32", "shards": ["activations.npy"]}
    (train_dir / "about.json").write_text(json.dumps({**about, "deviation": d_in**0.5}))


def fill_torch_generator(seed: np.random.SeedSequence) -> None:
    """Fills all 624 words of torch's global Mersenne Twister; `manual_seed` keeps only 32 bits of a seed."""
    torch.manual_seed(0)  # resets the position and the cached normal deviate
    state = torch.get_rng_state().numpy().copy()
    words = seed.generate_state(624, np.uint32).astype(np.uint64)
    state[24 : 24 + 624 * 8] = words.view(np.uint8)  # the fields before it: initial seed, left, seeded, next
    torch.set_rng_state(torch.from_numpy(state))


def draw_world(settings: dict, seed: np.random.SeedSequence):
    """The SyntheticModel of one secret; its sizes and statistics come from the settings."""
    from sae_lens.synthetic import (
        FoldedNormalMagnitudeConfig,
        HierarchyConfig,
        LinearMagnitudeConfig,
        LowRankCorrelationConfig,
        OrthogonalizationConfig,
        SyntheticModel,
        SyntheticModelConfig,
        ZipfianFiringProbabilityConfig,
        generate_hierarchy,
    )

    hierarchy_seed, tensor_seed = seed.spawn(2)
    shape = HierarchyConfig(
        total_root_nodes=int(settings["roots"]),
        branching_factor=int(settings["branching"]),
        max_depth=int(settings["depth"]),
        mutually_exclusive_portion=1.0,
        compensate_probabilities=True,
        scale_children_by_parent=True,
    )
    words = hierarchy_seed.generate_state(8, np.uint32)
    hierarchy = generate_hierarchy(int(settings["num_features"]), shape, seed=int.from_bytes(words.tobytes(), "little"))
    config = SyntheticModelConfig(
        num_features=int(settings["num_features"]),
        hidden_dim=int(settings["d_in"]),
        firing_probability=ZipfianFiringProbabilityConfig(
            exponent=float(settings["zipf"]), max_prob=float(settings["max_prob"]), min_prob=float(settings["min_prob"])
        ),
        hierarchy=shape,
        orthogonalization=OrthogonalizationConfig(
            num_steps=int(settings["orthogonal_steps"]), lr=float(settings["orthogonal_lr"])
        ),
        correlation=LowRankCorrelationConfig(
            rank=int(settings["correlation_rank"]), correlation_scale=float(settings["correlation_scale"])
        ),
        mean_firing_magnitudes=LinearMagnitudeConfig(start=5.0, end=4.0),
        std_firing_magnitudes=FoldedNormalMagnitudeConfig(mean=0.5, std=0.5),
        bias=0.5,
    )
    fill_torch_generator(tensor_seed)  # everything below draws from torch's global generator
    return SyntheticModel(config, hierarchy=hierarchy)


def parents(roots, num_features: int) -> np.ndarray:
    """Each feature's parent in its tree, int64 [num_features]; -1 for roots and for features outside of trees."""
    found = np.full(num_features, -1, dtype=np.int64)
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        for child in node.children:
            if node.feature_index is not None and child.feature_index is not None:
                found[child.feature_index] = node.feature_index
            waiting.append(child)
    return found


def write_rows(world, rows: int, x_path: Path, acts_path: Path | None) -> None:
    """Samples rows chunk by chunk into a memory-mapped file, and saves the true feature activations if given a path."""
    from scipy import sparse

    d_in, chunk = world.cfg.hidden_dim, max(1, CHUNK_BYTES // (4 * world.cfg.num_features))
    x = np.lib.format.open_memmap(x_path, mode="w+", dtype=np.float32, shape=(rows, d_in))
    acts = []
    for start in range(0, rows, chunk):
        stop = min(start + chunk, rows)
        hidden, feature_acts = world.sample_with_features(stop - start)
        x[start:stop] = hidden.numpy()
        if acts_path is not None:
            acts.append(sparse.csr_matrix(feature_acts.numpy()))
    x.flush()
    if acts_path is not None:
        sparse.save_npz(acts_path, sparse.vstack(acts, format="csr"))
