"""The metrics of sae-bench, which are measured if a profile asks for them; evals.toml defines them.

Not here: running an evaluation (client.py).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from agent.core.errors import InfrastructureError
from agent.core.manifest import Manifest
from agent.core.metrics import MetricSpec
from agent.core.template import Template

EVALS = Path(__file__).with_name("evals.toml")


@cache
def _evals() -> dict[str, Any]:
    return tomllib.loads(EVALS.read_text(encoding="utf-8"))


def specs(evals: Iterable[str]) -> dict[str, MetricSpec]:
    """The metrics of these evaluations, by name."""
    return {
        name: MetricSpec.model_validate({k: v for k, v in entry.items() if k != "from"})
        for one in evals
        for name, entry in _evals()[one]["metrics"].items()
    }


def needs(one: str) -> str:
    """What an evaluation needs from elsewhere (a model, data sets, a key), in words."""
    return _evals()[one]["needs"]


def measured_at(manifest: Manifest, profile: str) -> Manifest:
    """The manifest for sessions of a profile: with the metrics of the evaluations that the profile asks for."""
    asked = manifest.profiles[profile].saebench if profile in manifest.profiles else None
    if asked is None:
        return manifest
    added = specs(asked.evals)
    if asked.runs == "confirmation":  # then the table of runs has no column for them
        told = {"detail": True, "confirmation": True}
        added = {name: spec.model_copy(update=told) for name, spec in added.items()}
    return manifest.model_copy(update={"metrics": {**manifest.metrics, **added}})


def at_profile(template: Template, profile: str) -> Template:
    """The template with the manifest for sessions of a profile."""
    return template.model_copy(update={"manifest": measured_at(template.manifest, profile)})


def metrics(results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The metrics by name, taken from sae-bench's results: by evaluation, then by category.

    Raises:
        InfrastructureError: a file lacks a number that it should have.
    """
    found = {}
    for one, said in results.items():
        for name, entry in _evals()[one]["metrics"].items():
            category, _, key = entry["from"].partition(".")
            value = said.get(category, {}).get(key)
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise InfrastructureError(f"sae-bench, {one}: its result has no {entry['from']} (found {value!r})")
            found[name] = float(value) if math.isfinite(value) else math.nan
    return found
