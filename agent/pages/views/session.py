"""Everything that the page of a session shows, as plain data and drawings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from agent.core.manifest import Manifest
from agent.core.numbers import counted
from agent.core.program import TYPED
from agent.pages.drawing import charts
from agent.pages.drawing.timeline import timeline
from agent.pages.reading import PDF, Gathered
from agent.pages.views import pictured, words
from agent.pages.views.costs import Costs, Exchange, costs, exchanges
from agent.pages.views.index import state_of, verdict_of
from agent.pages.views.literature import Literature, literature
from agent.pages.views.paper import PaperView, paper_view
from agent.pages.views.reviews import Reviews, reviews
from agent.pages.views.runs import Runs, runs
from agent.pages.views.story import Story, story
from agent.publishing.bundle.tables import figure_csv
from agent.session.events import Event
from agent.session.session import Session, missing_pdf, stage
from paper.evidence.expressions import evaluate
from paper.evidence.facts import Facts
from paper.evidence.numbers import fixed
from paper.evidence.vocabulary import Result
from paper.press.account import FigureAccount

LARGEST_CSV = 150_000  # bytes of a figure's data on the page
Tell = Callable[[Event, Session], str]


@dataclass(frozen=True)
class FigureView:
    """A figure with the numbers behind it."""

    name: str
    caption: str
    by: str
    picture: bytes  # PNG; empty where there is none
    file: str
    csv: str  # "" where it is too large for a page


@dataclass(frozen=True)
class Confirmed:
    """The one confirmatory comparison."""

    sentence: str
    chart: Markup
    seeds: tuple[tuple[int, str, str, str], ...]  # seed, baseline, best, difference
    labels: tuple[str, str]


@dataclass(frozen=True)
class Badge:
    """Whether the paper's numbers follow from the records; `good` is None while there is no paper."""

    text: str
    detail: str
    good: bool | None


@dataclass(frozen=True)
class SessionView:
    name: str
    title: str
    question: str
    state: str
    stage: str
    running: bool
    started: str
    continues: str  # what it took over from the session that it continues; "" where it continues none
    after: str  # that session's name
    sentence: str  # the verdict
    good: bool | None
    badge: Badge
    pdf: str  # where the paper lies; "" where there is none
    played: str  # that no model wrote these words; "" where one did
    tiles: tuple[tuple[str, str, str], ...]  # label, value, remark
    story: Story
    timeline: Markup
    progress: tuple[str, float, str] | None  # what trains, share, in words
    runs: Runs | None
    strips: dict[tuple[str, str], Markup]  # seeds as dots, by run and condition
    overlays: tuple[tuple[str, Markup], ...]
    overlaid: str  # which runs are drawn, if not all
    own_curves: dict[str, tuple[Markup, ...]]
    planes: pictured.Planes | None
    confirmed: Confirmed | None
    why_unconfirmed: str
    plan: str  # why the comparison was fixed
    figures: tuple[FigureView, ...]
    paper: PaperView | None
    reviews: Reviews | None
    literature: Literature | None
    costs: Costs
    exchanges: tuple[Exchange, ...]
    problems: tuple[str, ...]


def session_view(found: Gathered, now: float, tell: Tell) -> SessionView:
    """The page of a session.

    Args:
        now: the time of the calendar in seconds.
        tell: gives the words of an event, "" for an event that is not shown.
    """
    session, facts = found.session, found.facts
    told = story(found.events, session, found.manifest, now, found.running, tell)
    shown = runs(session, facts, found.files) if facts and facts.records else None
    chosen = pictured.chosen_of(facts, shown) if facts and shown else ()
    sentence, good = _verdict(session, facts)
    return SessionView(
        name=found.name,
        title=session.idea.Title,
        question=found.manifest.question if found.manifest else "",
        state=state_of(session, found.running),
        stage=stage(session),
        running=found.running and not session.finished,
        started=words.moment(session.started_at),
        continues=_continues(session),
        after=session.earlier.session if session.earlier else "",
        sentence=sentence,
        good=good,
        badge=_badge(found),
        pdf=str(found.paths.repo / PDF) if session.compiled and (found.paths.repo / PDF).is_file() else "",
        played=_played(session, found.manifest),
        tiles=tuple(_tiles(found, told)),
        story=told,
        timeline=timeline(told),
        progress=_progress(found),
        runs=shown,
        strips=pictured.strips(shown) if shown else {},
        overlays=pictured.overlays(facts, chosen) if facts else (),
        overlaid=pictured.overlaid(facts, chosen) if facts else "",
        own_curves=pictured.own_curves(facts) if facts else {},
        planes=pictured.planes(facts, shown) if facts and shown else None,
        confirmed=_confirmed(facts) if facts else None,
        why_unconfirmed=_sentence(facts, "confirmation()") if facts and not facts.confirmed else "",
        plan=_comparison(session, found.manifest),
        figures=tuple(_figure(found, f.name) for f in session.figures),
        paper=paper_view(found.paper, facts, found.library) if found.paper and facts else None,
        reviews=reviews(session, found.events, found.paper),
        literature=literature(session, found.paper, found.library),
        costs=costs(found.events),
        exchanges=exchanges(found.calls, session.refused, {key: call.path for key, call in session.calls.items()}),
        problems=found.problems,
    )


# ---------------------------------------------------------------- head


def _sentence(facts: Facts, expression: str) -> str:
    value = evaluate(expression, facts)
    if not isinstance(value, Result) or not value.text:
        return ""
    return value.text[0].upper() + value.text[1:] + "."


def _comparison(session: Session, manifest: Manifest | None) -> str:
    """What the plan fixed before the first run, with the planner's reason as a quotation; "" without a plan."""
    if session.plan is None or manifest is None:
        return ""
    fixed_before = session.plan.comparison
    label = next((b.label for b in manifest.baselines if b.name == fixed_before.baseline), fixed_before.baseline)
    metric = manifest.metrics.get(fixed_before.metric)
    return (
        f"The plan fixed before the first run that runs are compared with {label} in "
        f"{metric.label if metric else fixed_before.metric}. The planner's reason: “{fixed_before.why}”"
    )


def _verdict(session: Session, facts: Facts | None) -> tuple[str, bool | None]:
    """The confirmation in one sentence, or before it the best run so far; and whether that is good."""
    if facts is None or not facts.measured:
        return "Nothing is measured yet.", None
    over = session.confirmation is not None and session.current is None
    if facts.confirmed or over:
        return _sentence(facts, "confirmation()"), verdict_of(facts)[1]
    return _so_far(facts), None


def _continues(session: Session) -> str:
    """What a session took from the one that it continues, as the text behind that one's name; "" if it continues
    none."""
    if (earlier := session.earlier) is None:
        return ""
    data = "the same data" if earlier.data_key == session.data_key else "other data"
    return (
        f"(profile {earlier.profile}, {data}): its best code, {earlier.label}, is measured again here as the "
        f"first run. Its own confirmation: {earlier.confirmation}."
    )


def _played(session: Session, manifest: Manifest | None) -> str:
    """A sentence that says that the words were played back from a recording; "" where a model wrote them."""
    if not session.options.playback:
        return ""
    numbers = "were measured here" if manifest is None or manifest.measured else "were made here"
    return f"The words of this session were played back from a recording; the numbers {numbers}."


def _so_far(facts: Facts) -> str:
    metric = facts.spec(facts.manifest.primary).label
    best, baselines = facts.best_of(facts.measured), [r for r in facts.measured if r.kind == "baseline"]
    if best.kind == "baseline":
        return f"So far no experiment is ahead of {best.label} in {metric}; nothing is confirmed yet."
    behind = f", ahead of {facts.best_of(baselines).label}" if baselines else ""
    return f"So far {best.label} is best in {metric}{behind}; nothing is confirmed yet."


def _badge(found: Gathered) -> Badge:
    paper = found.paper
    if paper is None:
        return Badge("no paper yet", "Numbers are checked once there is a paper.", None)
    wrong = sum(p.numbers for p in paper.problems)
    if paper.problems:
        text = f"{paper.numbers - wrong} of {paper.numbers} numbers agree"
        return Badge(text, f"The committed text differs from what the records give: {paper.problems[0].what}", False)
    detail = (
        "When this page was made, every number of the paper's text was computed again from the committed records. "
        f"For signatures, history, figures and the PDF: {TYPED} --verify {found.name}"
    )
    return Badge(f"{paper.numbers} of {paper.numbers} numbers verified", detail, True)


def _tiles(found: Gathered, told: Story) -> list[tuple[str, str, str]]:
    session = found.session
    measured = sum(run.phase == "measured" for run in session.experiments)
    failed = sum(run.phase == "failed" for run in session.experiments)
    attempts = sum(len(run.failures) for run in session.runs.values())
    tiles = [
        ("State", state_of(session, found.running), "" if session.finished else f"stage: {stage(session)}"),
        ("Runs", f"{measured} of {session.options.runs}", _failed(failed, attempts)),
        ("Active time", words.lasted(told.total), f"since {words.moment(session.started_at)}"),
        (
            "Model calls",
            f"{len(session.calls)}",
            f"{words.compact(session.tokens)} tokens, {words.money(session.usd, session.unpriced_calls)}",
        ),
    ]
    if session.judging.meta and session.judging.meta.overall is not None:
        tiles.append(("Review", f"{session.judging.meta.overall:.1f} of 10", session.judging.meta.decision))
    if why := missing_pdf(session):
        tiles.append(("PDF", "none", why[:120]))
    return tiles


def _failed(runs_failed: int, attempts: int) -> str:
    said = counted(attempts, "failed attempt")
    return f"{counted(runs_failed, 'failed run')}, {said}" if runs_failed else said


def _progress(found: Gathered) -> tuple[str, float, str] | None:
    runs = [run for run in found.session.under_way if run.phase == "submitted"] or found.session.under_way[:1]
    progress = found.progress
    if not runs or progress is None or found.session.finished:
        return None
    label = ", ".join(run.planned.label if run.planned else f"run {run.run}" for run in runs)
    return label, progress.fraction, f"{progress.done} of {progress.total} trainings are done"


# ---------------------------------------------------------------- confirmation and figures


def _confirmed(facts: Facts) -> Confirmed | None:
    found = facts.confirmed
    if found is None:
        return None
    seeds = zip(found.ours.seeds, found.baseline.values, found.ours.values, found.steps, strict=True)
    most = max(series.quantity().decimals for series in (found.baseline, found.ours))
    return Confirmed(
        sentence=_sentence(facts, "confirmation()"),
        chart=charts.pairs(found),
        seeds=tuple(
            (seed, fixed(a, most), fixed(b, most), fixed(step, most, signed=True)) for seed, a, b, step in seeds
        ),
        labels=(found.baseline.run.label, found.ours.run.label),
    )


def _figure(found: Gathered, name: str) -> FigureView:
    (figure,) = (f for f in found.session.figures if f.name == name)
    csv = ""
    if found.facts and found.manifest:
        account = FigureAccount(
            name=figure.name, file=figure.file, caption=figure.caption, by=figure.by, width=figure.width
        )
        csv = figure_csv(account, list(found.facts.records), found.manifest)
    return FigureView(
        name=name,
        caption=figure.caption,
        by=figure.by,
        picture=found.pictures.get(name, b""),
        file=figure.file,
        csv=csv if len(csv) <= LARGEST_CSV else "",
    )
