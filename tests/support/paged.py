"""Sessions for tests of pages: one of many runs, written in seconds without a training; and a browser."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from agent.core.exchange import Message
from agent.core.ideas import Idea
from agent.core.options import Models, Options
from agent.core.paths import SessionPaths
from agent.core.plan import Comparison, Plan, PlannedRun, Reflection
from agent.core.record import RunRecord, Training
from agent.core.template import load_template
from agent.llm.calls import CallRecord
from agent.session import events as ev
from agent.storage.log import EventLog
from tests.support import ROOT

TEMPLATE = ROOT / "templates/synth_sae"
SEEDS = (0, 1, 2)
STEPS = tuple(float(s) for s in range(0, 2400, 24))
BEGAN = 1_790_000_000.0


def many_runs(root: Path, runs: int) -> SessionPaths:
    """A session of this many experiments at the end of its exploration: event log, records, git history, calls."""
    paths = SessionPaths(root / "20260101_000000_many_runs")
    paths.root.mkdir(parents=True)
    commits = _history(paths.repo, runs)
    records = [_record("0", "topk", "TopK", None, commits[0])]
    names = [f"variant_{n}" for n in range(1, runs + 1)]
    draw = Random(7)
    for n, name in enumerate(names, start=1):
        parent = "0" if n < 4 else str(draw.randint(1, n - 1))
        records.append(_record(str(n), name, f"Variant {n}", parent, commits[n]))
    (paths.repo / "records").mkdir()
    log = EventLog(paths.events)
    for event in _events(paths, records, names):
        log.append(event)
    log.close()
    return paths


def _history(repo: Path, runs: int) -> list[str]:
    """Makes a repository with one commit for each run, which changes the code of the one before; returns the hashes."""
    subprocess.run(["git", "init", "-q", "-b", "main", repo], check=True)
    code = (TEMPLATE / "experiment.py").read_text().splitlines()
    stream, draw = [], Random(3)
    for n in range(runs + 1):
        if n:
            for _ in range(12):
                code[draw.randrange(len(code))] = f"    change_{n} = {draw.random():.6f}  # one line of run {n}"
        files = {"experiment.py": "\n".join(code) + "\n"}
        if n == 0:
            files["template/manifest.toml"] = (TEMPLATE / "manifest.toml").read_text()
        stream.append(f"commit refs/heads/main\nmark :{n + 1}\ncommitter runner <r@localhost> {int(BEGAN) + n} +0000\n")
        stream.append(_data(f"run {n}"))
        stream += [f"M 100644 inline {name}\n{_data(text)}" for name, text in files.items()]
    marks = repo / ".git/marks"
    fed = "".join(stream).encode()
    subprocess.run(["git", "-C", repo, "fast-import", "--quiet", f"--export-marks={marks}"], input=fed, check=True)
    subprocess.run(["git", "-C", repo, "checkout", "-q", "main"], check=True)
    found = dict(line.split() for line in marks.read_text().splitlines())
    return [found[f":{n + 1}"] for n in range(runs + 1)]


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def _record(run: str, name: str, label: str, parent: str | None, commit: str) -> RunRecord:
    manifest = load_template(TEMPLATE).manifest
    profile = manifest.profiles["demo"]
    draw = Random(name)
    centre = {"f1": draw.uniform(0.55, 0.8), "mcc": draw.uniform(0.6, 0.8), "uniqueness": draw.uniform(0.9, 1.0)}
    centre |= {"explained_variance": draw.uniform(0.7, 0.85), "l0": 8.0, "dead_latents": draw.uniform(0, 0.2)}
    trainings = [
        Training(
            seed=seed,
            condition=condition.name,
            outcome="measured",
            metrics={key: value + 0.01 * draw.random() for key, value in centre.items()},
            curves={"step": STEPS, "loss": tuple(20 + 80 * math.exp(-s / 400) + draw.random() for s in STEPS)},
            wall_s=20.0,
            cpu_s=18.0 + draw.random(),
            peak_memory_mb=400.0,
            export="SAELens: topk",
        )
        for condition in profile.conditions
        for seed in SEEDS
    ]
    return RunRecord(
        run=run,
        kind="baseline" if parent is None else "experiment",
        name=name,
        label=label,
        about=f"Tries what {label} changes, and says so in a sentence of an ordinary length.",
        parent=parent,
        status="measured",
        attempts=1,
        commit=commit,
        tree=commit,
        template=manifest.name,
        profile="demo",
        settings=profile.settings,
        seeds=SEEDS,
        conditions=profile.conditions,
        trainings=tuple(trainings),
        findings=(),
        started_at=BEGAN,
        wall_s=60.0,
        device="cpu: 2 cores",
        versions={"python": "3.11.7"},
        hashes={"code/experiment.py": "0" * 64},
        sandbox="bwrap",
    )


def _events(paths: SessionPaths, records: list[RunRecord], names: list[str]) -> Iterator[ev.Event]:
    at = BEGAN

    def now() -> dict[str, float]:
        nonlocal at
        at += 20.0
        return {"at": at, "active": at - BEGAN}

    commit = records[0].commit
    models = Models(**dict.fromkeys(("planner", "editor", "writer", "reviewer"), "scripted"))
    options = Options(template=str(TEMPLATE), profile="demo", models=models, baselines=("topk",), runs=10)
    idea = Idea(Name="many_runs", Title="What Do Many Variants Come To?", Experiment="Try many.")
    yield ev.SessionStarted(at=at, session=paths.root.name, idea=idea, options=options)
    yield ev.DataPrepared(**now(), key="k", hashes={}, commit=commit)
    planned = tuple(
        PlannedRun(name=n, label=n.replace("_", " "), change=f"change a line for {n}", hypothesis="it may help")
        for n in names
    )
    comparison = Comparison(metric="f1", baseline="topk", why="it is the code that all start from")
    plan = ev.Planned(**now(), plan=Plan(comparison=comparison, runs=planned), commit=commit)
    for record in records:
        if record.run == "1":
            yield plan
        if record.kind == "experiment":
            for step in ("edit-1", "comment", "reflect"):
                yield _call(paths, f"run-{record.run}.{step}", now())
            yield ev.Edited(**now(), run=record.run, attempt=1, commit=record.commit)
            yield ev.LintPassed(**now(), run=record.run, attempt=1)
        yield ev.RunSubmitted(**now(), run=record.run, attempt=1, key="key", commit=record.commit)
        yield _measured(paths, record, now())
        if record.kind == "experiment":
            read = Reflection(
                interpretation="It helps a little, and costs a little. " * 8, completed=False, runs=planned
            )
            yield ev.Commented(**now(), run=record.run, text="A reviewer's few lines. " * 10, feedback="")
            yield ev.Reflected(**now(), run=record.run, reflection=read, commit=record.commit)


def _measured(paths: SessionPaths, record: RunRecord, now: dict[str, float]) -> ev.RunMeasured:
    data = record.model_dump_json().encode()
    (paths.repo / "records" / f"{record.run}.json").write_bytes(data)
    folder = paths.attempt(record.run, 1, 0) / f"trainings/{record.conditions[0].name}-seed0"
    (folder / "export").mkdir(parents=True)
    (folder / "train.stdout.txt").write_text("".join(f"step {s}: loss {100 / (s + 1):.3f}\n" for s in range(300)))
    return ev.RunMeasured(
        **now,
        run=record.run,
        attempt=1,
        record_sha256=hashlib.sha256(data).hexdigest(),
        primary=0.6,
        wall_s=60.0,
        flags=(),
        code=record.commit,
        commit=record.commit,
    )


def _call(paths: SessionPaths, step: str, now: dict[str, float]) -> ev.CallFinished:
    system = "You edit one file of an experiment, and you are careful. " * 40
    messages = (Message(role="system", content=system), Message(role="user", content=f"# {step}\n" + "Do this. " * 800))
    record = CallRecord(
        step=step,
        ordinal=1,
        role="editor" if "edit" in step else "planner",
        model="scripted",
        messages=messages,
        reply=f"An answer to {step}. " * 150,
        tokens_in=2400,
        tokens_out=600,
        cost_usd=0.01,
        finish="stop",
        wall_s=2.0,
    )
    name = f"calls/{step}.1.json"
    paths.calls.mkdir(exist_ok=True)
    data = record.model_dump_json().encode()
    (paths.root / name).write_bytes(data)
    told = record.model_dump(include={"step", "ordinal", "role", "model", "tokens_in", "tokens_out", "cost_usd"})
    return ev.CallFinished(**now, **told, path=name, sha256=hashlib.sha256(data).hexdigest())


# ---------------------------------------------------------------- a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


def need_chromium() -> None:
    """Skips the test if there is no Chromium; in continuous integration that is a failure."""
    if not CHROMIUM:
        words = "no Chromium on PATH: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(words)


@contextmanager
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    need_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        flags = ["--disable-gpu", "--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        found = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield found
        finally:
            found.close()
