"""Fixtures and settings of all tests. No code is patched: tests hand stand-ins that are real classes to real code.

Slow tests lie in suites/ (`make suites`); all others run with every change (`make test`).
"""

import itertools
import json
import os
import tempfile
from pathlib import Path

import pytest

from tests.support import sampling
from tests.support.stages import Stages
from tests.support.whole import IDEA, Script, Whole

# A key in the developer's shell must never reach a test, and none may be needed.
for name in [n for n in os.environ if n.endswith("_API_KEY")]:
    del os.environ[name]

# A developer's own settings must not change what a test does either.
for name in [n for n in os.environ if n.startswith("EXPERIMENT_RUNNER_") and n != "EXPERIMENT_RUNNER_KEYS"]:
    del os.environ[name]
os.environ["EXPERIMENT_RUNNER_CONFIG"] = ""

# Sessions of tests are signed with a key of their own, which worker processes and commands inherit.
if "EXPERIMENT_RUNNER_KEYS" not in os.environ:
    os.environ["EXPERIMENT_RUNNER_KEYS"] = tempfile.mkdtemp(prefix="keys-")

# Worker processes inherit both: the file of lines for the end of the run, and the seed of the suites' samples.
if "SUITE_FIGURES" not in os.environ:
    os.environ["SUITE_FIGURES"] = tempfile.mkstemp(prefix="figures-")[1]
FIGURES = Path(os.environ["SUITE_FIGURES"])
os.environ.setdefault(sampling.SEED, sampling.fresh())

SUITES = Path(__file__).parent / "suites"
# Folders with whole sessions first: a worker runs a whole file, and all would wait for a long one that starts last.
FIRST = ("whole", "publishing", "app", "hostile", "faults", "fuzz", "redteam")


def pytest_collection_modifyitems(items):
    def turn(item):
        room = item.path.parent.name
        return FIRST.index(room) if room in FIRST else len(FIRST)

    items.sort(key=turn)
    for item in items:
        if item.path.is_relative_to(SUITES):
            item.add_marker("suite")


@pytest.fixture(autouse=True)
def own_places(places=itertools.count(), base=tempfile.mkdtemp(prefix="places-")):  # noqa: B008
    """Places of its own for each test, so that none waits for a training of another test or of a person's session."""
    os.environ["EXPERIMENT_RUNNER_PLACES"] = f"{base}/{next(places)}"


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """Sessions that stand before an action, with worlds and baselines; made once for all workers of this run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "stages"
    folder.mkdir(exist_ok=True)
    return Stages(folder)


@pytest.fixture
def whole(tmp_path, stages):
    """Makes a session on the tiny template that stands at its start or before a kind of action (`before`).

    `answers` replace those of the scripted model; other arguments are options of the session.
    """

    def make(answers=None, before=None, **chosen):
        if before is not None:
            return stages.copied(tmp_path, before, answers, **chosen)
        return Whole(tmp_path, Script(chosen.get("runs", 2), answers), cache=stages.cache, **chosen)

    return make


@pytest.fixture
def workspace(tmp_path, stages):
    """A workspace for launch.py that shares worlds and baselines with all tests."""
    folder = tmp_path / "ws"
    folder.mkdir()
    (folder / ".cache").symlink_to(stages.cache)
    return folder


@pytest.fixture
def idea(tmp_path):
    """A file with one idea, in the form in which a person writes one."""
    path = tmp_path / "ideas.json"
    path.write_text(json.dumps([IDEA]))
    return path


@pytest.fixture(scope="session")
def say_at_the_end():
    """A function that takes a line to be printed at the end of the run, such as how many attacks were tried."""

    def say(text: str) -> None:
        with FIGURES.open("a") as file:
            file.write(text + "\n")

    return say


def pytest_terminal_summary(terminalreporter):
    if hasattr(terminalreporter.config, "workerinput"):
        return  # the reporter of a worker prints nothing
    for line in FIGURES.read_text().splitlines() if FIGURES.is_file() else []:
        terminalreporter.write_line(line)
    FIGURES.unlink(missing_ok=True)
