"""A small session with two runs under way at once: its model's answers, and what must be true of it in the end."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from agent.session import events as ev
from agent.session.session import Session, fold
from tests.support.whole import RATES, Script, Whole, fenced, plan, planned, rate_block

RUNS = 4
CHOSEN = {"branches": 2, "runs": RUNS, "attempts": 1, "stop_after": "runs", "slots": 1}
FAILS = rate_block(RATES[0], RATES[2]).replace(
    f"RATE = {RATES[2]}  # step size", f'RATE = {RATES[2]}  # step size\nraise SystemExit("no luck")'
)


class Branches(Script):
    """The first plan has steps 1 and 2. After each run the planner adds the next step, until there are four.

    Step 2 fails in training. Each answer also names again what is still planned, as the prompt asks.
    """

    def __init__(self) -> None:
        super().__init__(RUNS, {"plan": fenced(plan(2))})

    def __call__(self, messages, call):
        prompt = "\n".join(message.content for message in messages)
        if call.step.endswith(".reflect"):
            named = {int(n) for n in re.findall(r"`step(\d)`", prompt)}
            waiting = re.findall(r"^- `step(\d)`", prompt.partition("Still planned:")[2], re.M)
            told = [int(n) for n in waiting] + [n for n in range(1, RUNS + 1) if n not in named][:1]
            runs = [planned(n) for n in told]
            return fenced({"interpretation": "Rows moved.", "completed": not runs, "runs": runs})
        if re.fullmatch(r"run-\d+\.edit-1", call.step):
            step = RATES.index(float(re.findall(r"set RATE to (0\.\d+)", prompt)[-1]))
            return FAILS if step == 2 else rate_block(RATES[0], RATES[step])
        return super().__call__(messages, call)


def check(it: Whole) -> Session:
    """Asserts what must be true of the session however often it was killed; returns its state."""
    events = it.events()
    session = fold(events)
    assert {run.planned.name: run.phase for run in session.experiments} == {
        "step1": "measured",
        "step2": "failed",
        "step3": "measured",
        "step4": "measured",
    }
    ended = [e.run for e in events if isinstance(e, ev.RunMeasured | ev.RunFailed) and session.runs[e.run].planned]
    assert sorted(ended) == ["1", "2", "3", "4"], "each run ends once"
    told = [match[1] for line in it.log() if (match := re.match(r"run (\d+): (?:step|failed)", line))]
    assert told == ended, "the history tells the ends in their order, each once"
    notes = (it.paths.repo / "notes.txt").read_text()
    assert re.findall(r"^## Run (\d+)[: ]", notes, re.M)[-RUNS:] == ended, "notes grow as runs end"
    rates = {run.planned.name: _rate(it, run.run) for run in session.experiments}
    assert rates == {f"step{n}": str(RATES[n]) for n in range(1, RUNS + 1)}, "each run was trained from its own code"
    fsck = subprocess.run(["git", "-C", it.paths.repo, "fsck", "--strict"], capture_output=True, text=True)
    assert fsck.returncode == 0, fsck.stderr
    return session


def _rate(it: Whole, run: str) -> str:
    (job,) = it.paths.runs.glob(f"{run}/attempt-1/job.json")
    code = Path(json.loads(job.read_text())["code"]) / "experiment.py"
    found = re.search(r"RATE = ([\d.]+)", code.read_text())
    return found[1] if found else ""
