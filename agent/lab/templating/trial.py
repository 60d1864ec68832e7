"""Tries a template: draws its data twice, and trains its baselines.

The first baseline is trained twice with one seed, once with another, once with a single batch, and once under every
further condition. Code runs where a session would run it. Not here: what is wrong with those trainings (judged.py), and
flaws that reading shows (contract.py, reaches.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.errors import InfrastructureError, UserError
from agent.core.manifest import BaselineSpec, Condition, Profile, Setting
from agent.core.paths import DataPaths
from agent.core.protocols import Sandbox
from agent.core.record import Environment, Job, Pretrained, Training
from agent.core.template import Template
from agent.lab.measuring.verdict import EvaluationFault
from agent.lab.measuring.walled import WalledEvaluation, bounded
from agent.lab.published.evaluation import encoder_text
from agent.lab.published.releases import is_release
from agent.lab.published.source import Published, opened, read_published
from agent.lab.templating.data_trial import data_flaws
from agent.lab.templating.flaw import Flaw
from agent.lab.templating.judged import Judge, failed
from agent.lab.templating.pretrained_trial import pretrained_flaws
from agent.lab.worlds import Prepare, Say, load_module, prepared
from agent.storage.atomic import readable, write_bytes


@dataclass
class Trial:
    """The trials of one template under one profile, in a scratch folder."""

    template: Template
    profile_name: str
    folder: Path
    sandbox: Sandbox
    say: Say  # gets a line for each training
    device: str = "cpu"
    environment: Environment | None = None  # the template's own Python
    prepare: Prepare | None = None  # given for somebody else's template, whose code runs in the sandbox only

    def flaws(self) -> Iterator[Flaw]:
        """The flaws that the trials show; they end at a first baseline that does not run."""
        try:
            worlds = [self.world(secret) for secret in (11, 12)]
        except InfrastructureError as error:
            yield Flaw("prepare-fails", "prepare.py", " ".join(str(error).split())[-300:], "repair what it names")
            return
        if self.template.manifest.measured:
            yield from data_flaws(self.template.manifest, self.profile.conditions, self.held_out, *worlds)
        try:
            yield from self._trainings(worlds[0])
        except EvaluationFault as fault:
            yield Flaw("evaluation-fails", "evaluate.py", str(fault), "repair it: no model could do better")

    @property
    def walled(self) -> bool:
        """Whether the template is somebody else's, so that none of its code runs outside of the sandbox."""
        return self.prepare is not None

    @property
    def profile(self) -> Profile:
        return self.template.manifest.profiles[self.profile_name]

    @property
    def condition(self) -> Condition:
        return self.profile.conditions[0]

    # ---------------------------------------------------------------- data

    def world(self, secret: int) -> DataPaths:
        """The data of the world that this secret gives."""
        asked = (self.template, self.profile_name, self.profile.settings, secret, self.folder / "cache")
        data = prepared(*asked, prepare=self.prepare, conditions=self.profile.conditions)
        if self.walled:
            readable(data.truth.parent)  # evaluate.py reads the truth as the sandbox's user
        return data

    def held_out(self, world: DataPaths, condition: Condition) -> Any:
        """The held-out rows as evaluate.py reads them; None if it has none because it calls the model itself."""
        settings = {**self.profile.settings, **condition.settings}
        if self.walled:
            job = self.job("overlap", world, self.template.manifest.baselines[0].file)
            return WalledEvaluation(job, settings, self.sandbox).load_truth().x
        truth = load_module(self.template.path("evaluate.py")).load_truth(world.truth, settings)
        return getattr(truth, "x", None) if self.template.manifest.model.methods else truth.x

    # ---------------------------------------------------------------- trainings

    def _trainings(self, world: DataPaths) -> Iterator[Flaw]:
        manifest, judge = self.template.manifest, Judge(self.template.manifest, self.profile_name)
        seeds = (*self.profile.seeds, *self.profile.fresh_seeds)[:2]
        done: list[Training] = []
        for name, seed in (("first", seeds[0]), ("again", seeds[0]), ("other", seeds[1])):
            if name == "other" and not manifest.seeded:
                continue
            done.append(self.train(name, world, manifest.baselines[0].file, seed))
            if done[-1].outcome != "measured":
                yield failed(manifest.baselines[0].file, done[-1])
                return
        yield from judge.repeated(*done[:2])
        noise = 0.0
        if len(done) > 2:
            noise = abs(judge.gain(done[0], done[2]))
            same = list(judge.seeds(done[0], done[2]))
            yield from same
            if not same:
                self.say(f"  between two seeds: {judge.between(done[0], done[2])}")
        yield from judge.bounds(done)
        if manifest.measured:
            yield from judge.floor(done[0], self._untrained(world, seeds[0]), noise)
        yield from self._conditions(world, done[0])
        yield from pretrained_flaws(
            self.template,
            self.profile_name,
            self._published,
            lambda spec, given: self.train(f"baseline-{spec.name}", world, spec.script, seeds[0], given=given),
        )
        for spec in (b for b in manifest.baselines[1:] if b.file):
            tried = self.train(f"baseline-{spec.name}", world, spec.file, seeds[0])
            refused = [f.text for f in tried.findings if f.grade == "refuse"]
            if tried.outcome != "measured":
                yield failed(spec.file, tried)
            elif refused:
                yield Flaw("baseline-fails", spec.file, refused[0], "make it learn, or say `control = true` of it")

    def train(
        self,
        name: str,
        world: DataPaths,
        script: str,
        seed: int,
        under: Condition | None = None,
        given: Pretrained | None = None,
        **settings: Setting,
    ) -> Training:
        """Train and measure as a session would, and print the numbers.

        Args:
            name: of the folder for this training.
            under: the condition; by default the profile's first.
            given: a published artefact, which is measured instead of a training's.
            settings: in place of the condition's.
        """
        from agent.lab.measuring.measure import run_training

        manifest = self.template.manifest
        under = under or self.condition
        condition = under.model_copy(update={"settings": {**under.settings, **settings}})
        job = self.job(name, world, script).model_copy(update={"pretrained": given})
        found = run_training(job, seed, condition, self.sandbox, lambda: False, walled=self.walled)
        shown = ", ".join(f"{manifest.metrics[n].label} {v:.4g}" for n, v in found.metrics.items())
        self.say(
            f"  {script}, seed {seed}{f' ({name})' if name in ('again', 'hardly trained') else ''}"
            f"{f', {under.label}' if under is not self.condition else ''}: "
            f"{shown or found.reason} ({found.wall_s:.1f} s)"
        )
        return found

    def _published(self, spec: BaselineSpec) -> Published:
        """Read a published baseline.

        Raises:
            UserError: it cannot be read, or somebody else's template names it by a path.
            InfrastructureError: its release cannot be fetched.
        """
        if self.walled and not is_release(spec.pretrained):
            raise UserError("somebody else's template names a file of this machine; copy it into templates/ first")
        place = opened(spec.pretrained, self.folder.parent, self.say, Path(self.template.folder))
        return read_published(spec.pretrained, place, self.folder / f"pretrained-{spec.name}", self.sandbox)

    def job(self, name: str, world: DataPaths, script: str) -> Job:
        """A job for one training, with a folder of its own for everything that it writes."""
        profile = self.profile
        return Job(
            key="check",
            run="0",
            kind="baseline",
            attempt=1,
            folder=str(self.folder / name),
            code=str(self._code(script)),
            script=script,
            template=self.template.folder,
            train_data=str(world.train),
            truth_data=str(world.truth),
            settings=profile.settings,
            seeds=profile.seeds,
            conditions=profile.conditions,
            limits=bounded(profile.limits) if self.walled else profile.limits,
            evaluate_limits=profile.evaluate_limits,
            device=self.device,
            slots=1,
            threads=1,
            sandbox="bwrap" if self.sandbox.name == "bwrap" else "none",
            network=False,
            environment=self.environment,
        )

    def _code(self, script: str) -> Path:
        """The folder that a session would make for a training: the editable files, the script, and the library."""
        folder = self.folder / "scripts" / Path(script).stem
        manifest = self.template.manifest
        on_disk = [*manifest.editable, *([script] if script in (*manifest.scripts, *manifest.editable) else [])]
        for name, path in ({n: self.template.path(n) for n in on_disk} | self.template.library()).items():
            write_bytes(folder / name, path.read_bytes())
        if script not in on_disk:
            write_bytes(folder / script, encoder_text(manifest).encode())
        return folder

    def _untrained(self, world: DataPaths, seed: int) -> Training | None:
        """The first baseline after a single batch; None if the settings have no `samples`, or it fails."""
        settings = {**self.profile.settings, **self.condition.settings}
        if "samples" not in settings:
            return None
        tried = self.train(
            "hardly trained",
            world,
            self.template.manifest.baselines[0].file,
            seed,
            samples=int(settings.get("batch", 1)),
        )
        return tried if tried.outcome == "measured" else None

    def _conditions(self, world: DataPaths, first: Training) -> Iterator[Flaw]:
        """Under each further condition, the first baseline must train and leave an artefact of its own."""
        file, seen = self.template.manifest.baselines[0].file, {first.artefact_sha256: self.condition.label}
        for condition in self.profile.conditions[1:]:
            tried = self.train(f"under-{condition.name}", world, file, first.seed, under=condition)
            if tried.outcome != "measured":
                yield failed(file, tried, f" under condition {condition.name}")
            elif tried.artefact_sha256 is not None and tried.artefact_sha256 in seen:
                yield Flaw(
                    "condition-ignored",
                    "manifest.toml",
                    f"{condition.label} and {seen[tried.artefact_sha256]} give the same artefact, byte for byte: the "
                    "condition's settings change nothing, and every run would be refused (copied-artefact)",
                    "let the training read them; if they are the data's, name them in data_settings",
                )
            seen[tried.artefact_sha256] = condition.label
