"""The paper: sections written, refined and checked, then rendered and compiled."""

from __future__ import annotations

from typing import Any

from agent.llm.prompting import render
from agent.publishing.manuscript import Manuscript, edition, section_file
from agent.publishing.review.page import usable
from agent.publishing.signatures import PAPER, commit_signed
from agent.session.action import CompilePaper, WriteSection
from agent.session.events import Compiled, SectionWritten
from agent.session.policy import MEND_ROUNDS
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.press.account import FILE as ACCOUNT

NO_CHANGE = "NO CHANGE"  # a writer's words for a section that is to stay as it is
SKELETON = "Nothing is written here yet.\n"


def write_section(action: WriteSection, tools: Tools) -> SectionWritten:
    """One pass over one section: its first version, a refinement, or the mending of what the checks refuse."""
    file = section_file(action.section)
    phase = f"{action.phase}-{action.revision}" if action.revision else action.phase
    trailers = {"Section": action.section, "Phase": phase, "Round": str(action.round), "Event": "section"}
    tools.versions.reset(tools.versions.base(trailers))
    path = tools.paths.repo / file
    if not path.is_file():
        write_text(path, SKELETON)
    manuscript = Manuscript(tools)
    mending = f"-mend-{action.round}" if action.round else ""
    step = f"paper.{action.section}.{phase}{mending}"
    result = tools.coder.edit(tools.paths.repo, [file], _prompt(action, manuscript, tools), step=step, role="writer")
    may_keep = action.phase != "write" or action.round > 0
    kept = result.refused == "no-change" or (result.refused == "no-block" and NO_CHANGE in result.reply)
    refused = "" if may_keep and kept else result.refused
    empty = path.read_text() == SKELETON
    found = manuscript.complaints(action.section)
    sent_back = {"told-refused", *(["unsupported-citation"] if action.phase == "support" else [])}
    found = [c for c in found if c.code not in sent_back]  # once, in a pass of its own: what stays as it was is cut
    complaints = len(found) + empty
    title = action.section.replace("_", " ")
    commit = tools.versions.commit(
        [file], f"paper: {title}: {phase}{f', mended ({action.round})' if action.round else ''}", trailers
    )
    said = f", {complaints} refused by the checks" if complaints else ""
    tools.say(f"Paper: {title}: {phase}{mending}{said}{f' ({refused})' if refused else ''}")
    return SectionWritten(
        at=tools.now,
        section=action.section,
        phase=action.phase,
        round=action.round,
        revision=action.revision,
        refused=refused,
        complaints=complaints,
        commit=commit,
    )


def compile_paper(action: CompilePaper, tools: Tools) -> Compiled:
    """Render the sections and compile; a piece that does not compile is dropped in the next round."""
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
    for text in built.dropped:
        tools.say(f"  cut from the paper: {text}")
    for text in built.problems:
        tools.say(f"  compile: {text}")
    for text in built.findings:
        tools.say(f"  pages: {text}")
    answers = not tools.session.options.playback  # a recording cannot answer for the pages of this machine
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


def _prompt(action: WriteSection, manuscript: Manuscript, tools: Tools) -> str:
    file = section_file(action.section)
    rules = manuscript.rules(action.section)
    if action.round:
        state = tools.session.sections[action.section]
        return render(
            "section_mend",
            file=file,
            complaints=manuscript.complaints(action.section)[:12],
            refused="" if state.complaints else "it held no usable block",
            rounds_left=MEND_ROUNDS - action.round,
            **rules,
        )
    if action.phase == "cite":
        works = {c.key: c for c in tools.session.to_cite if c.section == action.section}
        return render(
            "section_cite",
            file=file,
            chosen=[(e, works[e.key].reason) for e in manuscript.library.entries(works)],
            **rules,
        )
    if action.phase == "support":
        return render(
            "section_support",
            file=file,
            **rules,
            complaints=[c for c in manuscript.complaints(action.section) if c.code == "unsupported-citation"],
            works=manuscript.library.entries({u.key for u in tools.session.unsupported if u.section == action.section}),
        )
    if action.phase == "typeset":
        returned = [text for name, text in tools.session.returned if name == action.section]
        return render("section_typeset", file=file, returned=returned, **rules)
    if action.phase != "write":
        return _rewriting(action, file, manuscript, tools, rules)
    first, chosen = manuscript.facts.measured[0], manuscript.facts.described
    return render(
        "section_write",
        section=action.section,
        file=file,
        idea=tools.session.idea,
        manifest=tools.template.manifest,
        plan=tools.session.plan,
        best=chosen,
        notes=(tools.paths.repo / "notes.txt").read_text(),
        diff=tools.versions.diff(first.commit, chosen.commit, tools.template.manifest.editable),
        **rules,
    )


def _rewriting(action: WriteSection, file: str, manuscript: Manuscript, tools: Tools, rules: dict[str, Any]) -> str:
    """The prompt of a pass over a section that is written."""
    others = "\n\n".join(f"[{name}]\n{text}" for name, text in manuscript.sections().items() if name != action.section)
    judging = tools.session.judging
    if action.phase == "judge":
        refusals = [refusal for refusal in tools.session.refusals if refusal.section == action.section]
        return render("section_judged", file=file, refusals=refusals, **rules)
    if action.phase == "improve":
        before = judging.best or judging  # the first section of a revision is what begins it
        words = before.meta.words if before.meta else None
        return render("section_improve", file=file, others=others, meta=words, reviews=usable(before.reviews), **rules)
    return render("section_refine", file=file, phase=action.phase, others=others, **rules)
