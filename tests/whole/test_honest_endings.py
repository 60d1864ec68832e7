"""An idea that does not work ends in a paper that says so, in abstract and conclusion."""

import pytest

from tests.support.whole import PROSE, block, rate_block

FINDING = "We asked whether a larger step helps. {{ confirmation() }}."


def play(whole, edit):
    answers = {"run-1.edit-1": edit}
    for section, text in (("title", f"# A Step\n\n{FINDING}"), ("conclusion", FINDING)):
        answers[f"paper.{section}.write"] = block(f"paper/sections/{section}.md", "Nothing is written here yet.", text)
    it = whole(answers, runs=1)
    session = it.play()
    assert session.finished
    tex = (it.paths.repo / "paper/paper.tex").read_text()
    abstract = tex.split(r"\begin{paperabstract}")[1].split(r"\end{paperabstract}")[0]
    conclusion = tex.split(r"\section{Conclusion}")[1].split(r"\section")[0]
    assert r"\label{app:code}" in tex  # the code of the idea is told, also where a baseline is better
    assert "+RATE = " in it.model.prompt("paper.write-1")
    return abstract, conclusion


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (block("experiment.py", "RATE = 0.02  # step size", "RATE = 2 / 100  # step size"), "no run is ahead of"),
        (rate_block(0.02, 0.0005), "no run is ahead of"),
    ],
    ids=["no effect", "does not work"],
)
def test_the_paper_says_how_it_ended(whole, edit, said):
    for part in play(whole, edit):
        assert said in part
        assert "the improvement is confirmed" not in part


def test_no_prompt_asks_for_success():
    from agent.llm.prompting import FOLDER

    for path in FOLDER.rglob("*.md*"):
        text = path.read_text().lower()
        for push in ("must improve", "outperform", "state-of-the-art", "no placeholders", "impressive", "strong data"):
            assert push not in text, (path.name, push)


def test_the_scripted_prose_has_every_section():
    from agent.core.writing import WRITING_ORDER

    assert set(PROSE) == set(WRITING_ORDER)
