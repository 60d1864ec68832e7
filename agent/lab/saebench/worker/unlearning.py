"""sae-bench's unlearning: an instruct model answers multiple-choice questions while latents are clamped.

The instruct model must be provided (local.py) before a call. Besides calling sae-bench, this module puts the forget
corpus where sae-bench reads it, finds out once for all autoencoders what the model knows, and reports in one line what
would otherwise be a division by zero.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sae_bench.evals.unlearning.utils.eval as parts
import torch
from sae_bench.evals.unlearning import main
from sae_bench.evals.unlearning.eval_config import UnlearningEvalConfig
from sae_bench.evals.unlearning.utils import metrics
from transformer_lens import HookedTransformer

CORPUS = Path("sae_bench/evals/unlearning/data/bio-forget-corpus.jsonl")
KNOWN = "data/question_ids"  # the folder in which sae-bench keeps the questions that a model knows


def provide_corpus(source: str) -> None:
    """Link the forget corpus to the place where sae-bench reads it, below the working directory."""
    if not Path(source).is_file():
        raise FileNotFoundError(f"the forget corpus was at {source} when the session began, and is not there now")
    CORPUS.parent.mkdir(parents=True)
    CORPUS.symlink_to(source)


def require_place(model: HookedTransformer, hook: str, d_in: int) -> None:
    """Check that the instruct model has the hook, and activations of width d_in there, as the encoder needs."""
    if hook not in model.hook_dict:
        raise ValueError(f"the instruct model has no {hook}, where the autoencoder was trained")
    assert model.tokenizer is not None  # local.provide_model refuses a model without one
    token = torch.tensor([[model.tokenizer.bos_token_id]], device=model.cfg.device)
    _, cache = model.run_with_cache(token, names_filter=hook)
    if (width := cache[hook].shape[-1]) != d_in:
        raise ValueError(
            f"the instruct model is {width} wide at {hook}, the autoencoder {d_in}: saebench.instruct "
            "must be the profile's model after instruction tuning"
        )


def find_known(model: HookedTransformer, config: UnlearningEvalConfig, folder: Path) -> None:
    """Find the questions that the model answers correctly in all 24 orders of the choices; only they are asked."""
    for name in config.dataset_names:
        metrics.save_target_question_ids(model, config.llm_batch_size * 2, str(folder), name)


def require_known(folder: Path, config: UnlearningEvalConfig) -> None:
    """Check that the model knows at least one question of each data set."""
    for name in config.dataset_names:
        called = name if name == "wmdp-bio" else f"mmlu-{name.replace('_', '-')}"
        if not (folder / KNOWN / "all" / f"{called}_{config.target_metric}.csv").stat().st_size:
            raise RuntimeError(
                f"the instruct model answers no question of {name} rightly in all orders of the "
                "choices: unlearning cannot be asked of it"
            )


def run(config: UnlearningEvalConfig, selected: list[tuple[str, Any]], known: Path, device: str, folder: Path) -> None:
    """Run the evaluation with the questions in `known` (see find_known); results go to `folder`."""
    require_known(known, config)
    artifacts = folder / "artifacts"
    shutil.copytree(known / KNOWN, artifacts / main.EVAL_TYPE / config.model_name / KNOWN)
    parts.load_sparsity_data = _finite(parts.load_sparsity_data)
    with torch.enable_grad():  # restores the mode afterwards: sae-bench turns gradients off, and probes need them
        main.run_eval(config, selected, device, str(folder), artifacts_path=str(artifacts))


def _finite(call: Callable[..., tuple[np.ndarray, ...]]) -> Callable[..., tuple[np.ndarray, ...]]:
    """The function with a check that it returns finite numbers."""

    @functools.wraps(call)
    def checked(*args: Any) -> tuple[np.ndarray, ...]:
        found = call(*args)
        if not all(np.isfinite(shares).all() for shares in found):
            raise ValueError("the forget corpus or wikitext holds less than one sequence of seq_len tokens")
        return found

    return checked
