"""The paper: the writer drafts and revises its sections, repairs what the checks refuse, and the runner compiles it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping

from agent.actions.runs import shown_code
from agent.core.writing import DRAFTS, WRITING_ORDER, SectionPhase
from agent.llm.prompting import render
from agent.publishing.manuscript import Manuscript, edition, section_file
from agent.publishing.review.page import usable
from agent.publishing.signatures import PAPER, commit_signed
from agent.session.action import CompilePaper, WriteSections
from agent.session.events import Compiled, SectionsWritten
from agent.session.policy import MEND_ROUNDS
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.press.account import FILE as ACCOUNT

NO_CHANGE = "NO CHANGE"  # what the writer answers if a section is to stay as it is
SKELETON = "Nothing is written here yet.\n"
SENT_BACK = "told-refused"  # the pass "judge" sends these back to the writer once; what is not changed is cut
COMPLAINTS = 24  # how many refused passages a prompt for repairs lists


def write_sections(action: WriteSections, tools: Tools) -> SectionsWritten:
    """One conversation of the writer: first versions, a pass over the whole paper, or repairs of refused passages."""
    files = {name: section_file(name) for name in action.sections}
    called = name_of_pass(action)
    trailers = {"Sections": " ".join(files), "Phase": called, "Event": "section"}
    tools.versions.reset(tools.versions.base(trailers))
    for path in (tools.paths.repo / file for file in files.values()):
        if not path.is_file():
            write_text(path, SKELETON)
    manuscript = Manuscript(tools)
    result = tools.coder.edit(
        tools.paths.repo,
        list(files.values()),
        _instruction(action, manuscript, tools),
        step=f"paper.{called}",
        role="writer",
        read_only=_written_before(action, tools),
        briefing=manuscript.briefing() if _whole(action, tools) else "",
    )
    may_keep = action.phase != "write" or action.round > 0
    kept = result.refused == "no-change" or (result.refused == "no-block" and NO_CHANGE in result.reply)
    refused = "" if may_keep and kept else result.refused
    refusals, empty = _refused(manuscript, files, action.phase), _empty(files, tools)
    counts = {name: refusals[name] + (name in empty) for name in files}
    commit = tools.versions.commit(list(files.values()), f"paper: {called}", trailers)
    complaints = sum(counts.values())
    said = f", {complaints} refused by the checks" if complaints else ""
    tools.say(f"Paper: {called}: {', '.join(files).replace('_', ' ')}{said}{f' ({refused})' if refused else ''}")
    return SectionsWritten(
        at=tools.now,
        sections=counts,
        phase=action.phase,
        round=action.round,
        revision=action.revision,
        refused=refused,
        commit=commit,
    )


def name_of_pass(action: WriteSections) -> str:
    """The name of a pass in steps, commits and on the console, e.g. "write-1", "write-results-mend-2", "polish"."""
    first, alone = action.sections[0], len(action.sections) == 1
    part = first if alone else str(next(n for n, names in enumerate(DRAFTS, start=1) if first in names))
    which = {"write": part, "polish": first if alone else "", "improve": str(action.revision)}.get(action.phase, "")
    return action.phase + (f"-{which}" if which else "") + (f"-mend-{action.round}" if action.round else "")


def _empty(files: Mapping[str, str], tools: Tools) -> list[str]:
    """The sections whose file holds nothing but the first placeholder line."""
    return [name for name, file in files.items() if (tools.paths.repo / file).read_text() == SKELETON]


def _refused(manuscript: Manuscript, sections: Iterable[str], phase: SectionPhase) -> Counter[str]:
    """How many passages of each section the checks refuse. Those that a pass of its own repairs are not counted."""
    sent_back = (SENT_BACK, "unsupported-citation") if phase == "support" else (SENT_BACK,)
    return Counter(c.section for c in manuscript.complaints(sections) if c.code not in sent_back)


def _written_before(action: WriteSections, tools: Tools) -> list[str]:
    """The written sections that the writer of further first versions may read, so that words and symbols agree."""
    if action.phase != "write" or action.round or len(action.sections) == 1:
        return []
    written = [section_file(name) for name in WRITING_ORDER if name not in action.sections]
    return [file for file in written if (tools.paths.repo / file).is_file()]


def _whole(action: WriteSections, tools: Tools) -> bool:
    """Whether the writer gets the whole briefing. For repairs, the refused passages and the forms are enough."""
    if action.round:
        return bool(_empty({name: section_file(name) for name in action.sections}, tools))
    return action.phase in ("write", "polish", "improve")


def compile_paper(action: CompilePaper, tools: Tools) -> Compiled:
    """Render the sections and compile the paper. A piece that TeX cannot set is left out in the next round."""
    trailers = {"Round": str(action.round), "Event": "compiled", **edition(tools.session)}
    base = tools.versions.base(trailers)
    tools.versions.reset(base)
    before = tools.session.compiled
    built = Manuscript(tools).build(
        tools.paths.runs / "paper" / f"round-{action.round}",
        base=base,
        broken=before.broken if before else (),
        pdf=tools.session.options.pdf,
    )
    for what, texts in (("cut from the paper", built.dropped), ("compile", built.problems), ("pages", built.findings)):
        for text in texts:
            tools.say(f"  {what}: {text}")
    # In a playback nothing goes back to the writer: recorded replies do not know how this machine breaks pages.
    answers = not tools.session.options.playback
    first = tools.session.judging.draft == 0 and action.round == 0
    returned = built.returned if first and answers else ()
    commit = commit_signed(
        tools,
        PAPER,
        [ACCOUNT],
        built.files,
        "paper: " + (f"compiled, {built.pages} pages" if built.pages else "rendered"),
        trailers,
    )
    tools.versions.tag(f"draft/{tools.session.judging.draft + 1}", commit)
    return Compiled(
        at=tools.now,
        round=action.round,
        ok=built.ok,
        pages=built.pages,
        problems=built.problems,
        dropped=built.dropped,
        broken=built.broken,
        commit=commit,
        findings=built.findings,
        returned=returned,
    )


def _described_code(manuscript: Manuscript, tools: Tools) -> str:
    """The whole code of the described run as a diff: lines that differ from the first baseline's code are marked."""
    before = shown_code(tools, manuscript.facts.measured[0].commit).splitlines()
    after = manuscript.source.splitlines()
    lines = list(difflib.unified_diff(before, after, n=len(before) + len(after), lineterm=""))
    return "\n".join(lines[3:] if lines else after)


def _instruction(action: WriteSections, manuscript: Manuscript, tools: Tools) -> str:
    session = tools.session
    files = {name: section_file(name) for name in action.sections}
    if action.phase == "write" and (empty := _empty(files, tools)):
        return render(
            "paper_write",
            sections=[(name, files[name]) for name in empty],
            manifest=tools.template.manifest,
            best=manuscript.facts.described,
            code=_described_code(manuscript, tools) if "method" in empty else "",
        )
    if action.round:
        found = [(files[c.section], c) for c in manuscript.complaints(files)]
        return render(
            "paper_mend",
            complaints=found[:COMPLAINTS],
            refused="" if found else "it held no usable block",
            rounds_left=MEND_ROUNDS - action.round,
            **manuscript.forms(),
        )
    match action.phase:
        case "support":
            complaints = [c for c in manuscript.complaints(files) if c.code == "unsupported-citation"]
            keys = {u.key for u in session.unsupported if u.section in files}
            works = manuscript.library.entries(keys)
            return render("paper_support", complaints=[(files[c.section], c) for c in complaints], works=works)
        case "judge":
            refusals = [(files[r.section], r) for r in session.refusals if r.section in files]
            return render("paper_judged", refusals=refusals, **manuscript.forms())
        case "typeset":
            returned = [(files[name], text) for name, text in session.returned if name in files]
            return render("paper_typeset", returned=returned, **manuscript.forms())
        case "improve":
            before = session.judging.best or session.judging  # `best` is set once the revision's first pass is written
            words = before.meta.words if before.meta else None
            return render("paper_improve", meta=words, reviews=usable(before.reviews))
    printed = [(name, sentences) for name, sentences in manuscript.filled_in() if name in files]
    return render("paper_polish", printed=printed, words=manuscript.words())
