"""What planner, reviewer and writer are told of the runs: enough to plan by, in a bounded number of lines."""

import re
from dataclasses import replace

import numpy as np
import pytest

from agent.core.plan import PlannedRun, Reflection
from agent.publishing import digest
from agent.publishing.notes import table
from agent.session import events as ev
from agent.session.session import Session
from agent.session.states import RunState
from paper.evidence.facts import Facts
from paper.evidence.few import few
from tests.support.dice import IDEA, options
from tests.support.recording import Recording

RECORDING = Recording("synth_sae", frozenset({("run-1.edit-1", "lint"), ("run-4.edit-1", "training")}))
FAILED = ev.AttemptFailed(at=1.0, run="3", attempt=1, stage="lint", reason="F821", detail="d", commit="c")


def many(count: int) -> tuple[Session, Facts]:
    """A session with this many experiments; the seventh is the best, the third failed once, the fifth for good."""
    draw = np.random.default_rng(1)
    first, *_, like = RECORDING.facts(draw, {run[2]: 0.5 for run in RECORDING.runs}).records
    states, records = {"0": RunState("0", "baseline", phase="measured")}, [first]
    for n in range(1, count + 1):
        score = 0.9 if n == 7 else 0.5 - 0.001 * n
        trainings = tuple(
            t.model_copy(update={"metrics": {**t.metrics, "f1": score + 0.001 * t.seed}}) for t in like.trainings
        )
        name = {"run": str(n), "name": f"variant{n}", "label": f"Variant {n}", "about": f"change number {n} " * 40}
        status = {"status": "failed", "trainings": ()} if n == 5 else {"trainings": trainings}
        records.append(like.model_copy(update={**name, "parent": "0" if n == 1 else "1", **status}))
        planned = PlannedRun(
            name=f"variant{n}",
            label="a variant",
            change="change one thing",
            hypothesis="it helps the metric",
            start_from="baseline",
        )
        states[str(n)] = RunState(
            str(n),
            "experiment",
            planned,
            phase="failed" if n == 5 else "measured",
            failures=(FAILED,) if n == 3 else (),
            reflection=Reflection(interpretation=f"reading {n} " * 100, completed=False, runs=()),
        )
    session = replace(Session("s", IDEA, options(runs=10)), runs=states)
    return session, Facts(records, RECORDING.manifest, RECORDING.manifest.default_profile)


def test_every_run_is_told_with_its_change_its_verdict_and_why_attempts_failed():
    session, facts = many(6)
    lines = digest.runs(session, facts, words=True)
    assert len(lines) == 7
    assert lines[2].startswith("- `variant2` (Variant 2, experiment, from `variant1`): change number 2")
    assert "Variant 2 does not differ measurably" in lines[2] or "Variant 2 is behind" in lines[2]
    assert "Failed on the way: attempt 1: lint: F821." in lines[3]
    assert "It failed and has no result." in lines[5]
    assert 'Read by its planner as: "reading 6' in lines[6]
    assert "Read by its planner" not in digest.runs(session, facts)[6]


@pytest.mark.parametrize("count", [20, 50, 200])
def test_a_prompt_does_not_grow_with_the_number_of_runs(count):
    short, more = many(12), many(count)
    assert len(digest.runs(*more)) == digest.MOST + 1
    length = sum(len(line) for line in digest.runs(*more))
    names = 16 * count  # the names alone go on growing: a run can start from each of them
    assert length <= 1.1 * sum(len(line) for line in digest.runs(*short)) + names
    assert table(digest.shown(more[1])).count("\n") == digest.MOST + 1


def test_of_many_runs_the_best_and_the_newest_are_told():
    session, facts = many(50)
    told = "\n".join(digest.runs(session, facts)[:-1])
    assert "`topk`" in told and "`variant7`" in told and "`variant50`" in told and "`variant30`" not in told
    assert "`variant5` (failed)" in digest.runs(session, facts)[-1]


def test_the_newest_run_is_told_seed_by_seed_with_its_curve_and_its_seconds():
    _, facts = many(2)
    lines = digest.detail(facts.records[-1], facts)
    assert "- f1: 0.4990 ± 0.0006; by seed 0.498, 0.499, 0.5" in lines
    assert any("share_in_first_tier, self-reported: " in line and "by seed" in line for line in lines)
    assert any(line.startswith("- loss of the first seed, self-reported: 1500 at step 1, ") for line in lines)
    assert any(line.startswith("- a training took 20 to 20 s and at most ") for line in lines)


def test_a_metric_of_a_group_stands_beside_the_run_it_starts_from_and_the_strongest_baseline():
    _, facts = many(2)
    told = {n: s.model_copy(update={"detail": n == "mcc"}) for n, s in facts.manifest.metrics.items()}
    facts = Facts(facts.records, facts.manifest.model_copy(update={"metrics": told}), facts.profile)
    [line] = [line for line in digest.detail(facts.records[-1], facts) if line.startswith("- mcc")]

    assert re.fullmatch(r"- mcc: \S+ ± \S+; topk \S+ ± \S+, variant1 \S+ ± \S+", line), line
    assert "MCC" not in table(facts)


def test_what_is_left_names_every_bound_that_was_set():
    session, _ = many(4)
    assert digest.left(session) == ["6 of 10 runs are left"]
    bounded = replace(session, options=options(runs=5, hours=2.0, max_usd=3.0), active_s=3600.0, usd=1.0)
    assert digest.left(bounded) == ["1 of 5 run is left", "1.0 of 2 hours", "$2.00 of $3"]


def test_what_tables_leave_out_is_told_by_quantity_and_run_in_a_bounded_number_of_lines():
    _, facts = many(30)
    lines = digest.beside_tables(facts)

    detailed = [name for name, spec in facts.manifest.metrics.items() if spec.detail]
    assert [line.partition(":")[0] for line in lines[: len(detailed)]] == detailed
    assert any("self-reported" in line for line in lines) or not any(
        t.diagnostics for r in facts.measured for t in r.trainings
    )
    told = {r.label for r in few(facts).measured}
    assert {"Variant 7", "Variant 30"} < told < {r.label for r in facts.measured}
    assert all((f"{r.label} " in line) == (r.label in told) for r in facts.measured for line in lines[: len(detailed)])
