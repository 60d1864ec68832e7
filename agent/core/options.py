"""The options of a session with their defaults. No other file repeats a default."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from agent.core.exchange import Role
from agent.core.schema import Strict
from agent.core.slurm import check

DEFAULT_TEMPLATE = "synth_sae"


Dollars = Annotated[float, Field(ge=0)]


class Models(Strict):
    """Which model plays which role (litellm names, or "playback")."""

    planner: str
    editor: str
    writer: str
    reviewer: str

    def names(self) -> dict[Role, str]:
        return {role: getattr(self, role) for role in ROLES}


ROLES: tuple[Role, ...] = get_args(Role)


class Options(Strict):
    """What a person chose for a session. Options that are changed at a resume become an event of the session."""

    template: str
    profile: str
    models: Models
    playback: str | None = None  # folder of recorded replies
    api_base: str | None = None  # the server that is asked for all models; None: each provider's own
    addresses: dict[
        str, str
    ] = {}  # environment variables with addresses of providers, as they are known to the session
    fallback: str | None = None  # the model that answers if the provider of another one fails
    price: tuple[Dollars, Dollars] | None = None  # per million tokens in and out, for models without a known price
    max_output: int | None = Field(default=None, ge=1)  # tokens of one answer, for models that litellm does not know
    context: int | None = Field(default=None, ge=1)  # tokens of a request with its answer, for the same models
    after: str | None = None  # name of the session that this one continues
    runs: int = Field(default=5, ge=0, le=200)
    branches: int = Field(default=1, ge=1, le=16)  # how many runs may go on at once
    attempts: int = Field(default=4, ge=1, le=20)
    baselines: tuple[str, ...] = ()  # names; the first is run 0
    device: str = "cpu"
    executor: Literal["local", "slurm"] = "local"  # this machine, or a cluster's queue
    slurm: dict[str, str] = {}  # options of sbatch by their long names, e.g. {"partition": "gpu"}
    gpus: str = "all"  # the GPUs that trainings may use here: "all", or their numbers, e.g. "0,1,3"
    slots: int = Field(default=1, ge=1)  # how many trainings of a job run at once
    threads: int = Field(default=1, ge=1)  # torch threads of each
    sandbox: Literal["bwrap", "none"] = "bwrap"
    network: bool = False  # trainings may use the network, if the template asks for it as well
    stop_after: Literal["plan", "runs", "paper"] | None = None
    pdf: bool = True
    reviews: int = Field(default=3, ge=1, le=9)  # reviewers of the finished paper
    improve: int = Field(default=0, ge=0, le=5)  # revisions after the review
    paper_style: str | None = None  # folder of a venue's style files
    allow: tuple[str, ...] = ()  # rejections of the truth checks that the person overrules; the appendix lists them
    literature: Literal["auto", "offline"] = "auto"  # offline: only the shipped library is searched
    skip_novelty: bool = False
    max_usd: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0)
    hours: float | None = Field(default=None, ge=0)
    cache_gb: float = Field(default=50.0, ge=0)  # disk for data that sessions share; data in use are never deleted

    @field_validator("slurm")
    @classmethod
    def _of_sbatch(cls, asked: dict[str, str]) -> dict[str, str]:
        check(asked)
        return asked
