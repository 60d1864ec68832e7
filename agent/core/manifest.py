"""What a template promises: its question, files, metrics, baselines, conditions and limits (manifest.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from agent.core.benchmarks import SaeBench
from agent.core.errors import UserError
from agent.core.schema import Strict

Setting = int | float | str | bool
SHARED = Path(__file__).resolve().parents[2] / "templates"  # where the project's own libraries lie


class MetricSpec(Strict):
    """One metric as the template measures it."""

    label: str  # how tables and figures name it, e.g. "F1"
    better: Literal["higher", "lower", "target"]
    read: str  # one sentence: what it means and how to judge it
    primary: bool = False  # the metric of the comparison that is fixed before the first run
    unit: str = ""
    target: float | None = None  # with better = "target"; a setting of the metric's name takes its place
    target_setting: str = ""  # the setting that does, where it has another name
    low: float | None = None  # smallest possible value; a value below it is refused
    high: float | None = None

    @model_validator(mode="after")
    def _target_is_named(self) -> MetricSpec:
        if (self.better == "target") != (self.target is not None):
            raise ValueError('`target` goes with better = "target", and only with it')
        return self


class BaselineSpec(Strict):
    """A method the runner itself trains before the agent's first edit."""

    name: str  # the run's name in expressions, e.g. "topk"
    label: str  # how tables name it, e.g. "TopK"
    file: str  # trained in the place of experiment.py
    about: str  # one sentence for the planner and the paper


class Condition(Strict):
    """One point of a sweep (a sparsity, a layer); its settings are laid over the profile's."""

    name: str
    label: str
    settings: dict[str, Setting] = {}


class Limits(Strict):
    """Bounds on one sandboxed process tree."""

    wall_s: float = 1800.0
    memory_mb: int = 8192
    processes: int = 256
    disk_mb: int = 2048  # all of the output folder
    files: int = 2000  # in the output folder
    file_mb: int = 1024  # one file
    output_mb: int = 16  # stdout and stderr, each


class Profile(Strict):
    """A size of the same experiment."""

    about: str
    settings: dict[str, Setting]
    seeds: tuple[int, ...]
    confirm_seeds: int = Field(default=5, ge=5)  # fresh seeds of the one confirmatory comparison
    conditions: tuple[Condition, ...]
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
    def fresh_seeds(self) -> tuple[int, ...]:
        """Seeds that no exploratory run has used."""
        first = max(self.seeds) + 1
        return tuple(range(first, first + self.confirm_seeds))


def aim(
    metric: str, spec: MetricSpec, settings: Mapping[str, Setting], conditions: Sequence[Condition]
) -> float | None:
    """The target of a metric under these conditions; None where it has none, or where they differ in it."""
    if spec.target is None:
        return None
    found = {float({**settings, **c.settings}.get(spec.target_setting or metric, spec.target)) for c in conditions}
    return found.pop() if len(found) == 1 else None


class ModelSpec(Strict):
    """The class in experiment.py that the runner loads from the artefact, and the method that it measures."""

    name: str = "SAE"  # has load(path)
    method: str = "encode"  # float32 rows [B, d_in] -> float32 [B, width]; each row depends on that row alone
    outputs: int | str | None = None  # the width, or the setting that holds it; None: latents that W_dec decodes

    def width(self, settings: Mapping[str, Setting]) -> int:
        """Numbers a row of outputs has."""
        return int(settings[self.outputs] if isinstance(self.outputs, str) else self.outputs)

    @property
    def call(self) -> str:
        return f"{self.name}.{self.method}"


class EnvironmentSpec(Strict):
    """The Python that trains, encodes and plots; evaluation and prepare.py stay with the runner's own.

    One of `requirements`, `lock` and `python`.
    """

    requirements: str | None = None  # a requirements.txt of the template
    lock: str | None = None  # pylock.toml, uv.lock (beside its pyproject.toml), or compiled requirements
    python: str | None = None  # an interpreter that exists: conda's, a cluster module's
    version: str | None = None  # of Python, with requirements or lock; else the runner's own
    extend: bool = False  # requirements on top of the runner's own packages, which need not be named then

    @model_validator(mode="after")
    def _one_source(self) -> EnvironmentSpec:
        if sum(value is not None for value in (self.requirements, self.lock, self.python)) != 1:
            raise ValueError("give exactly one of requirements, lock and python")
        if self.extend and (self.requirements is None or self.version is not None):
            raise ValueError("`extend` goes with requirements, and without a version of its own")
        return self


class TradeOff(Strict):
    """Two metrics whose plane the paper draws."""

    x: str
    y: str
    sweep: bool = False  # drawn in the place of the others where a run has several conditions


class Manifest(Strict):
    """The whole of manifest.toml."""

    name: str
    title: str
    question: str
    about: str  # a paragraph: the task as the planner and the paper need to know it
    editable: tuple[str, ...] = ("experiment.py",)
    plot: str = "plot.py"
    protected: tuple[str, ...]
    library: str = ""  # folder of modules that experiments may import, in the template or beside it
    data_settings: tuple[str, ...] = ()  # the settings that prepare.py gets and the data depend on; empty: all
    artefact: str = "sae.safetensors"
    model: ModelSpec = ModelSpec()
    environment: EnvironmentSpec | None = None  # None: the runner's own
    form: Literal["own", "v1"] = "own"  # v1: an AI-Scientist folder, run by its own contract (templating/adapt.py)
    assets: tuple[str, ...] = ()  # protected files that a training finds beside its code
    absolute_out_dir: bool = False  # --out_dir as an absolute path
    seeded: bool = True  # false: the script ignores task.json's seed; nothing can be confirmed on fresh seeds
    measured: bool = True  # false: the experiment reports its own numbers, marked "self-reported"
    network: bool = False
    default_profile: str
    metrics: dict[str, MetricSpec]
    baselines: tuple[BaselineSpec, ...]
    profiles: dict[str, Profile]
    tradeoffs: tuple[TradeOff, ...] = ()
    max_l0: int = Field(default=512, gt=0)  # non-zeros a row of latents may have

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
        if not self.baselines:
            raise ValueError("at least one baseline is needed: the first one is run 0")
        unknown = set(self.data_settings).difference(*(p.settings for p in self.profiles.values()))
        if unknown:
            raise ValueError(f"data_settings names {', '.join(sorted(unknown))}, which no profile sets")
        names = [b.name for b in self.baselines]
        if len(set(names)) != len(names):
            raise ValueError("two baselines share a name")
        width = self.model.outputs
        for name, profile in self.profiles.items():
            if isinstance(width, str) and width not in profile.settings:
                raise ValueError(f"model.outputs names {width!r}, which the settings of profile {name!r} lack")
        return self

    @property
    def primary(self) -> str:
        """Name of the primary metric."""
        return next(name for name, spec in self.metrics.items() if spec.primary)


class Template(Strict):
    """A template folder with its manifest read."""

    folder: str
    manifest: Manifest

    def path(self, name: str) -> Path:
        return Path(self.folder) / name

    def library(self) -> dict[str, Path]:
        """Files of the library by the name under which an experiment sees them, e.g. "saes/topk.py"."""
        name = self.manifest.library
        places = [p for p in (Path(self.folder, name), Path(self.folder).parent / name, SHARED / name) if p.is_dir()]
        return {f"{name}/{p.name}": p for p in sorted(places[0].glob("*.py"))} if name and places else {}

    def data_settings(self, settings: Mapping[str, Setting]) -> dict[str, Setting]:
        """What prepare.py gets to see of a profile's settings."""
        wanted = self.manifest.data_settings
        return {name: value for name, value in settings.items() if not wanted or name in wanted}


def load_template(folder: Path) -> Template:
    """Read and check a template folder.

    Raises:
        UserError: the manifest is missing, malformed, or names a file that is not there.
    """
    path = folder / "manifest.toml"
    try:
        manifest = parse_manifest(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; a template needs a manifest.toml (see --list)") from None
    named = [
        *manifest.editable,
        *manifest.protected,
        manifest.plot,
        *(b.file for b in manifest.baselines),
        *manifest.assets,
    ]
    if manifest.environment:
        named += filter(None, (manifest.environment.requirements, manifest.environment.lock))
    missing = sorted({name for name in named if not (folder / name).is_file()})
    if missing:
        raise UserError(f"{path}: names {', '.join(missing)}, which {folder} does not hold; add or unname it")
    template = Template(folder=str(folder), manifest=manifest)
    if manifest.library and not template.library():
        raise UserError(
            f"{path}: library = {manifest.library!r}: no such folder with Python files in {folder}, beside "
            f"it or in {SHARED}"
        )
    return template


def parse_manifest(data: bytes, where: str) -> Manifest:
    """The manifest alone, whatever files lie around it.

    Raises:
        UserError: it is malformed.
    """
    try:
        return Manifest.model_validate(_tuples(_extended(tomllib.loads(data.decode()), where)))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{where}: not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise UserError(f"{where}: {field}: {first['msg']}") from None


def _extended(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """A profile may say `extends = "other"`: it takes over what it does not say itself, setting by setting."""
    profiles = raw.get("profiles")
    for name, profile in profiles.items() if isinstance(profiles, dict) else ():
        if not isinstance(profile, dict) or "extends" not in profile:
            continue
        base = profiles.get(profile["extends"]) if isinstance(profile["extends"], str) else None
        if not isinstance(base, dict) or "extends" in base:
            raise UserError(
                f"{where}: profiles.{name}: extends = {profile['extends']!r}: name a profile of this file "
                "that extends none itself"
            )
        own = {key: value for key, value in profile.items() if key != "extends"}
        settings = {**base.get("settings", {}), **own.get("settings", {})}
        raw = {**raw, "profiles": {**raw["profiles"], name: {**base, **own, "settings": settings}}}
    return raw


def _tuples(value: Any) -> Any:
    """TOML has arrays only; strict models want tuples."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
