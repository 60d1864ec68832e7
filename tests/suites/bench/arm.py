"""One training in a process of its own, timed.

`python -m tests.suites.bench.arm ARM ARCHITECTURE SEED THREADS SAMPLES ...`

ARM is ours (templates/saes on the cached pool), trainer (sae_lens's SAETrainer on the same pool) or runner (sae_lens's
SyntheticSAERunner, which draws its rows as it goes). Prints a JSON line; imports, data and scoring are not timed.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

from agent.core.template import load_template
from agent.lab.worlds import load_module, prepared
from tests.suites.bench.baselines import RATES
from tests.suites.bench.trainings import KEPT, SECRET
from tests.support import ROOT

FOLDER = ROOT / "templates" / "synth_sae"
OURS = {
    "topk": "TopKSAE",
    "batchtopk": "BatchTopKSAE",
    "standard": "StandardSAE",
    "gated": "GatedSAE",
    "jumprelu": "JumpReLUSAE",
    "matryoshka": "MatryoshkaSAE",
}


def main(argv: list[str]) -> None:
    arm, architecture, seed, threads, samples = argv[0], argv[1], *map(int, argv[2:5])
    torch.set_num_threads(threads)
    logging.disable(logging.CRITICAL)
    template = load_template(FOLDER)
    size = template.manifest.profiles["mini"]
    data = prepared(template, "mini", size.settings, SECRET, KEPT)
    task = {**size.settings, **size.conditions[0].settings, "samples": samples, "seed": seed, "device": "cpu"}
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # imports torch's compiler, which one of the arms needs
    torch.manual_seed(seed)
    if arm == "ours":
        trained, seconds = _ours(architecture, task, Path(data.train))
    else:
        source = _drawn(task) if arm == "runner" else _pool(Path(data.train), task["batch"])
        trained, seconds = _sae_lens(architecture, task, source)
    found = _scored(trained, Path(data.truth), dict(task))
    print(json.dumps({"arm": arm, "seconds": seconds, "rate": samples / seconds, **found}))


def _ours(architecture: str, task: dict[str, Any], train_data: Path) -> tuple[Any, float]:
    sys.path.insert(0, str(FOLDER.parent))
    import saes
    from saes.rows import FileRows

    rows = FileRows(train_data / "activations.npy", "cpu")
    steps = task["samples"] // task["batch"]
    sae = getattr(saes, OURS[architecture]).from_task(task)
    started = time.perf_counter()
    sae.start(rows.first(10_000))
    recipe = saes.Recipe(steps=steps, lr=task[RATES[architecture]], dead_after=task["dead_after"])
    saes.train(sae, rows.batches(task["batch"], steps), recipe)
    return sae, time.perf_counter() - started


def _sae_lens(architecture: str, task: dict[str, Any], source: Any) -> tuple[Any, float]:
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.registry import get_sae_training_class
    from sae_lens.training.sae_trainer import SAETrainer

    name = {"matryoshka": "matryoshka_batchtopk"}.get(architecture, architecture)
    sae_class, config_class = get_sae_training_class(name)
    steps = task["samples"] // task["batch"]
    own: dict[str, Any] = {"k": task["l0"]} if "topk" in name else {}
    if architecture == "matryoshka":
        sys.path.insert(0, str(FOLDER.parent))
        from saes import MatryoshkaSAE

        own["matryoshka_widths"] = list(MatryoshkaSAE.from_task(task).tiers())
    sae = sae_class(config_class(d_in=task["d_in"], d_sae=task["d_sae"], **own))
    config = SAETrainerConfig(
        n_checkpoints=0,
        checkpoint_path=None,
        save_final_checkpoint=False,
        total_training_samples=task["samples"],
        device="cpu",
        autocast=False,
        lr=task[RATES[architecture]],
        lr_end=0.0,
        lr_scheduler_name="constant",
        lr_warm_up_steps=0,
        adam_beta1=0.9,
        adam_beta2=0.999,
        lr_decay_steps=steps // 3,
        n_restart_cycles=1,
        train_batch_size_samples=task["batch"],
        dead_feature_window=max(1, task["dead_after"] // task["batch"]),
        feature_sampling_window=2000,
        logger=LoggingConfig(log_to_wandb=False),
        n_batches_for_norm_estimate=1000,
    )
    started = time.perf_counter()
    trained = SAETrainer(cfg=config, sae=sae, data_provider=source).fit()
    seconds = time.perf_counter() - started
    return trained, seconds


def _pool(train_data: Path, batch: int) -> Iterator[torch.Tensor]:
    sys.path.insert(0, str(FOLDER.parent))
    from saes.rows import FileRows

    return FileRows(train_data / "activations.npy", "cpu").batches(batch, 1 << 40)


def _drawn(task: dict[str, Any]) -> Any:
    """The rows of sae_lens's own SyntheticSAERunner, of the very world that the pool was drawn from."""
    from sae_lens.synthetic.training import SyntheticActivationIterator

    prepare = load_module(FOLDER / "prepare.py")
    world = prepare.draw_world(task, np.random.SeedSequence(SECRET).spawn(3)[0])
    return SyntheticActivationIterator(
        feature_dict=world.feature_dict,
        activations_generator=world.activation_generator,
        batch_size=task["batch"],
        autocast=False,
    )


def _scored(sae: Any, truth_data: Path, settings: dict[str, Any]) -> dict[str, float]:
    module = load_module(FOLDER / "evaluate.py")
    truth = module.load_truth(truth_data, settings)
    with torch.no_grad():
        x = torch.from_numpy(truth.x)
        z = sae.encode(x)
        x_hat = sae.decode(z)
    return module.evaluate(truth.x, sparse.csr_matrix(z.numpy()), x_hat.numpy(), sae.W_dec.detach().numpy(), truth)


if __name__ == "__main__":
    main(sys.argv[1:])
