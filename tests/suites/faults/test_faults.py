"""A seeded sample of `make faults`: killed anywhere, or on a full disk, a session ends as if nothing had happened."""

import json
import subprocess
import sys

import pytest

from tests.suites.faults.__main__ import SKIPPED
from tests.suites.faults.points import KILLS as WAYS
from tests.support import ROOT, sampling

KILLS, FULL = (-1, -1) if sampling.everything() else (12, 3)  # -1: all there are
pytestmark = pytest.mark.timeout(24 * 3600 if sampling.everything() else 1500)


@pytest.fixture(scope="module")
def shares(tmp_path_factory, say_at_the_end):
    """The work and its verdicts, as `make faults` does it."""
    out = tmp_path_factory.mktemp("faults") / "verdicts.json"
    command = [
        sys.executable,
        "-m",
        "tests.suites.faults",
        "--sample",
        str(KILLS),
        "--full",
        str(FULL),
        "--to-the-end",
        "1",
        "--jobs",
        "1",
        "--seed",
        str(sampling.seed()),
        "--json",
        out,
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if run.returncode == SKIPPED:
        say_at_the_end(f"faults: {run.stdout.strip()}")
        pytest.skip(run.stdout.strip())
    assert out.exists(), run.stdout + run.stderr
    found = json.loads(out.read_text())
    for line in found["lines"]:
        say_at_the_end(f"faults: {line}")
    return found["shares"]


@pytest.fixture(scope="module")
def swept(shares):
    return [verdict for part in shares for verdict in part["verdicts"]]


def wrong(swept, key):
    return [f"{v['point']}: {v[key]}" for v in swept if v[key]]


def test_the_points_are_hit_and_every_way_to_die_is_among_them(shares, swept):
    missed = [v["point"] for v in swept if not v["hit"]]
    assert len(missed) <= len(swept) // 20, missed  # an effect that another play of the session does not have
    assert {v["point"]["how"] for v in swept} == {*WAYS, "full"}
    there = [shares[0]["kills"], shares[0]["full"]]
    assert len(swept) == sum(most if number < 0 else number for number, most in zip((KILLS, FULL), there, strict=True))


def test_nothing_is_lost(swept):
    assert wrong(swept, "lost") == []


def test_no_finished_call_and_no_training_is_repeated(swept):
    assert wrong(swept, "repeated") == []


def test_nothing_is_left_behind(swept):
    assert wrong(swept, "left") == []


def test_a_full_disk_and_a_stopped_process_are_said_in_words(swept):
    assert wrong(swept, "rude") == []
