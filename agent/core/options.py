"""What a person chooses for a session, with its defaults. They stand here and nowhere else."""

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
    """What a person chose for a session. A change at resume is an event of its own."""

    template: str
    profile: str
    models: Models
    playback: str | None = None  # folder of recorded replies
    api_base: str | None = None  # the server that all models are asked at; None: each provider's own
    addresses: dict[str, str] = {}  # environment variables that name a provider's server, as the session knows them
    fallback: str | None = None  # the model that answers in the place of one whose provider stays away
    price: tuple[Dollars, Dollars] | None = None  # per million tokens in and out, of models without a known price
    max_output: int | None = Field(default=None, ge=1)  # tokens of an answer, of models that litellm does not know
    context: int | None = Field(default=None, ge=1)  # tokens of a request and its answer, of the same models
    after: str | None = None  # the session that this one continues, by its name
    runs: int = Field(default=5, ge=0, le=200)
    branches: int = Field(default=1, ge=1, le=16)  # runs under way at once
    attempts: int = Field(default=4, ge=1, le=20)
    baselines: tuple[str, ...] = ()  # names; the first is run 0
    device: str = "cpu"
    executor: Literal["local", "slurm"] = "local"  # this machine, or a cluster's queue
    slurm: dict[str, str] = {}  # options of sbatch by their long names, e.g. {"partition": "gpu"}
    gpus: str = "all"  # that trainings may use here: "all", or their numbers with commas between
    slots: int = Field(default=1, ge=1)  # trainings side by side
    threads: int = Field(default=1, ge=1)  # torch threads of each
    sandbox: Literal["bwrap", "none"] = "bwrap"
    network: bool = False  # the person allows it; the template must ask for it too
    stop_after: Literal["plan", "runs", "paper"] | None = None
    pdf: bool = True
    reviews: int = Field(default=3, ge=1, le=9)  # reviewers of the finished paper
    improve: int = Field(default=0, ge=0, le=5)  # revisions after the review
    paper_style: str | None = None  # folder of a venue's style files
    allow: tuple[str, ...] = ()  # rejections of the truth checks that a person overrules; the appendix says so
    literature: Literal["auto", "offline"] = "auto"  # offline: the shipped library alone
    skip_novelty: bool = False
    max_usd: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0)
    hours: float | None = Field(default=None, ge=0)
    cache_gb: float = Field(default=50.0, ge=0)  # of disk for data that sessions share; what is in use stays

    @field_validator("slurm")
    @classmethod
    def _of_sbatch(cls, asked: dict[str, str]) -> dict[str, str]:
        check(asked)
        return asked
