"""`make bench-edits`, a sample of its cases: each form is applied to the byte, or refused with what helps."""

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
