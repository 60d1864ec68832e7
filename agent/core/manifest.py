"""manifest.toml as data: a template's question, files, metrics, baselines, profiles and limits.

A template is what an idea is tried on. A profile is a size of it, a condition a point (such as a sparsity) at which
every run is trained and measured. docs/templates.md describes each key for the author of a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, model_validator

from agent.core.command import GIVEN, CommandSpec
from agent.core.methods import ModelSpec
from agent.core.schema import Strict

Setting = int | float | str | bool
Better = Literal["higher", "lower", "target"]


class MetricSpec(Strict):
    """One metric as the template measures it."""

    label: str  # how tables and figures name it, e.g. "F1"
    better: Better
    read: str  # one sentence: what it means and how to judge it
    primary: bool = False  # the metric of the comparison that is fixed before the first run
    unit: str = ""
    target: float | None = None  # only with better = "target"; a setting with the metric's name overrides it
    target_setting: str = ""  # name of the setting that overrides the target, if it is not the metric's name
    low: float | None = None  # smallest possible value; a value below it is refused
    high: float | None = None
    distribution: bool = False  # the order of the answers does not matter, so chance is what an untrained model scores
    detail: bool = False  # only the planner and the appendix get it: no column in the main table, no panel of a figure
    timed: bool = False  # measured by a clock: two measurements never agree exactly, and any model may be ahead by luck
    confirmation: bool = False  # measured only in the confirmation, because it takes long

    @model_validator(mode="after")
    def _target_is_named(self) -> MetricSpec:
        if (self.better == "target") != (self.target is not None):
            raise ValueError('`target` goes with better = "target", and only with it')
        return self

    def merit(self, value: float, aim: float | None) -> float:
        """The value, mapped so that larger is better whatever the metric's direction.

        `aim` is the value that a metric with a target should have (`Manifest.aim`); None for a metric without one.

        Raises:
            ValueError: the metric has a target, and `aim` is None.
        """
        if self.better == "target":
            if aim is None:
                raise ValueError(f"{self.label} has a target, so its merit needs an aim")
            return -abs(value - aim)
        return value if self.better == "higher" else -value


class BaselineSpec(Strict):
    """A method that the runner trains before the agent's first edit, or an autoencoder that others trained."""

    name: str  # the run's name in expressions, e.g. "topk"
    label: str  # how tables name it, e.g. "TopK"
    file: str = ""  # the script that is trained instead of experiment.py; "" with `pretrained`
    # An autoencoder that is only measured: a path relative to the template, or "release/id" of a published one.
    pretrained: str = ""
    trained_on: str = ""  # how much data it was trained on, e.g. "4 billion tokens", if its files do not say it
    about: str  # one sentence for the planner and the paper
    settings: tuple[str, ...] = ()  # settings that only baselines read, this one among them
    # It does not learn (a mean, random rows), so the gate accepts that it is no better than chance
    control: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> BaselineSpec:
        if bool(self.file) == bool(self.pretrained):
            raise ValueError(f"baseline {self.name!r}: give either `file` (it is trained) or `pretrained` (it was)")
        if not self.pretrained and self.trained_on:
            raise ValueError(f"baseline {self.name!r}: `trained_on` goes with `pretrained`")
        if self.pretrained and (self.settings or self.control or not re.fullmatch(r"[\w-]+", self.name)):
            raise ValueError(
                f"baseline {self.name!r}: with `pretrained` there is neither `settings` nor `control`, and the name is "
                "of letters, digits, _ and -"
            )
        return self

    @property
    def script(self) -> str:
        """The file of its runs' code in a session's repository: the training script, or a pretrained SAE's encoder."""
        return self.file or f"pretrained/{self.name}.py"


class Condition(Strict):
    """A point at which every run is trained and measured (a sparsity, a layer). Its settings override the profile's."""

    name: str = Field(pattern=r"^[^/.][^/]*$")  # also the name of folders
    label: str
    settings: dict[str, Setting] = {}


class Limits(Strict):
    """Bounds on one sandboxed process tree."""

    wall_s: float = 1800.0
    memory_mb: int = 8192
    processes: int = 256
    disk_mb: int = 2048  # of the whole output folder
    files: int = 2000  # in the output folder
    file_mb: int = 1024  # one file
    output_mb: int = 16  # stdout and stderr, each


SaeBenchEval = Literal["core", "absorption", "sparse_probing", "sae_probes", "unlearning", "autointerp"]
CHATS = ("gemma-2-2b-it", "gemma-2-9b-it")  # the models for which sae-bench has a chat form for unlearning's questions
# The corpus's path below SaeBench.data. It cannot be downloaded; its authors give it on request.
FORGET_CORPUS = "cais/wmdp-corpora/bio-forget-corpus.jsonl"
Value = int | float | str | bool


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


class Profile(Strict):
    """A size of the same experiment: its settings, seeds, conditions and limits."""

    about: str
    settings: dict[str, Setting]
    seeds: tuple[int, ...]
    confirm_seeds: int = Field(default=5, ge=5)  # fresh seeds of the one confirmatory comparison
    confirm_worlds: int = Field(default=3, ge=1)  # fresh worlds (data sets drawn from secrets) for those seeds
    conditions: tuple[Condition, ...]
    baselines: tuple[str, ...] = ()  # trained by default; empty: all of them
    trials: dict[str, int] = {}  # how many settings were tried for each baseline to tune it; all 0: not tuned
    limits: Limits = Limits()
    evaluate_limits: Limits = Limits(wall_s=600.0)
    saebench: SaeBench | None = None  # evaluations of sae-bench, on top of the template's own

    @model_validator(mode="after")
    def _not_empty(self) -> Profile:
        if not self.seeds or not self.conditions:
            raise ValueError("a profile needs at least one seed and one condition")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds repeat")
        return self

    @property
    def untuned(self) -> bool:
        """Whether the manifest says that the settings of this profile were not tuned."""
        return bool(self.trials) and not any(self.trials.values())

    @property
    def fresh_seeds(self) -> tuple[int, ...]:
        """The seeds of the confirmation, which no exploratory run uses."""
        first = max(self.seeds) + 1
        return tuple(range(first, first + self.confirm_seeds))


class EnvironmentSpec(Strict):
    """The Python environment that trains, encodes and plots. evaluate.py and prepare.py run in the runner's own.

    Exactly one of `requirements`, `lock` and `python` is given.
    """

    requirements: str | None = None  # a requirements.txt of the template
    lock: str | None = None  # pylock.toml, uv.lock (beside its pyproject.toml), or compiled requirements
    python: str | None = None  # an interpreter that exists, e.g. of conda or of a cluster's module
    version: str | None = None  # Python's version for requirements or lock; None: the runner's own
    extend: bool = False  # the requirements come on top of the runner's own packages

    @property
    def file(self) -> str:
        """The template's file that names the packages; "" with `python`."""
        return self.requirements or self.lock or ""

    @model_validator(mode="after")
    def _one_source(self) -> EnvironmentSpec:
        if sum(value is not None for value in (self.requirements, self.lock, self.python)) != 1:
            raise ValueError("give exactly one of requirements, lock and python")
        if self.extend and (self.requirements is None or self.version is not None):
            raise ValueError("`extend` goes with requirements, and without a version of its own")
        return self


class Schematic(Strict):
    """Where the record of a run has what a schematic of its autoencoder shows."""

    d_in: str = "d_in"  # this and the next two are names of settings
    d_sae: str = "d_sae"
    l0: str = "l0"
    tiers: str = ""  # prefix of the diagnostics that hold the number of latents of each nested prefix, in order
    schedule: str = ""  # name of the log's curve of active latents per row


class TradeOff(Strict):
    """Two metrics that the paper plots against each other."""

    x: str
    y: str
    sweep: bool = False  # if a run has several conditions, these trade-offs are drawn instead of the others


class Guard(Strict):
    """How far a metric may get worse in a run that is ahead in the primary metric."""

    metric: str
    fall: float | None = Field(default=None, ge=0)  # in the metric's unit
    share: float | None = Field(default=None, ge=0)  # as a share of the compared run's value

    @model_validator(mode="after")
    def _one_bound(self) -> Guard:
        if (self.fall is None) == (self.share is None):
            raise ValueError(f"guards: {self.metric}: give exactly one of `fall` (in the metric's unit) and `share`")
        return self

    @property
    def bound(self) -> str:
        """How far the metric may fall, in words: "by 0.05", "by 10% of the baseline's value"."""
        return (
            f"by {self.fall:g}"
            if self.fall is not None
            else f"by {100 * (self.share or 0.0):g}% of the baseline's value"
        )

    def allowed(self, compared: float) -> float:
        """How much worse the metric may be than `compared`, the value of the compared run."""
        return self.fall if self.fall is not None else (self.share or 0.0) * abs(compared)


class Manifest(Strict):
    """The whole of manifest.toml."""

    name: str
    title: str
    question: str
    about: str  # a paragraph on the task, for the planner and the paper
    editable: tuple[str, ...] = ("experiment.py",)
    plot: str = "plot.py"
    protected: tuple[str, ...] = ()
    command: CommandSpec | None = None  # the training command; None: python experiment.py --out_dir=run_N
    library: str = ""  # folder of modules that experiments may import, in the template or beside it
    # The settings that prepare.py gets; the data depend on no others. A condition that changes one of them gets data of
    # its own. Empty: prepare.py gets all settings of the profile, and all conditions share one data set.
    data_settings: tuple[str, ...] = ()
    memorised: bool = False  # the measured rows may be trained on, because the question is about memorising
    feed: str = ""  # protected file that makes a training's rows while it runs; needs the profile's setting `streamed`
    artefact: str = "sae.safetensors"
    model: ModelSpec = ModelSpec()
    environment: EnvironmentSpec | None = None  # None: the runner's own
    form: Literal["own", "v1"] = "own"  # v1: a folder of AI-Scientist, run as that runs it (templating/adapt.py)
    assets: tuple[str, ...] = ()  # protected files that lie beside the code of a training
    absolute_out_dir: bool = False  # --out_dir is given as an absolute path
    seeded: bool = True  # false: the script ignores task.json's seed, so nothing can be confirmed on fresh seeds
    measured: bool = True  # false: the experiment reports its own numbers, marked "self-reported"
    network: bool = False
    default_profile: str
    metrics: dict[str, MetricSpec]
    guards: tuple[Guard, ...] = ()  # how far other metrics may get worse when the primary metric improves
    baselines: tuple[BaselineSpec, ...]
    profiles: dict[str, Profile]
    tradeoffs: tuple[TradeOff, ...] = ()
    schematic: Schematic | None = None
    methods: tuple[str, ...] = ()  # published methods besides the baselines; no label of a run may name one
    max_l0: int = Field(default=512, gt=0)  # how many non-zeros a row of latents may have

    @model_validator(mode="after")
    def _names_agree(self) -> Manifest:
        primary = [name for name, spec in self.metrics.items() if spec.primary]
        if len(primary) != 1:
            raise ValueError(f"exactly one metric must say primary = true, found {len(primary)}")
        if self.default_profile not in self.profiles:
            raise ValueError(f"default_profile {self.default_profile!r} is not among the profiles")
        for axis in (axis for t in self.tradeoffs for axis in (t.x, t.y)):
            if axis not in self.metrics:
                raise ValueError(f"trade-off axis {axis!r} is not a metric")
        self._check_guards(primary[0])
        if hidden := [name for name in (primary[0], *(g.metric for g in self.guards)) if self.metrics[name].detail]:
            raise ValueError(f"{hidden[0]} says detail = true, but every paper compares it")
        if not self.baselines:
            raise ValueError("at least one baseline is needed: the first one is run 0")
        self._check_pretrained()
        unknown = set(self.data_settings).difference(*(p.settings for p in self.profiles.values()))
        if unknown:
            raise ValueError(f"data_settings names {', '.join(sorted(unknown))}, which no profile sets")
        own = {key for b in self.baselines for key in b.settings}
        if unknown := own.difference(*(p.settings for p in self.profiles.values())):
            raise ValueError(f"a baseline's settings name {', '.join(sorted(unknown))}, which no profile sets")
        names = [b.name for b in self.baselines]
        if len(set(names)) != len(names):
            raise ValueError("two baselines share a name")
        width = self.model.outputs
        for name, profile in self.profiles.items():
            self._check_baselines(name, profile)
            if isinstance(width, str) and width not in profile.settings:
                raise ValueError(f"model.outputs names {width!r}, which the settings of profile {name!r} lack")
            self._check_command(
                name, {**profile.settings, **{k: v for c in profile.conditions for k, v in c.settings.items()}}
            )
        if all(spec.timed for spec in self.metrics.values()):
            raise ValueError("every metric is timed; chance alone may be ahead in such a one, so add another")
        return self

    def _check_pretrained(self) -> None:
        given = [b.name for b in self.baselines if b.pretrained]
        if given and self.baselines[0].pretrained:
            raise ValueError(
                f"baseline {given[0]!r}: the agent starts from the first one's code, so that one is trained"
            )
        if given and not (self.measured and self.model.dictionary and self.model.file == "experiment.py"):
            raise ValueError(
                f"baseline {given[0]!r}: `pretrained` goes with a measured template whose experiment.py defines an "
                "autoencoder"
            )

    def _check_baselines(self, name: str, profile: Profile) -> None:
        names = [b.name for b in self.baselines]
        if unknown := {*profile.baselines, *profile.trials} - set(names):
            raise ValueError(f"profile {name!r} names {min(unknown)!r}, which is no baseline")
        wanted = profile.baselines
        if wanted and (wanted[0] != names[0] or len(set(wanted)) < len(wanted)):
            raise ValueError(f"profile {name!r}: baselines: name {names[0]}, which runs start from, first; each once")
        if any(count < 0 for count in profile.trials.values()):
            raise ValueError(f"profile {name!r}: trials: a count is 0 or more")

    def _check_command(self, profile: str, settings: Mapping[str, Setting]) -> None:
        if self.command is None:
            return
        if self.form != "own" or (self.measured and self.model.dictionary):
            raise ValueError(
                "command: it goes with `measured = false`, or with a model that has `outputs` or `methods`"
            )
        if unknown := self.command.places() - set(GIVEN) - set(settings):
            raise ValueError(
                f"command.run: {{{min(unknown)}}} is neither a setting of profile {profile!r} nor one of "
                f"{', '.join(GIVEN)}"
            )

    def _check_guards(self, primary: str) -> None:
        seen: set[str] = set()
        for metric in (guard.metric for guard in self.guards):
            if metric not in self.metrics:
                raise ValueError(f"guards: {metric!r} is not a metric")
            if metric == primary:
                raise ValueError(f"guards: {metric!r} is the primary metric, which is compared anyway")
            if metric in seen:
                raise ValueError(f"guards: {metric!r} is named twice")
            seen.add(metric)

    @property
    def scripts(self) -> tuple[str, ...]:
        """The training scripts of the baselines, as paths in the template's folder."""
        return tuple(b.file for b in self.baselines if b.file)

    @property
    def primary(self) -> str:
        """Name of the primary metric."""
        return next(name for name, spec in self.metrics.items() if spec.primary)

    @property
    def headline(self) -> dict[str, MetricSpec]:
        """The metrics that tables, figures and summaries show: all but those marked as detail."""
        return {name: spec for name, spec in self.metrics.items() if not spec.detail}

    def aim(self, metric: str, settings: Mapping[str, Setting], conditions: Sequence[Condition]) -> float | None:
        """The value that a metric with a target should have under these conditions.

        The setting named after the metric (or its `target_setting`) overrides the metric's own target. Returns None if
        the metric has no target, or if the conditions differ in it.
        """
        spec = self.metrics[metric]
        if spec.target is None:
            return None
        found = {float({**settings, **c.settings}.get(spec.target_setting or metric, spec.target)) for c in conditions}
        return found.pop() if len(found) == 1 else None
