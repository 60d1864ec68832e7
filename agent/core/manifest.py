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
from agent.core.metrics import Guard, MetricSpec, TradeOff
from agent.core.saebench import SaeBench
from agent.core.schema import Strict

Setting = int | float | str | bool


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
    one_optimum: bool = False  # every seed finds the same one, as with a convex loss: seeds that agree are no copies
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
