"""A shipped recording of a template: the session that it plays, its edits and its paper, with invented records."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from agent.actions.literature import ChosenAnswer, MissingAnswer
from agent.actions.novelty import NoveltyAnswer
from agent.actions.writeup import SKELETON, name_of_pass
from agent.app.choices import RECORDED_WITH
from agent.core.ideas import find_idea
from agent.core.plan import Plan, Reflection
from agent.core.record import RunRecord, Training
from agent.core.template import load_template
from agent.core.writing import FigureText, Refusal, Unsupported
from agent.llm.answers import parse
from agent.session import events as ev
from agent.session import policy
from agent.session.session import Session, apply, fold
from paper.evidence.facts import Facts
from paper.reading.branches import parsed_paper
from paper.truth.told import NONE_JUDGED, Told, Verdicts, passages, to_judge
from tests.support import ROOT
from tests.support.dice import Dice, options

BLOCK = re.compile(
    r"^(\S+)\n```\w*\n<<<<<<< SEARCH\n(.*?)^=======\n(.*?)^>>>>>>> REPLACE\n```$", re.DOTALL | re.MULTILINE
)
PASSES = ("write-1", "write-2", "polish", "support", "judge")  # before the paper is compiled for the first time
UNCHANGED = "\n\nNO CHANGE\n"
IDEA = "hierarchical_sae"  # the idea of all shipped recordings


def edited(texts: Mapping[str, str], reply: str, missing: str | None = None) -> dict[str, str]:
    """The files after the blocks of a reply. Asserts that each SEARCH is whole lines and occurs once in its file."""
    found, after = BLOCK.findall(reply), dict(texts)
    assert found and reply.count("<<<<<<< SEARCH") == len(found)
    for name, search, replace in found:
        text = after.get(name, missing)
        assert text is not None and search.strip()
        assert ("\n" + text).count("\n" + search) == 1, search
        after[name] = ("\n" + text).replace("\n" + search, "\n" + replace)[1:]
    return after


def section_of(file: str) -> str:
    """The section that a file of repo/paper/sections holds."""
    return PurePosixPath(file).stem


class Recording:
    """The recording of a template, in its folder playback. `planted`: (step, stage) of edits meant to fail."""

    def __init__(self, template: str, planted: frozenset[tuple[str, str]] = frozenset()) -> None:
        self.folder, self.planted = ROOT / "templates" / template, planted
        self.template = load_template(self.folder)
        self.manifest = self.template.manifest
        self.profile = self.manifest.profiles[self.manifest.default_profile]
        self.idea = find_idea(IDEA, ROOT / "ideas")
        self.replies = {
            path.name.removesuffix(".1.md"): path.read_text(encoding="utf-8")
            for path in sorted((self.folder / "playback" / IDEA).glob("*.md"))
        }
        self.options = tomllib.loads((self.folder / "playback" / IDEA / RECORDED_WITH).read_text(encoding="utf-8"))
        names = self.options["baselines"].split(",")
        self.baselines = tuple(b for name in names for b in self.manifest.baselines if b.name == name)

    def answer(self, step: str, form: type) -> Any:
        return parse(self.replies[step], form)

    @cached_property
    def plan(self) -> Plan:
        return self.answer("plan", Plan)

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """Every step that asks a model, in the order of the recorded session."""
        recorded, steps = Recorded(self), []
        chosen = options(baselines=tuple(b.name for b in self.baselines), runs=self.options["runs"])
        session = fold([ev.SessionStarted(at=0.0, session="s", idea=self.idea, options=chosen)])
        while action := policy.next_action(session):
            steps += self.steps_of(action)
            session = apply(session, recorded.answer(action, session))
        return tuple(steps)

    def steps_of(self, action: policy.Action) -> list[str]:
        """The steps under which an action asks a model."""
        match action:
            case policy.CheckNovelty():
                return [f"novelty.round-{action.round}"]
            case policy.SeekCitations():
                return [f"citations.round-{action.round}.missing"]
            case policy.ChooseCitations():
                return [f"citations.round-{action.round}.choose"]
            case policy.CheckSupport():
                return [step for step in (f"support.round-{action.round}",) if step in self.replies]
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
            case policy.WriteSections():
                return [f"paper.{name_of_pass(action)}"]
            case policy.JudgeSentences():
                return [f"judge.round-{action.round}"]
            case policy.ReviewPaper():
                return [f"review-{action.number}"]
            case policy.MetaReview():
                return ["review.meta"]
        return []

    # ---------------------------------------------------------------- code and text

    @cached_property
    def codes(self) -> dict[str, str]:
        """experiment.py after each edit, by step, and after each run, by the run's name."""
        code = {"baseline": (self.folder / "experiment.py").read_text(encoding="utf-8")}
        for step in (s for s in self.asked if re.match(r"run-\d\.edit-", s)):
            run, attempt = self.plan.runs[int(step[4]) - 1], int(step.rpartition("-")[2])
            before = code[run.start_from] if attempt == 1 else code[f"run-{step[4]}.edit-{attempt - 1}"]
            code[step] = code[run.name] = edited({"experiment.py": before}, self.replies[step])["experiment.py"]
        return code

    @cached_property
    def before_support(self) -> dict[str, str]:
        """The sections when their citations are compared with the cited works."""
        return self._after(PASSES[:-2])

    def before_judging(self, round: int) -> dict[str, str]:
        """The sections when the judge reads them for the first or the second time."""
        return self._after(PASSES[: len(PASSES) - (round == 1)])

    def _after(self, passes: Sequence[str]) -> dict[str, str]:
        return [state for step, state in self.manuscripts if step.removeprefix("paper.") in passes][-1]

    def told(self, round: int) -> tuple[Told, ...]:
        """The sentences that the judge numbers in a round."""
        facts = self.facts(np.random.default_rng(0), {run[2]: 0.5 for run in self.runs})
        names = [t.name for t in to_judge(passages(parsed_paper(self.before_judging(1), facts), facts), NONE_JUDGED)]
        read = Verdicts(frozenset(names)) if round > 1 else NONE_JUDGED
        return to_judge(passages(parsed_paper(self.before_judging(round), facts), facts), read)

    @cached_property
    def manuscripts(self) -> list[tuple[str, dict[str, str]]]:
        """The sections as they stand after each step of the write-up that changes one."""
        files: dict[str, str] = {}
        states = []
        for step in (s for s in self.asked if s.startswith("paper.") and not self.replies[s].endswith(UNCHANGED)):
            files = edited(files, self.replies[step], SKELETON)
            states.append((step, {section_of(file): text for file, text in files.items()}))
        return states

    # ---------------------------------------------------------------- invented records

    @cached_property
    def runs(self) -> list[tuple[str, str, str, str]]:
        """Run, kind, name and label of every run before the confirmation."""
        baselines = [
            ("0" if i == 0 else f"0.{b.name}", "baseline", b.name, b.label) for i, b in enumerate(self.baselines)
        ]
        return baselines + [
            (str(i), "experiment", run.name, run.label) for i, run in enumerate(self.plan.runs, start=1)
        ]

    def facts(self, draw: np.random.Generator, means: Mapping[str, float], arms: str = "") -> Facts:
        """Invented records of the whole session around these means of the primary metric.

        `arms`: how the confirmation ends (better, worse, failed ...); "" for a session without one.
        """
        records = [self._record(draw, means, *run) for run in self.runs]
        if arms:
            ours = Facts(records, self.manifest, self.manifest.default_profile).record("ours")
            first = self.baselines[0]
            sign = 1 if self.manifest.metrics[self.manifest.primary].better == "higher" else -1
            shifted = {**means, ours.name: means[first.name] + sign * {"better": 0.2, "worse": -0.2}.get(arms, 0.0)}
            records.append(self._record(draw, shifted, "confirm.baseline", "confirmation", first.name, first.label))
            records.append(
                self._record(
                    draw, shifted, "confirm.best", "confirmation", ours.name, ours.label, failed=arms == "failed"
                )
            )
        return Facts(records, self.manifest, self.manifest.default_profile)

    def _record(
        self,
        draw: np.random.Generator,
        means: Mapping[str, float],
        run: str,
        kind: str,
        name: str,
        label: str,
        *,
        failed: bool = False,
    ) -> RunRecord:
        """One invented record around the run's value."""
        confirms = kind == "confirmation"
        seeds = tuple(range(100, 105)) if confirms else self.profile.seeds
        condition = self.profile.conditions[0].name
        trainings = tuple(
            Training(
                seed=seed,
                condition=condition,
                outcome="measured",
                diagnostics=self._diagnostics(name, draw),
                curves={"step": (1.0, 100.0, 200.0), "loss": (1500.0, 200.0 * draw.uniform(0.5, 2.0), 60.0)},
                wall_s=20.0,
                metrics={
                    metric: draw.uniform(0.05, 0.95) if spec.target is None else draw.uniform(0.7, 1.4) * spec.target
                    for metric, spec in self.manifest.metrics.items()
                }
                | {self.manifest.primary: means[name] + 0.01 * draw.standard_normal()},
            )
            for seed in seeds
        )
        return RunRecord(
            run=run,
            kind=kind,
            name=name,
            label=label,
            about="Tries something.",
            parent=self._parent(kind, name),
            attempts=1,
            status="failed" if failed else "measured",
            commit="c" * 40,
            tree="t" * 40,
            template=self.manifest.name,
            profile=self.manifest.default_profile,
            settings=self.profile.settings,
            seeds=seeds,
            conditions=self.profile.conditions,
            trainings=() if failed else trainings,
            findings=(),
            started_at=0.0,
            wall_s=1.0,
            device="cpu: 2 cores",
            versions={},
            sandbox="bwrap",
            hashes={"data/activations.npy": ("1" if confirms else "0") * 64},
            factors=next((r.factors for r in self.plan.runs if r.name == name), ()),
        )

    def _parent(self, kind: str, name: str) -> str | None:
        """The run whose code a planned run starts from (by default the first baseline), or a confirmation repeats."""
        numbers = {run: number for number, _, run, _ in self.runs}
        if kind == "confirmation":
            return numbers[name]
        start = next((run.start_from for run in self.plan.runs if run.name == name), None)
        return start and numbers.get(start, "0")

    def _diagnostics(self, name: str, draw: np.random.Generator) -> dict[str, float]:
        """Invented values of the diagnostics that the paper prints and that this run's code reports."""
        own = [b.file for b in self.manifest.baselines if b.name == name]
        code = (self.folder / own[0]).read_text() if own else self.codes[name]
        return {key: draw.uniform(0, 1) for key in sorted(self.reported) if f'"{key}"' in code}

    @cached_property
    def reported(self) -> tuple[str, ...]:
        """The names of the diagnostics that the paper prints."""
        found = {}
        for reply in self.replies.values():
            found |= dict.fromkeys(re.findall(r'diagnostic\("\w+", "(\w+)"\)', reply))
            for listed in re.findall(r'reported\("\w+", \[(.*?)\]', reply, flags=re.DOTALL):
                found |= dict.fromkeys(re.findall(r'"(\w+)"', listed))
        return tuple(found)


class Recorded(Dice):
    """Answers every action as in the recorded session: planted edits fail, and everything else succeeds."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(lambda _: 0)
        self.recording = recording

    def answer(self, action: policy.Action, session: Session) -> ev.Event:
        said = self.recording.answer
        match action:
            case policy.CheckNovelty():
                word = said(f"novelty.round-{action.round}", NoveltyAnswer)
                return ev.NoveltyChecked(
                    at=1.0,
                    round=action.round,
                    searched=(),
                    sources=(),
                    queries=word.queries,
                    verdict=word.verdict,
                    closest=word.closest,
                    reason=word.reason,
                    commit=None,
                )
            case policy.SeekCitations():
                missing = said(f"citations.round-{action.round}.missing", MissingAnswer).missing
                return ev.CitationsSought(at=1.0, round=action.round, missing=missing, sources=())
            case policy.ChooseCitations():
                chosen = said(f"citations.round-{action.round}.choose", ChosenAnswer).chosen
                return ev.CitationsChosen(at=1.0, round=action.round, chosen=chosen, refused=(), commit="c")
            case policy.CheckSupport():
                refused = tuple(
                    Unsupported(section=section_of(file), sentence="s", key="k", why="w")
                    for file, *_ in BLOCK.findall(self.recording.replies.get("paper.support", ""))
                    if action.round == 1
                )
                return ev.SupportChecked(at=1.0, round=action.round, judged=(), unsupported=refused)
            case policy.MakePlan():
                return ev.Planned(at=1.0, plan=self.recording.plan, commit="c")
            case policy.EditRun():
                return ev.Edited(at=1.0, run=action.run, attempt=action.attempt, commit="c")
            case policy.LintRun():
                if self._planted(action, "lint"):
                    return self.failure(1.0, action.run, action.attempt, "lint")
                return ev.LintPassed(at=1.0, run=action.run, attempt=action.attempt)
            case policy.CollectRun():
                if self._planted(action, "training"):
                    return self.failure(1.0, action.run, action.attempt, "training")
                return ev.RunMeasured(
                    at=1.0,
                    run=action.run,
                    attempt=action.attempt,
                    record_sha256="s",
                    primary=0.5,
                    wall_s=1.0,
                    flags=(),
                    code="c",
                    commit="c",
                )
            case policy.Reflect():
                reflection = said(f"run-{action.run}.reflect", Reflection)
                return ev.Reflected(at=1.0, run=action.run, reflection=reflection, commit="c")
            case policy.EditPlot():
                return ev.PlotEdited(at=1.0, attempt=action.attempt, commit="c")
            case policy.RunPlot():
                figure = FigureText(name="agent-tiers", file="f.pdf", caption="f", description="", by="agent")
                return ev.FiguresDrawn(at=1.0, figures=(figure,), by="agent", commit="c")
            case policy.WriteSections():
                return ev.SectionsWritten(
                    at=1.0,
                    sections=dict.fromkeys(action.sections, 0),
                    phase=action.phase,
                    round=action.round,
                    revision=action.revision,
                    refused="",
                    commit="c",
                )
            case policy.JudgeSentences():
                sections = [
                    section_of(file) for file, *_ in BLOCK.findall(self.recording.replies.get("paper.judge", ""))
                ]
                refused = tuple(
                    Refusal(name="n", section=section, sentence="s", kind="contradiction", why="w")
                    for section in (sections if action.round == 1 else ())
                )
                return ev.SentencesJudged(
                    at=1.0, round=action.round, model="playback", judged=(), refused=refused, failed=""
                )
            case policy.CompilePaper():
                return ev.Compiled(
                    at=1.0, round=action.round, ok=True, pages=9, problems=(), dropped=(), broken=(), commit="c"
                )
        return super().answer(action, session)

    def _planted(self, action: Any, stage: str) -> bool:
        return (f"run-{action.run}.edit-{action.attempt}", stage) in self.recording.planted
