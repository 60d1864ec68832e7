"""One training from its first step to its metrics: train, harvest, encode, encode again, decode, evaluate.

Only the evaluation runs in this process. Everything that the agent wrote runs in a sandbox that never sees the truth.
Not here: which trainings run when (jobs), and whether a measured run is believed (integrity).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import InfrastructureError
from agent.core.manifest import Condition
from agent.core.protocols import Sandbox
from agent.core.record import Job, Outcome, Training
from agent.core.sandboxing import Exit
from agent.lab.built import build_of, damage, file_sha256
from agent.lab.machine import job_facts
from agent.lab.measuring import contents, dictionary, export, outputs, reports, turns
from agent.lab.measuring.bench import Bench, Cancelled
from agent.lab.measuring.checkpoints import Checkpoints, possible
from agent.lab.measuring.scratch import remove
from agent.lab.measuring.train import harvested, placed, saved, train
from agent.lab.measuring.verdict import MAX_DETAIL, Account, Stopped, training_ended
from agent.sandbox.harvest import Harvest

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Look = Callable[["csr_matrix"], None]
__all__ = ["job_facts", "measure_again", "run_training"]  # a worker of lab/jobs is given this module by its name


def run_training(
    job: Job, seed: int, condition: Condition, sandbox: Sandbox, cancelled: Cancelled, *, walled: bool = False
) -> Training:
    """Train one seed under one condition, and measure the artefact.

    Whatever the agent's code does becomes part of the Training. The call can be repeated: the training starts afresh,
    or continues from its last checkpoint if it was killed or cancelled. If the data were lost or damaged meanwhile, the
    training's reason is "data", however it ended. `walled`: the template is somebody else's, so that its evaluate.py
    runs in the sandbox too.

    Raises:
        InfrastructureError: the sandbox or the template's evaluation failed, though the data are whole.
    """
    world, kept = Path(job.in_world_of(seed).truth_data).parent, Checkpoints.of(job, seed, condition.name)
    built, broken = build_of(world), None
    try:
        found = _trained(job, seed, condition, sandbox, cancelled, walled)
    except InfrastructureError as error:
        found, broken = Training(seed=seed, condition=condition.name, outcome="failed"), error
    harm = damage(world) or ("was removed and is built again" if build_of(world) != built else "")
    # what tells us to stop may end the training itself: Slurm signals every process of a task that it preempts
    stopped = found.outcome == "cancelled" or (found.outcome == "failed" and cancelled())
    if harm or not (stopped or broken):
        kept.drop()
    if harm and found.outcome != "cancelled":
        return found.model_copy(
            update={"outcome": "failed", "reason": "data", "detail": f"{world}: {harm}", "metrics": {}}
        )
    if broken:
        raise broken
    return found


def _trained(
    job: Job, seed: int, condition: Condition, sandbox: Sandbox, cancelled: Cancelled, walled: bool
) -> Training:
    bench = Bench.of(job, seed, condition, sandbox, cancelled, walled=walled)
    account = Account()
    outcome: Outcome = "measured"
    reason = detail = ""
    try:
        _stages(bench, account)
    except Stopped as stop:
        outcome, reason, detail = stop.outcome, stop.reason, stop.detail[-MAX_DETAIL:]
        account.metrics = {}
    end = account.end or Exit(reason="cancelled", code=0, wall_s=0.0, cpu_s=0.0, peak_memory_mb=0.0)
    return Training(
        seed=seed,
        condition=condition.name,
        outcome=outcome,
        reason=reason,
        detail=detail,
        metrics=account.metrics,
        diagnostics=account.diagnostics,
        statistics=account.statistics,
        undefined=account.undefined,
        declared=account.declared,
        curves=account.curves,
        wall_s=end.wall_s,
        cpu_s=end.cpu_s,
        peak_memory_mb=end.peak_memory_mb,
        artefact_sha256=account.artefact_sha256,
        artefact_facts=account.artefact_facts,
        export=account.export,
        findings=tuple(account.findings),
    )


def measure_again(
    job: Job,
    seed: int,
    condition: Condition,
    sandbox: Sandbox,
    artefact: Path,
    *,
    walled: bool = False,
    look: Look | None = None,
) -> Account:
    """Measure a kept artefact again, in the fresh folder job.folder.

    `walled`: the template is somebody else's, so that its evaluate.py runs in the sandbox too. `look` gets the latents
    [N, d_sae] of an autoencoder, in its artefact's own scale.

    Raises:
        Stopped: it cannot be measured, or is refused.
    """
    bench = Bench.of(job, seed, condition, sandbox, lambda: False, walled=walled)
    bench.paths.kept.mkdir(parents=True)
    shutil.copyfile(artefact, bench.artefact)
    account = Account()
    _measure(bench, Harvest(sha256={bench.manifest.artefact: file_sha256(artefact)}), account, look)
    return account


def _stages(bench: Bench, account: Account) -> None:
    """Run all stages in their order and write what is learned into the account; raises Stopped at the first failure."""
    remove(bench.paths.root)
    if bench.job.pretrained:
        account.end = Exit(reason="ok", code=0, wall_s=0.0, cpu_s=0.0, peak_memory_mb=0.0)
        account.artefact_sha256 = bench.job.pretrained.sha256
        _measure(bench, placed(bench, bench.job.pretrained), account)
        return
    kept = Checkpoints.of(bench.job, bench.seed, bench.condition.name) if possible(bench.manifest) else None
    account.end = train(bench, bench.paths, bench.settings, kept)
    found = harvested(bench, bench.paths)
    reports.read(bench.paths.kept, found, account, bench.manifest)
    if account.end.reason != "ok":
        raise training_ended(account.end, bench.paths.text("train.stderr"))
    account.artefact_sha256 = found.sha256.get(bench.manifest.artefact)
    if bench.manifest.measured:
        with turns.of_gpu(bench):
            _measure(bench, found, account)
    else:
        reports.take_metrics(bench.paths.kept, found, account, bench.manifest, bench.condition.name)


def _measure(bench: Bench, found: Harvest, account: Account, look: Look | None = None) -> None:
    """Measure the harvested artefact: as a dictionary if the template has one, or else as a model with outputs."""
    artefact = saved(bench, found)
    account.artefact_facts = contents.facts(bench, artefact)
    if bench.manifest.model.dictionary:
        x, latents = dictionary.measure(bench, artefact, account)
        if look:
            look(latents)
        account.export = export.leave(bench.job, bench.seed, bench.condition, bench.paths, x, latents)
    else:
        outputs.measure(bench, artefact, account)
