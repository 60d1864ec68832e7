"""The shipped recording: complete, well-formed, and true whatever the numbers of a machine turn out to be."""

from __future__ import annotations

import inspect
import json
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from agent import events as ev
from agent import policy
from agent.actions.figures import Descriptions
from agent.actions.writeup import SKELETON
from agent.answers import parse
from agent.editing.lint import lint
from agent.literature.search import Shelf
from agent.literature.searches import RecordedSearches
from agent.manifest import load_template
from agent.record import RunRecord, Training
from agent.reviewing.evidence import standing
from agent.reviews import Doubt, EvidenceAnswer, MetaWords, Review, tally
from agent.session import Session, apply
from agent.types import (
    SECTIONS,
    ChosenAnswer,
    FigureText,
    MissingAnswer,
    NoveltyAnswer,
    Plan,
    Reflection,
    SupportAnswer,
    Unsupported,
)
from paper import checks
from paper.cited import cited_pairs
from paper.facts import Facts
from paper.figures import Figure
from paper.library import load_library
from paper.nodes import Citation
from paper.sections import parse as parse_section
from tests.dice import Dice, options

FOLDER = Path(__file__).parent.parent / "templates" / "synth_sae"
REPLIES = {path.name.removesuffix(".1.md"): path.read_text(encoding="utf-8")
           for path in sorted((FOLDER / "playback" / "hierarchical_sae").glob("*.md"))}
TEMPLATE = load_template(FOLDER)
BLOCK = re.compile(r"^(\S+)\n```\w*\n<<<<<<< SEARCH\n(.*?)^=======\n(.*?)^>>>>>>> REPLACE\n```$",
                   re.DOTALL | re.MULTILINE)
PLANTED = {("run-1.edit-1", "lint"), ("run-2.edit-1", "training")}
FIGURES = ("metrics", "differences", "curves", "tradeoff", "agent-capacity", "agent-tiers")
# Numbers that describe the design of a run, not its outcome.
DESIGN = {"0.01", "60 %"}


# ---------------------------------------------------------------- the session that the recording plays

class Recorded(Dice):
    """Answers every action as the recorded session does: planted failures, all else goes well."""

    def __init__(self) -> None:
        super().__init__(lambda _: 0)

    def answer(self, action: policy.Action, session: Session) -> ev.Event:
        match action:
            case policy.CheckNovelty():
                said = parse(REPLIES[f"novelty.round-{action.round}"], NoveltyAnswer)
                return ev.NoveltyChecked(at=1.0, round=action.round, searched=(), sources=(), queries=said.queries,
                                         verdict=said.verdict, closest=said.closest, reason=said.reason, commit=None)
            case policy.SeekCitations():
                said = parse(REPLIES[f"citations.round-{action.round}.missing"], MissingAnswer)
                return ev.CitationsSought(at=1.0, round=action.round, missing=said.missing, sources=())
            case policy.ChooseCitations():
                said = parse(REPLIES[f"citations.round-{action.round}.choose"], ChosenAnswer)
                return ev.CitationsChosen(at=1.0, round=action.round, chosen=said.chosen, refused=(), commit="c")
            case policy.CheckSupport():
                refused = tuple(Unsupported(section=step.split(".")[1], sentence="s", key="k", why=j.why)
                                for step in step_of(action)
                                for j in parse(REPLIES[step], SupportAnswer).judgements if not j.supported)
                return ev.SupportChecked(at=1.0, round=action.round, judged=(), unsupported=refused)
            case policy.MakePlan():
                return ev.Planned(at=1.0, plan=parse(REPLIES["plan"], Plan), commit="c")
            case policy.EditRun():
                return ev.Edited(at=1.0, run=action.run, attempt=action.attempt, commit="c")
            case policy.LintRun():
                if (f"run-{action.run}.edit-{action.attempt}", "lint") in PLANTED:
                    return self.failure(1.0, action.run, action.attempt, "lint")
                return ev.LintPassed(at=1.0, run=action.run, attempt=action.attempt)
            case policy.CollectRun():
                if (f"run-{action.run}.edit-{action.attempt}", "training") in PLANTED:
                    return self.failure(1.0, action.run, action.attempt, "training")
                return ev.RunMeasured(at=1.0, run=action.run, attempt=action.attempt, record_sha256="s", primary=0.5,
                                      wall_s=1.0, flags=(), code="c", commit="c")
            case policy.Reflect():
                reflection = parse(REPLIES[f"run-{action.run}.reflect"], Reflection)
                return ev.Reflected(at=1.0, run=action.run, reflection=reflection, commit="c")
            case policy.EditPlot():
                return ev.PlotEdited(at=1.0, attempt=action.attempt, commit="c")
            case policy.RunPlot():
                figure = FigureText(name="agent-tiers", file="f.pdf", caption="f", description="", by="agent")
                return ev.FiguresDrawn(at=1.0, figures=(figure,), by="agent", commit="c")
            case policy.WriteSection():
                return ev.SectionWritten(at=1.0, section=action.section, phase=action.phase, round=action.round,
                                         revision=action.revision, refused="", complaints=0, commit="c")
            case policy.ReviewEvidence():
                findings = parse(REPLIES["review.evidence"], EvidenceAnswer).findings
                doubts = tuple(Doubt(**f.model_dump(), section=standing(f.quote, before_review())) for f in findings)
                return ev.EvidenceReviewed(at=1.0, checked="all", doubts=doubts, dropped=(), failed="")
            case policy.CompilePaper():
                return ev.Compiled(at=1.0, round=action.round, ok=True, pages=9, problems=(), dropped=(), broken=(),
                                   commit="c")
        return super().answer(action, session)


def step_of(action: policy.Action) -> list[str]:
    """The steps under which an action asks a model."""
    match action:
        case policy.CheckNovelty():
            return [f"novelty.round-{action.round}"]
        case policy.SeekCitations():
            return [f"citations.round-{action.round}.missing"]
        case policy.ChooseCitations():
            return [f"citations.round-{action.round}.choose"]
        case policy.CheckSupport():
            steps = (f"support.{section}.round-{action.round}" for section in SECTIONS)
            return [step for step in steps if step in REPLIES]
        case policy.MakePlan():
            return ["plan"]
        case policy.EditRun():
            return [f"run-{action.run}.edit-{action.attempt}"]
        case policy.CommentRun():
            return [f"run-{action.run}.comment"]
        case policy.Reflect():
            return [f"run-{action.run}.reflect"]
        case policy.EditPlot():
            return [f"plot.edit-{action.attempt}"]
        case policy.DescribeFigures():
            return ["plot.describe"]
        case policy.WriteSection():
            return [f"paper.{action.section}.{action.phase}" + (f"-mend-{action.round}" if action.round else "")]
        case policy.ReviewEvidence():
            return ["review.evidence"]
        case policy.ReviewPaper():
            return [f"review-{action.number}"]
        case policy.MetaReview():
            return ["review.meta"]
    return []


@cache
def before_review() -> dict[str, str]:
    """The sections when the paper is compiled for the first time."""
    sections: dict[str, str] = {}
    for phase in ("write", "refine", "cite", "polish", "support"):
        for name in SECTIONS:
            reply = REPLIES.get(f"paper.{name}.{phase}", "\n\nNO CHANGE\n")
            if not reply.endswith("\n\nNO CHANGE\n"):
                sections[name] = edited(sections.get(name, SKELETON), reply, f"paper/sections/{name}.md")
    return sections


@cache
def asked() -> tuple[str, ...]:
    """Every step that asks a model, in the order of the recorded session."""
    recorded, steps = Recorded(), []
    started = ev.SessionStarted(at=0.0, session="s", idea=_idea(), options=options(baselines=("topk", "standard")))
    session = apply(Session(), started)
    while action := policy.next_action(session):
        steps += step_of(action)
        session = apply(session, recorded.answer(action, session))
    return tuple(steps)


def _idea():
    from agent.idea import find_idea

    return find_idea("hierarchical_sae", FOLDER.parent.parent / "ideas")


def test_the_recording_holds_a_reply_for_every_step_and_none_left_over():
    assert sorted(REPLIES) == sorted(asked())
    assert len(asked()) == len(set(asked()))


def test_the_json_replies_are_what_the_loop_takes():
    plan = parse(REPLIES["plan"], Plan)
    names = [run.name for run in plan.runs]
    assert len(names) == 5 and plan.comparison.metric == "f1" and plan.comparison.baseline == "topk"
    assert all(run.start_from in ("baseline", *names[:i]) for i, run in enumerate(plan.runs))  # fixed, not "best"
    assert all(len(run.label) <= 18 for run in plan.runs)
    for number in range(1, 6):
        reflection = parse(REPLIES[f"run-{number}.reflect"], Reflection)
        assert reflection.runs == plan.runs[number:] and reflection.completed == (number == 5)
        assert len(REPLIES[f"run-{number}.comment"].strip().splitlines()) <= 6
    assert set(parse(REPLIES["plot.describe"], Descriptions).descriptions) == set(FIGURES)
    reviews = [parse(REPLIES[f"review-{number}"], Review) for number in (1, 2, 3)]
    assert tally(reviews).decision == "reject" and parse(REPLIES["review.meta"], MetaWords).disputed


def test_the_evidence_reviewer_s_findings_stand_in_the_paper_and_are_mended():
    findings = parse(REPLIES["review.evidence"], EvidenceAnswer).findings
    after = manuscripts()[-1][1]
    assert findings
    for finding in findings:
        assert standing(finding.quote, before_review()) and standing(finding.quote, after) is None
        run, part = finding.key.split("/")
        assert part == "diff" and f"run-{run}.edit-1" in REPLIES


@pytest.mark.parametrize("step", sorted(REPLIES))
def test_no_reply_types_a_result(step):
    words = re.sub(r"```(?!json).*?```|\{\{.*?\}\}|`[^`]*`|\$[^$]*\$", " ", REPLIES[step], flags=re.DOTALL)
    found = set(re.findall(r"[+-]?\d*\.\d+|\d+ ?%|±", words))
    assert found <= DESIGN


# ---------------------------------------------------------------- the edits

def edited(text: str, reply: str, file: str) -> str:
    """The file after a reply's blocks; each SEARCH is whole lines and stands in one place."""
    found = BLOCK.findall(reply)
    assert found and reply.count("<<<<<<< SEARCH") == len(found)
    for name, search, replace in found:
        assert name == file and search.strip()
        assert ("\n" + text).count("\n" + search) == 1, search
        text = ("\n" + text).replace("\n" + search, "\n" + replace)[1:]
    return text


@cache
def codes() -> dict[str, str]:
    """experiment.py after each edit, by step, and after each run, by the run's name."""
    plan = parse(REPLIES["plan"], Plan)
    code = {"baseline": (FOLDER / "experiment.py").read_text(encoding="utf-8")}
    for step in (s for s in asked() if re.match(r"run-\d\.edit-", s)):
        number, attempt = int(step[4]), int(step.rpartition("-")[2])
        before = code[plan.runs[number - 1].start_from] if attempt == 1 else code[f"run-{number}.edit-{attempt - 1}"]
        code[step] = code[plan.runs[number - 1].name] = edited(before, REPLIES[step], "experiment.py")
    return code


def test_every_edit_applies_in_order_and_only_the_planted_one_fails_the_linter(tmp_path):
    for step, code in codes().items():
        (tmp_path / "experiment.py").write_text(code)
        errors = [error.code for error in lint(tmp_path / "experiment.py")]
        assert errors == (["F821"] if (step, "lint") in PLANTED else []), step


@pytest.mark.parametrize("profile", ["demo", "mini"])
def test_one_step_of_every_version_works_but_for_the_planted_failure_at_any_size(profile):
    import torch

    chosen = TEMPLATE.manifest.profiles[profile]
    size = chosen.settings | chosen.conditions[0].settings
    for step in (s for s in codes() if s.startswith("run-") and (s, "lint") not in PLANTED):
        module = ModuleType("experiment")
        exec(compile(codes()[step], step, "exec"), module.__dict__)
        sae = module.SAE(size["d_in"], size["d_sae"], size["l0"])
        x, dead = torch.randn(size["batch"], size["d_in"]), torch.zeros(size["d_sae"], dtype=torch.bool)
        dead[-5:] = True
        arguments = [sae, x, dead, size["aux_scale"], 20][:len(inspect.signature(module.loss_on_batch).parameters)]
        if (step, "training") in PLANTED:
            with pytest.raises(RuntimeError, match="out of range"):
                module.loss_on_batch(*arguments)
            continue
        loss, fired = module.loss_on_batch(*arguments)
        assert loss.item() > 0 and fired.shape == (size["d_sae"],) and fired.any()


def test_the_plot_edit_applies_and_draws_the_figures_that_are_described(tmp_path):
    import subprocess
    import sys

    from tests.test_synth_sae import plot_records

    code = edited((FOLDER / "plot.py").read_text(encoding="utf-8"), REPLIES["plot.edit-1"], "plot.py")
    (tmp_path / "plot.py").write_text(code)
    (tmp_path / "records.json").write_text(json.dumps(plot_records()))
    subprocess.run([sys.executable, "plot.py"], cwd=tmp_path, check=True, env={"MPLBACKEND": "Agg"})

    drawn = [f["file"] for f in json.loads((tmp_path / "figures.json").read_text())]
    assert [f"agent-{name}" for name in drawn] == [name for name in FIGURES if name.startswith("agent-")]
    assert lint(tmp_path / "plot.py") == ()


# ---------------------------------------------------------------- the paper

def manuscripts() -> list[tuple[str, dict[str, str]]]:
    """The sections as they stand after each step of the write-up that changes one."""
    sections: dict[str, str] = {}
    states = []
    for step in (s for s in asked() if s.startswith("paper.")):
        name = step.split(".")[1]
        before = sections.get(name, SKELETON)
        if REPLIES[step].endswith("\n\nNO CHANGE\n"):
            continue
        sections[name] = edited(before, REPLIES[step], f"paper/sections/{name}.md")
        states.append((step, dict(sections)))
    return states


def drawn(draw: np.random.Generator, means: dict[str, float], runs: list[tuple[str, ...]], arms: str = "") -> Facts:
    """Invented records of the whole session around the given F1 values; `arms`: how the confirmation came out."""
    records = [drawn_record(draw, means, *run) for run in runs]
    if arms:
        ours = Facts(records, TEMPLATE.manifest, "demo").record("ours")
        shifted = means | {ours.name: means["topk"] + {"better": 0.2, "worse": -0.2}.get(arms, 0.0)}
        records.append(drawn_record(draw, shifted, "confirm.baseline", "confirmation", "topk", "TopK"))
        records.append(drawn_record(draw, shifted, "confirm.best", "confirmation", ours.name, ours.label,
                                    failed=arms == "failed"))
    return Facts(records, TEMPLATE.manifest, "demo")


def drawn_record(
    draw: np.random.Generator, means: dict[str, float], run: str, kind: str, name: str, label: str, *,
    failed: bool = False,
) -> RunRecord:
    """One invented record around the run's F1."""
    profile = TEMPLATE.manifest.profiles["demo"]
    confirms = kind == "confirmation"
    seeds = tuple(range(100, 105)) if confirms else profile.seeds
    trainings = tuple(Training(
        seed=seed, condition="k8", outcome="measured",
        metrics={"f1": means[name] + 0.01 * draw.standard_normal(), "mcc": draw.uniform(0.3, 0.9),
                 "uniqueness": draw.uniform(0.5, 1), "explained_variance": draw.uniform(-0.1, 0.9),
                 "l0": draw.uniform(5, 12), "dead_latents": draw.uniform(0, 0.3)},
        diagnostics=diagnostics_of(name, draw)) for seed in seeds)
    return RunRecord(
        run=run, kind=kind, name=name, label=label, about="Tries something.", parent=None, attempts=1,
        status="failed" if failed else "measured", commit="c" * 40, tree="t" * 40, template="synth_sae", profile="demo",
        settings=profile.settings, seeds=seeds, conditions=profile.conditions, trainings=() if failed else trainings,
        findings=(), started_at=0.0, wall_s=1.0, device="cpu: 2 cores", versions={}, sandbox="bwrap",
        hashes={"data/activations.npy": ("1" if confirms else "0") * 64})


def diagnostics_of(name: str, draw: np.random.Generator) -> dict[str, float]:
    """Which quantities a run reports, read from its own code; the values are invented."""
    script = "baselines/standard.py" if name == "standard" else None
    code = (FOLDER / script).read_text() if script else codes()["baseline" if name == "topk" else name]
    wanted = ("first_tier_active_share", "first_tier_explained_variance", "threshold", "decoder_overlap",
              "dead_share_in_training")
    return {key: draw.uniform(0, 1) for key in wanted if f'"{key}"' in code}


def all_runs() -> list[tuple[str, ...]]:
    baselines = [("0", "baseline", "topk", "TopK"), ("0.standard", "baseline", "standard", "Standard L1")]
    return baselines + [(str(i), "experiment", run.name, run.label)
                        for i, run in enumerate(parse(REPLIES["plan"], Plan).runs, start=1)]


# What the runs come to, and what the confirmation does.
DRAWS = {"none helps": "worse", "all help": "better", "the same everywhere": "equal", "only the last helps": "equal",
         "dice 1": "better", "dice 2": "failed", "dice 3": ""}


def means_of(draw: str, rng: np.random.Generator) -> dict[str, float]:
    names = [run[2] for run in all_runs()]
    match draw:
        case "none helps":
            return {name: 0.8 if name in ("topk", "standard") else 0.4 for name in names}
        case "all help":
            return {name: 0.5 + 0.05 * i for i, name in enumerate(names)}
        case "the same everywhere":
            return dict.fromkeys(names, 0.6)
        case "only the last helps":
            return {name: 0.9 if name == names[-1] else 0.6 for name in names}
    return {name: rng.uniform(0.3, 0.9) for name in names}


@pytest.mark.parametrize("draw", DRAWS)
def test_the_checks_pass_every_step_of_the_paper_whatever_the_numbers(draw):
    rng = np.random.default_rng(list(DRAWS).index(draw))
    facts = drawn(rng, means_of(draw, rng), all_runs(), DRAWS[draw])
    source = codes()[facts.record("best").name] if facts.record("best").kind == "experiment" else codes()["baseline"]
    figures = [Figure(name, Path("f.pdf"), "A figure.", "") for name in FIGURES]
    states = manuscripts() if draw == "none helps" else manuscripts()[-1:]
    for step, sections in states:
        complaints = checks.check(sections, facts, figures, load_library(), source=source)
        assert [c for c in complaints if c.section in sections] == [], step


def test_the_paper_changes_under_criticism_and_cites_widely():
    kept = [step for step in asked() if step.startswith("paper.") and "NO CHANGE" in REPLIES[step]]
    assert sum(step.endswith(".refine") for step in kept) <= len(SECTIONS) - 4
    assert sum(step.endswith(".polish") for step in kept) <= len(SECTIONS) - 2
    sections = manuscripts()[-1][1]
    nodes = [node for name, text in sections.items() for s in parse_section(name, text).sentences for node in s.walk()]
    assert len({key for node in nodes if isinstance(node, Citation) for key in node.keys}) >= 20
    assert 2500 <= sum(len(text.split()) for text in sections.values()) <= 4500


# ---------------------------------------------------------------- the literature

def test_the_recorded_choices_are_among_what_the_library_returns(tmp_path):
    searches = RecordedSearches(Shelf(load_library), tmp_path, load_library)
    first, second = (parse(REPLIES[f"novelty.round-{n}"], NoveltyAnswer) for n in (1, 2))
    shown = {p.key for queries in ([_idea().Title], first.queries)
             for p in searches.search(f"n-{len(queries)}", queries).papers}
    assert {c.key for c in second.closest} <= shown
    missing = parse(REPLIES["citations.round-1.missing"], MissingAnswer).missing
    chosen = parse(REPLIES["citations.round-1.choose"], ChosenAnswer).chosen
    assert {c.key for c in chosen} <= {p.key for p in searches.search("c", [m.query for m in missing]).papers}
    placed = REPLIES["paper.related_work.cite"]
    assert all(c.section == "related_work" and f"@{c.key}" in placed for c in chosen)


def test_each_cited_sentence_is_judged_once_and_the_refused_one_is_rewritten():
    states = [sections for step, sections in manuscripts() if not step.endswith((".support", ".evidence"))]
    before, after = cited_pairs(states[-1], load_library()), cited_pairs(manuscripts()[-1][1], load_library())
    refused = []
    for section in SECTIONS:
        pairs = [p for p in before if p.section == section]
        judged = parse(REPLIES[f"support.{section}.round-1"], SupportAnswer).judgements if pairs else ()
        assert [j.n for j in judged] == list(range(1, len(pairs) + 1)), section
        refused += [pairs[j.n - 1] for j in judged if not j.supported]
    assert len(refused) == 1 and refused[0] not in after
    again = [p for p in after if p not in before]
    assert [p.section for p in again] == ["discussion"]
    assert len(parse(REPLIES["support.discussion.round-2"], SupportAnswer).judgements) == len(again)
