"""Several runs under way at once: policy, fold and selection over random interleavings of their ends."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.plan import PlannedRun
from agent.session import events as ev
from agent.session.policy import CollectAny, CollectRun, EditRun, LintRun, Reflect, SubmitRun, next_action
from agent.session.selection import EXPLORED, Node, best_few, ordered
from agent.session.session import apply, fold, upcoming
from tests.support.dice import IDEA, Dice, options

THROWS = st.randoms(use_true_random=False)


class Branching(Dice):
    """Runs that start from each other at random, also from one that is under way or still to come."""

    def plan(self, most):
        runs = []
        for run in super().plan(most):
            start = self.throw(1 + self.names)
            runs.append(run.model_copy(update={"start_from": f"r{start}" if start else "baseline"}))
        return tuple(run.model_copy(update={"start_from": _earlier(run)}) for run in runs)


def _earlier(run):
    number = int(run.start_from[1:]) if run.start_from != "baseline" else 0
    return run.start_from if 0 < number < int(run.name[1:]) else "baseline"


def played(random, **chosen):
    """(event, action that it answers, state before) of a whole session of dice, and its last state."""
    dice = Branching(random.randrange)
    session = fold([ev.SessionStarted(at=0.0, session="s", idea=IDEA, options=options(**chosen))])
    steps = []
    while (action := next_action(session)) is not None:
        event = dice.answer(action, session)
        steps.append((event, action, session))
        session = apply(session, event)
        assert len(steps) < 5000
    return steps, session


@settings(max_examples=80, deadline=None)
@given(THROWS, st.integers(0, 12), st.integers(1, 4), st.integers(1, 3))
def test_at_most_so_many_runs_are_under_way_and_every_run_ends_and_is_reflected_on(random, runs, branches, attempts):
    steps, session = played(random, runs=runs, branches=branches, attempts=attempts)

    assert session.finished and len(session.experiments) <= runs
    most = max(sum(run.kind == "experiment" for run in state.under_way) for _, _, state in steps)
    assert most <= branches
    assert all(run.over and run.reflection is not None for run in session.experiments)
    ended = [
        e.run
        for e, _, s in steps
        if isinstance(e, ev.RunMeasured | ev.RunFailed) and e.run in s.runs and s.runs[e.run].kind == "experiment"
    ]
    assert [run.run for run in session.experiments] == ended, "runs stand in the order in which they ended"
    numbers = [a.run for e, a, s in steps if isinstance(a, EditRun) and a.run not in s.runs]
    assert list(dict.fromkeys(numbers)) == [str(n) for n in range(1, len(session.experiments) + 1)]


@settings(max_examples=80, deadline=None)
@given(THROWS, st.integers(2, 4))
def test_nothing_comes_between_the_edit_of_a_run_and_its_training(random, branches):
    steps, _ = played(random, runs=8, branches=branches, attempts=3)
    for (event, _, _), (_, after, _) in zip(steps, steps[1:], strict=False):
        if isinstance(event, ev.Edited):
            assert after == LintRun(event.run, event.attempt)
        if isinstance(event, ev.LintPassed):
            assert isinstance(after, SubmitRun) and after.run == event.run


@settings(max_examples=80, deadline=None)
@given(THROWS, st.integers(2, 4))
def test_the_planner_is_asked_when_a_run_has_ended_and_a_run_starts_only_from_one_that_has(random, branches):
    steps, _ = played(random, runs=8, branches=branches, attempts=2)
    for event, action, state in steps:
        if isinstance(action, Reflect):
            assert state.runs[action.run].over
        if isinstance(action, EditRun) and action.run not in state.runs:
            start = upcoming(state).start_from
            assert start == "baseline" or start not in {r.planned.name for r in state.experiments if not r.over}
        if isinstance(action, CollectAny):
            assert len(action.runs) > 1 and event.run in action.runs
            assert {state.runs[run].phase for run in action.runs} == {"submitted"}


@settings(max_examples=40, deadline=None)
@given(THROWS, st.integers(1, 4))
def test_any_prefix_of_an_interleaved_log_resumes_to_the_same_action(random, branches):
    steps, session = played(random, runs=6, branches=branches, attempts=2)
    read_back = steps[0][2]
    for event, action, state in steps:
        assert read_back == state and next_action(read_back) == action
        read_back = apply(read_back, ev.ADAPTER.validate_json(ev.ADAPTER.dump_json(event)))
    assert read_back == session


@settings(max_examples=40, deadline=None)
@given(THROWS, st.integers(1, 4), st.integers(1, 4), st.integers(0, 60))
def test_another_number_of_branches_at_a_resume_ends_what_has_begun_and_starts_no_more_than_it_allows(
    random, before, after, moment
):
    steps, _ = played(random, runs=8, branches=before, attempts=2)
    _, _, session = steps[min(moment, len(steps) - 1)]
    there = sum(run.kind == "experiment" for run in session.under_way)
    changed = session.options.model_copy(update={"branches": after})
    session = apply(session, ev.OptionsChanged(at=session.last_at, options=changed))
    dice = Branching(random.randrange)
    dice.names = 100
    while (action := next_action(session)) is not None:
        session = apply(session, dice.answer(action, session))
        assert sum(run.kind == "experiment" for run in session.under_way) <= max(there, after)
    assert session.finished


@settings(max_examples=40, deadline=None)
@given(THROWS)
def test_one_branch_waits_for_its_run_and_takes_the_plan_in_its_order(random):
    steps, session = played(random, runs=8, attempts=2)
    assert not any(isinstance(action, CollectAny) for _, action, _ in steps)
    for _, action, state in steps:
        assert len([run for run in state.under_way if run.kind == "experiment"]) <= 1
        if isinstance(action, EditRun) and action.run not in state.runs:
            assert upcoming(state) is state.pending[0]
        if isinstance(action, CollectRun):
            assert state.current.run == action.run
    assert [run.run for run in session.experiments] == [str(n) for n in range(1, len(session.experiments) + 1)]


# ---------------------------------------------------------------- selection


def proposals(*starts):
    return [
        PlannedRun(name=f"p{n}", label=f"p {n}", change="change it so", hypothesis="h", start_from=start)
        for n, start in enumerate(starts)
    ]


NODES = (Node("base", 0.5, 4), Node("good", 0.9, 3), Node("fair", 0.7, 0), Node("poor", 0.1, 1), Node("next", 0.8, 2))


def test_the_best_few_are_the_best_by_merit_and_of_equals_the_first():
    assert [node.name for node in best_few(NODES)] == ["good", "next", "fair"]
    assert [n.name for n in best_few([Node("a", 1.0, 0), Node("b", 1.0, 0)])] == ["a", "b"]


def test_greedy_turns_take_the_best_parent_and_one_in_four_the_one_with_the_fewest_children():
    asked = proposals("base", "good", "fair", "poor", "good")
    assert [run.start_from for run in ordered(asked, NODES, 0)] == ["good", "good", "fair", "poor", "base"]
    assert ordered(asked, NODES, EXPLORED - 1)[0].start_from == "fair", "it has no child yet"


def test_a_proposal_whose_parent_is_not_measured_comes_last_in_the_planners_order():
    asked = proposals("under_way", "base", "p1")
    assert [run.name for run in ordered(asked, NODES, 0)] == ["p1", "p0", "p2"]


@given(st.lists(st.sampled_from(["base", "good", "fair", "poor", "gone"]), max_size=12), st.integers(0, 50))
def test_nothing_is_lost_or_added_and_the_same_proposals_give_the_same_order(starts, started):
    asked = proposals(*starts)
    chosen = ordered(asked, NODES, started)
    assert Counter(run.name for run in chosen) == Counter(run.name for run in asked)
    assert chosen == ordered(asked, NODES, started)
    parents = Counter(run.start_from for run in chosen if run.start_from != "gone")
    explored = sum((started + place + 1) % EXPLORED == 0 for place in range(sum(parents.values())))
    assert explored <= 1 + sum(parents.values()) // EXPLORED
