"""The demo's plan with one run under way at a time, and with several: what branches gain.

The session is a whole process of launch.py at the demo's size. The model is a server of this process, which gives the
recorded edits and proposes again what has not begun.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from agent.lab.machine import device_in_words
from agent.llm.json_objects import objects
from agent.session.events import Planned, Reflected
from agent.storage.log import EventLog
from agent.storage.workspace import Workspace, read_session
from tests.suites.bench import spent
from tests.suites.bench.fleet import explore
from tests.suites.bench.markdown import markdown
from tests.support import ROOT
from tests.support.fake_provider import Answer, FakeProvider, Request, reply
from tests.support.whole import fenced

ASKED = re.compile(r"^This is run \d+: (.+)\.$|^Attempt \d+ of run \d+ \((.+)\) failed", re.MULTILINE)  # with a label
RECORDED = ROOT / "templates" / "synth_sae" / "playback" / "hierarchical_sae"


class Planner:
    """Answers by what it is asked, each after a while."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._plan = objects((RECORDED / "plan.1.md").read_text())[0][0]
        self._edits: Counter[str] = Counter()  # by label

    def __call__(self, request: Request) -> Answer:
        said = reply(self._words(request.last))
        return Answer(said.status, said.json, hang_s=self._wait_s)

    def _words(self, text: str) -> str:
        if "Plan at most" in text:
            return fenced(self._plan)
        if found := ASKED.search(text):
            return self._edit(found[1] or found[2])
        if "Write what this run means" in text:
            left = [run for run in self._plan["runs"] if run["label"] not in self._edits]
            return fenced({"interpretation": "As it was expected.", "completed": not left, "runs": left})
        return "NO CHANGE"

    def _edit(self, label: str) -> str:
        self._edits[label] += 1
        number = 1 + next(place for place, run in enumerate(self._plan["runs"]) if run["label"] == label)
        return (RECORDED / f"run-{number}.edit-{self._edits[label]}.1.md").read_text()


def table(wait_s: float) -> str:
    rows, walls = [], list[float]()
    for branches in (1, 2):
        found, runs, wall_s = played(branches, wait_s)
        walls.append(wall_s)
        own = sum(found.own.values())
        parts = [f"{part / found.whole:.0%}" for part in (found.training, found.model, own)]
        rows.append([str(branches), str(runs), f"{wall_s:.0f}", f"{walls[0] / wall_s:.2f}x", *parts])
    heads = ["branches", "runs", "s from the first edit to the last verdict", "gain", "training", "model alone", "loop"]
    about = f"An answer takes {wait_s:g} s; {device_in_words('cpu')}, load {os.getloadavg()[2]:.1f}."
    return f"{about}\n\n{markdown(heads, rows)}"


def played(branches: int, wait_s: float) -> tuple[spent.Spent, int, float]:
    """Where the session's time went, its runs, and the seconds from the first edit to the last reflection.

    Raises:
        SystemExit: it did not end well, or a run was not measured.
    """
    folder = Path(tempfile.mkdtemp(prefix="branching-"))
    folder.chmod(0o755)
    try:
        with FakeProvider(Planner(wait_s)) as provider:
            began = time.monotonic()
            explore(folder, provider.url, "--idea", "hierarchical_sae", "--runs", 7, "--branches", branches)
        (paths,) = Workspace(folder / "ws").sessions()
        session, found = read_session(paths), spent.of_session(paths)
        if missing := [run.run for run in session.experiments if run.phase != "measured"]:
            raise SystemExit(f"{branches}: not measured: {', '.join(missing)}")
        events = list(EventLog(paths.events).read())
        first = next(e.at for e in events if isinstance(e, Planned))
        last = max(e.at for e in events if isinstance(e, Reflected))
        print(f"{branches}: {last - first:.0f} of {time.monotonic() - began:.0f} s", flush=True)
        return found, len(session.experiments), last - first
    finally:
        shutil.rmtree(folder, ignore_errors=True)
