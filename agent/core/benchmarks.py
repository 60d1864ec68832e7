"""What a profile may ask of an outside benchmark, beside the template's own evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from agent.core.schema import Strict

SaeBenchEval = Literal["core", "absorption", "sparse_probing", "sae_probes", "unlearning", "autointerp"]
CHATS = ("gemma-2-2b-it", "gemma-2-9b-it")  # whose form of a chat sae-bench has for unlearning's questions
# Below `data`: nobody may fetch it, its authors give it on request.
FORGET_CORPUS = "cais/wmdp-corpora/bio-forget-corpus.jsonl"
Value = int | float | str | bool


class SaeBench(Strict):
    """Evaluations of sae-bench that every autoencoder of the profile is put through."""

    evals: tuple[SaeBenchEval, ...]
    wall_s: float = Field(default=21600.0, gt=0)  # of one autoencoder, all evaluations together
    data: str = ""  # a folder with data sets under their hub names, for a machine that does not reach the hub
    judge: str = ""  # litellm's name of the model that autointerp asks
    instruct: str = ""  # the model that unlearning asks: transformer-lens's name, or a folder as lm_sae writes one
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
