"""Several small sessions one after another, and side by side: what that gains, and what the loop itself takes.

The sessions are whole processes of launch.py on the tiny template; the model is a server of this process that answers
right, at once or after a while.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.lab.machine import device_in_words
from agent.storage.workspace import Workspace
from tests.suites.bench import spent
from tests.suites.bench.markdown import markdown
from tests.support import ROOT, TEMPLATE
from tests.support.fake_provider import Answer, FakeProvider, Request, reply
from tests.support.launched import answer
from tests.support.whole import IDEA

MOST_NAMED = 4  # kinds of events, of those that the loop's own time went into


@dataclass(frozen=True)
class Arm:
    """So many sessions at once, with a model that takes so long for an answer."""

    wait_s: float
    parallel: int


@dataclass(frozen=True)
class Found:
    wall_s: float
    sessions: list[spent.Spent]
    handed_on: list[float]

    @property
    def own(self) -> float:
        """The loop's part of the sessions' time."""
        return sum(sum(one.own.values()) for one in self.sessions) / sum(one.whole for one in self.sessions)

    def part(self, name: str) -> float:
        return sum(getattr(one, name) for one in self.sessions) / sum(one.whole for one in self.sessions)


def table(sessions: int, wait_s: float, parallel: int) -> str:
    """Both models, one after another and side by side."""
    found = {arm: played(arm, sessions) for wait in (wait_s, 0.0) for arm in (Arm(wait, 1), Arm(wait, parallel))}
    rows = []
    for arm, one in found.items():
        base = found[Arm(arm.wait_s, 1)]
        gaps = one.handed_on
        rows.append(
            [
                f"{arm.wait_s:g} s" if arm.wait_s else "at once",
                str(arm.parallel),
                f"{one.wall_s:.0f}",
                f"{base.wall_s / one.wall_s:.2f}x",
                f"{one.part('model'):.0%}",
                f"{one.part('training'):.0%}",
                f"{one.own:.1%}",
                f"{statistics.median(gaps):.2f} ({max(gaps):.2f}; {len(gaps)})" if gaps else "nobody waited",
            ]
        )
    heads = ["an answer", "at once", "s in all", "gain", "model", "training", "loop", "to the next training, s"]
    about = (
        f"{sessions} sessions of one run; {device_in_words('cpu')}, load {os.getloadavg()[2]:.1f}. Parts are of the "
        "time from a session's first event to its last; the last column is from the end of a training to the start "
        "of the next that waited for its place (median, most, count)."
    )
    return f"{about}\n\n{markdown(heads, rows)}\n\n{_went(list(found.values()))}"


def played(arm: Arm, sessions: int) -> Found:
    """All sessions to their end.

    Raises:
        SystemExit: one of them did not end well.
    """
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))
    try:
        with FakeProvider(lambda request: _answered(request, arm.wait_s)) as provider:
            began = time.monotonic()
            _launched(folder, arm, sessions, provider.url)
            wall_s = time.monotonic() - began
        there = Workspace(folder / "ws").sessions()
        found = Found(wall_s, [spent.of_session(p) for p in there], spent.handed_on(spent.trainings(folder / "ws")))
        print(arm, f"{wall_s:.0f} s, loop {found.own:.1%}", flush=True)
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answered(request: Request, wait_s: float) -> Answer:
    said = reply(answer(request))
    return Answer(said.status, said.json, hang_s=wait_s)


def _launched(folder: Path, arm: Arm, sessions: int, url: str) -> None:
    ideas = folder / "ideas.json"
    ideas.write_text(json.dumps([{**IDEA, "Name": f"idea_{number}"} for number in range(sessions)]))
    words = ("--ideas", ideas, "--template", TEMPLATE, "--runs", 1, "--baselines", "topk", "--parallel", arm.parallel)
    explore(folder, url, *words)


def explore(folder: Path, url: str, *words: object) -> None:
    """launch.py until the runs are over, with the model at a URL, and places and the workspace `ws` in a folder.

    Raises:
        SystemExit: it did not end well.
    """
    words += ("--model", "openai/gpt-4o", "--api-base", url, "--stop-after", "runs", "--no-pdf", "--skip-novelty")
    words += ("--literature", "offline", "--workspace", folder / "ws")
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENAI_API_KEY": "none", "EXPERIMENT_RUNNER_PLACES": str(folder / "places")},
    )
    if done.returncode:
        raise SystemExit(f"{words}: status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def _went(found: Sequence[Found]) -> str:
    """Where the loop's own seconds went, by the event that came of them."""
    seconds: Counter[str] = Counter()
    number = 0
    for one in (session for arm in found for session in arm.sessions):
        seconds.update(one.own)
        number += 1
    named = ", ".join(f"`{name}` {s / number:.1f} s" for name, s in seconds.most_common(MOST_NAMED))
    return f"Of the loop's own {sum(seconds.values()) / number:.1f} s a session, most come before {named}."
