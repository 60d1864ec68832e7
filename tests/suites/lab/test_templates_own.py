"""A template of one's own: the skeleton works as it is, and each planted flaw is named by its code."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.core.errors import UserError
from agent.core.paths import DataPaths
from agent.core.record import Training
from agent.core.template import load_template
from agent.lab.templating import contract
from agent.lab.templating.check import check_template, report, sources
from agent.lab.templating.data_trial import data_flaws, overlap
from agent.lab.templating.judged import Judge
from agent.lab.templating.new import new_template
from agent.lab.templating.trial import Trial
from agent.sandbox.boxes import NoSandbox
from tests.support import ROOT

READ_SEED = 'draw = np.random.default_rng(task["seed"])'
SHORT = ("manifest.toml", "samples  = 60_000", "samples  = 9_600")
SECRET = "np.random.SeedSequence(secret)"
SAVE = 'train(task, out_dir).save(out_dir / task["artefact"])'


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates") / "toy"
    new_template(str(folder), ROOT)
    change(folder, *SHORT)
    return folder


def change(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert text.count(old) == 1, (file, old, text.count(old))
    (folder / file).write_text(text.replace(old, new))


def found(folder: Path, tmp_path: Path) -> dict[str, str]:
    said: list[str] = []
    flaws = check_template(folder, tmp_path / "cache", NoSandbox(), said.append)
    assert not any((tmp_path / "cache").iterdir()) if (tmp_path / "cache").exists() else True
    return {flaw.code: flaw.where for flaw in flaws}


def test_the_skeleton_has_no_flaw_and_says_what_it_measured(skeleton, tmp_path):
    said: list[str] = []
    flaws = check_template(skeleton, tmp_path / "cache", NoSandbox(), said.append)
    assert flaws == []
    assert report(flaws, said.append) == 0
    text = "\n".join(said)
    assert "experiment.py, seed 0 (again): accuracy" in text
    assert "between two seeds: accuracy" in text
    assert "hardly trained" in text


def test_the_skeletons_own_test_passes(skeleton):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", skeleton],
        capture_output=True,
        text=True,
        cwd=skeleton,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_new_template_overwrites_nothing_and_needs_a_plain_name(skeleton, tmp_path):
    with pytest.raises(UserError, match="is there already"):
        new_template(str(skeleton), ROOT)
    with pytest.raises(UserError, match="is no usable name"):
        new_template(str(tmp_path / "My Template"), ROOT)
    (tmp_path / "templates").mkdir()
    assert "--check-template mine " in new_template("mine", tmp_path)
    assert load_template(tmp_path / "templates" / "mine").manifest.name == "mine"


SAVED = 'np.save(folder / "y.npy", y)'
ROWS = 'np.save(folder / "x.npy", x.astype(np.float32))'
ACCURACY = "float((outputs.argmax(axis=1) == truth.y).mean())"
STEPS = 'task["samples"] // task["batch"]'
SEEN_AT_ONCE = [  # code, where, then (file, old, new) ...; nothing is run
    ("metric-direction", "manifest.toml:19", ("manifest.toml", 'better  = "higher"', "")),
    ("manifest", "manifest.toml", ("manifest.toml", '"prepare.py", "eval', '"gone.py", "eval')),
    ("does-not-parse", "experiment.py:9", ("experiment.py", "import argparse", "import argparse (")),
    ("signature", "evaluate.py:20", ("evaluate.py", "outputs: np.ndarray, truth: Truth)", "truth: Truth)")),
    ("missing-import", "experiment.py:9", ("experiment.py", "import argparse", "import argparse, jax_of_my_cluster")),
]
READ = [  # by reading alone
    ("metric-without-range", "manifest.toml", ("manifest.toml", "low    = 0.0\nunit", "unit")),
    ("few-seeds", "manifest.toml", ("manifest.toml", "[0, 1, 2]", "[0, 1]")),
    (
        "evaluation-editable",
        "manifest.toml",
        ("manifest.toml", '["experiment.py"] ', '["experiment.py", "evaluate.py"] '),
    ),
    ("evaluation-unprotected", "manifest.toml", ("manifest.toml", '["prepare.py", "evaluate.py"]', '["prepare.py"]')),
    ("stale-runs", "plot.py:17", ("plot.py", "records = [", 'list(Path(".").glob("run*"))\nrecords = [')),
    ("plot-without-records", "plot.py", ("plot.py", 'json.loads(Path("records.json").read_text())', "[]")),
    (
        "absolute-path",
        "baselines/centroid.py:29",
        ("baselines/centroid.py", 'Path(task["data"]) / name', 'Path("/home/me/points") / name'),
    ),
    ("network", "experiment.py:9", ("experiment.py", "import argparse", "import argparse, urllib.request")),
    ("seed-unused", "experiment.py", ("experiment.py", READ_SEED, "draw = np.random.default_rng(3)")),
    ("no-budget", "manifest.toml", ("manifest.toml", "samples  = ", "rows_seen = ")),
]
TRIED = [  # several flaws in one template, by trial
    (("prepare-fails",), ("prepare.py", SECRET, "np.random.SeedSequence(oops)")),
    (("baseline-fails",), ("experiment.py", READ_SEED, "raise ValueError('no seed')")),
    (
        ("secret-ignored", "held-out-visible", "train-test-overlap", "seed-ignored"),
        ("prepare.py", SECRET, "np.random.SeedSequence(5)"),
        ("prepare.py", SAVED, f'{SAVED}\n        np.save(train_dir / "test_y.npy", y)'),
        (
            "prepare.py",
            ROWS,
            f'x[:500] = np.load(train_dir / "x.npy")[:500] if folder == truth_dir else 0\n        {ROWS}',
        ),
        ("experiment.py", READ_SEED, 'draw = np.random.default_rng(task["seed"] * 0)'),
    ),
    (
        ("not-deterministic", "no-headroom"),
        ("experiment.py", READ_SEED, "draw = np.random.default_rng()"),
        ("evaluate.py", ACCURACY, "1.0"),
    ),
    (
        ("budget-ignored", "at-floor"),
        ("experiment.py", STEPS, "100"),
        ("evaluate.py", ACCURACY, "outputs[0, 0] * 0 + 0.5"),
        ("evaluate.py", "float(-log_p[np.arange(len(truth.y)), truth.y].mean())", "1.0"),
    ),
    (("no-learning",), ("evaluate.py", ACCURACY, "float(outputs[0].argmax()) / 10")),
]


def planted(skeleton: Path, tmp_path: Path, changes) -> Path:
    folder = tmp_path / "toy"
    shutil.copytree(skeleton, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for one in changes:
        change(folder, *one)
    return folder


@pytest.mark.parametrize(("code", "where", "planting"), SEEN_AT_ONCE, ids=[c[0] for c in SEEN_AT_ONCE])
def test_what_cannot_be_tried_is_named_alone(skeleton, tmp_path, code, where, planting):
    assert found(planted(skeleton, tmp_path, [planting]), tmp_path) == {code: where}


@pytest.mark.parametrize(("code", "where", "planting"), READ, ids=[c[0] for c in READ])
def test_reading_names_a_planted_flaw_with_its_place_and_no_other(skeleton, tmp_path, code, where, planting):
    template = load_template(planted(skeleton, tmp_path, [planting]))
    flaws = list(contract.look(template, sources(template)))
    assert [(flaw.code, flaw.where) for flaw in flaws] == [(code, where)]
    assert flaws[0].mend


@pytest.mark.parametrize(
    ("codes", "plantings"), [(codes, plantings) for codes, *plantings in TRIED], ids=["+".join(c[0]) for c in TRIED]
)
def test_trials_name_planted_flaws(skeleton, tmp_path, codes, plantings):
    assert set(codes) <= found(planted(skeleton, tmp_path, plantings), tmp_path).keys()


@pytest.mark.parametrize("name", ["synth_sae", "lm_sae"])
def test_reading_finds_no_flaw_in_the_projects_own_templates(name):
    template = load_template(ROOT / "templates" / name)
    assert list(contract.look(template, sources(template))) == []


def test_a_trial_lays_the_library_beside_the_script(tmp_path):
    trial = Trial(load_template(ROOT / "templates/synth_sae"), "demo", tmp_path, NoSandbox(), print)
    code = trial._code("baselines/gated.py")
    assert (code / "saes/__init__.py").is_file() and (code / "baselines/gated.py").is_file()
    assert not (code / "evaluate.py").exists()


@pytest.mark.parametrize(
    ("planted_rows", "share"),
    [
        ("x[::4] = 0", 0.0),  # rows in which nothing fires, as many on either side
        ("x[:500] = np.load(train_dir / 'x.npy')[:500] if folder == truth_dir else x[:500]", 0.25),
    ],
)
def test_rows_that_chance_repeats_are_no_overlap(skeleton, tmp_path, planted_rows, share):
    folder = planted(skeleton, tmp_path, [("prepare.py", ROWS, f"{planted_rows}\n        {ROWS}")])
    tmp_path.chmod(0o755)
    trial = Trial(load_template(folder), "small", tmp_path, NoSandbox(), print)
    world = trial.world(1)
    assert overlap(trial.held_out(world, trial.condition), world) == pytest.approx(share, abs=0.001)


def test_training_rows_that_hold_objects_are_blamed_on_prepare_py(skeleton, tmp_path):
    manifest, world = load_template(skeleton).manifest, DataPaths(tmp_path / "train", tmp_path / "truth", "key", {})
    world.train.mkdir()
    np.save(world.train / "rows.npy", np.array([["a word"], [1.0]], dtype=object))

    (flaw,) = data_flaws(
        manifest, manifest.profiles["small"].conditions, lambda world, condition: np.zeros((2, 1)), world, world
    )

    assert (flaw.code, flaw.where) == ("unreadable-rows", "prepare.py")
    assert "train/rows.npy" in flaw.text


def test_a_baseline_that_nearly_fills_its_limits_is_told(skeleton):
    judge = Judge(load_template(skeleton).manifest, "small")
    done = Training(
        seed=0, condition="all", outcome="measured", metrics={"accuracy": 0.5}, wall_s=90.0, peak_memory_mb=900.0
    )
    assert [f.code for f in judge.bounds([done])] == ["limit-tight", "limit-tight"]


def test_a_template_with_a_setting_for_its_width_that_is_not_there_is_refused(skeleton, tmp_path):
    folder = planted(skeleton, tmp_path, [("manifest.toml", 'outputs = "classes"', 'outputs = "kinds"')])
    with pytest.raises(UserError, match="model.outputs names 'kinds'"):
        load_template(folder)


def test_launch_makes_and_checks_a_template_in_seconds(tmp_path):
    def launch(*words):
        return subprocess.run(
            [sys.executable, ROOT / "launch.py", *words, "--workspace", tmp_path / "ws"],
            capture_output=True,
            text=True,
            check=False,
        )

    made = launch("--new-template", tmp_path / "points")
    assert made.returncode == 0
    assert "--check-template" in made.stdout
    checked = launch("--check-template", tmp_path / "points")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.splitlines()[-1] == "ready and measured"
    (tmp_path / "points/evaluate.py").write_text("x = 1\n")
    flawed = launch("--check-template", tmp_path / "points")
    assert flawed.returncode == 2
    assert "signature" in flawed.stdout
    again = launch("--new-template", tmp_path / "points")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_a_character_of_a_label_that_no_font_has_is_named(tmp_path):
    from agent.app.templates import unprintable_letters

    folder = shutil.copytree(ROOT / "tests/support/tiny_template", tmp_path / "tiny")
    assert unprintable_letters(folder) == []
    manifest = folder / "manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    assert text.count("question") >= 1
    manifest.write_text(text.replace('question = "', 'question = "R² 🧪 ', 1), encoding="utf-8")

    (flaw,) = unprintable_letters(folder)
    assert "U+1F9EA TEST TUBE is in no font" in str(flaw)


# -------------------------------------------------------------------- conditions

DRAWN = 'draw.normal(size=(rows, settings["d_in"]))'
ONE = 'conditions      = [{ name = "all", label = "all rows" }]'
TWO = """conditions      = [
    { name = "calm", label = "little noise", settings = { noise = 0.5 } },
    { name = "loud", label = "much noise", settings = { noise = 1.5 } },
]"""
PROFILE = 'default_profile = "small"'
NOISE = (
    ("prepare.py", DRAWN, f'settings["noise"] * {DRAWN}'),
    ("manifest.toml", ONE, TWO),
    ("manifest.toml", "classes  = 10\n", "classes  = 10\nnoise    = 1.0\n"),
)
DECLARED = ("manifest.toml", PROFILE, f'{PROFILE}\ndata_settings   = ["classes", "d_in", "pool", "held_out", "noise"]')


def test_a_condition_that_changes_the_data_without_a_declaration_is_found(skeleton, tmp_path):
    assert found(planted(skeleton, tmp_path, NOISE), tmp_path)["undeclared-data-setting"] == "prepare.py:19"


def test_a_condition_that_changes_a_declared_setting_has_data_of_its_own(skeleton, tmp_path):
    said: list[str] = []
    folder = planted(skeleton, tmp_path, (*NOISE, DECLARED))
    assert check_template(folder, tmp_path / "cache", NoSandbox(), said.append) == []
    calm, loud = (
        float(re.search(rf"seed 0{which}: accuracy ([0-9.]+)", "\n".join(said))[1]) for which in ("", ", much noise")
    )
    assert calm > loud + 0.1


def test_a_condition_whose_settings_nothing_reads_is_found(skeleton, tmp_path):
    unread = ONE.replace(" }]", ' }, { name = "b", label = "B", settings = { lr_b = 1 } }]')
    assert found(planted(skeleton, tmp_path, [("manifest.toml", ONE, unread)]), tmp_path) == {
        "condition-ignored": "manifest.toml"
    }


def test_rows_that_are_memorised_on_purpose_are_declared(skeleton, tmp_path):
    rows = f"x[:500] = np.load(train_dir / 'x.npy')[:500] if folder == truth_dir else x[:500]\n        {ROWS}"
    memorised = ("manifest.toml", PROFILE, f"{PROFILE}\nmemorised       = true")
    folder = planted(skeleton, tmp_path, [("prepare.py", ROWS, rows), memorised])
    assert "train-test-overlap" not in found(folder, tmp_path)
