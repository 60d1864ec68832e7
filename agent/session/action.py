"""The actions that the loop can take, a small class for each.

policy.py decides which one is due, and the modules of agent/actions perform them.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.writing import SectionPhase


@dataclass(frozen=True)
class PrepareData:
    """Draw the data of the exploration, and make the session's first commit."""


@dataclass(frozen=True)
class CheckNovelty:
    """Search the literature for the idea; the reviewer gives a verdict or asks for another round."""

    round: int


@dataclass(frozen=True)
class MakePlan:
    """The planner fixes the comparison and proposes the first runs."""


@dataclass(frozen=True)
class EditRun:
    """The editor changes the code for one attempt."""

    run: str
    attempt: int


@dataclass(frozen=True)
class LintRun:
    """Check the code of an attempt without running it."""

    run: str
    attempt: int


@dataclass(frozen=True)
class SubmitRun:
    """Hand the trainings of an attempt to the runner."""

    run: str
    attempt: int
    restart: int


@dataclass(frozen=True)
class CollectRun:
    """Wait for the trainings of an attempt, and make the run's record of them."""

    run: str
    attempt: int


@dataclass(frozen=True)
class CollectAny:
    """Collect whichever of these runs ends first; the event says which it was."""

    runs: tuple[str, ...]


@dataclass(frozen=True)
class GiveUpRun:
    """Record a run as failed, because its attempts are spent."""

    run: str


@dataclass(frozen=True)
class CommentRun:
    """The reviewer comments on a measured run."""

    run: str


@dataclass(frozen=True)
class Reflect:
    """The planner interprets a run that is over, and revises the remaining ones."""

    run: str


@dataclass(frozen=True)
class PlanConfirmation:
    """Decide whether the best run is trained again on fresh seeds in fresh worlds."""


@dataclass(frozen=True)
class DrawFigures:
    """Draw the runner's own figures."""


@dataclass(frozen=True)
class EditPlot:
    """The editor changes plot.py."""

    attempt: int


@dataclass(frozen=True)
class RunPlot:
    """Run plot.py in the sandbox, and check its figures."""

    attempt: int


@dataclass(frozen=True)
class GiveUpPlots:
    """Go on without figures by the agent, because its attempts at plot.py are spent."""


@dataclass(frozen=True)
class DescribeFigures:
    """The writer describes each figure for the notes."""


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
    """The writer says what the paper should cite and does not, and that is searched for."""

    round: int


@dataclass(frozen=True)
class ChooseCitations:
    """The writer chooses which of the works found are cited."""

    round: int


@dataclass(frozen=True)
class CheckSupport:
    """The reviewer compares sentences that cite with the works that they cite."""

    round: int


@dataclass(frozen=True)
class CompilePaper:
    """Render the sections and compile the paper."""

    round: int


@dataclass(frozen=True)
class JudgeSentences:
    """The judge reads the told sentences (those in the writer's own words) that have no verdict."""

    round: int


@dataclass(frozen=True)
class ReviewPaper:
    """One reviewer reads the paper."""

    revision: int
    number: int


@dataclass(frozen=True)
class MetaReview:
    """Combine the reviews; the area chair sums them up."""

    revision: int


@dataclass(frozen=True)
class CheckRevision:
    """Check whether a revised paper may be reviewed."""

    revision: int


@dataclass(frozen=True)
class JudgeRevision:
    """Keep the better of two versions of the paper."""

    revision: int


@dataclass(frozen=True)
class Finish:
    """Commit the summary of the session."""


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
