"""The shipped recordings: complete, well-formed, and true whatever the numbers of a machine turn out to be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from agent.actions.figures import Descriptions
from agent.actions.judge import JudgeAnswer, complaint
from agent.actions.literature import ChosenAnswer, MissingAnswer, SupportAnswer
from agent.actions.novelty import NoveltyAnswer
from agent.core.labels import label_problem
from agent.core.looks import STYLE
from agent.core.plan import Reflection
from agent.core.reviews import MetaWords, Review, tally
from agent.lab.plots import draw_worker, drawing, legible, plotcheck
from agent.lab.plots.perturbing import perturb
from agent.literature.library import load_library
from agent.literature.search import Shelf
from agent.literature.searches import RecordedSearches
from agent.llm.editing.lint import lint
from agent.llm.numbered import each_once
from agent.sandbox.boxes import BubblewrapSandbox
from paper.pictures.figures import Figure, standard_figures
from paper.press import printed, tables
from paper.press.compile import compile_pdf
from paper.press.pages import examine
from paper.press.render import render, write
from paper.text.cited import cited_pairs
from paper.text.nodes import Citation
from paper.text.parser import parse as parse_section
from paper.truth import checks
from tests.support.paper_fixture import fixture
from tests.support.recording import Recording, edited

SYNTH = Recording("synth_sae", frozenset({("run-1.edit-1", "lint"), ("run-4.edit-1", "training")}))
LM = Recording("lm_sae")
FIGURES = {
    "synth_sae": (
        "schematic",
        "metrics",
        "metrics_2",
        "differences",
        "curves",
        "tradeoff",
        "agent-detection",
        "agent-tiers",
    ),
    "lm_sae": (
        "schematic",
        "metrics",
        "metrics_2",
        "metrics_3",
        "differences",
        "curves",
        "tradeoff",
        "agent-tiers",
        "agent-absorption",
    ),
}
DESIGN = {"0.01", "60 %"}  # numbers that describe the design of a run, not its outcome
both = pytest.mark.parametrize("recording", [SYNTH, LM], ids=lambda r: r.manifest.name)


@both
def test_the_recording_holds_a_reply_for_every_step_and_none_left_over(recording):
    assert sorted(recording.replies) == sorted(recording.asked)
    assert len(recording.asked) == len(set(recording.asked))


@both
def test_the_json_replies_are_what_the_loop_takes(recording):
    plan, manifest = recording.plan, recording.manifest
    names = [run.name for run in plan.runs]
    assert plan.comparison.metric == manifest.primary and plan.comparison.baseline in {
        b.name for b in recording.baselines
    }
    assert all(run.start_from in ("baseline", *names[:i]) for i, run in enumerate(plan.runs))  # fixed, not "best"
    assert all(len(run.label) <= 18 and not label_problem(run.label, manifest) for run in plan.runs)
    for number in range(1, len(names) + 1):
        reflection = recording.answer(f"run-{number}.reflect", Reflection)
        assert reflection.runs == plan.runs[number:] and reflection.completed == (number == len(names))
        assert len(recording.replies[f"run-{number}.comment"].strip().splitlines()) <= 6
    described = recording.answer("plot.describe", Descriptions).descriptions
    assert set(described) == set(FIGURES[manifest.name])
    reviews = [recording.answer(f"review-{number}", Review) for number in (1, 2, 3)]
    assert tally(reviews).decision == "reject" and recording.answer("review.meta", MetaWords).disputed


@both
def test_the_judge_names_each_told_sentence_once_and_what_it_refuses_is_mended(recording):
    after = recording.before_judging(2)
    for round in (1, 2):
        told, answer = recording.told(round), recording.answer(f"judge.round-{round}", JudgeAnswer)
        assert complaint(answer, len(told)) is None
        assert bool(answer.refused) == (round == 1)
        for refused in answer.refused:
            one = told[refused.n - 1]
            run, part = refused.why.split(":")[0].split("/")
            assert part == "diff" and f"run-{run}.edit-1" in recording.replies
            assert " ".join(one.source.split()) not in " ".join(after[one.section].split())


@both
def test_no_reply_types_a_result(recording):
    for step, reply in recording.replies.items():
        words = re.sub(r"```(?!json).*?```|\{\{.*?\}\}|`[^`]*`|\$[^$]*\$", " ", reply, flags=re.DOTALL)
        assert set(re.findall(r"[+-]?\d*\.\d+|\d+ ?%|±", words)) <= DESIGN, step


# ---------------------------------------------------------------- the edits


@both
def test_every_edit_applies_in_order_and_only_the_planted_one_fails_the_linter(recording, tmp_path):
    for step, code in recording.codes.items():
        (tmp_path / "experiment.py").write_text(code)
        errors = [error.code for error in lint(tmp_path / "experiment.py")]
        assert errors == (["F821"] if (step, "lint") in recording.planted else []), step


def versions(recording: Recording) -> dict[str, ModuleType]:
    """The code of every attempt that compiles, as a module."""
    found = {}
    for step in (s for s in recording.codes if s.startswith("run-") and (s, "lint") not in recording.planted):
        found[step] = ModuleType("experiment")
        exec(compile(recording.codes[step], step, "exec"), found[step].__dict__)
    return found


@pytest.mark.parametrize("profile", ["demo", "mini"])
def test_every_version_holds_the_changes_that_its_plan_names_and_the_planted_failure_fails_at_any_size(profile):
    sys.path.insert(0, str(SYNTH.folder.parent))  # as an experiment sees the library: beside its script
    import torch
    from saes import Step

    chosen = SYNTH.manifest.profiles[profile]
    size = chosen.settings | chosen.conditions[0].settings
    held = {f"run-{n}": run.factors for n, run in enumerate(SYNTH.plan.runs, start=1)}
    for step, module in versions(SYNTH).items():
        torch.manual_seed(0)
        sae = module.SAE(size["d_in"], size["d_sae"], size["l0"], size["aux_scale"])
        x, dead = torch.randn(size["batch"], size["d_in"]), torch.arange(size["d_sae"] - 5, size["d_sae"])
        if (step, "training") in SYNTH.planted:
            with pytest.raises(RuntimeError, match="equal size"):
                sae.loss(x, Step(dead=dead))
            continue
        found, factors = sae.loss(x, Step(progress=1.0, dead=dead)), held[step.partition(".")[0]]
        assert found.total.item() > found.error.item() > 0 and found.fired.any()
        assert (sae.loss(x, Step(progress=0.0)).l0 > 2 * size["l0"]) == ("schedule" in factors)
        assert ("share_in_first_tier" in (sae.report() or {})) == ("tiers" in factors)
        kept = (sae.encode(x) > 0).sum(1)
        assert bool((kept == size["l0"]).all()) == ("batch choice" not in factors)


def test_every_version_on_a_language_model_holds_the_changes_that_its_plan_names():
    sys.path.insert(0, str(LM.folder.parent))  # as an experiment sees the library: beside its script
    import torch
    from saes import Step

    for run, module in zip(LM.plan.runs, versions(LM).values(), strict=True):
        torch.manual_seed(0)
        sae, x = module.SAE(32, 48, 4), torch.randn(64, 32)
        found = sae.loss(x, Step(progress=1.0))
        assert found.fired.any() and found.l0 == 4
        assert (sae.loss(x, Step(progress=0.0)).l0 > 8) == ("schedule" in run.factors)
        assert ("share_in_first_tier" in (sae.report() or {})) == ("tiers" in run.factors)
        assert sae.loss(x, Step(progress=1.0, dead=torch.arange(43, 48))).total > found.total
        assert bool(((sae.encode(x) > 0).sum(1) == 4).all()) == ("batch choice" not in run.factors)


def run_plot(folder: Path, records: str) -> dict[str, drawing.Drawing]:
    """What plot.py draws of these records."""
    (folder / "records.json").write_text(records)
    worker = [sys.executable, "-P", draw_worker.__file__, "plot.py", json.dumps(STYLE)]
    subprocess.run(worker, cwd=folder, check=True, env={"MPLBACKEND": "Agg"})
    return drawing.parse(json.loads((folder / draw_worker.DRAWN).read_text()))


@both
def test_the_plot_edit_applies_and_draws_the_figures_that_are_described(recording, tmp_path):
    before = (recording.folder / "plot.py").read_text(encoding="utf-8")
    (tmp_path / "plot.py").write_text(edited({"plot.py": before}, recording.replies["plot.edit-1"])["plot.py"])
    value = {"c": {"mean": 0.5, "se": 0.01, "n": 3, "values": [0.49, 0.5, 0.51]}}
    tiers = {name: [0.3, 0.31, 0.32] for name in recording.reported}
    records = json.dumps(
        [
            {
                "run": str(i),
                "name": f"r{i}",
                "label": f"Run {i}",
                "kind": "experiment",
                "status": status,
                "look": {"color": "#D55E00", "marker": "s", "markersize": 4.5},
                "curves": [],
                "diagnostics": diagnostics,
                "metrics": dict.fromkeys(recording.manifest.metrics, value),
            }
            for i, (status, diagnostics) in enumerate([("measured", {}), ("measured", tiers), ("failed", {})])
        ]
    )
    perturbed, shown = (run_plot(tmp_path, text) for text in (perturb(records), records))

    pictures = {name: one.sha256 for name, one in shown.items() if name.endswith(".pdf")}
    assert plotcheck.problems(shown, perturbed, pictures, records) == []
    assert legible.problems(shown, pictures) == []
    drawn = [f"agent-{f['file']}" for f in json.loads((tmp_path / "figures.json").read_text())]
    assert drawn == [name for name in FIGURES[recording.manifest.name] if name.startswith("agent-")]
    assert lint(tmp_path / "plot.py") == ()


# ---------------------------------------------------------------- the paper

# What the runs come to, and what the confirmation does.
DRAWS = {
    "none helps": "worse",
    "all help": "better",
    "the same everywhere": "equal",
    "only the last helps": "equal",
    "dice 1": "better",
    "dice 2": "failed",
    "dice 3": "",
}


def means_of(draw: str, rng: np.random.Generator, recording: Recording) -> dict[str, float]:
    """The primary metric of every run; better means higher here, and is turned where lower is better."""
    names = [name for _, _, name, _ in recording.runs]
    flat = [b.name for b in recording.baselines]
    means = {
        "none helps": {name: 0.8 if name in flat else 0.4 for name in names},
        "all help": {name: 0.5 + 0.05 * i for i, name in enumerate(names)},
        "the same everywhere": dict.fromkeys(names, 0.6),
        "only the last helps": {name: 0.9 if name == names[-1] else 0.6 for name in names},
    }.get(draw) or {name: rng.uniform(0.3, 0.9) for name in names}
    higher = recording.manifest.metrics[recording.manifest.primary].better == "higher"
    return means if higher else {name: 1.2 - value for name, value in means.items()}


@both
@pytest.mark.parametrize("draw", DRAWS)
def test_the_checks_pass_every_step_of_the_paper_whatever_the_numbers(recording, draw):
    rng = np.random.default_rng(list(DRAWS).index(draw))
    facts = recording.facts(rng, means_of(draw, rng, recording), DRAWS[draw])
    best, codes = facts.record("best"), recording.codes
    source = codes[best.name] if best.kind == "experiment" else codes["baseline"]
    figures = FIGURES[recording.manifest.name]
    states = recording.manuscripts if (recording, draw) == (SYNTH, "none helps") else recording.manuscripts[-1:]
    for step, sections in states:
        complaints = checks.check(sections, facts, figures, tables.names(facts), load_library(), source=source)
        assert [c for c in complaints if c.section in sections] == [], step


def test_thirteen_metrics_fit_the_pages_of_the_paper(tmp_path):
    rng = np.random.default_rng(5)
    facts = LM.facts(rng, means_of("dice 1", rng, LM), "better")
    standard = standard_figures(facts, tmp_path / "figures")
    others = standard_figures(LM.facts(rng, means_of("dice 2", rng, LM)), tmp_path / "others")
    own = [name for name in FIGURES["lm_sae"] if name.startswith("agent-")]
    drawn = [Figure(name, other.file, "A figure.", "") for name, other in zip(own, others[1:], strict=False)]
    paper = render(LM.manuscripts[-1][1], facts, [*standard, *drawn], load_library(), fixture().meta)
    write(paper, tmp_path)
    done = compile_pdf(tmp_path, BubblewrapSandbox())
    found = examine(paper.tex, printed.read(done.pdf.read_bytes()), done.problems)

    assert len(facts.manifest.metrics) == 13 and paper.tex.count("Run&Seed") == 2
    assert [f.words for f in found] == []


@pytest.mark.parametrize(("recording", "works"), [(SYNTH, 20), (LM, 20)], ids=["synth_sae", "lm_sae"])
def test_the_paper_changes_under_criticism_and_cites_widely(recording, works):
    assert {"paper.polish", "paper.judge"} <= {step for step, _ in recording.manuscripts}
    sections = recording.manuscripts[-1][1]
    nodes = [node for name, text in sections.items() for s in parse_section(name, text).sentences for node in s.walk()]
    assert len({key for node in nodes if isinstance(node, Citation) for key in node.keys}) >= works
    assert 2500 <= sum(len(text.split()) for text in sections.values()) <= 4500


# ---------------------------------------------------------------- the literature


@both
def test_the_recorded_choices_are_among_what_the_library_returns(recording, tmp_path):
    searches = RecordedSearches(Shelf(load_library), tmp_path, load_library)
    asked, shown = [recording.idea.Title], set()
    for step in (s for s in recording.asked if s.startswith("novelty.")):
        shown |= {p.key for p in searches.search(step, asked).papers}
        said = recording.answer(step, NoveltyAnswer)
        asked = list(said.queries)
    assert said.closest and {c.key for c in said.closest} <= shown
    missing = recording.answer("citations.round-1.missing", MissingAnswer).missing
    if not missing:
        return
    chosen = recording.answer("citations.round-1.choose", ChosenAnswer).chosen
    assert {c.key for c in chosen} <= {p.key for p in searches.search("c", [m.query for m in missing]).papers}
    assert all(f"@{c.key}" in recording.before_support[c.section] for c in chosen)


@both
def test_each_cited_sentence_is_judged_once(recording):
    before = cited_pairs(recording.before_support, load_library())
    after = cited_pairs(recording.manuscripts[-1][1], load_library())
    answer = recording.answer("support.round-1", SupportAnswer)
    assert each_once(answer.accepted, [r.n for r in answer.refused], len(before)) is None
    assert answer.refused == () and after == before
    assert "support.round-2" not in recording.replies
