"""Which passages would print? The checks of form for each alone, a judge over papers in which they stand together."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agent.actions.judge import JudgeAnswer, complaint, shown
from agent.core.exchange import Message
from agent.core.ideas import find_idea
from agent.core.plan import Plan
from agent.core.protocols import Ask
from agent.core.record import RunRecord
from agent.literature.library import shipped_library
from agent.llm.answers import ask_json
from agent.llm.prompting import render
from agent.publishing.review import evidence
from paper.pictures.figures import Figure
from paper.press import tables
from paper.reading.branches import parsed_paper
from paper.truth.checks import check
from paper.truth.told import NONE_JUDGED, Told, passages, to_judge
from tests.suites.truth import facts as session
from tests.suites.truth.corpus import Passage
from tests.support import ROOT

WHOLE = ("comparison-not-first", "guards-not-shown", "untold-run", "duplicate-label", "empty-section")
TOGETHER = 24  # passages in one paper
LIBRARY = shipped_library()


@dataclass(frozen=True)
class Case:
    """A passage, whether it is a lie, and what refused it ("" so far: it would print)."""

    passage: Passage
    lie: bool
    refused: str = ""


def by_form(case: Case) -> Case:
    """The checks that need no model."""
    facts, section, text = session.facts(), case.passage.section, case.passage.text
    if section == "title" and not text.startswith("# "):
        text = f"# A Question About Dictionaries\n\n{text}"
    found = check({section: text}, facts, tuple(session.FIGURES), tables.names(facts), LIBRARY, source=session.CODE)
    codes = [f"{c.code} ({c.literal})" for c in found if c.section == section and c.code not in WHOLE]
    return replace(case, refused=codes[0] if codes else "")


def by_judge(cases: Sequence[Case], ask: Ask, seed: int) -> Iterator[Case]:
    """A judge over those that no check of form refused, lies and honest passages mixed in papers of some length."""
    order = list(cases)
    random.Random(seed).shuffle(order)
    for number, start in enumerate(range(0, len(order), TOGETHER), start=1):
        yield from _paper(order[start : start + TOGETHER], ask, number)


def _paper(cases: Sequence[Case], ask: Ask, number: int) -> Iterator[Case]:
    sections: dict[str, str] = {}
    for case in cases:
        sections[case.passage.section] = f"{sections.get(case.passage.section, '')}{_body(case)}\n\n"
    facts = session.facts()
    found = passages(parsed_paper(sections, facts), facts)
    waiting = to_judge(found, NONE_JUDGED)
    numbered = {told.name: n for n, told in enumerate(waiting, start=1)}
    prompt = render("judge", passages=shown(found, numbered), **material())
    conversation = [Message("system", render("system_reviewer")), Message("user", prompt)]
    answer = ask_json(
        ask, f"judge-{number}", "reviewer", conversation, JudgeAnswer, accept=lambda a: complaint(a, len(numbered))
    )
    refused = {r.n: f"{r.kind}: {r.why}" for r in answer.refused}
    for case in cases:
        mine = [numbered[told.name] for told in _sentences(case, waiting)]
        yield replace(case, refused=next((refused[n] for n in mine if n in refused), ""))


def _body(case: Case) -> str:
    """A title among others of one paper is a heading."""
    return case.passage.text.replace("# ", "## ", 1) if case.passage.text.startswith("# ") else case.passage.text


def _sentences(case: Case, waiting: Sequence[Told]) -> list[Told]:
    parsed = parsed_paper({case.passage.section: _body(case)}, session.facts())
    own = {t.source for p in passages(parsed, session.facts()) for t in p.sentences}
    return [t for t in waiting if t.section == case.passage.section and t.source in own]


def material() -> dict[str, object]:
    """What the judge of a session is shown, for the session that the passages speak of."""
    facts = session.facts()
    runs = tuple(
        evidence.RunEvidence(r.run, evidence.head(r), tuple(evidence.lines(r, (), facts)), "", _diff(r))
        for r in facts.records
    )
    figures = [
        Figure(name=name, file=session.TEMPLATE.folder, caption=shows, description="", by="runner", width=1.0)
        for name, shows in session.FIGURES.items()
    ]
    return {
        "idea": find_idea("hierarchical_sae", ROOT / "ideas"),
        "manifest": facts.manifest,
        "plan": Plan.model_validate_json((session.FOLDER / "plan.json").read_text(encoding="utf-8")),
        "evidence": evidence.Evidence(runs, evidence.settings(facts)),
        "order": evidence.order(facts, facts),
        "described": facts.described,
        "code": session.CODE,
        "figures": figures,
        "tables": tables.names(facts),
    }


def _diff(record: RunRecord) -> str:
    """What the run changed of the one it started from; empty where nothing was changed, or kept."""
    kept = session.FOLDER / f"{record.name}.diff"
    return kept.read_text(encoding="utf-8") if record.kind == "experiment" and kept.exists() else ""
