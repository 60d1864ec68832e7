"""A template's own Python: built from a local wheel, cached, read-only where it runs; one line where it cannot."""

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from agent.app.preflight import mismatch
from agent.core.errors import UserError
from agent.core.manifest import Limits
from agent.core.sandboxing import Mount, SandboxSpec
from agent.core.template import load_template
from agent.lab.environment_probe import cuda_of_torch
from agent.lab.environments import content_key, environment_of, missing_modules
from agent.lab.templating.check import check_template
from agent.sandbox.boxes import BubblewrapSandbox
from tests.support import TEMPLATE
from tests.support.whole import Script, Whole

pytestmark = pytest.mark.skipif(not shutil.which("uv"), reason="no uv")
REQUIREMENTS = "--no-index\n--find-links wheels\nstepsize\n"
SETTINGS = '[environment]\nrequirements = "requirements.txt"\nextend = true\n'


def wheel(folder: Path, version: str, code: str) -> None:
    """A wheel of one module, `stepsize`."""
    folder.mkdir(parents=True, exist_ok=True)
    about = f"stepsize-{version}.dist-info"
    with zipfile.ZipFile(folder / f"stepsize-{version}-py3-none-any.whl", "w") as file:
        for name, text in {
            "stepsize.py": code,
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: stepsize\nVersion: {version}\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{about}/RECORD": f"stepsize.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n",
        }.items():
            file.writestr(zipfile.ZipInfo(name), text)  # without the time of day


def template(folder: Path, settings: str = SETTINGS, requirements: str = REQUIREMENTS):
    """The tiny template, whose experiment takes its step size from a package that the runner lacks."""
    shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    wheel(folder / "wheels", "1.0", "def scaled(rate):\n    return rate\n")
    (folder / "requirements.txt").write_text(requirements)
    manifest = (folder / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(manifest.replace("[metrics.score]", f"{settings}\n[metrics.score]"))
    code = (folder / "experiment.py").read_text()
    code = code.replace("import numpy as np\n", "import numpy as np\nimport stepsize\n")
    (folder / "experiment.py").write_text(code.replace("+= RATE *", "+= stepsize.scaled(RATE) *"))
    return load_template(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(template, cache, environment, what was said), made once."""
    root = tmp_path_factory.mktemp("environments")
    root.chmod(0o755)
    said: list[str] = []
    made = template(root / "tiny")
    return made, root / "cache", environment_of(made, root / "cache", said.append), said


def test_it_is_built_once_and_found_again_by_its_content(built):
    made, cache, environment, said = built
    assert said == ["Building the environment of tiny (requirements.txt)"]
    assert environment_of(made, cache, said.append) == environment
    assert len(said) == 1
    assert environment.packages["stepsize"] == "1.0"
    assert "torch" not in environment.packages  # the runner's own are not told twice
    assert Path(environment.python).is_relative_to(cache / "environments")
    assert missing_modules(environment, ["stepsize", "numpy", "nowhere"]) == ["nowhere"]


def test_another_requirement_or_wheel_is_another_environment(built, tmp_path):
    made, _, environment, _ = built
    spec = made.manifest.environment
    same = template(tmp_path / "same")
    assert content_key(same, spec) == content_key(made, spec) == environment.key
    wheel(Path(same.folder) / "wheels", "1.1", "")
    assert content_key(same, spec) != environment.key
    other = template(tmp_path / "other", requirements=REQUIREMENTS + "# another line\n")
    assert content_key(other, spec) != environment.key


def test_in_the_sandbox_it_runs_and_cannot_be_changed(built, tmp_path):
    environment = built[2]
    code = (
        "import stepsize, sys, numpy; print(sys.prefix)\n"
        "try:\n    open(stepsize.__file__, 'a')\nexcept OSError as error:\n    print(error.strerror)\n"
    )
    trees = tuple(Mount(Path(tree), tree) for tree in environment.trees)
    limits = Limits(wall_s=60, memory_mb=512, processes=16, disk_mb=1, files=10, file_mb=1, output_mb=1)
    spec = SandboxSpec(argv=(environment.python, "-c", code), cwd="/tmp", mounts=trees, limits=limits)
    end = BubblewrapSandbox().start(spec, stdout=tmp_path / "out", stderr=tmp_path / "err").wait()
    assert end.reason == "ok", (tmp_path / "err").read_text()
    assert (tmp_path / "out").read_text().splitlines()[1] in ("Read-only file system", "Permission denied")


def test_a_whole_session_runs_in_it(built, tmp_path):
    made, cache, environment, _ = built
    (tmp_path / ".cache").symlink_to(cache)
    it = Whole(tmp_path, Script(1), template=made.folder, runs=1, baselines=("topk",))
    session = it.play()
    assert session.finished
    record = json.loads((it.paths.repo / "records/1.json").read_text())
    assert record["status"] == "measured"
    assert record["versions"]["environment"] == environment.key
    assert record["versions"]["environment: stepsize"] == "1.0"
    assert [f.by for f in session.figures].count("agent") == 1
    assert (it.paths.repo / "template/requirements.txt").read_text() == REQUIREMENTS
    assert "environment: stepsize 1.0" in (it.paths.repo / "paper/paper.tex").read_text().replace(r"\_", "_")
    from agent.publishing.verify.bench import Means
    from agent.publishing.verify.remeasure import remeasure
    from agent.publishing.verify.subject import Report, Subject
    from agent.sandbox.boxes import BubblewrapSandbox

    report = Report()
    subject = Subject(it.paths.repo / ".git", it.paths.repo, it.paths)
    remeasure(subject, it.paths, report, Means(cache, ours=True, sandbox=BubblewrapSandbox()))
    assert report.problems == []


def test_an_interpreter_that_exists_is_used_as_it_is(tmp_path):
    made = template(tmp_path / "tiny", f'[environment]\npython = "{sys.executable}"\n')
    found = environment_of(made, tmp_path / "cache", print)
    assert found.python == sys.executable
    assert found.packages["numpy"]
    assert not (tmp_path / "cache").exists()


def test_one_named_by_a_variable_is_found_where_it_points(tmp_path):
    os.environ["MY_CLUSTER_PYTHON"] = sys.executable
    try:
        made = template(tmp_path / "tiny", '[environment]\npython = "$MY_CLUSTER_PYTHON"\n')
        assert environment_of(made, tmp_path, print).python == sys.executable
    finally:
        del os.environ["MY_CLUSTER_PYTHON"]


@pytest.mark.parametrize(
    ("settings", "requirements", "said"),
    [
        (
            '[environment]\npython = "/nowhere/python"\n',
            REQUIREMENTS,
            "'/nowhere/python': no such interpreter here; load",
        ),
        ('[environment]\npython = "/bin/true"\n', REQUIREMENTS, "/bin/true does not run as a Python"),
        (SETTINGS, "--no-index\nnowhere_to_be_found\n", "uv pip install: .*nowhere-to-be-found"),
        (SETTINGS.replace("extend = true\n", ""), REQUIREMENTS, "the environment lacks numpy, with which .*; add it"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_leaves_nothing(tmp_path, settings, requirements, said):
    made = template(tmp_path / "tiny", settings, requirements)
    with pytest.raises(UserError, match=said) as error:
        environment_of(made, tmp_path / "cache", lambda line: None)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "tiny/manifest.toml"))
    if "extend" in settings:
        assert not list((tmp_path / "cache/environments").glob("*/venv"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('[environment]\nrequirements = "requirements.txt"\npython = "python3"\n', "give exactly one of"),
        ('[environment]\nlock = "pylock.toml"\n', "names pylock.toml, which"),
        ('[environment]\npython = "python3"\nextend = true\n', "`extend` goes with requirements"),
    ],
)
def test_a_manifest_that_names_none_or_two_is_refused(tmp_path, settings, said):
    with pytest.raises(UserError, match=said):
        template(tmp_path / "tiny", settings)


def test_the_check_names_what_the_environment_lacks(built, tmp_path):
    made = template(tmp_path / "tiny")
    path = Path(made.folder) / "experiment.py"
    path.write_text(path.read_text().replace("import stepsize\n", "import stepsize, nowhere_at_all\n"))
    flaws = check_template(Path(made.folder), built[1], BubblewrapSandbox(), lambda line: None)
    assert ("missing-import", "experiment.py:8") in {(f.code, f.where) for f in flaws}
    (Path(made.folder) / "requirements.txt").write_text("--no-index\ngone\n")
    flaws = check_template(Path(made.folder), tmp_path / "cache", BubblewrapSandbox(), lambda line: None)
    assert [f.code for f in flaws if f.code == "environment"]


# ---------------------------------------------------------------- drivers

SMI = "| NVIDIA-SMI 535.104.05   Driver Version: 535.104.05   CUDA Version: 12.2     |\n"


@pytest.mark.parametrize(
    ("cuda", "smi", "said"),
    [
        ("13.0", SMI, "torch is built for CUDA 13.0, the driver serves at most CUDA 12.2"),
        ("12.8", SMI, ""),
        ("11.8", SMI, ""),
        ("12.1", "no table", ""),
        (None, SMI, ""),
        ("", SMI, "built for the CPU alone"),
    ],
)
def test_a_driver_that_does_not_serve_torch_is_told(cuda, smi, said):
    text = mismatch(cuda, smi)
    assert (said in text) if said else text == ""


def test_what_torch_was_built_for_is_read_without_importing_it():
    import torch

    assert cuda_of_torch() == (torch.version.cuda or "")
