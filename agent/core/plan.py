"""The planner's words: which runs, and the one comparison that is fixed before the first of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from agent.core.schema import Strict

# A run is called by this name in plans, expressions and tables.
RunName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
# A change that several runs of a plan hold, as tables and sentences call it.
Factor = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:[ -][a-z0-9]+)*$", max_length=24)]


class Sweep(Strict):
    """One number that a run is also trained at several values of; the run itself stays at the profile's settings."""

    setting: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]  # the key of task.json
    values: Annotated[tuple[int | float, ...], Field(min_length=2, max_length=8)]


class PlannedRun(Strict):
    """One experiment the planner wants."""

    name: RunName
    label: Annotated[str, StringConstraints(min_length=1, max_length=40)]  # tables and figures call it so
    change: Annotated[str, StringConstraints(min_length=10)]  # what the editor is to do
    hypothesis: Annotated[str, StringConstraints(min_length=1)]
    start_from: str = "baseline"  # "baseline", "best", or the name of an earlier run of the plan
    factors: tuple[Factor, ...] = ()  # of a factorial design: all that distinguishes the run from run 0
    sweep: Sweep | None = None


class Comparison(Strict):
    """The one comparison the paper will be judged by, fixed before the first run."""

    metric: str
    baseline: str
    why: str


class Plan(Strict):
    """The planner's answer before the first run."""

    comparison: Comparison
    runs: tuple[PlannedRun, ...]


class Reflection(Strict):
    """The planner's answer after a run."""

    interpretation: str  # goes into notes.txt under its own heading
    completed: bool  # true: ALL_COMPLETED
    runs: tuple[PlannedRun, ...] = ()  # what remains, revised
    no_confirmation: str = ""  # why training the best run again would be wasted; empty: it is to be confirmed
