"""Worlds: drawn once, found again, never half built, and their secret kept."""

import os
import re
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from agent.core.errors import InfrastructureError, UserError
from agent.core.manifest import Condition
from agent.core.template import load_template
from agent.lab.built import damage, data_hashes, data_of, file_sha256
from agent.lab.machine import job_facts
from agent.lab.measuring.bench import Bench
from agent.lab.worlds import data_key, prepared, world_secret
from agent.publishing.verify.trust import prepare_walled
from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox
from tests.support import ROOT, TEMPLATE
from tests.support.tiny import SETTINGS, TINY, job_of


def test_data_is_built_once_and_found_again(tmp_path):
    first = prepared(TINY, "tiny", SETTINGS, 1, tmp_path)
    stamp = (first.train / "activations.npy").stat().st_mtime_ns
    again = prepared(TINY, "tiny", SETTINGS, 1, tmp_path)

    assert again == first and (again.train / "activations.npy").stat().st_mtime_ns == stamp
    assert first.hashes["truth/x.npy"] == file_sha256(first.truth / "x.npy")
    assert set(first.hashes) == {"train/activations.npy", "truth/x.npy", "truth/directions.npy"}


def test_another_profile_with_the_same_data_shares_it(tmp_path):
    first = prepared(TINY, "tiny", SETTINGS, 1, tmp_path)

    assert prepared(TINY, "longer", SETTINGS, 1, tmp_path) == first
    assert prepared(TINY, "longer", SETTINGS, 2, tmp_path).train.parent.name.startswith("tiny-longer-")


def test_two_builders_make_one_world(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: prepared(TINY, "tiny", SETTINGS, 1, tmp_path), range(2)))

    assert found[0] == found[1]
    assert [p.name for p in (tmp_path / "data").iterdir() if p.is_dir()] == [found[0].train.parent.name]


def test_what_a_kill_left_behind_is_built_anew(tmp_path):
    done = prepared(TINY, "tiny", SETTINGS, 1, tmp_path)
    folder = done.train.parent
    (folder / "manifest.json").unlink()
    (folder.with_name(f"{folder.name}.new") / "train").mkdir(parents=True)

    assert prepared(TINY, "tiny", SETTINGS, 1, tmp_path) == done


def _flip(path):
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")


HARMS = {
    "truth/x.npy is gone": lambda world: (world / "truth/x.npy").unlink(),
    "truth/x.npy is not the file that was prepared": lambda world: _flip(world / "truth/x.npy"),
    "train/activations.npy is not the file": lambda world: os.truncate(world / "train/activations.npy", 9),
    "train/more.npy was added": lambda world: (world / "train/more.npy").touch(),
    "manifest.json is gone or cannot be read": lambda world: (world / "manifest.json").write_text('{"files": [1'),
    "is gone": shutil.rmtree,
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_world_that_was_lost_or_damaged_is_said_and_built_again_as_it_was(tmp_path, harm):
    first, said = prepared(TINY, "tiny", SETTINGS, 1, tmp_path), []
    HARMS[harm](first.train.parent)
    assert damage(first.train.parent).startswith(harm)

    again = prepared(TINY, "tiny", SETTINGS, 1, tmp_path, said.append, again=first.key)

    assert again == first and damage(first.train.parent, thorough=True) == ""
    assert len(said) == 1 and f": {harm}" in said[0] and "built again from the secret" in said[0]


def test_files_that_were_touched_and_are_the_same_are_no_damage(tmp_path):
    world = prepared(TINY, "tiny", SETTINGS, 1, tmp_path).train.parent
    stamp = (world / "truth/x.npy").stat().st_mtime_ns
    for path in world.rglob("*.npy"):
        path.chmod(0o600)

    prepared(TINY, "tiny", SETTINGS, 1, tmp_path, print)

    assert (world / "truth/x.npy").stat().st_mtime_ns == stamp


def test_a_damaged_secret_is_one_line(tmp_path):
    world_secret(tmp_path, "tiny")
    (tmp_path / "secrets/tiny-world-0").write_text("?")

    with pytest.raises(InfrastructureError, match="tiny-world-0: does not hold the secret of a world any more"):
        world_secret(tmp_path, "tiny")


def test_a_failing_prepare_is_told_with_its_error_and_leaves_nothing(tmp_path):
    shutil.copytree(TINY.folder, tmp_path / "broken")
    (tmp_path / "broken" / "prepare.py").write_text("def prepare(*_):\n    raise OSError('no such corpus')\n")

    with pytest.raises(InfrastructureError, match="no such corpus"):
        prepared(load_template(tmp_path / "broken"), "tiny", SETTINGS, 1, tmp_path / "cache")
    assert not list((tmp_path / "cache" / "data").glob("*/manifest.json"))


PREPARE = """
import os, sys
from agent.core.errors import InfrastructureError, UserError
from .words import ERROR
def prepare(settings, secret, train_dir, truth_dir):
    print("prepare: 3 GB wanted\\nnoise of a library", flush=True)
    raise {"user": UserError, "hub": InfrastructureError, "bug": ValueError}[ERROR](
        f"no such model\\n(token {os.environ.get('HF_TOKEN')})")
"""


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("user", UserError, r"^no such model \(token <HF_TOKEN>\)$"),
        ("hub", InfrastructureError, r"^no such model \(token <HF_TOKEN>\)$"),
        ("bug", InfrastructureError, r"(?s)prepare.py: preparing the data failed .*ValueError.*<HF_TOKEN>"),
    ],
)
def test_what_prepare_says_reaches_the_person_in_one_line_and_without_the_token(tmp_path, kind, error, text):
    shutil.copytree(TINY.folder, tmp_path / "t")
    (tmp_path / "t" / "prepare.py").write_text(PREPARE)
    (tmp_path / "t" / "words.py").write_text(f"ERROR = {kind!r}\n")
    code = (
        "import sys; from pathlib import Path; from agent.core.template import load_template\n"
        "from agent.lab.worlds import prepared\n"
        f"template = load_template(Path({str(tmp_path / 't')!r}))\n"
        f"try: prepared(template, 'tiny', {SETTINGS!r}, 1, Path({str(tmp_path / 'c')!r}), print)\n"
        "except Exception as error: print(type(error).__name__); print(error, end='')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "HF_TOKEN": "hf_secret"},
    )
    begun, heard, kind_of_error, said = done.stdout.split("\n", 3)

    assert (
        begun.startswith("  making a world of profile tiny")
        and heard == "  3 GB wanted"
        and kind_of_error == error.__name__
        and re.search(text, said)
    )
    assert "hf_secret" not in done.stdout + done.stderr
    assert not list((tmp_path / "c" / "data").glob("*.new"))


@pytest.mark.parametrize("change", ["secret", "settings", "code"])
def test_another_world_has_another_key(tmp_path, change):
    template, settings, secret = TINY, dict(SETTINGS), 1
    if change == "secret":
        secret = 1 + 2**128  # equal in its low words
    elif change == "settings":
        settings["pool"] = 2001
    else:
        shutil.copytree(TINY.folder, tmp_path / "t")
        with open(tmp_path / "t" / "prepare.py", "a") as file:
            file.write("# changed\n")
        template = load_template(tmp_path / "t")

    assert data_key(template, settings, secret) != data_key(TINY, SETTINGS, 1)


def test_the_high_bits_of_a_secret_reach_the_data(tmp_path):
    low, high = (prepared(TINY, "tiny", SETTINGS, secret, tmp_path) for secret in (1, 1 + 2**200))

    assert not np.allclose(np.load(low.truth / "directions.npy"), np.load(high.truth / "directions.npy"))


def test_a_world_keeps_its_secret_and_nobody_else_reads_it(tmp_path):
    first = world_secret(tmp_path, "tiny")

    assert world_secret(tmp_path, "tiny") == first and first.bit_length() > 200
    assert world_secret(tmp_path, "tiny", world=1) != first
    files = [p for p in tmp_path.rglob("*") if p.is_file() and not p.name.endswith(".lock")]
    assert [stat.S_IMODE(p.stat().st_mode) for p in files] == [0o600, 0o600]


def test_the_truth_is_closed_to_other_users_and_no_file_names_the_secret(tmp_path):
    secret = world_secret(tmp_path / "kept", "tiny")
    done = prepared(TINY, "tiny", SETTINGS, secret, tmp_path / "cache")

    assert stat.S_IMODE(done.truth.stat().st_mode) == 0o700
    texts = [p.read_bytes() for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert not any(f"{secret:x}".encode() in text or str(secret).encode() in text for text in texts)


# -------------------------------------------------------------------- conditions with data of their own

NOISY = """
import numpy as np
def prepare(settings, secret, train_dir, truth_dir):
    assert set(settings) == {"d_in", "noise"}, settings
    for folder in (train_dir, truth_dir):
        np.save(folder / "x.npy", np.full((4, settings["d_in"]), settings["noise"] + secret))
"""


@pytest.fixture
def noisy(tmp_path):
    """The tiny template whose prepare.py reads `noise`, and three conditions: as the profile, and two others."""
    folder = shutil.copytree(TEMPLATE, tmp_path / "noisy")
    (folder / "prepare.py").write_text(NOISY)
    text = (folder / "manifest.toml").read_text()
    text = text.replace("default_profile", 'data_settings = ["d_in", "noise"]\ndefault_profile', 1)
    text = text.replace("batch = 64", "noise = 0.0, batch = 64")
    (folder / "manifest.toml").write_text(text)
    conditions = tuple(
        Condition(name=name, label=name, settings=settings)
        for name, settings in (("plain", {}), ("loud", {"noise": 0.5}), ("wide", {"lr": 9.0}))
    )
    return load_template(folder), conditions


def test_a_condition_that_changes_a_declared_data_setting_is_drawn_apart_in_the_same_world(noisy, tmp_path):
    template, conditions = noisy
    settings = template.manifest.profiles["tiny"].settings
    world = prepared(template, "tiny", settings, 3, tmp_path / "cache", conditions=conditions)
    rows = {c.name: np.load(data_of(world, c.name).truth / "x.npy")[0, 0] for c in conditions}

    assert rows == {"plain": 3.0, "loud": 3.5, "wide": 3.0}
    assert sorted(world.hashes) == [
        "conditions/loud/train/x.npy",
        "conditions/loud/truth/x.npy",
        "train/x.npy",
        "truth/x.npy",
    ]
    assert data_of(world, "loud").hashes.keys() == {"train/x.npy", "truth/x.npy"}
    assert data_hashes(world.train.parent) == world.hashes and damage(world.train.parent) == ""
    (world.train.parent / "conditions/loud/train/x.npy").write_text("other")
    assert "conditions/loud/train/x.npy" in damage(world.train.parent)


def test_conditions_that_share_their_data_leave_its_key_as_it_was(noisy):
    template, (plain, loud, wide) = noisy
    settings = template.manifest.profiles["tiny"].settings
    before = data_key(template, settings, 3)

    assert data_key(template, settings, 3, (plain, wide)) == before != data_key(template, settings, 3, (loud,))


def test_a_training_and_its_measurement_get_the_data_of_their_condition(noisy, tmp_path):
    template, conditions = noisy
    settings = template.manifest.profiles["tiny"].settings
    world = prepared(template, "tiny", settings, 3, tmp_path / "cache", conditions=conditions)
    (tmp_path / "job").mkdir()
    job = job_of(tmp_path / "job", world, template=template.folder, conditions=conditions)
    benches = {c.name: Bench.of(job, 0, c, NoSandbox(), lambda: False) for c in conditions}

    assert {name: Path(b.job.train_data).parent.name for name, b in benches.items()} == {
        "plain": world.train.parent.name,
        "loud": "loud",
        "wide": world.train.parent.name,
    }
    assert all(bench.data_folder == world.train.parent for bench in benches.values())
    assert "data/conditions/loud/train/x.npy" in job_facts(job)[2]


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
def test_a_strangers_prepare_draws_the_data_of_conditions_behind_walls(noisy, tmp_path):
    template, conditions = noisy
    settings = template.manifest.profiles["tiny"].settings
    walls = prepare_walled(BubblewrapSandbox())
    for folder in (tmp_path, Path(template.folder)):
        folder.chmod(0o755)
    world = prepared(template, "tiny", settings, 3, tmp_path / "cache", prepare=walls, conditions=conditions)

    assert np.load(world.train.parent / "conditions/loud/truth/x.npy")[0, 0] == 3.5


def test_a_condition_has_a_name_that_is_no_path():
    for name in ("../out", "a/b", ".hidden", ""):
        with pytest.raises(ValidationError):
            Condition(name=name, label="x")
