"""Makes the job of an attempt's trainings: code, data, settings and limits, as a runner gets them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from agent.actions import at_fault, pretrained
from agent.actions.runs import code_of, library_of, script_of, seeds_of, worlds_of
from agent.core.manifest import Profile
from agent.core.record import Job, SaeBenchJob, World
from agent.core.sweeps import points
from agent.lab.saebench.environment import required
from agent.session.states import RunState
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from agent.storage.cache import PROBES


def job_of(run: RunState, attempt: int, restart: int, tools: Tools) -> Job:
    """The same arguments always make the same job; writing its code folder again changes nothing."""
    manifest, options, profile = tools.template.manifest, tools.session.options, tools.profile
    data, *further = (
        tools.prepare(tools.template, profile, options.profile, world) for world in worlds_of(tools.session, run)
    )
    commit, script, seeds = code_of(tools, run), script_of(tools, run), seeds_of(tools, run)
    folder = tools.paths.attempt(run.run, attempt, restart)
    texts = {name: tools.versions.show(commit, name) for name in manifest.editable}
    if script not in texts:
        texts[script] = tools.versions.show(commit, f"template/{script}")
    texts |= {name: tools.versions.show(commit, f"template/{name}") for name in library_of(tools)}
    code = _write_code(folder / "code", texts)
    swept = points(run.planned.sweep, profile) if run.planned and run.planned.sweep else ()
    environment, given = tools.environment(), pretrained.for_job(tools, run)
    identity = json.dumps(
        [
            run.run,
            attempt,
            restart,
            sorted(texts.items()),
            data.key,
            seeds,
            profile.model_dump(exclude_none=True, exclude={"confirm_worlds"}),
            *([point.model_dump() for point in swept]),
            *([environment.key] if environment else []),
            *([given.sha256] if given else []),
            *([[world.key for world in further]] if further else []),
        ]
    )
    return Job(
        key=hashlib.sha256(identity.encode()).hexdigest()[:16],
        run=run.run,
        kind=run.kind,
        attempt=attempt,
        folder=str(folder),
        code=str(code),
        script=script,
        template=tools.template.folder,
        train_data=str(data.train),
        truth_data=str(data.truth),
        settings=profile.settings,
        seeds=seeds,
        conditions=(*profile.conditions, *swept),
        limits=profile.limits,
        evaluate_limits=profile.evaluate_limits,
        device=options.device,
        slots=options.slots,
        slots_folder=str(tools.paths.slots),
        threads=options.threads,
        sandbox=options.sandbox,
        network=options.network and manifest.network,
        environment=environment,
        saebench=_saebench(profile, run, tools),
        pretrained=given,
        worlds=tuple(World(train_data=str(world.train), truth_data=str(world.truth)) for world in further),
        earlier=tuple(str(tools.paths.attempt(run.run, attempt, n)) for n in _lost_before(run, attempt, restart)),
    )


def _lost_before(run: RunState, attempt: int, restart: int) -> list[int]:
    """Restarts of an attempt whose finished trainings count, newest first: not those in which the template failed."""
    reasons = [f.reason for f in run.failures if f.stage == "runner" and f.attempt == attempt]
    return [n for n in reversed(range(restart)) if n >= len(reasons) or reasons[n] != at_fault.REASON]


def _saebench(profile: Profile, run: RunState, tools: Tools) -> SaeBenchJob | None:
    if profile.saebench is None or (profile.saebench.runs == "confirmation" and run.kind != "confirmation"):
        return None
    return SaeBenchJob(asked=profile.saebench, environment=required(tools.cache), shared=str(tools.cache / PROBES))


def _write_code(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            write_text(path, text)
    return folder
