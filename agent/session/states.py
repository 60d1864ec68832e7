"""How far one run and one section have come. Plain data of the session's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.core.plan import PlannedRun, Reflection
from agent.core.record import RunKind
from agent.core.writing import SectionPhase
from agent.session import events as ev

# Reasons with which the session stops before long.
NOT_COUNTED = ("cancelled", "data", "data-changed", "interrupted", "protected-changed", "template")
Phase = Literal["new", "edited", "linted", "submitted", "measured", "failed"]


@dataclass(frozen=True)
class RunState:
    """One run as far as it has come. `attempt` is the one under way, or the last one."""

    run: str
    kind: RunKind
    planned: PlannedRun | None = None  # of an experiment
    repeats: str | None = None  # run that a confirmation trains once more
    phase: Phase = "new"
    attempt: int = 1
    restarts: int = 0  # of this attempt's training, not the agent's fault
    key: str = ""
    code: str = ""  # commit of the newest edit
    failures: tuple[ev.AttemptFailed, ...] = ()
    measured: ev.RunMeasured | None = None
    comment: ev.Commented | None = None
    feedback: str = ""  # a person's word that reached this run
    reflection: Reflection | None = None

    @property
    def lost(self) -> int:
        """How often this attempt's training was lost; what a person, a bound or damaged data ended is not counted.

        Neither is a loss after which it goes on from a checkpoint.
        """
        return sum(f.reason not in NOT_COUNTED for f in self._not_charged)

    @property
    def harmed(self) -> int:
        """How often this attempt's training came to nothing because its data were lost or damaged."""
        return sum(f.reason == "data" for f in self._not_charged)

    @property
    def _not_charged(self) -> list[ev.AttemptFailed]:
        return [f for f in self.failures if f.stage == "runner" and f.attempt == self.attempt]

    @property
    def is_baseline(self) -> bool:
        return self.kind == "baseline"

    @property
    def over(self) -> bool:
        return self.phase in ("measured", "failed")


@dataclass(frozen=True)
class SectionState:
    """One section of the paper as far as it has come."""

    phase: SectionPhase | Literal[""] = ""
    round: int = 0
    complaints: int = 0
    revision: int = 0
