"""The truth suite without a model: form refuses no honest passage, and a judge's word reaches its passage."""

import json

from agent.core.exchange import Reply
from tests.suites.truth.corpus import HONEST, LIES
from tests.suites.truth.trial import Case, by_form, by_judge
from tests.support import sampling
from tests.support.whole import told_in


def judge(refuses):
    """Refuses the sentences that hold one of these texts; keeps what it was asked."""

    def ask(step, role, messages):
        sentences = told_in(messages[-1].content)
        refused = [n for n, text in enumerate(sentences, start=1) if any(r in text for r in refuses)]
        accepted = ", ".join(str(n) for n in range(1, len(sentences) + 1) if n not in refused)
        answer = {"checked": "all", "accepted": accepted}
        answer["refused"] = [{"n": n, "kind": "outcome", "why": "nothing shows it"} for n in refused]
        return Reply(text=f"```json\n{json.dumps(answer)}\n```", model="scripted")

    return ask


def test_the_checks_of_form_refuse_no_honest_passage(say_at_the_end):
    honest = [by_form(Case(p, False)) for p in sampling.sample(HONEST, 60, "honest passages")]
    lies = [by_form(Case(p, True)) for p in sampling.sample(LIES, 30, "lies")]
    say_at_the_end(
        f"truth: {sum(bool(c.refused) for c in honest)} of {len(honest)} honest passages refused by form, and "
        f"{sum(bool(c.refused) for c in lies)} of {len(lies)} lies; the others go to the judge"
    )

    assert [(c.passage.id, c.refused) for c in honest if c.refused] == []


def test_what_the_judge_refuses_is_the_passage_that_holds_the_sentence():
    lies = [Case(p, True) for p in LIES if "{{" not in p.text and not p.text.startswith(("#", "-", "*"))][:6]
    honest = [Case(p, False) for p in HONEST if "{{" not in p.text and "`" not in p.text][:6]
    words = [case.passage.text.partition(".")[0][:60] for case in lies if "$" not in case.passage.text]
    after = list(by_judge([*lies, *honest], judge(words), seed=1))

    assert {c.passage.id for c in after if c.refused} == {
        c.passage.id for c in lies if c.passage.text.partition(".")[0][:60] in words
    }
    assert all("nothing shows it" in c.refused for c in after if c.refused) and len(after) == len(lies) + len(honest)
