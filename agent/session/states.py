"""The state of one run and of one section, as parts of the session's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.core.plan import PlannedRun, Reflection
from agent.core.record import RunKind
from agent.core.writing import SectionPhase
from agent.session import events as ev

# Reasons of failures that RunState.lost does not count.
NOT_COUNTED = ("cancelled", "data", "data-changed", "interrupted", "protected-changed", "template")
Phase = Literal["new", "edited", "linted", "submitted", "measured", "failed"]


@dataclass(frozen=True)
class RunState:
    """How far one run has come. `attempt` is the number of the current or the last attempt."""

    run: str
    kind: RunKind
    planned: PlannedRun | None = None  # set for an experiment
    repeats: str | None = None  # for a confirmation, the id of the run that it trains again
    phase: Phase = "new"
    attempt: int = 1
    restarts: int = 0  # how often this attempt's training was started again, for reasons outside its code
    key: str = ""  # of the submitted job
    code: str = ""  # commit of the newest edit
    failures: tuple[ev.AttemptFailed, ...] = ()
    measured: ev.RunMeasured | None = None
    comment: ev.Commented | None = None
    feedback: str = ""  # what a person wrote, if this run's comment or reflection got it
    reflection: Reflection | None = None

    @property
    def lost(self) -> int:
        """How often this attempt's training was lost.

        Trainings that a person, a bound or damaged data ended are not counted, nor are those that continue from a
        checkpoint.
        """
        return sum(f.reason not in NOT_COUNTED for f in self._not_charged)

    @property
    def harmed(self) -> int:
        """How often this attempt's training failed because its data were lost or damaged."""
        return sum(f.reason == "data" for f in self._not_charged)

    @property
    def _not_charged(self) -> list[ev.AttemptFailed]:
        return [f for f in self.failures if f.stage == "runner" and f.attempt == self.attempt]

    @property
    def is_baseline(self) -> bool:
        return self.kind == "baseline"

    @property
    def over(self) -> bool:
        """Whether the run has its record: it was measured, or its attempts are spent."""
        return self.phase in ("measured", "failed")


@dataclass(frozen=True)
class SectionState:
    """How far one section of the paper has come: the newest pass over it, and what the checks refuse in it."""

    phase: SectionPhase | Literal[""] = ""
    round: int = 0
    complaints: int = 0
    revision: int = 0
