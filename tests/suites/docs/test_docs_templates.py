"""docs/templates.md, done as a reader does it: every file written, every command run, a whole session at its end."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.app import templates
from agent.lab.templating import check, contract, data_trial, judged, reaches, towards_measured, trial
from agent.session.session import fold
from agent.storage.log import EventLog
from tests.support import ROOT
from tests.support.fake_provider import FakeProvider, reply
from tests.support.whole import META, REVIEW, block, fenced, literature_answer

PAGE = (ROOT / "docs/templates.md").read_text()
STEP = re.compile(r"^(?:File `([^`]+)`:\n\n)?```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINE = '            rate = task["lr"] * (1 - (step - 1) / steps) / len(rows)'
PROSE = {
    "title": "# Do Larger Steps Help a Linear Reader of Digits?\n\nWe double the step size. {{ confirmation() }}.",
    "introduction": "Digits are read by linear scores.",
    "related_work": "Reading digits is old.",
    "background": "A row $x$ gives scores $W^\\top x + b$.",
    "method": "The step size is doubled.",
    "experimental_setup": 'Each image has {{ config("d_in") }} pixels.',
    "results": 'The accuracy of {{ name("doubled") }} is {{ mean("doubled", "accuracy") }} (see [@tab:main]).',
    "discussion": "*Interpretation.* The step size matters little where training is long.",
    "conclusion": "{{ confirmation() }}.",
}


def answer(request) -> str:
    """What a model says on this page's idea."""
    text = request.last
    if "Plan at most" in text:
        run = {
            "name": "doubled",
            "label": "doubled step",
            "change": "double the step size",
            "start_from": "baseline",
            "hypothesis": "the same samples carry further",
        }
        comparison = {"metric": "accuracy", "baseline": "linear", "why": "it is the code we start from"}
        return fenced({"comparison": comparison, "runs": [run]})
    if "This is run 1: " in text:
        return block("experiment.py", LINE, LINE.replace("task", "2 * task"))
    if "Write what this run means" in text:
        return fenced({"interpretation": "The step size matters little.", "completed": True, "runs": []})
    if "Change plot.py" in text:
        return block(
            "plot.py",
            'axis.set_xlabel("accuracy on held-out rows (higher is better)")',
            'axis.set_xlabel("accuracy on held-out images (higher is better)")',
        )
    if "Describe for the notes" in text:
        names = re.findall(r"^- `([\w-]+)` \(drawn", text, re.MULTILINE)
        return fenced({"descriptions": dict.fromkeys(names, "Look at the order.")})
    if "Write these sections" in text:
        names = re.findall(r"^## `(\w+)`, in", text, re.MULTILINE)
        return "\n".join(block(f"paper/sections/{n}.md", "Nothing is written here yet.", PROSE[n]) for n in names)
    if "This is a paper's text" in text:
        return fenced(REVIEW)
    if "These reviews of one paper are in" in text:
        return fenced(META)
    return literature_answer(text) or "NO CHANGE"


MODULES = (check, contract, data_trial, judged, reaches, towards_measured, trial, templates)


def test_the_page_lists_every_code_of_the_check_and_no_other():
    code = "".join(Path(module.__file__).read_text() for module in MODULES)
    said = set(re.findall(r'Flaw\(\s*"([a-z-]+)"', code))
    section = re.search(r"## What the check says\n(.*?)\n## ", PAGE, re.DOTALL)[1]
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", section)) == said


@pytest.mark.timeout(900)  # a whole session, TeX included, on a machine that may be busy
def test_the_page_builds_a_template_and_its_paper(tmp_path):
    (tmp_path / "launch.py").symlink_to(ROOT / "launch.py")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "templates").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    outputs = []
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        for file, kind, text in STEP.findall(PAGE):
            if file:
                (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / file).write_text(text)
            for line in text.splitlines() if kind == "sh" else ():
                outputs.append(run(line, tmp_path, home, provider.url))
    flaws = [o for o in outputs if "Checking " in o]
    assert len(flaws) == 2 and all(o.splitlines()[-1] == "ready and measured" for o in flaws)
    folder = next((tmp_path / "workspace").glob("2*_larger_steps"))
    assert fold(EventLog(folder / "events.jsonl").read()).finished
    record = json.loads((folder / "repo/records/1.json").read_text())
    assert all(0.5 < t["metrics"]["accuracy"] <= 1 for t in record["trainings"])
    assert (folder / "repo/paper/paper.pdf").read_bytes().startswith(b"%PDF")
    assert "self-reported" not in (folder / "repo/paper/sections/results.md").read_text()


def run(line: str, place: Path, home: Path, url: str) -> str:
    model = f"openai/gpt-4o --api-base {url} --literature offline"
    line = line.replace("ANTHROPIC_API_KEY=...", "OPENAI_API_KEY=sk-none").replace("anthropic/claude-sonnet-4-5", model)
    line = re.sub(r"(?<!\S)\./launch\.py", f"{sys.executable} launch.py --workspace workspace", line)
    done = subprocess.run(
        line,
        shell=True,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "HOME": str(home)},
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"  # a string, which pytest shows whole
    return done.stdout
