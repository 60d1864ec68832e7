"""launch.py in a process of its own, and a remote model whose answers are all right."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT, TEMPLATE
from tests.support.fake_provider import FakeProvider, Request
from tests.support.whole import (
    META,
    RATES,
    REVIEW,
    block,
    fenced,
    literature_answer,
    plan,
    rate_block,
    written,
)

LONG = 300_000_000  # samples: many minutes of training


def launch(*words: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs launch.py to its end with these additions to its environment; asserts that it prints no traceback."""
    words += ("--literature", "offline") if "--model" in words else ()
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=280,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def answer(request: Request) -> str:
    """The remote model's answer, chosen by words of the prompt."""
    text = request.last
    if found := literature_answer(text):
        return found
    if "Plan at most" in text:
        return fenced(plan(1))
    if "This is run 1: " in text:
        return rate_block(RATES[0], RATES[1])
    if "Write what this run means" in text:
        return fenced({"interpretation": "The step size matters.", "completed": True, "runs": []})
    if "Change plot.py" in text:
        return block("plot.py", 'axis.set_ylabel("score")', 'axis.set_ylabel("mean score")')
    if "Describe for the notes" in text:
        names = re.findall(r"^- `([\w-]+)` \(drawn", text, re.MULTILINE)
        return fenced({"descriptions": dict.fromkeys(names, "Look at the order.")})
    if "Write these sections" in text:
        return "\n".join(written(section) for section in re.findall(r"^## `(\w+)`, in", text, re.MULTILINE))
    if "This is a paper's text" in text:
        return fenced(REVIEW)
    if "These reviews of one paper are in" in text:
        return fenced(META)
    return "NO CHANGE"


def endless(tmp_path: Path) -> Path:
    """A copy of the tiny template whose trainings take many minutes."""
    folder = tmp_path / "endless"
    shutil.copytree(TEMPLATE, folder)
    manifest = folder / "manifest.toml"
    manifest.write_text(
        manifest.read_text().replace("samples = 12_800", f"samples = {LONG}").replace("wall_s = 60.0", "wall_s = 900.0")
    )
    return folder


def start(tmp_path: Path, idea: Path, template: Path, provider: FakeProvider) -> subprocess.Popen[str]:
    """Starts a session as a person does and does not wait for it; its workspace is tmp_path/ws."""
    words = ["--idea", idea, "--template", template, "--model", "openai/gpt-4o", "--api-base", provider.url]
    words += ["--runs", "1", "--no-pdf", "--literature", "offline", "--skip-novelty", "--workspace", tmp_path / "ws"]
    return subprocess.Popen(
        [sys.executable, ROOT / "launch.py", *words],
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OPENAI_API_KEY": "sk-x"},
    )


def supervisor_of(tmp_path: Path) -> Path | None:
    """The file that names run 0's supervisor, once there is one."""
    return next(tmp_path.glob("ws/2*/runs/0/attempt-1/supervisor.json"), None)
