"""`make bench-edits`, a sample of its cases: each form is applied to the byte, or refused with what helps."""

from collections import Counter
from random import Random

from agent.llm.editing.aider_edit import replace_most_similar_chunk
from agent.llm.editing.applying import Files
from agent.llm.editing.blocks import read
from agent.llm.editing.naming import Names
from tests.suites.bench.edit_forms import cases
from tests.suites.bench.edits import WRONG, table, trial
from tests.support import sampling

OF_ALL = 150  # cases that are tried where not all are


def test_each_form_of_an_edit_ends_as_it_should_and_none_is_applied_wrongly(say_at_the_end):
    trials = [trial(case) for case in sampling.sample(cases(), OF_ALL, "forms of edits")]
    say_at_the_end(f"edits: {table(trials).splitlines()[-1]}")

    assert [(t.case.kind, t.case.form, t.why) for t in trials if t.outcome == WRONG] == []
    assert [(t.case.kind, t.case.form, t.why) for t in trials if t.why] == []


def test_there_are_at_least_two_hundred_forms_each_once():
    told = [(case.kind, case.form, case.file.before, case.replies) for case in cases()]

    assert len(set(told)) == len(told) >= 200


def test_blocks_drawn_by_chance_are_applied_as_they_are_meant_or_not_at_all(tmp_path):
    words = ("loss", "x = 1", "def f(x):", "=======", "=====", "", "# a", "“c”", "it’s", "...", "\treturn")
    outcomes = Counter()
    for seed in range(1500):
        draw = Random(seed)
        lines = [" " * draw.choice((0, 0, 4)) + draw.choice(words) for _ in range(draw.randint(4, 14))] + ["end"]
        first, last = sorted(draw.sample(range(len(lines)), 2))
        new = [" " * draw.choice((0, 4)) + draw.choice(words) for _ in range(draw.randint(0, 4))]
        if any("==" in line for line in (new or [""])[:1] + new[-1:]):
            continue  # a REPLACE that begins or ends with such a line is no form that is offered
        text, search, put, meant = (
            "".join(f"{line}\n" for line in part)
            for part in (lines, lines[first:last], new, lines[:first] + new + lines[last:])
        )
        search = draw.choice((search, search.replace("“c”", '"c"').replace("’", "'"), search.replace("\n", " \n")))
        (tmp_path / "a.py").write_text(text)
        blocks = read(f"<<<<<<< SEARCH\n{search}=======\n{put}>>>>>>> REPLACE\n", Names(("a.py",)))
        problem = Files(tmp_path, replace_most_similar_chunk).apply(blocks[0], whole=False)
        now = (tmp_path / "a.py").read_text()
        assert now == (text if problem else meant), seed
        outcomes[bool(problem)] += 1
    assert min(outcomes.values()) > 200
