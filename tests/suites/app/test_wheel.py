"""The wheel: built as pip and uv build it, installed in an environment of its own, used from a person's own folder.

The environment takes over the packages of the project's, because fetching them again would only test the registry.
Its Python is a link to the project's, so that sandboxes, which see each stop of that link, see those packages.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core.program import version
from agent.lab.environments import find_uv
from tests.support import ROOT, TEMPLATE, sampling
from tests.support.fake_provider import FakeProvider, reply
from tests.support.launched import answer
from tests.support.whole import IDEA

UNREACHED = ("Failed to fetch", "cannot be downloaded", "No solution found")  # what a build says without a registry
SHORT = ("--runs", "1", "--baselines", "topk", "--literature", "offline", "--skip-novelty")


def uv(*words):
    """As setup.sh calls it: with the certificates of the machine, however this version of uv asks for them."""
    env = {**os.environ, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
    words = [find_uv(), *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, env=env)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The command experiment-runner of a fresh environment."""
    out, environment = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("installed") / "venv"
    built = uv("build", "--wheel", "--out-dir", out, ROOT)
    if built.returncode and "CI" not in os.environ and any(words in built.stderr for words in UNREACHED):
        pytest.skip(f"a wheel is not built without the package registry: {built.stderr[-500:]}")
    assert built.returncode == 0, built.stderr
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    python.unlink()
    python.symlink_to(sys.executable)
    packages = next(environment.glob("lib/python*/site-packages"))
    (packages / "project.pth").write_text(f"{next(Path(sys.prefix).glob('lib/python*/site-packages'))}\n")
    done = uv("pip", "install", "--offline", "--no-deps", "--python", python, next(out.glob("*.whl")))
    assert done.returncode == 0, done.stderr
    return environment / "bin" / "experiment-runner"


@pytest.fixture
def folder(tmp_path):
    """A person's folder: an idea, a template, and an unrelated package that is called as one of ours."""
    shutil.copytree(TEMPLATE, tmp_path / "templates" / "tiny")
    (tmp_path / "ideas").mkdir()
    (tmp_path / "ideas" / "mine.json").write_text(json.dumps(IDEA))
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "__init__.py").write_text("mine = True\n")
    return tmp_path


def typed(folder, *words, **environment):
    """A command in the folder to its end."""
    return subprocess.run(
        list(map(str, words)),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=580,  # of a machine that others use as well
        check=False,
    )


def files(package):
    """What lies in an installed package, but for the bytecode that Python keeps there."""
    return {path: path.stat().st_mtime_ns for path in package.rglob("*") if path.suffix != ".pyc" and path.is_file()}


def test_everything_that_a_checkout_starts_from_is_installed(installed):
    package = next(installed.parents[1].glob("lib/python*/site-packages/experiment_runner"))
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "agent", "paper", "templates", "ideas"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = listed.stdout.splitlines()
    assert len(names) > 500
    assert [name for name in names if (ROOT / name).is_file() and not (package / name).is_file()] == []


@pytest.mark.parametrize("end", ["runs", "paper"] if sampling.everything() else ["runs"])
def test_an_installed_copy_plays_a_session_from_another_folder(installed, folder, end):
    package = next(installed.parents[1].glob("lib/python*/site-packages/experiment_runner"))
    before = files(package)
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        words = ("run", "tiny_idea", "--template", "tiny", "--model", "openai/gpt-4o", "--api-base", provider.url)
        done = typed(folder, installed, *words, *SHORT, "--stop-after", end, OPENAI_API_KEY="sk-x")
    assert done.returncode == 0, done.stdout + done.stderr
    session = next((folder / "workspace").glob("2*_tiny_idea"))
    assert {record.stem for record in (session / "repo/records").glob("*.json")} >= {"0", "1"}
    assert (session / "repo/paper/paper.pdf").is_file() == (end == "paper")
    assert "experiment-runner --follow" in done.stdout and "launch.py" not in done.stdout + done.stderr
    assert files(package) == before


def test_names_are_looked_up_in_the_current_folder_first(installed, folder):
    shutil.copytree(TEMPLATE, folder / "templates" / "synth_sae")
    listed = json.loads(typed(folder, installed, "list", "--json").stdout)
    questions = {template["name"]: template["question"] for template in listed["templates"]}
    assert {"tiny_idea", "hierarchical_sae"} <= {idea["name"] for idea in listed["ideas"]}
    assert "lm_sae" in questions and "synth_sae" not in questions  # its manifest calls itself tiny


def test_python_gets_ours_beside_a_folder_of_the_same_name(installed, folder):
    script = folder / "mine.py"
    script.write_text("from experiment_runner import UserError, run\ntry:\n    run('no_such_idea', workspace='ws')\n")
    script.write_text(script.read_text() + "except UserError as error:\n    print(error)\n")
    done = typed(folder, installed.with_name("python"), script)
    assert "idea 'no_such_idea': not found" in done.stdout, done.stderr

    script.write_text("import agent\nfrom experiment_runner import run\n")
    done = typed(folder, installed.with_name("python"), script)
    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("ImportError")]
    assert (
        "a module 'agent' of its own" in said
        and str(folder / "agent") in said
        and "import experiment_runner first" in said
    )


def test_an_installed_copy_says_its_version(installed, folder):
    assert typed(folder, installed, "--version").stdout == f"experiment-runner {version()}\n"
