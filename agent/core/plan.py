"""The planner's answers: the runs that it wants, and the one comparison that is fixed before the first of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from agent.core.schema import Strict

# The name of a run in plans, expressions and tables.
RunName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
# The name, in tables and sentences, of a change that several runs of a plan have.
Factor = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:[ -][a-z0-9]+)*$", max_length=24)]


class Sweep(Strict):
    """A setting and further values of it with which a run's code is trained besides the profile's own."""

    setting: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]  # the key of task.json
    values: Annotated[tuple[int | float, ...], Field(min_length=2, max_length=8)]


class PlannedRun(Strict):
    """One experiment the planner wants."""

    name: RunName
    label: Annotated[str, StringConstraints(min_length=1, max_length=40)]  # its name in tables and figures
    change: Annotated[str, StringConstraints(min_length=10)]  # what the editor is to do
    hypothesis: Annotated[str, StringConstraints(min_length=1)]
    start_from: str = "baseline"  # "baseline", "best", or the name of an earlier run of the plan
    factors: tuple[Factor, ...] = ()  # of a factorial design: all that distinguishes the run from run 0
    sweep: Sweep | None = None


class Comparison(Strict):
    """The one comparison that the confirmation tests, fixed before the first run."""

    metric: str
    baseline: str
    why: str


class Plan(Strict):
    """The planner's answer before the first run."""

    comparison: Comparison
    runs: tuple[PlannedRun, ...]


class Reflection(Strict):
    """The planner's answer after a run."""

    interpretation: str  # what the planner makes of the run; it goes into notes.txt
    completed: bool  # true: the planner wants no further run
    runs: tuple[PlannedRun, ...] = ()  # the runs that remain, revised
    no_confirmation: str = ""  # why the best run should not be confirmed; empty: it should
