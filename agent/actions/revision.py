"""A revision after the review: it must pass the truth checks, then it is reviewed, and the better version is kept."""

from __future__ import annotations

from collections.abc import Iterator

from agent.actions.review import write_pages
from agent.core.writing import WRITING_ORDER
from agent.publishing.manuscript import section_file
from agent.session.action import CheckRevision, JudgeRevision
from agent.session.events import Compiled, RevisionChecked, RevisionJudged
from agent.session.judging import Best, Judging
from agent.session.tools import Tools

GROWTH = 1  # pages that a revision may add


def check_revision(action: CheckRevision, tools: Tools) -> RevisionChecked:
    """Whether a revision may be reviewed: it must change something, verify, compile, and be no worse by the checks."""
    tools.versions.reset(tools.versions.head())
    best, compiled = tools.session.judging.best, tools.session.compiled
    failed = tuple(_worse(best, compiled, tools)) if best and compiled else ("there is nothing to compare it with",)
    for reason in failed:
        tools.say(f"Revision {action.revision}: {reason}")
    return RevisionChecked(at=tools.now, revision=action.revision, failed=failed)


def judge_revision(action: JudgeRevision, tools: Tools) -> RevisionJudged:
    """Keep the version whose reviews have the higher mean; of two equal ones, the old one."""
    judging = tools.session.judging
    kept, reason = verdict(judging)
    trailers = {"Event": "judged", "Revision": str(action.revision)}
    tools.versions.reset(tools.versions.base(trailers))
    files = [section_file(name) for name in WRITING_ORDER]
    if not kept and judging.best:
        tools.versions.restore(judging.best.compiled.commit, files)
    event = RevisionJudged(at=tools.now, revision=action.revision, kept=kept, reason=reason, commit="")
    files += write_pages(tools, judging.apply(event))
    done = "kept" if kept else "put back"
    commit = tools.versions.commit(files, f"revision {action.revision}: {done}: {reason}", trailers)
    tools.say(f"Revision {action.revision}: {done}: {reason}")
    return event.model_copy(update={"commit": commit})


def verdict(judging: Judging) -> tuple[bool, str]:
    """Whether the revision is better than the version before it, and the reason in words."""
    if judging.checked and judging.checked.failed:
        return False, judging.checked.failed[0]
    old, new = (version.meta.overall if version and version.meta else None for version in (judging.best, judging))
    if old is None or new is None:
        return False, "no reviewer gave a usable answer on it"
    said = f"the reviews' mean went from {old:.1f} to {new:.1f}"
    return new > old, said if new != old else f"the reviews' mean stayed at {old:.1f}"


def _worse(best: Best, compiled: Compiled, tools: Tools) -> Iterator[str]:
    """In what the revision is worse than the version before it, a clause each."""
    files = [section_file(name) for name in WRITING_ORDER]
    if not tools.versions.diff(best.compiled.commit, tools.versions.head(), files).strip():
        yield "it changes nothing"
        return
    now = sum(state.complaints for state in tools.session.sections.values())
    if now > best.complaints:
        yield f"the truth checks refuse {now} passages, {best.complaints} before"
    if len(compiled.dropped) > len(best.compiled.dropped):
        yield f"{len(compiled.dropped)} passages are cut from it, {len(best.compiled.dropped)} before"
    if best.compiled.ok and not compiled.ok:
        yield "it does not compile cleanly"
    if len(compiled.findings) > len(best.compiled.findings):
        yield f"its pages have {len(compiled.findings)} faults, {len(best.compiled.findings)} before"
    if compiled.pages > best.compiled.pages + GROWTH:
        yield f"it has {compiled.pages} pages, {best.compiled.pages} before"
    yield from _unverified(tools)


def _unverified(tools: Tools) -> Iterator[str]:
    """The first problem that verifying the repository would report, if there is one."""
    from agent.publishing.verify.command import examine
    from agent.publishing.verify.rendering import Makers
    from agent.publishing.verify.subject import Report, Subject

    repo = tools.paths.repo
    report = Report()
    examine(Subject(repo / ".git", repo), report, Makers(compile=lambda folder: None))
    if report.problems:
        first = report.problems[0]
        yield f"{report.verified} of {report.numbers} numbers are verified ({first.where}: {first.what})"
