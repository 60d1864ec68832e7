"""--generate-ideas: typed, told apart from those there are, in a file that --idea takes; nothing lost at a stop."""

import json
import subprocess
import sys

import pytest

from agent.app.generate import Proposal, likeness, propose, ranked
from agent.core.exchange import Reply
from agent.core.ideas import Idea, find_idea, read_ideas
from agent.core.template import load_template
from agent.llm.prompting import render
from tests.support import ROOT, TEMPLATE
from tests.support.whole import fenced

SLOW = {
    "Name": "slow_rows",
    "Title": "Do Slower Rows Settle Better?",
    "Interestingness": 5,
    "Feasibility": 9,
    "Novelty": 3,
    "Experiment": "Halve the step size after half of the rows and compare the score with a constant step.",
}
SPARSE = {
    "Name": "sparse_start",
    "Title": "Starting From Observed Rows",
    "Interestingness": 6,
    "Feasibility": 8,
    "Novelty": 4,
    "Experiment": "Initialise the dictionary with training rows instead of noise; same budget.",
}


def proposal(idea, done=True):
    return fenced({"thought": "t", "idea": idea, "done": done})


class Script:
    """Hands out replies in order and keeps what was asked."""

    def __init__(self, *replies):
        self.replies, self.asked = list(replies), []

    def __call__(self, step, role, messages):
        self.asked.append(messages[-1].content)
        return Reply(text=self.replies.pop(0), model="scripted")


def proposed(ask, known=()):
    template = load_template(TEMPLATE)
    return propose(ask, 1, template, template.manifest.profiles["tiny"], "code = 1", known, ["A Paper (2024)"])


def launch(workspace, *words):
    command = [sys.executable, ROOT / "launch.py", "--workspace", workspace, "--template", TEMPLATE, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def recording(tmp_path):
    folder = tmp_path / "replies"
    folder.mkdir()
    for name, text in {
        "idea-1.1": proposal(SLOW, done=False),
        "idea-1.2": proposal(SLOW),
        "idea-2.1": proposal(SLOW | {"Name": "slower"}),
        "idea-2.2": proposal(SPARSE),
    }.items():
        (folder / f"{name}.md").write_text(text)
    return folder


def test_an_idea_is_looked_at_again_until_it_is_done():
    ask = Script(proposal(SLOW | {"Novelty": 9}, done=False), proposal(SLOW))
    assert proposed(ask).Novelty == 3
    assert ask.asked[1] == render("reflect_idea", round=2, rounds=3)


def test_the_looks_are_bounded():
    ask = Script(*[proposal(SLOW | {"Novelty": n}, done=False) for n in (1, 2, 3)])
    assert proposed(ask).Novelty == 3 and ask.replies == []


@pytest.mark.parametrize(
    "again",
    [SLOW | {"Experiment": SPARSE["Experiment"], "Title": "Something Else Entirely"}, SLOW | {"Name": "slower_rows"}],
    ids=["name", "words"],
)
def test_an_idea_that_is_there_goes_back_with_the_reason(again):
    ask = Script(proposal(again), proposal(SPARSE))
    assert proposed(ask, [Idea(**SLOW)]).Name == "sparse_start"
    assert "slow_rows" in ask.asked[1]


def test_likeness_and_rank():
    slow, sparse = Idea(**SLOW), Idea(**SPARSE)
    assert likeness(slow, slow) == 1 and likeness(slow, sparse) < 0.2
    assert [i.Name for i in ranked([slow, sparse])] == ["sparse_start", "slow_rows"]


def test_a_score_out_of_range_is_no_proposal():
    with pytest.raises(ValueError, match="Novelty"):
        Proposal.model_validate({"thought": "", "idea": SLOW | {"Novelty": 11}, "done": True})


def test_the_file_holds_what_idea_takes(tmp_path, recording):
    done = launch(tmp_path / "ws", "--generate-ideas", "2", "--playback", recording)
    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / "ws/ideas").glob("*/ideas.json")
    assert [idea.Name for idea in read_ideas(file)] == ["sparse_start", "slow_rows"]
    assert find_idea(f"{file}:slow_rows", tmp_path).Title == SLOW["Title"]
    assert f"--idea {file}:sparse_start" in done.stdout


def test_what_was_found_before_a_stop_is_kept(tmp_path, recording):
    (recording / "idea-2.2.md").unlink()
    done = launch(tmp_path / "ws", "--generate-ideas", "2", "--playback", recording)
    assert done.returncode == 3 and "no reply for step idea-2" in done.stderr
    [file] = (tmp_path / "ws/ideas").glob("*/ideas.json")
    assert json.loads(file.read_text())[0]["Name"] == "slow_rows" and str(file) in done.stdout


def test_a_budget_ends_it_with_a_code_of_its_own(tmp_path, recording):
    done = launch(tmp_path / "ws", "--generate-ideas", "2", "--playback", recording, "--max-tokens", "1")
    assert done.returncode == 4 and "--max-tokens 1 is reached" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--generate-ideas", "0"), "a number from 1 to 50"),
        (("--generate-ideas", "2"), "name one, e.g. --model"),
        (("--generate-ideas", "1", "--playback", "/nowhere"), "no such folder"),
        (("--generate-ideas", "1", "--list"), "do not go together"),
    ],
)
def test_wrong_words_get_one_line(tmp_path, words, said):
    done = launch(tmp_path / "ws", *words)
    assert done.returncode == 2 and said in done.stderr and not (tmp_path / "ws/ideas").exists()
