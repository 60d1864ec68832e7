"""kill -9 at any moment of a session with two runs under way, then resume; every moment with `make suites-all`."""

import signal
import subprocess
import sys
import time

import pytest

from tests.support import ROOT, sampling
from tests.support.branches import CHOSEN, Branches, check
from tests.support.whole import Whole

PROGRAM = """
from pathlib import Path
from tests.support.branches import CHOSEN, Branches
from tests.support.whole import Whole
Whole(Path({folder!r}), Branches(), **CHOSEN).play()
"""
MOMENTS = list(range(8, 48, 2))  # events of the log; the baselines are done before, and the planner has planned
PATIENCE_S = 120.0


@pytest.mark.parametrize("moment", sampling.sample(MOMENTS, 1, "branches"))
def test_killed_after_any_number_of_events_it_ends_as_if_nothing_had_happened(tmp_path, stages, moment):
    it = Whole(tmp_path, Branches(), cache=stages.cache, **CHOSEN)
    child = subprocess.Popen([sys.executable, "-c", PROGRAM.format(folder=str(tmp_path))], cwd=ROOT)
    deadline = time.monotonic() + PATIENCE_S
    while child.poll() is None and time.monotonic() < deadline and len(it.events()) < moment:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the session ended before it was killed"

    it.play()

    check(it)
