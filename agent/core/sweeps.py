"""Sweeps: the conditions that a run has besides those of its profile, and why the planner's sweep may be refused.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.core.manifest import Condition, Manifest, Profile, Setting
from agent.core.plan import Sweep
from agent.core.template import Template

# Keys that the runner writes into task.json itself, and settings that have to be the same for all methods.
RESERVED = {"seed", "condition", "device", "threads", "data", "artefact", "checkpoint", "checkpoint_s", "feed"}
SHARED = {"samples"}


def points(sweep: Sweep, profile: Profile) -> tuple[Condition, ...]:
    """A condition for each value, in ascending order: the profile's first condition with the setting changed.

    The value that the first condition has itself is left out, because every run is trained there.
    """
    first = profile.conditions[0]
    own = {**profile.settings, **first.settings}.get(sweep.setting)
    return tuple(
        Condition(
            name=f"{sweep.setting}-{value}",
            label=f"{sweep.setting} = {value}",
            settings={**first.settings, sweep.setting: value},
        )
        for value in sorted(_as_the_profile_has(value, own) for value in sweep.values)
        if value != own
    )


def _as_the_profile_has(value: float, own: Setting | None) -> int | float:
    """A number in the type of the profile's own value, e.g. 0 as 0.0 if that is 0.5."""
    if isinstance(own, float):
        return float(value)
    return int(value) if isinstance(own, int) and value == int(value) else value


def sweep_problem(sweep: Sweep, template: Template, profile: Profile) -> str:
    """Why a sweep is refused, as a clause; "" if it is not.

    The setting may be one that the profile does not have: then only the run's own code reads it.
    """
    manifest, name = template.manifest, sweep.setting
    held = {**profile.settings, **profile.conditions[0].settings}
    own = held.get(name)
    if manifest.form != "own" or (manifest.command and name not in manifest.command.places()):
        return "this template's script is not given it"
    if name in RESERVED | SHARED:
        return "it is the runner's own, or the same for all methods"
    if name in manifest.data_settings:
        return "the data depend on it, and every run is measured on the same data"
    if template.has_data and name in held and not manifest.data_settings:
        return "the manifest's `data_settings` do not say that the data are independent of it"
    if isinstance(own, bool | str):
        return f"it is no number ({own!r})"
    if len({c.settings.get(name) for c in profile.conditions}) > 1:
        return "the profile's conditions differ in it already"
    return _values_problem(sweep.values, name, held, manifest)


def _values_problem(values: Sequence[float], name: str, held: Mapping[str, Setting], manifest: Manifest) -> str:
    own = held.get(name)
    if len(set(values)) < len(values):
        return "a value is named twice"
    if isinstance(own, int) and any(value != int(value) for value in values):
        return f"it takes whole numbers, such as the profile's {own}"
    if own is not None and isinstance(own, int | float) and own > 0 and min(values) < 0:
        return "it is not negative"
    if name == "l0" and max(values) > manifest.max_l0:
        return f"a row has at most {manifest.max_l0} active latents"
    for value in values:
        l0, d_sae = ({**held, name: value}.get(size) for size in ("l0", "d_sae"))
        if isinstance(l0, int | float) and isinstance(d_sae, int | float) and l0 > d_sae:
            return f"l0 = {l0:g} is more than all {d_sae:g} latents (d_sae)"
    return ""
