"""Checks a template's published baselines: each must be found, fit every condition, and be measurable."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent.core.errors import InfrastructureError, UserError
from agent.core.manifest import BaselineSpec
from agent.core.record import Pretrained, Training
from agent.core.template import Template
from agent.lab.published.evaluation import fitting
from agent.lab.published.source import Published
from agent.lab.templating.flaw import Flaw

MEND = "correct `pretrained`, or leave that baseline out"


def pretrained_flaws(
    template: Template,
    profile: str,
    read: Callable[[BaselineSpec], Published],
    measure: Callable[[BaselineSpec, Pretrained], Training],
) -> Iterator[Flaw]:
    """Flaws of the published baselines.

    `read` reads one; if it raises UserError or InfrastructureError, that is a flaw. `measure` measures one.
    """
    manifest = template.manifest
    for spec in (b for b in manifest.baselines if b.pretrained):
        try:
            found = read(spec)
            for condition in manifest.profiles[profile].conditions:
                fitting(manifest, profile, found.about, condition.name)
        except (UserError, InfrastructureError) as problem:
            yield Flaw("baseline-fails", "manifest.toml", f"{spec.name}: {problem}", MEND)
            continue
        given = Pretrained(artefact=str(found.artefact), sha256=found.sha256, d_sae=found.about.d_sae)
        tried = measure(spec, given)
        if tried.outcome != "measured":
            why = f"{spec.name}: {tried.outcome}: {tried.reason}: {' '.join(tried.detail.split())[:300]}"
            yield Flaw("baseline-fails", "manifest.toml", why, MEND)
