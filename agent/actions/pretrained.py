"""Baselines that others trained.

A session reads such an autoencoder once, keeps it, and measures it without training.
"""

from __future__ import annotations

from pathlib import Path

from agent.core.errors import UserError
from agent.core.manifest import BaselineSpec
from agent.core.record import Origin, Pretrained
from agent.lab.measuring.scratch import remove
from agent.lab.published.evaluation import fitting
from agent.lab.published.source import Published, found_again, keep, opened
from agent.session.states import RunState
from agent.session.tools import Tools

FOLDER = "pretrained"  # in the session's folder


def baseline_spec(tools: Tools, run: RunState) -> BaselineSpec:
    """The manifest's entry of a baseline run."""
    position = [r.run for r in tools.session.runs.values() if r.is_baseline].index(run.run)
    wanted = tools.session.options.baselines[position]
    return next(b for b in tools.template.manifest.baselines if b.name == wanted)


def asked(tools: Tools) -> list[BaselineSpec]:
    """The session's baselines that others trained."""
    chosen = tools.session.options.baselines
    return [b for b in tools.template.manifest.baselines if b.pretrained and b.name in chosen]


def spec_of(tools: Tools, run: RunState) -> BaselineSpec | None:
    """The manifest's entry of a run that measures a pretrained autoencoder; None for any other run."""
    spec = baseline_spec(tools, run) if run.is_baseline else None
    return spec if spec and spec.pretrained else None


def of(tools: Tools, spec: BaselineSpec) -> Published:
    """The autoencoder of an entry, from the session's folder if this session has read it before.

    Raises:
        UserError: it cannot be read, or does not fit a condition of the profile.
        InfrastructureError: its release cannot be fetched.
    """
    folder = tools.paths.root / FOLDER / spec.name
    found = found_again(folder)
    if found is None:
        remove(folder)
        where = f"baseline {spec.name}: {spec.pretrained}"
        place = opened(spec.pretrained, tools.cache, tools.say, Path(tools.template.folder))
        found = keep(spec.pretrained, place, folder, tools.sandbox, spec.trained_on)
        for condition in tools.profile.conditions:
            try:
                fitting(tools.template.manifest, tools.session.options.profile, found.about, condition.name)
            except UserError as problem:
                remove(folder)
                raise UserError(f"{where}: does not fit condition {condition.name}: {problem}") from None
    return found


def for_job(tools: Tools, run: RunState) -> Pretrained | None:
    """The pretrained autoencoder that a run's job measures; None if the run trains."""
    spec = spec_of(tools, run)
    if spec is None:
        return None
    found = of(tools, spec)
    return Pretrained(artefact=str(found.artefact), sha256=found.sha256, d_sae=found.about.d_sae)


def origin(tools: Tools, run: RunState) -> Origin | None:
    """Where a run's pretrained autoencoder comes from, for its record; None if the run trains."""
    spec = spec_of(tools, run)
    if spec is None:
        return None
    found = of(tools, spec)
    return Origin(
        source=spec.pretrained,
        files=found.files,
        artefact_sha256=found.sha256,
        layout=found.about.layout,
        architecture=found.about.architecture,
        d_sae=found.about.d_sae,
        trained_on=found.trained_on,
    )
