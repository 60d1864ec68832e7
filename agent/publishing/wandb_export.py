"""Exports a session's trainings to Weights & Biases, for the command that asks for it.

Each training (one seed of a run under one condition) becomes one run there. Its configuration has the settings and the
commit, its history the curves, and its summary the measured metrics; the trained model is named by its path and hash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.errors import UserError
from agent.core.paths import SessionPaths
from agent.core.record import RunRecord, Training
from agent.publishing.records import read_record
from agent.session.session import Session
from agent.storage.workspace import read_session
from paper.evidence.facts import record_sha256

STEPS = ("step", "steps", "samples")


def export_wandb(paths: SessionPaths, project: str, out: Path, *, offline: bool) -> int:
    """Send every measured training, and print where they are; returns the exit status.

    Args:
        project: the project at Weights & Biases.
        out: the folder below which wandb keeps its own files.
        offline: write them there without a network; `wandb sync` sends them later.

    Raises:
        UserError: nothing is measured yet, no key is there, or wandb does not reach its server.
        InfrastructureError: the log or a record cannot be read.
    """
    session = read_session(paths)
    over = [run for run in session.runs.values() if run.phase == "measured"]
    records = [read_record(paths.repo / "records" / f"{run.run}.json", run) for run in over]
    if not records:
        raise UserError(f"{paths.root.name}: has no measured run yet")
    if not out.is_dir():
        raise UserError(f"{out}: no such folder; make it, or name another with --out")
    import wandb

    try:
        exporter = _Exporter(wandb, paths, session, project, out, offline)
        trainings = list(_measured(records))
        for record, training in trainings:
            exporter.send(record, training)
    except wandb.errors.Error as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise UserError(f"wandb: {lines[0]}; set WANDB_API_KEY, or keep it here with --offline") from None
    place = f"{out / 'wandb'}; send them with: wandb sync {out / 'wandb'}/offline-run-*" if offline else project
    print(f"{len(trainings)} trainings of {len(records)} runs exported to {place}")
    return 0


def _measured(records: list[RunRecord]) -> Iterator[tuple[RunRecord, Training]]:
    for record in (record.whole for record in records):
        for training in record.trainings:
            if training.outcome == "measured":
                yield record, training


@dataclass(frozen=True)
class _Exporter:
    wandb: Any  # the package, which takes a second to load and has no types here
    paths: SessionPaths
    session: Session
    project: str
    out: Path
    offline: bool

    def send(self, record: RunRecord, training: Training) -> None:
        """Send one training; sending it again changes the same run."""
        name = f"{self.paths.root.name}.{record.run}.{training.condition}.{training.seed}"
        run = self.wandb.init(
            project=self.project,
            group=self.paths.root.name,
            job_type=record.kind,
            name=f"{record.label}, seed {training.seed}",
            id="".join(c if c.isalnum() else "-" for c in name),
            config=_configuration(self.session, record, training),
            notes=record.about,
            dir=self.out,
            mode="offline" if self.offline else None,
            resume=None if self.offline else "allow",
            settings=self._settings(),
        )
        with run:
            for step, row in _history(training):
                run.log(row, step=step)
            for key, value in training.metrics.items():
                run.summary[key] = value
            for key, value in training.diagnostics.items():
                run.summary[f"self-reported/{key}"] = value
            self._refer(run, record, training)

    def _settings(self) -> Any:
        """Settings that keep wandb from sending anything else about this machine."""
        return self.wandb.Settings(
            console="off",
            disable_git=True,
            disable_code=True,
            disable_job_creation=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
            host="experiment-runner",
            silent=True,
        )

    def _refer(self, run: Any, record: RunRecord, training: Training) -> None:
        """Log the trained model as a reference to its folder, with its hash; the file itself is not sent."""
        state = self.session.runs[record.run]
        attempt = self.paths.attempt(record.run, state.attempt, state.restarts)
        folder = attempt / "trainings" / f"{training.condition}-seed{training.seed}" / "export"
        if not folder.is_dir():
            return
        about = {"sha256": training.artefact_sha256, "loads_as": training.export}
        artefact = self.wandb.Artifact(f"sae-{run.id}", type="model", metadata=about)
        artefact.add_reference(f"file://{os.path.abspath(folder)}", checksum=False)
        run.log_artifact(artefact)


def _configuration(session: Session, record: RunRecord, training: Training) -> dict[str, Any]:
    condition = next(c for c in record.conditions if c.name == training.condition)
    return {
        **record.settings,
        **condition.settings,
        "seed": training.seed,
        "runner": {
            "session": session.session,
            "idea": session.idea.Name,
            "run": record.run,
            "name": record.name,
            "parent": record.parent,
            "condition": condition.name,
            "template": record.template,
            "profile": record.profile,
            "commit": record.commit,
            "record_sha256": record_sha256(record),
            "device": record.device,
            "wall_s": training.wall_s,
            "versions": record.versions,
        },
    }


def _history(training: Training) -> Iterator[tuple[int, dict[str, float]]]:
    """The curves as (step, values); their names say that the experiment reported them about itself."""
    steps = next((training.curves[s] for s in STEPS if s in training.curves), ())
    curves = {n: c for n, c in training.curves.items() if n not in STEPS and len(c) == len(steps)}
    for place, step in enumerate(steps):
        yield int(step), {f"self-reported/{name}": curve[place] for name, curve in curves.items()}
