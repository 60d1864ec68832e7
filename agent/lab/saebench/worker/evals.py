"""Runs each evaluation of sae-bench for one autoencoder, as sae-bench's own command lines do.

Four things differ: the model and the autoencoder are passed in, results and probes are kept in folders of the runner,
every training of a probe starts from the same seed, and an evaluation without a result is an error.
"""

from __future__ import annotations

import functools
import json
import logging
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import local
import numpy as np
import sae_bench.sae_bench_utils.activation_collection as usual
import torch
from proxy import ProxySAE
from sae_bench.custom_saes.custom_sae_config import CustomSAEConfig

RELEASE = "sae"
SEED = 42  # sae-bench's own default
BATCH = 32  # sequences, for a model for which sae-bench has no batch size


class Bench:
    """One autoencoder on one model, and the evaluations it is put through."""

    def __init__(self, request: dict[str, Any], channel: Any) -> None:
        torch.set_num_threads(request["threads"])
        self._request, self._channel = request, channel
        self._shared = Path(request["shared"])
        self._results = Path("results").resolve()
        self._name = request["model_name"]
        self._dtype, self._device = request["dtype"], request["device"]
        self._batch = usual.LLM_NAME_TO_BATCH_SIZE.get(request["model"], BATCH)
        cfg = CustomSAEConfig(
            model_name=self._name,
            d_in=request["d_in"],
            d_sae=request["d_sae"],
            hook_name=request["hook_name"],
            hook_layer=int(request["hook_name"].split(".")[1]),
            dtype=self._dtype,
        )
        arrays = np.load(request["decoder"])
        self._sae = ProxySAE(arrays["decoder"], arrays["bias"], cfg, channel, self._device)
        local.provide_model(request["model"], self._name)
        local.link_data(request["data"])

    def run(self, name: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Run one evaluation; returns the metrics of its result file, by category. The file is kept in `details`."""
        run: Callable[[dict[str, Any], Path], None] = getattr(self, f"_{name}")
        folder = self._results / name
        _seed(SEED)
        run(settings, folder)
        found = sorted(folder.glob("*_eval_results.json"))
        if not found:
            raise RuntimeError(f"{name} left no result; its reason is in the log")
        shutil.copyfile(found[0], Path(self._request["details"]) / f"{name}.json")
        return json.loads(found[0].read_text())["eval_result_metrics"]

    @property
    def _selected(self) -> list[tuple[str, ProxySAE]]:
        return [(RELEASE, self._sae)]

    def _core(self, settings: dict[str, Any], folder: Path) -> None:
        from sae_bench.evals.core import main

        heard = _Heard(main.logger)  # sae-bench only logs an error
        usual_run = {
            "eval_batch_size_prompts": 16,
            "n_eval_reconstruction_batches": 200,
            "n_eval_sparsity_variance_batches": 2000,
            "exclude_special_tokens_from_reconstruction": True,
        }
        done = main.multiple_evals(
            self._selected,
            compute_featurewise_density_statistics=True,
            compute_featurewise_weight_based_metrics=True,
            output_folder=str(folder),
            dtype=self._dtype,
            device=self._device,
            **{**usual_run, **settings},
        )
        if not done:
            raise RuntimeError(heard.last)

    def _absorption(self, settings: dict[str, Any], folder: Path) -> None:
        from sae_bench.evals.absorption import common, feature_absorption, main
        from sae_bench.evals.absorption.eval_config import AbsorptionEvalConfig

        if not self._request["hook_name"].endswith(".hook_resid_post"):
            raise ValueError("absorption reads hook_resid_post alone, whatever the autoencoder was trained on")
        config = AbsorptionEvalConfig(
            **{
                "model_name": self._name,
                "llm_batch_size": self._batch,
                "llm_dtype": self._dtype,
                "precalc_k_sparse_probe_sae_acts": True,
                **settings,
            }
        )
        probes, parts = self._shared / "probes", Path("absorption").resolve()
        split, absorbed = parts / "split", parts / "absorbed"
        for module in (common, feature_absorption):  # a tokenizer lists its words in another order each time
            module.get_alpha_tokens = _sorted(module.get_alpha_tokens)
        model = main.HookedTransformer.from_pretrained_no_processing("", device=self._device, dtype=self._dtype)
        _once(
            probes,
            lambda place: common.load_or_train_probe(
                model,
                config.prompt_template,
                config.prompt_token_pos,
                self._sae.cfg.hook_layer,
                place,
                device=self._device,
            ),
        )
        _seed(config.random_seed)
        main.run_k_sparse_probing_experiment = functools.partial(
            main.run_k_sparse_probing_experiment, experiment_dir=split, probes_dir=probes
        )
        main.run_feature_absortion_experiment = functools.partial(
            main.run_feature_absortion_experiment,
            experiment_dir=absorbed,
            sparse_probing_experiment_dir=split,
            probes_dir=probes,
        )
        folder.mkdir(parents=True)
        if not main.run_eval(config, self._selected, self._device, str(folder)):
            raise RuntimeError(
                f"the model spells too few first letters (fewer than {config.min_feats_for_eval} "
                f"probes with F1 above {config.min_GT_probe_f1}): absorption cannot be asked of it"
            )

    def _sparse_probing(self, settings: dict[str, Any], folder: Path) -> None:
        from sae_bench.evals.sparse_probing import main
        from sae_bench.evals.sparse_probing.eval_config import SparseProbingEvalConfig

        config = SparseProbingEvalConfig(
            **{"model_name": self._name, "llm_batch_size": self._batch, "llm_dtype": self._dtype, **settings}
        )
        main.probe_training.train_probe_on_activations = _seeded(
            main.probe_training.train_probe_on_activations, config.random_seed
        )
        main.run_eval(
            config,
            self._selected,
            self._device,
            str(folder),
            save_activations=False,
            artifacts_path=str(folder / "activations"),
        )

    def _sae_probes(self, settings: dict[str, Any], folder: Path) -> None:
        from sae_bench.evals.sparse_probing_sae_probes import main
        from sae_bench.evals.sparse_probing_sae_probes.eval_config import SparseProbingSaeProbesEvalConfig
        from sae_probes.generate_model_activations import ensure_dataset_activations

        config = SparseProbingSaeProbesEvalConfig(
            **{
                "model_name": self._name,
                "results_path": str(folder / "parts"),
                "include_llm_baseline": False,
                "model_cache_path": str(self._shared / "sae_probes"),
                **settings,
            }
        )
        _once(
            Path(config.model_cache_path),
            lambda place: ensure_dataset_activations(
                self._name, config.dataset_names, [self._sae.cfg.hook_name], place, device=self._device
            ),
        )
        main.run_eval(config, self._selected, self._device, str(folder))

    def _unlearning(self, settings: dict[str, Any], folder: Path) -> None:
        import unlearning
        from sae_bench.evals.unlearning.eval_config import UnlearningEvalConfig
        from transformer_lens import HookedTransformer

        asked = self._request["unlearning"]
        config = UnlearningEvalConfig(
            **{
                "model_name": asked["called"],
                "llm_dtype": self._dtype,
                # sequences are longer than in the other evaluations
                "llm_batch_size": usual.LLM_NAME_TO_BATCH_SIZE[asked["form"]] // 8,
                **settings,
            }
        )
        unlearning.provide_corpus(asked["corpus"])
        local.provide_model(asked["model"], asked["form"])
        model = HookedTransformer.from_pretrained_no_processing("", device=self._device, dtype=self._dtype)
        unlearning.require_place(model, self._sae.cfg.hook_name, self._request["d_in"])
        known = Path(asked["shared"]) / "known"
        _once(known, lambda place: unlearning.find_known(model, config, place))
        unlearning.run(config, self._selected, known, self._device, folder)
        local.provide_model(self._request["model"], self._name)

    def _autointerp(self, settings: dict[str, Any], folder: Path) -> None:
        from sae_bench.evals.autointerp import main
        from sae_bench.evals.autointerp.eval_config import AutoInterpEvalConfig

        def answered(_: Any, messages: list[dict[str, str]], *limits: int) -> tuple[list[str], str]:
            return [self._channel.judge(messages).strip()], ""  # the runner keeps the exchange

        config = AutoInterpEvalConfig(
            **{"model_name": self._name, "llm_batch_size": self._batch, "llm_dtype": self._dtype, **settings}
        )
        main.AutoInterp.get_api_response = answered
        main.run_eval(config, self._selected, self._device, "", str(folder), artifacts_path=str(folder / "tokens"))


def _once(folder: Path, make: Callable[[Path], Any]) -> None:
    """Make a folder, unless it is there. It is made beside and renamed, so that a killed build never looks finished.

    It is called before an evaluation that would make the folder itself, so that the evaluation does the same with a
    folder that was there as with a new one.
    """
    if not folder.exists():
        beside = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        make(beside)
        beside.rename(folder)


class _Heard(logging.Handler):
    """Keeps the last error that a logger reported."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logging.ERROR)
        self.last = "it gave no result and no reason"
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def _sorted(call: Callable[..., list[str]]) -> Callable[..., list[str]]:
    return lambda *args, **kwargs: sorted(call(*args, **kwargs))


def _seeded(call: Callable[..., Any], number: int) -> Callable[..., Any]:
    @functools.wraps(call)
    def seeded(*args: Any, **kwargs: Any) -> Any:
        _seed(number)
        return call(*args, **kwargs)

    return seeded


def _seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)
