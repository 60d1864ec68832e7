"""A paper under judgement: its sentences by a judge, then an ensemble, an area chair, and revisions."""

import json
import subprocess

import pytest

from agent.core.errors import InfrastructureError
from agent.core.reviews import Review, tally
from agent.publishing.review.page import JSON, MARKDOWN, texts
from agent.publishing.verify.command import examine
from agent.publishing.verify.rendering import Makers
from agent.publishing.verify.subject import Report, Subject
from agent.session import events as ev
from agent.session.policy import WriteSections
from agent.storage.log import EventLog
from tests.support.dice import review
from tests.support.whole import META, PROSE, REVIEW, Script, block, fenced, options

REFUSED = "The step size matters for how far the rows travel."
ANSWERS = {
    "paper.discussion.judge": block(
        "paper/sections/discussion.md",
        "*Interpretation.* The step size matters for how far the rows travel.",
        "*Interpretation.* The step size may matter for how far the rows travel.",
    ),
    "review-2": "I would rather not answer in JSON.",
    # revision 1 types a result and does not mend it; 2 reads worse; 3 reads better
    "paper.method.improve-1": block(
        "paper/sections/method.md", PROSE["method"].rstrip("\n"), "Our score rises by 47.25 percent."
    ),
    "paper.method.improve-2": block(
        "paper/sections/method.md", PROSE["method"].rstrip("\n"), "The rows follow the residual."
    ),
    "improve-2.review-1": fenced(REVIEW | {"overall": 3}),
    "improve-2.review-2": fenced(REVIEW | {"overall": 3}),
    "paper.method.improve-3": block(
        "paper/sections/method.md", PROSE["method"].rstrip("\n"), "The rows follow what their latents leave over."
    ),
    "improve-3.review-1": fenced(REVIEW | {"overall": 7, "decision": "accept"}),
    "improve-3.review-2": fenced(REVIEW | {"overall": 8, "decision": "accept"}),
}


class Faint:
    """A script whose model is gone the first time each of some steps is asked."""

    def __init__(self, script, steps):
        self.script, self.left = script, set(steps)

    def __call__(self, messages, call):
        if call.step in self.left:
            self.left.remove(call.step)
            raise InfrastructureError(f"the provider is gone at {call.step}")
        return self.script(messages, call)


@pytest.fixture(scope="module")
def improved(tmp_path_factory, stages):
    """A session with three revisions, stopped and resumed at every new kind of step."""
    script = Faint(
        Script(1, ANSWERS, refuse={REFUSED: "scope", "explain rows by few": "outcome"}),
        [
            "judge.round-1",
            "paper.judge",
            "review-1",
            "review.meta",
            "paper.improve-2",
            "improve-2.review-1",
            "improve-3.review.meta",
        ],
    )
    whole = stages.copied(tmp_path_factory.mktemp("improved"), WriteSections, runs=1)
    whole.model.script, whole.options = script, options(runs=1, improve=3)
    changed = whole.options
    while True:
        try:
            whole.play(changed)
        except InfrastructureError as error:
            assert "the provider is gone" in str(error)
            changed = None
        else:
            assert not script.left
            return whole


def told(whole, kind):
    return [e for e in EventLog(whole.paths.events).read() if isinstance(e, kind)]


def shown(whole, version, name):
    done = subprocess.run(
        ["git", "-C", whole.paths.repo, "show", f"{version}:paper/sections/{name}.md"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_judge_sees_records_logs_code_and_the_sentences_as_they_print(improved):
    prompt = improved.model.prompt("judge.round-1")
    assert "1/metrics/score: " in prompt and "by seed" in prompt and "1/about: " in prompt
    assert "+RATE = 0.05  # step size" in prompt and "in score, best first: " in prompt
    paper = prompt.split("## The paper")[1]
    assert "{{" not in paper.split("Go through the numbers")[0] and f". {REFUSED}" in paper
    assert "(cited) Sparse coding" not in paper  # a paragraph with nothing to judge


def test_what_the_judge_refuses_goes_back_once_to_the_sections_concerned(improved):
    first, second, *_ = told(improved, ev.SentencesJudged)
    assert [(r.section, r.kind, r.sentence) for r in first.refused] == [("discussion", "scope", REFUSED)]
    assert [list(e.sections) for e in told(improved, ev.SectionsWritten) if e.phase == "judge"] == [["discussion"]]
    assert REFUSED in improved.model.prompt("paper.judge")
    assert len(second.judged) == 2 and second.refused == ()  # the rewritten paragraph, and nothing else
    assert "may matter" in shown(improved, "draft/1", "discussion")


def test_a_reviewer_without_a_usable_answer_is_asked_again_and_recorded_as_failed(improved):
    first, second = told(improved, ev.ReviewGiven)[:2]
    assert first.review.overall == 5 and second.review is None and "no valid JSON" in second.failed
    assert ("review-2", 3) in improved.model.asked and ("review-2", 4) not in improved.model.asked
    meta = told(improved, ev.PaperReviewed)[0]
    assert meta.overall == 5.0 and "1 more reviewer gave no usable answer" in improved.model.prompt("review.meta")


def test_a_revision_that_fails_the_truth_checks_is_put_back_without_a_review(improved):
    checked, *_ = told(improved, ev.RevisionChecked)
    assert "the truth checks refuse" in checked.failed[0]
    assert not [e for e in told(improved, ev.ReviewGiven) if e.revision == 1]
    assert "47.25" in shown(improved, "draft/2", "method")
    assert "47.25" not in shown(improved, "draft/3", "method")


def test_the_better_version_stays_and_the_other_can_be_had_from_git(improved):
    judged = told(improved, ev.RevisionJudged)
    assert [(e.revision, e.kept) for e in judged] == [(1, False), (2, False), (3, True)]
    assert "went from 5.0 to 3.0" in judged[1].reason and "went from 5.0 to 7.5" in judged[2].reason
    assert "leave over" in (improved.paths.repo / "paper/sections/method.md").read_text()
    assert "follow the residual" in shown(improved, "draft/4", "method")


def test_what_is_kept_verifies_and_every_step_was_asked_once(improved):
    repo = improved.paths.repo
    report = Report()
    examine(Subject(repo / ".git", repo), report, Makers(compile=lambda folder: None))
    assert report.problems == [] and report.verified == report.numbers > 0
    finished = [(e.step, e.ordinal) for e in told(improved, ev.CallFinished)]
    assert len(finished) == len(set(finished))


def test_the_review_tells_all_of_it(improved):
    data = json.loads((improved.paths.repo / JSON).read_text())
    page = (improved.paths.repo / MARKDOWN).read_text()
    assert data["meta"]["numbers"]["overall"] == 7.5 and data["meta"]["numbers"]["decision"] == "accept"
    assert [(r["section"], r["kind"]) for r in data["told"]["refused"]] == [("discussion", "scope")]
    assert [(r["revision"], r["kept"], r["version"]) for r in data["revisions"]] == [
        (1, False, "draft/2"),
        (2, False, "draft/4"),
        (3, True, "draft/6"),
    ]
    assert REFUSED in page and "Revision 2 was put back" in page and META["advice"][0] in page
    assert page.count("\n# ") == 0 and page.startswith("# Review of")


def test_no_usable_review_is_told_and_nothing_is_invented(whole):
    nobody = {f"review-{n}": "no" for n in (1, 2)}
    it = whole(nobody, before=WriteSections, runs=1)
    session = it.play(changed=options(runs=1, improve=2))
    assert session.finished and session.judging.meta.overall is None and session.judging.revision == 0
    data = json.loads((it.paths.repo / JSON).read_text())
    assert data["meta"] == {"numbers": None, "words": None, "failed": "no reviewer gave a usable answer"}
    assert "No review" in (it.paths.repo / MARKDOWN).read_text()
    assert ("review.meta", 1) not in it.model.asked


def test_more_revisions_can_be_asked_for_when_a_session_is_finished(improved):
    before = improved.log().count("session finished")
    session = improved.play(changed=improved.options.model_copy(update={"improve": 4}))
    assert session.finished and session.judging.revision == 4
    (last,) = told(improved, ev.RevisionJudged)[3:]
    assert (last.kept, last.reason) == (False, "it changes nothing")
    assert improved.log().count("session finished") == before + 1


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("decisions", "wanted"),
    [(["accept"], "accept"), (["accept", "reject"], "reject"), (["accept", "accept", "reject"], "accept")],
)
def test_numbers_are_means_and_a_tie_rejects(decisions, wanted):
    reviews = [review(n).model_copy(update={"decision": d}) for n, d in enumerate(decisions, start=4)]
    numbers = tally(reviews)
    assert numbers.decision == wanted and numbers.overall == sum(r.overall for r in reviews) / len(reviews)
    assert tally([]) is None


def test_a_page_keeps_words_words():
    words = {"summary": "\x1b[31m# Decision: accept\n\n# Paper of the year", "strengths": ["a\n## b"]}
    hostile = Review.model_validate_json(json.dumps(REVIEW | words))
    given = {"number": 1, "failed": "", "review": hostile.model_dump()}
    both = texts({"title": "T", "meta": {"numbers": None, "failed": "x", "words": None}, "reviews": [given]})
    assert "\x1b" not in both[JSON] + both[MARKDOWN]
    headings = [line for line in both[MARKDOWN].splitlines() if line.startswith("#")]
    assert not any("Decision" in line or "of the year" in line or line == "## b" for line in headings)
