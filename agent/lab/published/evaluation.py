"""Measures a published autoencoder with a template, on the data on which the template's runs are explored.

It is measured like every artefact: encoded in a sandbox, twice, decoded by the runner, evaluated. Not here: reading its
files (source.py), and tables of the results (agent/app).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import UserError
from agent.core.manifest import Condition, Manifest, Profile, Setting
from agent.core.paths import DataPaths
from agent.core.protocols import Sandbox
from agent.core.record import Finding, Job, Pretrained, SaeBenchJob
from agent.core.schema import Strict
from agent.core.template import Template
from agent.lab.built import file_sha256
from agent.lab.machine import PACKAGES, device_in_words
from agent.lab.measuring.measure import Look, measure_again
from agent.lab.measuring.verdict import Stopped
from agent.lab.published.source import About, Published
from agent.lab.worlds import package_version
from agent.storage.atomic import write_text

ENCODER = Path(__file__).with_name("encoder.py")
SEED = 0  # a published autoencoder has no seed, but the name of its folder needs one


class EvaluatedSAE(Strict):
    """The autoencoder that an EvaluationRecord is about."""

    name: str  # as it was typed
    files: dict[str, str]  # sha256 by name
    artefact_sha256: str  # of the artefact that was made of its files and measured
    about: About
    trained_on: str  # its own budget, or "unknown"


class EvaluationRecord(Strict):
    """The record of one evaluation (evaluations/*.json in the workspace)."""

    sae: EvaluatedSAE
    template: str
    profile: str
    condition: str
    settings: dict[str, Setting]
    metrics: dict[str, float]
    findings: tuple[Finding, ...]
    world: str  # key of the data
    hashes: dict[str, str]  # sha256 of protected files and data
    versions: dict[str, str]
    device: str
    sandbox: str
    started_at: float
    wall_s: float


@dataclass(frozen=True)
class Place:
    """Where an autoencoder is measured."""

    template: Template
    profile_name: str
    condition: Condition
    data: DataPaths
    sandbox: Sandbox
    device: str
    threads: int
    saebench: SaeBenchJob | None = None
    walled: bool = False  # the template is somebody else's

    @property
    def profile(self) -> Profile:
        return self.template.manifest.profiles[self.profile_name]


def check_dictionary(manifest: Manifest) -> None:
    """
    Raises:
        UserError: the template measures no autoencoders.
    """
    if not manifest.measured or not manifest.model.dictionary:
        raise UserError(f"template {manifest.name}: measures no autoencoders; name another with --template")


def fitting(manifest: Manifest, profile_name: str, about: About, wanted: str | None = None) -> Condition:
    """The condition under which an autoencoder is measured: the wanted one, or the first whose data fit it.

    Data fit if they have its width d_in and, if its files name a hook, come from that hook.

    Raises:
        UserError: there is no such condition, or none fits.
    """
    profile = manifest.profiles[profile_name]
    asked = [c for c in profile.conditions if wanted in (None, c.name)]
    if not asked:
        raise UserError(
            f"--condition {wanted}: profile {profile_name} has {', '.join(c.name for c in profile.conditions)}"
        )
    settings = {c.name: {**profile.settings, **c.settings} for c in asked}
    if all("hook_name_out" in one for one in settings.values()):
        raise UserError(f"profile {profile_name} measures transcoders, which reconstruct another activation")
    wide = [c for c in asked if settings[c.name].get("d_in", about.d_in) == about.d_in]
    if not wide:
        widths = ", ".join(sorted({str(one["d_in"]) for one in settings.values()}))
        raise UserError(f"the autoencoder has d_in = {about.d_in}, the data of profile {profile_name} have {widths}")
    hook = about.known.get("hook_name")
    placed = [c for c in wide if hook is None or settings[c.name].get("hook_name", hook) == hook]
    if not placed:
        there = ", ".join(sorted({str(settings[c.name]["hook_name"]) for c in wide}))
        raise UserError(f"the autoencoder belongs to {hook}, and profile {profile_name} measures at {there}")
    return placed[0]


def remarks(settings: dict[str, Setting], about: About) -> list[str]:
    """Lines that a reader of the metrics should know about the autoencoder."""
    found, model, hook = list(about.remarks), about.known.get("model"), settings.get("hook_name")
    if hook and "hook_name" not in about.known:
        found.append(f"its files do not say where in a model it belongs; measured at {hook}")
    if model and "model" in settings and _bare(model) != _bare(str(settings["model"])):
        found.append(f"its files say that it is of the model {model}, and it is measured on {settings['model']}")
    return found


def settings_of(place: Place, about: About) -> dict[str, Setting]:
    """The settings under which it is measured: those of the condition, with its own number of latents as d_sae."""
    return {**place.profile.settings, **place.condition.settings, "d_sae": about.d_sae}


def evaluate(published: Published, place: Place, folder: Path, look: Look | None = None) -> EvaluationRecord:
    """Measure a published autoencoder.

    `folder` is an empty one for intermediate files; `look` gets the latents [N, d_sae] of the held-out rows.

    Raises:
        UserError: it cannot be measured; one line.
        InfrastructureError: the sandbox, the data or sae-bench failed.
    """
    started, clock = time.time(), time.monotonic()
    job = job_of(published, place, folder)
    try:
        account = measure_again(
            job, SEED, place.condition, place.sandbox, published.artefact, walled=place.walled, look=look
        )
    except Stopped as stop:
        raise UserError(
            f"{published.name}: cannot be measured: {stop.reason}: {' '.join(stop.detail.split())[:600]}"
        ) from None
    return EvaluationRecord(
        sae=EvaluatedSAE(
            name=published.name,
            files=published.files,
            artefact_sha256=published.sha256,
            about=published.about,
            trained_on=published.trained_on,
        ),
        template=place.template.manifest.name,
        profile=place.profile_name,
        condition=place.condition.name,
        settings=settings_of(place, published.about),
        metrics=account.metrics,
        findings=tuple(account.findings),
        world=place.data.key,
        hashes=_hashes(place),
        versions={name: package_version(name) for name in PACKAGES},
        device=device_in_words(place.device),
        sandbox=place.sandbox.name,
        started_at=started,
        wall_s=round(time.monotonic() - clock, 3),
    )


def job_of(published: Published, place: Place, folder: Path) -> Job:
    """The job for its measurement, whose code is the runner's own encoder."""
    manifest, profile, code = place.template.manifest, place.profile, folder / "encoder"
    write_text(code / manifest.model.file, encoder_text(manifest))
    return Job(
        key="evaluate",
        run="0",
        kind="baseline",
        attempt=1,
        folder=str(folder),
        code=str(code),
        script=manifest.model.file,
        template=place.template.folder,
        train_data=str(place.data.train),
        truth_data=str(place.data.truth),
        settings=profile.settings,
        seeds=(SEED,),
        conditions=profile.conditions,
        limits=profile.limits,
        evaluate_limits=profile.evaluate_limits,
        device=place.device,
        slots=1,
        threads=place.threads,
        sandbox="bwrap" if place.sandbox.name == "bwrap" else "none",
        saebench=place.saebench,
        pretrained=Pretrained(artefact=str(published.artefact), sha256=published.sha256, d_sae=published.about.d_sae),
    )


def encoder_text(manifest: Manifest) -> str:
    """The source of encoder.py, with class and method named as in the template's manifest."""
    model = manifest.model
    text = ENCODER.read_text(encoding="utf-8")
    text = text.replace("class SAE:", f"class {model.name}:").replace('-> "SAE":', f'-> "{model.name}":')
    return text.replace("def encode(", f"def {model.method}(")


def _hashes(place: Place) -> dict[str, str]:
    manifest = place.template.manifest
    protected = sorted({*manifest.protected, *manifest.assets, "manifest.toml"})
    return {f"protected/{name}": file_sha256(place.template.path(name)) for name in protected} | {
        f"data/{name}": digest for name, digest in place.data.hashes.items()
    }


def _bare(model: str) -> str:
    """A model's name without its owner and in lower case, for a comparison."""
    return model.rpartition("/")[2].lower()
