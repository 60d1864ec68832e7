"""Baselines' trainings, measured as a session would: the runner's own code, in the sandbox."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from agent.core.manifest import Setting
from agent.core.record import Job, Training
from agent.core.template import Template
from agent.lab.measuring.measure import run_training
from agent.lab.worlds import prepared
from agent.sandbox.boxes import BubblewrapSandbox
from tests.support import ROOT

SECRET = 1  # of the world: known, so that anybody can repeat the tables
TUNING_SECRET = 2  # of the world that learning rates are chosen on
KEPT = ROOT / ".cache" / "bench"  # finished trainings: a second call goes on


@dataclass(frozen=True)
class Asked:
    """One training of a table."""

    profile: str
    baseline: str
    seed: int
    condition: str
    changed: Mapping[str, Setting] = field(default_factory=dict)
    device: str = "cpu"
    secret: int = SECRET


def all_measured(template: Template, asked: Sequence[Asked], jobs: int) -> list[Training]:
    """Some side by side, in the order of what was asked."""
    found = []
    with ProcessPoolExecutor(jobs) as pool:
        for one, training in zip(asked, pool.map(partial(_measured, template), asked), strict=True):
            print(
                one.profile,
                one.baseline,
                one.condition,
                one.seed,
                dict(one.changed),
                training.outcome,
                training.metrics or f"{training.reason}: {training.detail}",
                flush=True,
            )
            found.append(training)
    return found


def _measured(template: Template, one: Asked) -> Training:
    return measured(template, one.profile, one.baseline, one.seed, one.condition, one.changed, one.device, one.secret)


def measured(
    template: Template,
    profile: str,
    baseline: str,
    seed: int,
    condition: str,
    changed: Mapping[str, Setting] | None = None,
    device: str = "cpu",
    secret: int = SECRET,
) -> Training:
    """The training of one seed under one condition; found again if it was measured before."""
    size = template.manifest.profiles[profile]
    spec = next(b for b in template.manifest.baselines if b.name == baseline)
    wanted = next(c for c in size.conditions if c.name == condition)
    settings = {**size.settings, **(changed or {})}
    wanted = wanted.model_copy(update={"settings": {**wanted.settings, **(changed or {})}})
    code = {"experiment.py": template.path(spec.file).read_text()}
    code |= {name: path.read_text() for name, path in template.library().items()}
    protected = {name: template.path(name).read_text() for name in template.manifest.protected}
    identity = json.dumps([code, protected, settings, wanted.model_dump(), seed, device, secret], sort_keys=True)
    folder = KEPT / f"{profile}-{baseline}-{condition}-{seed}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    result = folder / "training.json"
    if result.is_file():
        return Training.model_validate_json(result.read_text())
    data = prepared(template, profile, settings, secret, KEPT)
    for name, text in code.items():
        path = folder / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    job = Job(
        key=folder.name,
        run="0",
        kind="baseline",
        attempt=1,
        folder=str(folder),
        code=str(folder / "code"),
        script="experiment.py",
        template=template.folder,
        train_data=str(data.train),
        truth_data=str(data.truth),
        settings=settings,
        seeds=(seed,),
        conditions=(wanted,),
        limits=size.limits,
        evaluate_limits=size.evaluate_limits,
        device=device,
        slots=1,
        threads=1,
        sandbox="bwrap",
    )
    found = run_training(job, seed, wanted, BubblewrapSandbox(), lambda: False)
    if found.outcome == "measured":
        result.write_text(found.model_dump_json())
    return found
