"""A sweep: which numbers a template can sweep, and at which conditions a run is trained then."""

import pytest
from pydantic import ValidationError

from agent.core.plan import PlannedRun, Sweep
from agent.core.sweeps import points, sweep_problem
from agent.core.template import load_template
from tests.support import ROOT, TEMPLATE

SYNTH, LM, TINY = (
    load_template(path) for path in (*(ROOT / "templates" / n for n in ("synth_sae", "lm_sae")), TEMPLATE)
)


def swept(setting: str, *values: float) -> Sweep:
    return Sweep(setting=setting, values=values)


def test_each_value_but_the_profiles_own_is_a_condition_over_its_first():
    profile = LM.manifest.profiles["tiny"]
    found = points(swept("l0", 8, 2, 4.0), profile)
    assert [(c.name, c.label) for c in found] == [("l0-2", "l0 = 2"), ("l0-8", "l0 = 8")]
    assert [c.settings for c in found] == [{**profile.conditions[0].settings, "l0": v} for v in (2, 8)]
    assert [type(c.settings["aux_batchtopk"]) for c in points(swept("aux_batchtopk", 0, 1), profile)] == [float, float]
    assert [c.name for c in points(swept("penalty", 0.5, 1), profile)] == ["penalty-0.5", "penalty-1"]


@pytest.mark.parametrize(
    ("template", "profile", "sweep", "why"),
    [
        (SYNTH, "demo", swept("l0", 4, 16), ""),
        (SYNTH, "demo", swept("d_sae", 96, 384), ""),
        (SYNTH, "demo", swept("coefficient", 0.1, 1), ""),
        (SYNTH, "demo", swept("pool", 1000, 2000), "the data depend on it"),
        (SYNTH, "demo", swept("samples", 1000, 2000), "the same for all methods"),
        (SYNTH, "demo", swept("seed", 1, 2), "the runner's own"),
        (SYNTH, "demo", swept("l0", 4, 4), "a value is named twice"),
        (SYNTH, "demo", swept("l0", 4, 4.5), "it takes whole numbers, such as the profile's 8"),
        (SYNTH, "demo", swept("l0", 4, 600), "a row has at most 512 active latents"),
        (SYNTH, "demo", swept("l0", 4, 500), "l0 = 500 is more than all 192 latents (d_sae)"),
        (SYNTH, "demo", swept("d_sae", 4, 96), "l0 = 8 is more than all 4 latents (d_sae)"),
        (SYNTH, "demo", swept("lr", -1, 1), "it is not negative"),
        (SYNTH, "pareto", swept("l0", 4, 64), "the profile's conditions differ in it already"),
        (LM, "tiny", swept("hook_name", 1, 2), "it is no number"),
        (TINY, "tiny", swept("l0", 1, 3), "`data_settings`"),
        (TINY, "tiny", swept("rate", 1, 3), ""),
    ],
)
def test_what_a_template_cannot_sweep_is_said_in_a_line(template, profile, sweep, why):
    problem = sweep_problem(sweep, template, template.manifest.profiles[profile])
    assert why in problem and "\n" not in problem and bool(problem) == bool(why)


def test_a_sweep_has_two_to_eight_numbers_and_a_plan_without_one_is_as_before():
    for values in ((1,), tuple(range(9)), (True, False), ("4", "8")):
        with pytest.raises(ValidationError):
            Sweep(setting="l0", values=values)
    old = {"name": "step", "label": "step", "change": "set RATE to 0.1", "hypothesis": "more"}
    assert PlannedRun.model_validate(old).sweep is None
