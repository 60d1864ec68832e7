"""What a stranger needs to carry on is there and true: version, licence, links, and the steps of CONTRIBUTING.md."""

import re
import shlex
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import saes
import torch
import yaml

from agent.app.arguments import parse
from tests.support import ROOT
from tests.support.small_saes import seed, trained, world

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/**/*.md"), ROOT / "workspace/README.md"]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
PLACES = re.compile(r"/(?:work|root|tmp|home)/|pypi\.org|pythonhosted")  # of one machine, or of a package registry


def blocks(page, language):
    """The code of a page in this language, without the indentation of a list."""
    for indent, of, code in BLOCK.findall(page):
        if of == language:
            yield "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))


def anchors(page):
    """The names under which the headings of a page are linked to."""
    for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_version_is_the_same_wherever_it_stands():
    said = subprocess.run(
        [sys.executable, ROOT / "launch.py", "--version"], capture_output=True, text=True, check=True
    ).stdout
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]

    assert said == f"experiment-runner {PROJECT['version']}\n"
    assert cited["version"] == newest == PROJECT["version"]


def test_the_licence_is_named_as_it_is():
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License") and "the experiment-runner contributors" in text
    assert PROJECT["license"] == yaml.safe_load((ROOT / "CITATION.cff").read_text())["license"] == "MIT"


def test_continuous_integration_runs_what_everybody_can_run():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step][-1] == ".ci/run"


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_document_lead_to_a_file_and_its_heading(page):
    for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text()):
        file, _, heading = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), target
        assert not heading or heading in anchors(there.read_text()), target


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_document_names_no_place_of_one_machine_and_no_package_registry(page):
    assert PLACES.findall(page.read_text()) == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_a_document_shows_in_a_line_of_its_own_is_taken(page):
    for words in re.findall(r"^(?:\./launch\.py|experiment-runner) (.*)$", page.read_text(), re.MULTILINE):
        parsed = parse(shlex.split(words, comments=True))
        assert parsed.command or parsed.version or parsed.help, words


def test_what_contributing_runs_is_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([\w-]+)`", CONTRIBUTING) + re.findall(r"^make (\S+)", CONTRIBUTING, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in re.findall(r"-m (tests[\w.]+)", CONTRIBUTING):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
    tables = re.findall(r"`((?:agent|templates|tests|docs|paper)/[\w./]*)`", CONTRIBUTING)
    commands = re.findall(r"(?<= )tests/[\w./]+", "\n".join(blocks(CONTRIBUTING, "sh")))
    made = {"templates/my_task", "templates/saes/tempered.py", "templates/synth_sae/baselines/tempered.py"}
    for path in {*tables, *commands} - made:
        assert (ROOT / path).exists(), path
    for test in re.findall(r"`(test_\w+)`", CONTRIBUTING):
        assert any(f"def {test}(" in file.read_text() for file in ROOT.glob("tests/**/*.py")), test


def test_the_architecture_of_contributing_learns_and_comes_back_from_its_file(tmp_path):
    code = next(code for code in blocks(CONTRIBUTING, "python") if "class TemperedTopKSAE" in code)
    scope = {"__name__": "saes.tempered"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), scope)
    seed()
    rows = world()
    sae, _ = trained(scope["TemperedTopKSAE"], rows)
    sae.save(tmp_path / "sae.safetensors")

    again = scope["TemperedTopKSAE"].load(tmp_path / "sae.safetensors")
    with torch.no_grad():
        assert torch.equal(again.encode(rows), sae.encode(rows))
    assert sae.log_gain.detach().abs().max() > 0.01 and issubclass(scope["TemperedTopKSAE"], saes.TopKSAE)


def test_the_metric_of_contributing_is_what_its_check_says():
    metric, check = (
        next(code for code in blocks(CONTRIBUTING, "python") if start in code)
        for start in ("def worst_row", 'theirs["worst_row"]')
    )
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    scope = {"np": np, "x": torch.from_numpy(x), "x_hat": torch.from_numpy(x / 3), "theirs": {}}
    exec(compile(metric + check, "CONTRIBUTING.md", "exec"), scope)

    assert scope["worst_row"](x, x / 3) == pytest.approx(scope["theirs"]["worst_row"], rel=1e-5)
