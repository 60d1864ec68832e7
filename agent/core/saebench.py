"""The [profiles.NAME.saebench] of a manifest: which evaluations of sae-bench the autoencoders of a profile get."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from agent.core.schema import Strict

Value = int | float | str | bool
SaeBenchEval = Literal["core", "absorption", "sparse_probing", "sae_probes", "unlearning", "autointerp"]
CHATS = ("gemma-2-2b-it", "gemma-2-9b-it")  # the models for which sae-bench has a chat form for unlearning's questions
# The corpus's path below SaeBench.data. It cannot be downloaded; its authors give it on request.
FORGET_CORPUS = "cais/wmdp-corpora/bio-forget-corpus.jsonl"


class SaeBench(Strict):
    """The evaluations of sae-bench that the autoencoders of a profile get."""

    evals: tuple[SaeBenchEval, ...]
    # Only the confirmation is evaluated unless this says "all", because an evaluation takes longer than a training.
    runs: Literal["confirmation", "all"] = "confirmation"
    wall_s: float = Field(default=21600.0, gt=0)  # of one autoencoder, all evaluations together
    data: str = ""  # a folder with data sets under their names on the hub, for a machine without network
    judge: str = ""  # the model that autointerp asks, by its litellm name
    instruct: str = ""  # the model that unlearning asks: transformer-lens's name, or a model folder as lm_sae writes it
    settings: dict[SaeBenchEval, dict[str, Value | tuple[Value, ...]]] = {}  # fields of sae-bench's own configurations

    @model_validator(mode="after")
    def _each_once(self) -> SaeBench:
        if not self.evals or len(set(self.evals)) != len(self.evals):
            raise ValueError("saebench.evals: name at least one evaluation, and each once")
        if unused := set(self.settings) - set(self.evals):
            raise ValueError(f"saebench.settings has {', '.join(sorted(unused))}, which saebench.evals does not name")
        if ("autointerp" in self.evals) != bool(self.judge):
            raise ValueError("saebench.judge goes with autointerp, and only with it: a model's name as litellm has it")
        if ("unlearning" in self.evals) != bool(self.instruct):
            raise ValueError(
                "saebench.instruct goes with unlearning, and only with it: the profile's model after "
                "instruction tuning, e.g. gemma-2-2b-it"
            )
        return self
