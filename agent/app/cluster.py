"""What `run --dry-run` and `doctor` report about a Slurm cluster before a session starts there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.core.options import Options
from agent.core.record import Job
from agent.core.template import Template
from agent.lab.jobs.slurm.runner import batch_of
from agent.lab.jobs.slurm.script import batch_script
from agent.lab.jobs.slurm.trial import Tried, try_cluster
from agent.storage.workspace import Workspace


def first_script(options: Options, template: Template, workspace: Workspace) -> str:
    """The batch script of the first baseline's trainings, as it would be handed to sbatch."""
    job = _first_job(options, template, workspace)
    indices = range(len(job.seeds) * len(job.conditions))
    return batch_script(batch_of(job, options.slurm, indices))


def tried(options: Options, template: Template, workspace: Workspace, waiting: Callable[[str], None]) -> Tried:
    """Submits a small job with the resources of a training, and returns what it found on its node."""
    waiting("trying a job in Slurm's queue")
    asked = batch_of(_first_job(options, template, workspace), options.slurm, [0]).asked or {}
    return try_cluster(workspace.root, asked, options.device, options.sandbox)


def _first_job(options: Options, template: Template, workspace: Workspace) -> Job:
    """The job of run 0, as far as it is known before the data are prepared."""
    profile = template.manifest.profiles[options.profile]
    session = workspace.root / "SESSION"
    return Job(
        key="0" * 16,
        run="0",
        kind="baseline",
        attempt=1,
        folder=str(session / "runs" / "0" / "attempt-1"),
        code="",
        script="experiment.py",
        template=template.folder,
        train_data="",
        truth_data=str(Path("data") / "truth"),
        settings=profile.settings,
        seeds=profile.seeds,
        conditions=profile.conditions,
        limits=profile.limits,
        evaluate_limits=profile.evaluate_limits,
        device=options.device,
        slots=options.slots,
        threads=options.threads,
        sandbox=options.sandbox,
    )
