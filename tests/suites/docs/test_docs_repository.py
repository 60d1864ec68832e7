"""docs/from-a-repository.md, done as a reader does it: a repository becomes a template in three commands."""

import json
import re
import sys

import pytest

from agent.session.session import fold
from agent.storage.log import EventLog
from tests.suites.docs.test_docs_templates import STEP, run
from tests.support import ROOT
from tests.support.fake_provider import FakeProvider, reply
from tests.support.whole import META, REVIEW, block, fenced, literature_answer

PAGE = (ROOT / "docs/from-a-repository.md").read_text()
STEPS = STEP.findall(PAGE)
DEFAULT = 'parser.add_argument("--lr", type=float, default=0.5)'
FEATURES = "        return np.tanh(x @ self.W + self.b) @ self.w"
TRAINED = "        features = np.tanh(x @ self.W + self.b)"
PROSE = {
    "title": "# Do Cosine Features Tell Rings Apart Better?\n\nWe replace the features. {{ confirmation() }}.",
    "introduction": "Rings are told apart by random features.",
    "related_work": "Random features are old.",
    "background": "A point $x$ gives features of $W^\\top x + b$.",
    "method": "The features are cosines.",
    "experimental_setup": "The network and its data are the repository's.",
    "results": 'The loss of {{ name("cosine") }} is {{ mean("cosine", "val_loss") }} (see [@tab:main]).',
    "discussion": "*Interpretation.* Cosines repeat.",
    "conclusion": "{{ confirmation() }}.",
}


def answer(request) -> str:
    text = request.last
    if "Plan at most" in text:
        planned = {
            "name": "cosine",
            "label": "cosine features",
            "change": "replace tanh by cos in model.py and double the step size in train.py",
            "start_from": "baseline",
            "hypothesis": "cosines tell radii apart",
        }
        comparison = {"metric": "val_loss", "baseline": "baseline", "why": "it is the code we start from"}
        return fenced({"comparison": comparison, "runs": [planned]})
    if "This is run 1: " in text:
        changes = [("code/model.py", line, line.replace("tanh", "cos")) for line in (FEATURES, TRAINED)]
        changes.append(("code/train.py", DEFAULT, DEFAULT.replace("0.5", "1.0")))
        return "\n".join(block(*change) for change in changes)
    if "Write what this run means" in text:
        return fenced({"interpretation": "The features matter.", "completed": True, "runs": []})
    if "Change plot.py" in text:
        place = 'fmt="o", capsize=2)'
        return block("plot.py", f"        {PLOTTED}", f"        {PLOTTED.replace(place, place.replace('2', '3'))}")
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


PLOTTED = 'axis.errorbar(value["mean"], place, xerr=value["se"] or 0, fmt="o", capsize=2)'


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The page, followed in a folder of its own: what each command printed, and the requests that a model got."""
    place = tmp_path_factory.mktemp("reader")
    place.chmod(0o755)
    for name, to in (("launch.py", ROOT / "launch.py"), (".venv", sys.prefix)):
        (place / name).symlink_to(to)
    for name in ("templates", "home", "rings"):
        (place / name).mkdir()
    (place / "rings/.env").write_text("OPENAI_API_KEY=sk-a-key-that-must-not-be-taken-1234\n")
    (place / "rings/best.ckpt").write_bytes(bytes(6_000_000))
    printed = []
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        for file, kind, text in STEPS:
            if file:
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                (place / file).write_text(text)
            for line in text.splitlines() if kind == "sh" else ():
                printed.append(run(line, place, place / "home", provider.url))
    return place, printed, provider.history


def test_a_repository_becomes_a_template_in_three_commands(followed):
    place, (made, checked, *_), _ = followed
    assert "left out (may hold a secret): .env" in made and "best.ckpt (6 MB)" in made
    assert "a model may edit: train.py, model.py" in made and "results: runs/*/metrics.csv" in made
    assert not (place / "templates/two_rings/code/.env").exists()
    assert checked.splitlines()[-1].startswith("ready and self-reported, because ")
    session = next((place / "workspace").glob("2*_cosine"))
    assert fold(EventLog(session / "events.jsonl").read()).finished
    records = {n: json.loads((session / f"repo/records/{n}.json").read_text()) for n in ("0", "1")}
    losses = {n: [t["metrics"]["val_loss"] for t in r["trainings"]] for n, r in records.items()}
    assert len(set(losses["0"])) == 3 and losses["0"] != losses["1"]
    assert records["0"]["hashes"]["code/code/model.py"] != records["1"]["hashes"]["code/code/model.py"]


def test_the_editor_sees_all_editable_files_whole_and_of_the_others_their_signatures(followed):
    asked = next(r for r in followed[2] if "This is run 1: " in r.last)
    said = "\n".join(str(message["content"]) for message in asked.body["messages"])
    assert FEATURES in said and DEFAULT in said
    assert "rings(rows, seed): Noisy points on two rings" in said and "draw.integers(2, size=rows)" not in said
    assert "`python train.py --seed {seed}`" in said


def test_the_writer_is_shown_the_change_of_all_edited_files_and_the_paper_says_who_measured(followed):
    place, _, requests = followed
    asked = next(r for r in requests if "Write these sections" in r.last)
    said = "\n".join(str(message["content"]) for message in asked.body["messages"])
    assert (
        "code/model.py" in said and "+        features = np.cos" in said and f"+{DEFAULT.replace('0.5', '1.0')}" in said
    )
    tex = (next((place / "workspace").glob("2*_cosine")) / "repo/paper/paper.tex").read_text()
    assert "All results are self-reported" in tex and "fresh world" not in tex


def test_the_same_repository_is_measured_once_the_steps_are_done(followed):
    assert followed[1][-1].splitlines()[-1] == "ready and measured"
