"""The arms of speed-gpu, one a process: `python -m tests.suites.bench.gpu_arms ARM FOLDER_OF_PEERS`.

Commands come as lines of JSON on stdin, answers go to stdout (gpu_turns.py). Each package trains with its own optimizer
and its own auxiliary loss, at their defaults; no latent counts as dead in so few steps.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tests.suites.bench.gpu_turns import Command, Task, serve
from tests.support import ROOT

TEMPLATES = ROOT / "templates"
LIMIT_S = 180  # for building a setting, and for a turn, the first of which compiles; a process over it is ended
MANY = 10_000_000  # steps that the schedules are laid out for: no arm comes to its decay
LR = 3e-4
DEAD_AFTER = 10_000_000  # rows, as in dictionary_learning and sparsify: no arm trains what it counts as dead


def ours(task: Task, compiled: bool = False) -> None:
    """saes.train on a TopKSAE. Autocast is put around the one dense product, in which latents are chosen: the library
    has no setting for it, and sums over chosen decoder rows want one type."""
    sys.path.insert(0, str(TEMPLATES))
    from saes import Recipe, TopKSAE, train
    from saes.sparse import looked

    sae = TopKSAE(task.sizes.d_in, task.sizes.d_sae, task.sizes.k).to(task.device)
    sae.start(task.turns.rows[0])
    if task.half:
        look = sae.look

        def in_half(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            with task.autocast():
                centred, acts = look(x)
            return centred, looked(acts.float(), centred)

        sae.pre_acts, sae.look = _in_half(sae.pre_acts, task.autocast()), in_half
    for name in ("loss", "before_step", "after_step") if compiled else ():
        setattr(sae, name, torch.compile(getattr(sae, name)))
    train(sae, task.turns, Recipe(steps=MANY, lr=LR, dead_after=DEAD_AFTER))


def _in_half(product: Callable[..., Any], autocast: torch.autocast) -> Callable[..., Any]:
    def computed(*args: Any) -> Any:
        with autocast:
            return product(*args).float()

    return computed


def sae_lens(task: Task, sparse: bool = False, compiled: bool = False) -> None:
    """SAETrainer.step, without its progress bar; `compiled` is what the runner's compile_sae does. Sparse activations
    are refused by torch together with the default rescaling, so there it is off, which is less work."""
    from sae_lens.config import SAETrainerConfig
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.training.sae_trainer import SAETrainer

    sizes = task.sizes
    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=sizes.d_in,
            d_sae=sizes.d_sae,
            k=sizes.k,
            device=task.device,
            use_sparse_activations=sparse,
            rescale_acts_by_decoder_norm=not sparse,
        )
    )
    if compiled:
        sae.training_forward_pass = torch.compile(sae.training_forward_pass)
    config = SAETrainerConfig(
        total_training_samples=MANY * task.batch,
        train_batch_size_samples=task.batch,
        lr=LR,
        lr_end=0.0,
        device=task.device,
        autocast=task.half,
    )
    trainer = SAETrainer(cfg=config, sae=sae, data_provider=iter(()))
    for x in task.turns:
        trainer.step(x)
        trainer.n_training_steps += 1


def dictionary_learning(task: Task) -> None:
    """TopKTrainer.update, numbered as in the long run: its first step seeks a median, its threshold starts at 1000."""
    from dictionary_learning.trainers.top_k import TopKTrainer

    sizes, kind = task.sizes, torch.bfloat16 if task.half else torch.float32
    trainer = TopKTrainer(
        steps=MANY,
        activation_dim=sizes.d_in,
        dict_size=sizes.d_sae,
        k=sizes.k,
        layer=0,
        lm_name="none",
        device=task.device,
        lr=LR,
    )
    trainer.update(0, task.turns.rows[0])
    for number, x in enumerate(task.turns, start=2000):
        with task.autocast():
            trainer.update(number, x.to(kind))


def sparsify(task: Task) -> None:
    """SparseCoder under the optimizer of its trainer, which wants a language model to hook: without the trainer's
    copies of the rows, and without its waits for a loss to log. AuxK is off there unless asked for."""
    from schedulefree import ScheduleFreeWrapper
    from sparsify import SparseCoder, SparseCoderConfig
    from sparsify.sign_sgd import SignSGD

    sizes = task.sizes
    sae = SparseCoder(
        sizes.d_in, SparseCoderConfig(num_latents=sizes.d_sae, k=sizes.k), device=task.device, dtype=torch.float32
    )
    forward = SparseCoder.forward.__wrapped__  # as written it always runs in bfloat16 on a GPU
    sae.b_dec.data = task.turns.rows[0].mean(0)
    optimizer = ScheduleFreeWrapper(SignSGD(sae.parameters(), lr=LR), momentum=0.95)
    optimizer.train()
    idle = torch.zeros(sizes.d_sae, dtype=torch.long, device=task.device)
    for x in task.turns:
        sae.set_decoder_norm_to_unit_norm()
        with task.autocast():
            found = forward(sae, x)
        found.fvu.backward()
        sae.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
        optimizer.zero_grad()
        idle += len(x)
        idle[found.latent_indices.flatten()] = 0


def product(task: Task) -> None:
    """The machine's arithmetic: a large product in the setting's precision."""
    kind, side = torch.bfloat16 if task.half else torch.float32, task.sizes.square
    a, b = (torch.randn(side, side, device=task.device, dtype=kind) for _ in range(2))
    for _ in task.turns:
        torch.mm(a, b)


def copy(task: Task) -> None:
    """The machine's memory: a large copy."""
    source = torch.randn(task.sizes.copied_mb * 250_000, device=task.device)
    target = torch.empty_like(source)
    for _ in task.turns:
        target.copy_(source)


RUNS: dict[str, Callable[[Task], None]] = {
    "ours": ours,
    "ours-compiled": functools.partial(ours, compiled=True),
    "sae_lens": sae_lens,
    "sae_lens-sparse": functools.partial(sae_lens, sparse=True),
    "sae_lens-compiled": functools.partial(sae_lens, compiled=True),
    "dictionary_learning": dictionary_learning,
    "sparsify": sparsify,
    "product": product,
    "copy": copy,
}


def main(name: str, peers: str) -> None:
    sys.path.append(peers)  # behind the Python's own packages
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # packages print what they like

    def say(answer: Command) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    def commands() -> Iterator[Command]:
        for line in sys.stdin:
            signal.alarm(LIMIT_S)
            yield json.loads(line)
            signal.alarm(0)  # the next one may be long in coming

    torch.set_float32_matmul_precision("high")  # TF32 in all arms, for what autocast leaves in float32 as well
    say(
        {
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        }
    )
    serve(RUNS[name], commands(), say)


if __name__ == "__main__":
    main(*sys.argv[1:])
