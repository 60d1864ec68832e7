"""The policy over random but possible worlds, and the decisions a person would ask about."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.plan import Reflection
from agent.core.writing import DRAFTS, WRITING_ORDER
from agent.session import events as ev
from agent.session.policy import (
    CheckNovelty,
    CollectRun,
    EditRun,
    GiveUpRun,
    MakePlan,
    Reflect,
    Stop,
    SubmitRun,
    next_action,
)
from agent.session.session import apply, fold, runs_over
from tests.support.dice import IDEA, Dice, options, planned, play

THROWS = st.randoms(use_true_random=False)


@settings(max_examples=150, deadline=None)
@given(THROWS, st.integers(0, 10), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3))
def test_every_session_ends_within_its_runs_attempts_reviews_and_revisions(random, runs, attempts, reviews, improve):
    chosen = options(runs=runs, attempts=attempts, reviews=reviews, improve=improve)
    events, session = play(Dice(random.randrange), chosen)
    assert session.finished
    given_reviews = Counter(e.revision for e in events if isinstance(e, ev.ReviewGiven))
    assert all(count == reviews for count in given_reviews.values())
    judged = [e.revision for e in events if isinstance(e, ev.RevisionJudged)]
    assert judged == list(range(1, len(judged) + 1))
    assert len(judged) == improve or session.judging.meta.overall is None
    assert len(session.experiments) <= max(runs, 1)
    edits = Counter(
        e.run for e in events if isinstance(e, ev.Edited) or isinstance(e, ev.AttemptFailed) and e.stage == "edit"
    )
    assert all(count <= attempts for count in edits.values())


@settings(max_examples=100, deadline=None)
@given(THROWS)
def test_any_prefix_of_a_log_resumes_to_the_same_action(random):
    events, _ = play(Dice(random.randrange), options(runs=3, attempts=2, improve=2))
    state = read_back = fold(events[:1])
    for event in events[1:]:  # one by one: each prefix from its beginning takes minutes
        state = apply(state, event)
        read_back = apply(read_back, ev.ADAPTER.validate_json(ev.ADAPTER.dump_json(event)))
        assert read_back == state
        assert next_action(read_back) == next_action(state)
    assert fold(events) == state


@settings(max_examples=50, deadline=None)
@given(THROWS)
def test_every_run_that_was_measured_or_failed_is_reflected_on(random):
    _, session = play(Dice(random.randrange), options(runs=5, attempts=2))
    assert all(run.over and run.reflection is not None for run in session.experiments)


def test_sections_are_drafted_in_two_calls_and_read_once_as_a_whole():
    events, session = play(Dice(lambda n: n - 1), options(runs=1))
    passes = [(e.phase, tuple(e.sections)) for e in events if isinstance(e, ev.SectionsWritten) and e.round == 0]
    assert passes[:3] == [*(("write", draft) for draft in DRAFTS), ("polish", WRITING_ORDER)]
    assert set(session.sections) == set(WRITING_ORDER)
    assert {state.phase for state in session.sections.values()} <= {"polish", "support", "typeset"}


@settings(max_examples=100, deadline=None)
@given(THROWS)
def test_the_literature_is_asked_in_bounded_rounds(random):
    events, session = play(Dice(random.randrange), options(runs=1))
    rounds = Counter(type(e) for e in events)
    assert 1 <= rounds[ev.NoveltyChecked] <= 3 and session.verdict is not None
    assert 1 <= rounds[ev.CitationsSought] <= 2 and rounds[ev.CitationsChosen] <= rounds[ev.CitationsSought]
    assert 1 <= rounds[ev.SupportChecked] <= 4  # all, what it sent back, and what print and evidence had rewritten
    written = [e for e in events if isinstance(e, ev.SectionsWritten) and e.round == 0]
    passes = Counter((section, e.phase) for e in written for section in e.sections)
    assert set(passes.values()) == {1}
    assert events.index(written[0]) > max(i for i, e in enumerate(events) if isinstance(e, ev.CitationsSought))
    assert {s for s, phase in passes if phase == "support"} == {u.section for u in session.support[0].unsupported}


@settings(max_examples=100, deadline=None)
@given(THROWS)
def test_no_paper_is_typeset_with_a_sentence_whose_citation_nobody_compared(random):
    events, _ = play(Dice(random.randrange), options(runs=1, improve=1))
    for number, event in enumerate(events):
        if isinstance(event, ev.Compiled):
            before = [e for e in events[:number] if isinstance(e, ev.SectionsWritten | ev.SupportChecked)]
            assert isinstance(before[-1], ev.SupportChecked)


def test_novelty_is_not_asked_where_a_person_says_so_nor_of_a_session_that_was_planned_before():
    assert until(SubmitRun, options(runs=1, skip_novelty=True)).novelty == ()
    planned_before = apply(
        until(MakePlan, options(runs=1, skip_novelty=True)),
        Dice(lambda n: 0).answer(MakePlan(), until(MakePlan, options(runs=1))),
    )
    assert not isinstance(next_action(replace(planned_before, options=options(runs=1))), CheckNovelty)


def until(kind, chosen, throw=lambda n: n - 1):
    """The session just before the first action of a kind."""
    dice, session = Dice(throw), fold([ev.SessionStarted(at=0, session="s", idea=IDEA, options=chosen)])
    while not isinstance(action := next_action(session), kind):
        session = apply(session, dice.answer(action, session))
    return session


@settings(max_examples=30, deadline=None)
@given(THROWS)
def test_baselines_and_arms_of_the_confirmation_are_all_submitted_before_one_is_waited_for(random):
    events, session = play(Dice(random.randrange), options(runs=1))
    told = [e for e in events if isinstance(e, ev.RunSubmitted | ev.RunMeasured | ev.NoveltyChecked)]
    assert [e.run for e in told[:2]] == ["0", "0.other"]
    assert isinstance(told[2], ev.NoveltyChecked)  # they train while the model is asked
    arms = [e for e in told if not isinstance(e, ev.NoveltyChecked) and e.run.startswith("confirm.")]
    assert {e.run for e in arms[:2]} == ({"confirm.baseline", "confirm.best"} if session.confirmation.best else set())


def test_baselines_are_collected_in_their_order():
    session = until(CollectRun, options())
    assert next_action(session) == CollectRun("0", attempt=1)
    lost = apply(session, Dice.failure(None, 4.0, "0", 1, "runner"))
    assert next_action(lost) == SubmitRun("0", attempt=1, restart=1)


def test_a_lost_training_is_submitted_again_without_charging_the_agent():
    session = until(EditRun, options(runs=1))
    for event in (
        ev.Edited(at=1, run="1", attempt=1, commit="c"),
        ev.LintPassed(at=2, run="1", attempt=1),
        ev.RunSubmitted(at=3, run="1", attempt=1, key="k", commit="c"),
        Dice.failure(None, 4.0, "1", 1, "runner"),
    ):
        session = apply(session, event)
    assert next_action(session) == SubmitRun("1", attempt=1, restart=1)


def test_a_run_whose_attempts_are_spent_is_given_up_and_reflected_on():
    session = until(EditRun, options(runs=2, attempts=2))
    for attempt in (1, 2):
        session = apply(session, Dice.failure(None, 1.0, "1", attempt, "edit"))
    assert next_action(session) == GiveUpRun("1")
    session = apply(session, ev.RunFailed(at=2, run="1", attempts=2, reason="edit", commit="c"))
    assert next_action(session) == Reflect("1")


def test_all_completed_ends_the_runs_though_some_are_planned():
    session = until(Reflect, options(runs=5))
    done = Reflection(interpretation="enough", completed=True, runs=(planned("another"),))
    session = apply(session, ev.Reflected(at=9, run="1", reflection=done, commit="c"))
    assert runs_over(session)


def test_stop_after_stops_and_a_changed_option_goes_on():
    session = until(Stop, options(runs=1, stop_after="runs"))
    assert next_action(session) == Stop("runs")
    session = apply(session, ev.OptionsChanged(at=9, options=options(runs=1)))
    assert not isinstance(next_action(session), Stop)
