"""The words of the loop: idea, options, plan. Frozen, and free of effects."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from agent.core.schema import Open, Strict

# A run is called by this name in plans, expressions and tables.
RunName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Idea(Open):
    """A research idea. The keys are those of the field's idea files; unknown ones are kept."""

    Name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    Title: Annotated[str, StringConstraints(min_length=1)]
    Experiment: Annotated[str, StringConstraints(min_length=1)]
    Interestingness: float | None = None
    Feasibility: float | None = None
    Novelty: float | None = None
    novel: bool | None = None
    Technical_Details: str | None = None
    Implementation_Plan: str | None = None
    Abstract: str | None = None
    Overall_Score: float | None = None

    def details(self) -> dict[str, Any]:
        """Every key but the name that says something, in file order, scores left out of what a model reads."""
        data = self.model_dump(exclude_none=True)
        hidden = {"Name", "Title", "Experiment", "novel"}
        return {k: v for k, v in data.items() if k not in hidden and isinstance(v, str) and v.strip()}


class Models(Strict):
    """Which model plays which role (litellm names, or "playback")."""

    planner: str
    editor: str
    writer: str
    reviewer: str

    def names(self) -> dict[str, str]:
        return self.model_dump()


class Options(Strict):
    """What a person chose for a session. A change at resume is an event of its own."""

    template: str
    profile: str
    models: Models
    playback: str | None = None  # folder of recorded replies
    runs: int = Field(default=5, ge=0, le=10)
    attempts: int = Field(default=4, ge=1, le=20)
    baselines: tuple[str, ...] = ()  # names; the first is run 0
    device: str = "cpu"
    slots: int = Field(default=1, ge=1)  # trainings side by side
    threads: int = Field(default=1, ge=1)  # torch threads of each
    sandbox: Literal["bwrap", "none"] = "bwrap"
    network: bool = False  # the person allows it; the template must ask for it too
    stop_after: Literal["plan", "runs", "paper"] | None = None
    pdf: bool = True
    reviews: int = Field(default=3, ge=1, le=9)  # reviewers of the finished paper
    improve: int = Field(default=0, ge=0, le=5)  # revisions after the review
    paper_style: str | None = None  # folder of a venue's style files
    allow: tuple[str, ...] = ()  # rejections of the truth checks that a person overrules; the appendix says so
    literature: Literal["auto", "offline"] = "auto"  # offline: the shipped library alone
    skip_novelty: bool = False
    max_usd: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0)
    hours: float | None = Field(default=None, ge=0)
    cache_gb: float = Field(default=50.0, ge=0)  # of disk for data that sessions share; what is in use stays


class PlannedRun(Strict):
    """One experiment the planner wants."""

    name: RunName
    label: Annotated[str, StringConstraints(min_length=1, max_length=40)]  # tables and figures call it so
    change: Annotated[str, StringConstraints(min_length=10)]  # what the editor is to do
    hypothesis: Annotated[str, StringConstraints(min_length=1)]
    start_from: str = "baseline"  # "baseline", "best", or the name of an earlier run of the plan


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


class FigureText(Strict):
    """A figure as the notes and the paper know it."""

    name: str  # "metrics"; the text refers to [@fig:metrics]
    file: str  # inside repo/
    caption: str
    description: str
    by: Literal["runner", "agent"]
    width: float = 1.0  # of the text's width: letters are drawn for it


class Paper(Strict):
    """A work of the literature. Everything is cleaned text; `source` says who returned it."""

    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w:.+-]{0,80}$")]
    title: str
    authors: tuple[str, ...]
    year: int | None
    venue: str = ""
    doi: str = ""
    arxiv: str = ""
    abstract: str = ""  # of a library's entry: our summary
    url: str = ""
    source: str  # "semantic_scholar", "openalex", "arxiv" or "library"
    retrieved: str = ""  # when a service returned it, UTC


Query = Annotated[str, StringConstraints(min_length=3, max_length=200)]
Reason = Annotated[str, StringConstraints(min_length=3, max_length=800)]


class Closest(Strict):
    """A work near the idea, and what it has in common with it."""

    key: str
    why: Reason


class NoveltyAnswer(Strict):
    """Either further queries, or a verdict with the closest works."""

    queries: tuple[Query, ...] = Field(default=(), max_length=4)
    verdict: Literal["novel", "incremental", "published"] | None = None
    closest: tuple[Closest, ...] = Field(default=(), max_length=6)
    reason: Annotated[str, StringConstraints(max_length=2000)] = ""


class Missing(Strict):
    """What the paper should cite and does not, and how to look for it."""

    what: Reason
    query: Query


class MissingAnswer(Strict):
    """Nothing missing is a good answer."""

    missing: tuple[Missing, ...] = Field(default=(), max_length=4)


class Chosen(Strict):
    """A work to be cited: where, and why."""

    key: str
    section: str
    reason: Reason


class ChosenAnswer(Strict):
    chosen: tuple[Chosen, ...] = Field(default=(), max_length=8)


class Judgement(Strict):
    """Does the work's summary carry what the numbered sentence says of it?"""

    n: int
    supported: bool
    why: Annotated[str, StringConstraints(max_length=800)] = ""


class SupportAnswer(Strict):
    judgements: tuple[Judgement, ...]


class Unsupported(Strict):
    """A cited sentence that the cited work does not carry."""

    section: str
    sentence: str  # as its writer would recognise it
    key: str
    why: str


# The order in which sections are written: what was done before what it means, the abstract last.
SECTIONS: tuple[str, ...] = (
    "method",
    "experimental_setup",
    "results",
    "discussion",
    "background",
    "related_work",
    "introduction",
    "conclusion",
    "title",
)
