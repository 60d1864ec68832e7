"""What the runner writes about a run: the job that is asked for, its result, and the record that is committed.

Neither the agent's code nor a model writes any of these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from agent.core.manifest import Condition, Limits, Setting
from agent.core.saebench import SaeBench
from agent.core.schema import Strict

Grade = Literal["refuse", "flag", "note"]
RunKind = Literal["baseline", "experiment", "confirmation"]
Outcome = Literal["measured", "failed", "refused", "cancelled"]


class Finding(Strict):
    """One result of the integrity gate."""

    code: str  # stable, kebab-case, e.g. "no-training"
    grade: Grade
    text: str  # one line, for the agent and the paper's appendix


class Environment(Strict):
    """A Python environment other than the runner's, in which a template's code trains, encodes and plots."""

    key: str
    python: str  # the interpreter
    trees: tuple[str, ...]  # the folders that it needs to run; the sandbox shows them read-only
    version: str
    packages: dict[str, str]
    modules: tuple[str, ...] = ()  # which of the modules that the runner may need are installed
    cuda: str | None = None  # the CUDA version that its torch was built for; "": for none; None: there is no torch


class SaeBenchJob(Strict):
    """How the autoencoders of a job are evaluated by sae-bench."""

    asked: SaeBench
    environment: Environment
    shared: str  # folder for what all autoencoders of one language model share: probes, activations


class Pretrained(Strict):
    """An autoencoder that others trained, and that is measured instead of a training's artefact."""

    artefact: str  # the file in the runner's own form; an absolute path
    sha256: str
    d_sae: int  # its number of latents, which no condition can change


class Origin(Strict):
    """Where an autoencoder comes from that was not trained here."""

    source: str  # the path or release that the manifest names
    files: dict[str, str]  # sha256 of what was read, by name
    artefact_sha256: str
    layout: str
    architecture: str
    d_sae: int
    trained_on: str  # its own training budget, or "unknown"


class World(Strict):
    """Where the data of a further world lie; absolute paths."""

    train_data: str
    truth_data: str


class Job(Strict):
    """One attempt as the runner gets it. job.json holds this, and the supervisor of the job needs nothing else.

    Paths are absolute. `code` is an export of the commit's tree; nothing in it is trusted.
    """

    key: str
    run: str
    kind: RunKind
    attempt: int
    folder: str  # everything the job writes lies below it
    code: str
    script: str  # the file that trains, inside `code`
    template: str  # folder of the template: manifest, evaluate.py
    train_data: str  # read-only for the experiment
    truth_data: str  # held-out data and truth; no sandbox ever sees it
    settings: dict[str, Setting]
    seeds: tuple[int, ...]
    conditions: tuple[Condition, ...]
    limits: Limits
    evaluate_limits: Limits
    device: str  # "cpu", "cuda", "cuda:1"
    slots: int  # trainings side by side, of all jobs with the same `slots_folder`
    threads: int  # torch threads of each
    sandbox: Literal["bwrap", "none"]
    network: bool = False
    slots_folder: str = ""  # of the session: its locks are the slots; "": this job has no others beside it
    earlier: tuple[str, ...] = ()  # folders of this job's lost predecessors, newest first: what ended there is kept
    environment: Environment | None = None  # None: the runner's own Python
    saebench: SaeBenchJob | None = None
    worlds: tuple[World, ...] = ()  # further worlds; the seeds take turns over all of them, see `world_index`
    # If set, nothing is trained, and `script` is only the encoder of this artefact
    pretrained: Pretrained | None = None

    def in_world_of(self, seed: int) -> Job:
        """The same job with the data of one seed's world and no other."""
        position = world_index(self.seeds, seed, 1 + len(self.worlds))
        if position == 0:
            return self.model_copy(update={"worlds": ()})
        return self.model_copy(update={**self.worlds[position - 1].model_dump(), "worlds": ()})

    @property
    def of_baseline(self) -> bool:
        """Whether no model wrote the code: the run is a baseline, or the confirmation's repetition of one."""
        return self.kind == "baseline" or self.run == "confirm.baseline"

    @property
    def data_folders(self) -> tuple[Path, ...]:
        """The folder of each world; it holds training data and truth."""
        return tuple(Path(truth).parent for truth in (self.truth_data, *(w.truth_data for w in self.worlds)))


def world_index(seeds: Sequence[int], seed: int, worlds: int) -> int:
    """The index, from 0, of the world in which a seed is trained: the seeds take turns over `worlds` worlds.

    The index is 0 for a seed that is not among `seeds`.
    """
    return seeds.index(seed) % worlds if seed in seeds else 0


class Statistic(Strict):
    """What an experiment that measures itself reports about the spread behind one of its means. Self-reported."""

    stderr: float | None = None  # as the experiment computed it; the formula is not known
    values: tuple[float, ...] = ()  # the values that were averaged, e.g. one for each of the script's own seeds


class Training(Strict):
    """One seed under one condition, from its first step to its metrics."""

    seed: int
    condition: str
    outcome: Outcome
    reason: str = ""  # code: "exit", "timeout", "memory", "disk", "output", "artefact", "encode", ...
    detail: str = ""  # bounded text for the agent, e.g. the end of the traceback
    metrics: dict[str, float] = {}  # measured by the runner (self-reported if the template says so)
    diagnostics: dict[str, float] = {}  # self-reported by the experiment
    statistics: dict[str, Statistic] = {}  # by the name of a metric or diagnostic that the experiment reported
    undefined: tuple[str, ...] = ()  # metrics that the experiment reported as NaN or infinite
    declared: dict[str, float] = {}  # the experiment's own count of samples and steps
    curves: dict[str, tuple[float, ...]] = {}  # self-reported; "step", "loss", ...; only some points are kept
    wall_s: float = 0.0
    cpu_s: float = 0.0  # user + system over the whole process tree
    gpu_s: float | None = None
    peak_memory_mb: float = 0.0
    artefact_sha256: str | None = None
    # What the runner found in the artefact's file: how many "numbers" and "bytes" it holds, and how similar it is to
    # another seed's: "aligned" (correlation entry by entry), "matched" (cosine of decoder rows, in the best order).
    artefact_facts: dict[str, float] = {}
    export: str = ""  # how the exported SAE can be loaded, e.g. "SAELens: jumprelu"
    findings: tuple[Finding, ...] = ()

    @model_serializer(mode="wrap")
    def _as_older_versions_wrote_it(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves empty newer fields out, so that an old record keeps the digest that its paper prints."""
        written: dict[str, Any] = write(self)
        if not self.artefact_facts:
            written.pop("artefact_facts", None)
        for name in ("statistics", "undefined"):
            if not getattr(self, name):
                written.pop(name, None)
        return written


class JobResult(Strict):
    """What the supervisor writes, once, by an atomic rename (result.json)."""

    key: str
    outcome: Outcome
    trainings: tuple[Training, ...]
    started_at: float  # seconds since the epoch
    wall_s: float  # how long the supervisor that wrote this worked; the time of lost supervisors is not included
    device: str  # in words, e.g. "cpu: AMD EPYC 7B13, 2 cores"
    versions: dict[str, str]
    hashes: dict[str, str]  # sha256 by name: "code/experiment.py", "data/...", "protected/evaluate.py"
    sandbox: str


class Swept(Strict):
    """The points of a run's sweep (one number at several values), apart from the conditions that all runs share."""

    setting: str
    conditions: tuple[Condition, ...]  # one for each value, ascending
    trainings: tuple[Training, ...]


class Spent(Strict):
    """What a failed run cost."""

    tokens: int  # of its edits and of all other calls about it
    usd: float | None  # None: the price of a call is not known
    train_s: float  # seconds of training of its failed attempts


class RunRecord(Strict):
    """The committed account of one run's last attempt: records/<run>.json in the session's repository."""

    run: str  # "0" (first baseline), "0.<name>" (further ones), "1" ...
    kind: RunKind
    name: str  # its name in expressions, e.g. "tiered"
    label: str  # its name in tables
    about: str  # what the run tries, from the plan
    parent: str | None  # id of the run whose code this one starts from
    status: Literal["measured", "failed", "refused"]
    attempts: int
    commit: str  # of the code that was trained
    tree: str
    template: str
    profile: str
    settings: dict[str, Setting]
    seeds: tuple[int, ...]
    conditions: tuple[Condition, ...]
    trainings: tuple[Training, ...]
    findings: tuple[Finding, ...]
    started_at: float
    wall_s: float
    device: str
    versions: dict[str, str]
    hashes: dict[str, str]
    sandbox: str
    pretrained: Origin | None = None  # set for a baseline that others trained
    factors: tuple[str, ...] = ()  # in a factorial design, the changes that distinguish the run from run 0
    swept: Swept | None = None  # not part of any comparison with other runs, and not confirmed
    reasons: tuple[str, ...] = ()  # of a failed run: why each attempt failed
    spent: Spent | None = None  # of a failed run

    @model_serializer(mode="wrap")
    def _as_older_versions_wrote_it(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves empty newer fields out, so that an old record keeps the digest that its paper prints."""
        written: dict[str, Any] = write(self)
        for name in ("pretrained", "factors", "swept", "reasons", "spent"):
            if not getattr(self, name):
                written.pop(name, None)
        return written

    @property
    def whole(self) -> RunRecord:
        """The record with the points of its sweep among its conditions and trainings."""
        if self.swept is None:
            return self
        conditions, trainings = self.swept.conditions, self.swept.trainings
        every = {"conditions": (*self.conditions, *conditions), "trainings": (*self.trainings, *trainings)}
        return self.model_copy(update={**every, "swept": None})

    @property
    def points(self) -> RunRecord | None:
        """The points of the sweep as a record of their own; None if nothing was swept."""
        if self.swept is None:
            return None
        return self.model_copy(update={"conditions": self.swept.conditions, "trainings": self.swept.trainings})

    def with_apart(self, setting: str, conditions: Sequence[Condition]) -> RunRecord:
        """The reverse of `whole`: these conditions and their trainings become the points of a sweep."""
        names = {c.name for c in conditions}
        swept = Swept(
            setting=setting,
            conditions=tuple(conditions),
            trainings=tuple(t for t in self.trainings if t.condition in names),
        )
        others = tuple(t for t in self.trainings if t.condition not in names)
        kept = tuple(c for c in self.conditions if c.name not in names)
        return self.model_copy(update={"swept": swept, "conditions": kept, "trainings": others})

    @property
    def worlds(self) -> tuple[dict[str, str], ...]:
        """For each world the hashes of its files, by their paths below its folder; empty if nothing was hashed."""
        found: dict[int, dict[str, str]] = {}
        for name, digest in self.hashes.items():
            if match := _DATA.fullmatch(name):
                found.setdefault(int(match["world"] or 1), {})[match["file"]] = digest
        return tuple(found[number] for number in sorted(found))

    def world_of(self, seed: int) -> int:
        """The number of the world that a seed was trained in, from 1."""
        return 1 + world_index(self.seeds, seed, max(1, len(self.worlds)))


# data/train/rows.npy is a file of the first world, data/world-2/train/rows.npy one of the second.
_DATA = re.compile(r"data/(?:world-(?P<world>[0-9]{1,3})/)?(?P<file>.+)")
