"""A repository becomes a template: what is copied of it, how its command runs, and what is said where it does not."""

import json
import subprocess
import tomllib

import pytest

from agent.core.errors import UserError
from agent.core.template import load_template
from agent.lab.templating.check import check_template, report, why_self_reported
from agent.lab.templating.from_repository import new_from_repository
from agent.lab.templating.repository import take
from agent.publishing.bundle.secrets import keys_in
from agent.sandbox.boxes import BubblewrapSandbox
from tests.support import ROOT
from tests.support.bounded import launch

TRAIN = """
import argparse, json, os, random
from pathlib import Path
from tools.scale import scaled

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", 0)))
parser.add_argument("--out", type=Path, default=Path("."))
args = parser.parse_args()
draw = random.Random(args.seed)
args.out.mkdir(exist_ok=True)
(args.out / "results.json").write_text(json.dumps({"test": {"acc": scaled(draw.random())}, "width": 3}))
print("trained")
"""
FILES = {
    "train.py": TRAIN,
    "tools/__init__.py": "",
    "tools/scale.py": 'def scaled(x):\n    """Between 0.5 and 1."""\n    return 0.5 + x / 2\n',
    "run.sh": "#!/bin/bash\nset -e\npython train.py --out $OUT_DIR\n",
    "results.json": '{"test": {"acc": 0.99}}',  # of an earlier run
    "README.md": "# Scales\n\nHow far do scales go?\n",
}


def write(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def made(tmp_path, command, files=None, place=None):
    """The template of a repository, and what was said."""
    repository = write(tmp_path / "scales", files or FILES)
    said: list[str] = []
    folder = tmp_path / "templates" / "scales"
    tmp_path.chmod(0o755)
    arguments = (folder, place or str(repository), command, tmp_path / "cache", BubblewrapSandbox(), keys_in)
    new_from_repository(*arguments, said.append, install=False)
    return folder, "\n".join(said)


# ---------------------------------------------------------------- what is copied


def test_what_may_be_secret_large_or_left_by_a_run_is_left_out_and_named(tmp_path):
    hostile = {
        ".env": "KEY=1",
        ".git/config": "[core]",
        "deploy.pem": "x",
        "credentials.json": "{}",
        "conf/secrets.yaml": "x: 1",
        "upload.py": 'TOKEN = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH12"\n',
        "best.pt": bytes(6_000_000),
        "wandb/run.json": "{}",
        "env39/pyvenv.cfg": "",
        "env39/lib.py": "x",
    }
    folder = write(tmp_path / "scales", FILES | hostile)
    (tmp_path / "outside.py").write_text("x = 1\n")
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    taken = take(str(folder), keys_in)
    assert set(taken.files) == set(FILES)
    said = "\n".join(taken.told())
    for name in (*hostile, "link.py"):
        assert name.split("/")[0] in said, name
    assert "holds a key" in said and "best.pt (6 MB)" in said


def test_of_a_url_nothing_runs_and_links_submodules_and_secrets_are_left_out(tmp_path):
    source = write(tmp_path / "source", {**FILES, ".env": "KEY=1", ".gitattributes": "*.py filter=evil\n"})
    (source / "latest").symlink_to("train.py")
    told = tmp_path / "told"
    git = ["git", "-C", source, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", source], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    for hook in ("post-checkout", "pre-commit", "post-upload-pack"):
        write(source, {f".git/hooks/{hook}": f"#!/bin/sh\ntouch {told}\n"})
        (source / ".git/hooks" / hook).chmod(0o755)
    subprocess.run([*git, "config", "filter.evil.smudge", f"touch {told}"], check=True)
    taken = take(f"file://{source}", keys_in)
    assert set(taken.files) == set(FILES) and taken.files["train.py"] == TRAIN.encode()
    assert {".env", "latest", "module"} <= set(taken.left_out) and " at commit " in taken.origin
    assert not told.exists()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "neither a folder nor a URL"),
        ("ext::sh -c true", "neither a folder"),
        ("file:///nowhere", "git clone"),
    ],
)
def test_a_place_that_is_no_repository_is_one_line(place, said):
    with pytest.raises(UserError, match=f"--from {place[:5]}.*{said}"):
        take(place, keys_in)


def test_from_and_run_go_together(tmp_path):
    done = launch("new-template", "scales", "--from", tmp_path, "--workspace", tmp_path / "ws")
    assert done.returncode == 2 and "--run 'COMMAND' go together" in done.stderr and "Traceback" not in done.stderr


# ---------------------------------------------------------------- how it runs


@pytest.mark.parametrize(
    ("command", "results", "seeds"),
    [
        ("python train.py --seed {seed} --out {out}", "{out}/results.json", [0, 1, 2]),
        ("python -m train --out runs", "runs/results.json", [0, 1, 2]),
        ("bash run.sh | tee log.txt", "{out}/results.json", [0, 1, 2]),
        ("./run.sh", "{out}/results.json", [0, 1, 2]),
    ],
)
def test_any_command_that_starts_a_script_runs_in_the_sandbox(tmp_path, command, results, seeds):
    folder, said = made(tmp_path, command)
    manifest = tomllib.loads((folder / "manifest.toml").read_text())
    assert manifest["command"] == {"run": command, "folder": "code", "results": results}
    assert manifest["profiles"]["full"]["seeds"] == seeds
    assert manifest["editable"] == ["code/train.py", "code/tools/scale.py"]
    assert list(manifest["metrics"]) == ["test_acc"] and "kept without a direction: width" in said


def test_old_results_are_not_taken_for_new_ones_and_nothing_is_made_of_a_command_without_any(tmp_path):
    silent = FILES | {"train.py": "print('trained')\n"}
    with pytest.raises(UserError, match="left no results: write final_info.json"):
        made(tmp_path, "python train.py", silent)
    assert not (tmp_path / "templates").exists()


@pytest.mark.parametrize(
    ("command", "change", "said"),
    [
        ("python train.py | cat", "raise SystemExit('no such rows')", "the first run failed: .*no such rows"),
        ("make all", "", "names no Python file, module or shell script"),
        ("python train.py --lr {lr}", "", r"\{lr\} is neither a setting of profile 'full'"),
        ("python train.py", "import einops_of_my_own", "imports einops_of_my_own, which is not in the project's"),
    ],
)
def test_what_keeps_a_command_from_running_is_one_line(tmp_path, command, change, said):
    with pytest.raises(UserError, match=said):
        made(tmp_path, command, FILES | {"train.py": f"{change}\n{TRAIN}"})


def test_requirements_of_a_url_are_installed_once_that_was_said(tmp_path):
    needs = FILES | {"train.py": f"import einops_of_my_own\n{TRAIN}", "requirements.txt": "einops_of_my_own\n"}
    with pytest.raises(UserError, match="code/requirements.txt would be installed outside of the sandbox.*--trust"):
        made(tmp_path, "python train.py", needs)


# ---------------------------------------------------------------- what the check says


def checked(folder, tmp_path):
    said: list[str] = []
    found = check_template(folder, tmp_path / "cache", BubblewrapSandbox(), said.append)
    status = report(found, said.append, why_self_reported(load_template(folder).manifest))
    return status, {f.code for f in found if not f.for_measured}, said


def test_two_seeds_that_give_the_same_are_told_with_the_remedy(tmp_path):
    deaf = TRAIN.replace("random.Random(args.seed)", "random.Random(3)")
    folder, _ = made(tmp_path, "python train.py --seed {seed}", FILES | {"train.py": deaf})
    status, codes, said = checked(folder, tmp_path)
    assert (status, codes) == (2, {"seed-ignored"})
    assert said[-1] == "not ready: 1 thing, each with its remedy"
    assert any(line.startswith("seed-ignored") and "{seed}" in line for line in said)


def test_a_metric_whose_name_says_no_direction_is_asked_for_and_not_guessed(tmp_path):
    folder, said = made(tmp_path, "python train.py", FILES | {"train.py": TRAIN.replace('"acc"', '"spread"')})
    assert "test_spread" in said and "say in manifest.toml which direction is better" in said
    with pytest.raises(UserError, match="metrics.test_spread.better"):
        load_template(folder)
    (flaw,) = check_template(folder, tmp_path / "cache", BubblewrapSandbox(), print)
    assert flaw.code == "metric-direction" and flaw.where.startswith("manifest.toml:")


REPORTS = """
import argparse, json, random
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--out_dir", type=Path)
out = parser.parse_args().out_dir
seed = json.loads(Path("task.json").read_text())["seed"]
(out / "final_info.json").write_text(json.dumps({"acc": random.Random(seed).random()}))
"""
BARE = """
name = "bare"
title = "Bare"
question = "Does it run?"
about = "A script that reports its own numbers."
measured = false
default_profile = "small"
metrics.acc = { label = "accuracy", better = "higher", primary = true, read = "A share." }
baselines = [{ name = "plain", label = "Plain", file = "experiment.py", about = "As it is." }]
[profiles.small]
about = "Small."
settings = {}
seeds = [0, 1]
conditions = [{ name = "all", label = "all" }]
"""


def test_a_template_that_reports_its_own_numbers_needs_no_prepare_and_no_list_of_protected_files(tmp_path):
    plot = (ROOT / "agent/lab/templating/skeleton/plot.py").read_text()
    folder = write(tmp_path / "bare", {"manifest.toml": BARE, "experiment.py": REPORTS, "plot.py": plot})
    tmp_path.chmod(0o755)
    status, codes, said = checked(folder, tmp_path)
    assert (status, codes) == (0, set())
    assert (
        said[-1] == "ready and self-reported, because experiment.py computes its own numbers, and a model may edit it"
    )
    assert load_template(folder).manifest.protected == ()
    (folder / "prepare.py").write_text("def prepare(settings, secret, train_dir, truth_dir): pass\n")
    assert load_template(folder).manifest.protected == ("prepare.py",)
    assert json.loads(load_template(folder).manifest.model_dump_json())["measured"] is False
