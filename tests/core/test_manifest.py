"""What a manifest may say: profiles that extend others, settings that the data depend on, libraries, targets."""

import shutil

import pytest

from agent.core.errors import UserError
from agent.core.metrics import MetricSpec
from agent.core.template import load_template, parse_manifest
from agent.lab.worlds import data_key
from tests.support import ROOT, TEMPLATE

TEMPLATES = ROOT / "templates"
SYNTH = load_template(TEMPLATES / "synth_sae")


def tiny(changed: str = "", head: str = "") -> bytes:
    return (head + (TEMPLATE / "manifest.toml").read_text() + changed).encode()


def test_a_profile_takes_over_what_it_does_not_say():
    found = parse_manifest(tiny('[profiles.long]\nextends = "tiny"\nsettings = { samples = 99 }\n'), "here").profiles

    assert found["long"].settings == {**found["tiny"].settings, "samples": 99}
    assert found["long"].model_copy(update={"settings": found["tiny"].settings}) == found["tiny"]


@pytest.mark.parametrize("base", ['"none"', '"other"', "3"])
def test_a_profile_extends_one_that_stands_on_its_own(base):
    text = f'[profiles.long]\nextends = {base}\n[profiles.other]\nextends = "tiny"\n'
    with pytest.raises(UserError, match="here: profiles.long: extends = .*: name a profile"):
        parse_manifest(tiny(text), "here")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ('baselines = ["rows"]', "name topk, which runs start from, first"),
        ('baselines = ["topk", "topk"]', "each once"),
        ('baselines = ["topk", "gated"]', "names 'gated', which is no baseline"),
        ("trials = { gated = 3 }", "names 'gated', which is no baseline"),
        ("trials = { topk = -1 }", "a count is 0 or more"),
    ],
)
def test_a_profile_names_baselines_that_there_are(own, said):
    with pytest.raises(UserError, match=said):
        parse_manifest(tiny(f'[profiles.long]\nextends = "tiny"\n{own}\n'), "here")


def test_every_profile_of_ours_says_how_its_baselines_were_tuned():
    found = {}
    for manifest in (load_template(TEMPLATES / name).manifest for name in ("synth_sae", "lm_sae")):
        found |= manifest.profiles
        for profile in manifest.profiles.values():
            assert set(profile.trials) == {b.name for b in manifest.baselines}
            assert set(profile.baselines) <= set(profile.trials)
    untuned = {
        "16k",
        "16k-pareto",
        "synth-sae-bench-16k",
        "mini-pareto",
        "tiny-transcoder",
        "pythia-70m",
        "pythia-70m-saebench",
        "gemma-2-2b",
        "gemma-2-2b-saebench",
        "gemma-2-2b-streamed",
    }
    assert {name for name, profile in found.items() if profile.untuned} == untuned


def test_every_sweep_has_four_sparsities_and_the_data_of_its_profile():
    profiles = SYNTH.manifest.profiles
    for name in ("pareto", "mini-pareto", "16k-pareto"):
        base = profiles[name.removesuffix("-pareto") if "-" in name else "demo"]
        assert len({c.settings["l0"] for c in profiles[name].conditions}) == 4
        assert SYNTH.data_settings(profiles[name].settings) == SYNTH.data_settings(base.settings)


def test_a_setting_that_the_data_do_not_depend_on_does_not_draw_the_world_again():
    settings = SYNTH.manifest.profiles["demo"].settings

    assert data_key(SYNTH, {**settings, "lr": 1.0, "d_sae": 7}, 1) == data_key(SYNTH, settings, 1)
    assert data_key(SYNTH, {**settings, "zipf": 1.0}, 1) != data_key(SYNTH, settings, 1)


def test_data_settings_must_be_set_by_some_profile():
    with pytest.raises(UserError, match="data_settings names corpus, which no profile sets"):
        parse_manifest(tiny(head='data_settings = ["d_in", "corpus"]\n'), "here")


def test_a_library_lies_beside_the_template_in_it_or_with_the_project(tmp_path):
    shutil.copytree(TEMPLATE, tmp_path / "mine")
    manifest = tmp_path / "mine" / "manifest.toml"
    manifest.write_text('library = "saes"\n' + manifest.read_text())
    assert "saes/topk.py" in load_template(tmp_path / "mine").library()  # the project's own
    (tmp_path / "saes").mkdir()
    (tmp_path / "saes" / "mine.py").write_text("")
    assert set(load_template(tmp_path / "mine").library()) == {"saes/mine.py"}


def test_a_library_that_is_nowhere_is_said(tmp_path):
    shutil.copytree(TEMPLATE, tmp_path / "mine")
    manifest = tmp_path / "mine" / "manifest.toml"
    manifest.write_text('library = "nowhere"\n' + manifest.read_text())
    with pytest.raises(UserError, match="library = 'nowhere': no such folder"):
        load_template(tmp_path / "mine")


def test_the_target_of_a_metric_is_the_setting_of_its_name():
    aim, profiles = SYNTH.manifest.aim, SYNTH.manifest.profiles
    wanted = {"demo": 8.0, "16k": 25.0, "pareto": None}

    assert {n: aim("l0", profiles[n].settings, profiles[n].conditions) for n in wanted} == wanted
    assert aim("l0", {}, profiles["pareto"].conditions[:1]) == 4.0
    assert aim("f1", {}, profiles["demo"].conditions) is None


@pytest.mark.parametrize(("better", "aim", "best"), [("higher", None, 9.0), ("lower", None, 2.0), ("target", 5.0, 6.0)])
def test_the_best_value_has_the_largest_merit(better, aim, best):
    spec = MetricSpec(label="L0", better=better, read=".", target=None if aim is None else 50.0)

    assert max((2.0, 6.0, 9.0), key=lambda value: spec.merit(value, aim)) == best


def test_synth_sae_has_the_six_baselines_of_the_field():
    assert [baseline.name for baseline in SYNTH.manifest.baselines] == [
        "topk",
        "standard",
        "gated",
        "batchtopk",
        "jumprelu",
        "matryoshka",
    ]


@pytest.mark.parametrize(
    ("guards", "says"),
    [
        ('[{ metric = "beauty", fall = 0.1 }]', "guards: 'beauty' is not a metric"),
        ('[{ metric = "score", fall = 0.1 }]', "guards: 'score' is the primary metric"),
        ('[{ metric = "error", fall = -0.1 }]', "greater than or equal to 0"),
        ('[{ metric = "error" }]', "guards: error: give exactly one of `fall`"),
        ('[{ metric = "error", fall = 0.1, share = 0.1 }]', "guards: error: give exactly one of `fall`"),
        ('[{ metric = "error", fall = 0.1 }, { metric = "error", share = 0.1 }]', "guards: 'error' is named twice"),
    ],
)
def test_a_guard_names_another_metric_and_one_bound(guards, says):
    with pytest.raises(UserError, match=says):
        parse_manifest(tiny(head=f"guards = {guards}\n"), "here")


def test_a_guard_is_in_the_unit_of_its_metric_or_a_part_of_the_comparison():
    guards = parse_manifest(tiny(head='guards = [{ metric = "error", share = 0.1 }]\n'), "here").guards

    assert [g.allowed(-5.0) for g in guards] == [0.5]
    assert {g.metric: g.allowed(0.9) for g in SYNTH.manifest.guards} == {
        "mcc": 0.05,
        "uniqueness": 0.1,
        "explained_variance": 0.05,
    }
