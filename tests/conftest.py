"""Nothing is patched: every test hands real stand-ins to real code."""

import os
import tempfile
from pathlib import Path

import pytest

# A key in the developer's shell must never reach a test, and none may be needed.
for name in [n for n in os.environ if n.endswith("_API_KEY")]:
    del os.environ[name]

# Sessions of tests are signed with a key of their own, which worker processes and commands inherit.
if "EXPERIMENT_RUNNER_KEYS" not in os.environ:
    os.environ["EXPERIMENT_RUNNER_KEYS"] = tempfile.mkdtemp(prefix="keys-")

# Worker processes inherit it: figures that suites want said at the end of the run.
if "SUITE_FIGURES" not in os.environ:
    os.environ["SUITE_FIGURES"] = tempfile.mkstemp(prefix="figures-")[1]
FIGURES = Path(os.environ["SUITE_FIGURES"])


# Attacks, breakages, whole sessions of rarer kinds, the documentation followed by hand: `make suites`.
# `make test` is for every change.
SUITES = (
    "hostile",
    "faults",
    "fuzz",
    "redteam",
    "fuzz_sections",
    "docs_templates",
    "docs",
    "provider_faults",
    "resume",
    "one_session",
    "disk_full",
    "budgets",
    "out_of_memory",
    "review",
    "lm_session",
    "v1_form",
    "saebench",
    "api",
    "bundle",
    "literature_session",
    "environments",
    "templates_own",
    "review_pdf",
    "lm_gemma",
    "unlearning",
)
LONG = ("demo_playback", "loop", "honest_endings", "verify", "command_line")


def pytest_collection_modifyitems(items):
    """Long files first: they are handed out whole, and one that comes last is waited for."""
    order = {f"test_{name}": place for place, name in enumerate((*SUITES, *LONG))}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
    for item in items:
        if item.path.stem.removeprefix("test_") in SUITES or "suites" in item.path.parts:
            item.add_marker("suite")


@pytest.fixture(scope="session")
def say_at_the_end():
    """A line for the end of the run, e.g. how many attacks were tried."""

    def say(text: str) -> None:
        with FIGURES.open("a") as file:
            file.write(text + "\n")

    return say


def pytest_terminal_summary(terminalreporter):
    if hasattr(terminalreporter.config, "workerinput"):
        return  # a worker has a reporter too, which nobody reads
    lines = FIGURES.read_text().splitlines() if FIGURES.is_file() else []
    for line in lines:
        terminalreporter.write_line(line)
    FIGURES.unlink(missing_ok=True)
