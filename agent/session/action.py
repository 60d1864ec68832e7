"""The actions that the loop can take, a small class for each.

policy.py decides which one is due, and the modules of agent/actions perform them.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.writing import SectionPhase


@dataclass(frozen=True)
class PrepareData:
    pass


@dataclass(frozen=True)
class CheckNovelty:
    round: int


@dataclass(frozen=True)
class MakePlan:
    pass


@dataclass(frozen=True)
class EditRun:
    run: str
    attempt: int


@dataclass(frozen=True)
class LintRun:
    run: str
    attempt: int


@dataclass(frozen=True)
class SubmitRun:
    run: str
    attempt: int
    restart: int


@dataclass(frozen=True)
class CollectRun:
    run: str
    attempt: int


@dataclass(frozen=True)
class CollectAny:
    """Collect whichever of these runs ends first; the event says which it was."""

    runs: tuple[str, ...]


@dataclass(frozen=True)
class GiveUpRun:
    run: str


@dataclass(frozen=True)
class CommentRun:
    run: str


@dataclass(frozen=True)
class Reflect:
    run: str


@dataclass(frozen=True)
class PlanConfirmation:
    pass


@dataclass(frozen=True)
class DrawFigures:
    pass


@dataclass(frozen=True)
class EditPlot:
    attempt: int


@dataclass(frozen=True)
class RunPlot:
    attempt: int


@dataclass(frozen=True)
class GiveUpPlots:
    pass


@dataclass(frozen=True)
class DescribeFigures:
    pass


@dataclass(frozen=True)
class WriteSections:
    """One conversation of the writer about these sections.

    Round 0 is the pass itself; in rounds 1, 2, ... the writer repairs what the checks refuse.
    """

    sections: tuple[str, ...]
    phase: SectionPhase
    round: int
    revision: int = 0


@dataclass(frozen=True)
class SeekCitations:
    round: int


@dataclass(frozen=True)
class ChooseCitations:
    round: int


@dataclass(frozen=True)
class CheckSupport:
    round: int


@dataclass(frozen=True)
class CompilePaper:
    round: int


@dataclass(frozen=True)
class JudgeSentences:
    round: int


@dataclass(frozen=True)
class ReviewPaper:
    revision: int
    number: int


@dataclass(frozen=True)
class MetaReview:
    revision: int


@dataclass(frozen=True)
class CheckRevision:
    revision: int


@dataclass(frozen=True)
class JudgeRevision:
    revision: int


@dataclass(frozen=True)
class Finish:
    pass


@dataclass(frozen=True)
class Stop:
    """Stop, because the person asked for it (--stop-after). A resume with another value goes on."""

    after: str


Action = (
    PrepareData
    | MakePlan
    | EditRun
    | LintRun
    | SubmitRun
    | CollectRun
    | CollectAny
    | GiveUpRun
    | CommentRun
    | Reflect
    | PlanConfirmation
    | DrawFigures
    | EditPlot
    | RunPlot
    | GiveUpPlots
    | DescribeFigures
    | WriteSections
    | CompilePaper
    | CheckNovelty
    | SeekCitations
    | ChooseCitations
    | CheckSupport
    | JudgeSentences
    | ReviewPaper
    | MetaReview
    | CheckRevision
    | JudgeRevision
    | Finish
    | Stop
)
