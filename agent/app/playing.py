"""Plays a session for a person at a terminal, and says how it ended: in a few lines and in the exit status."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agent.actions.runs import listed
from agent.actions.waiting import cancel, running_jobs
from agent.app.exits import BUDGET, DONE, INFRASTRUCTURE, INTERRUPTED, NO_PDF, Terminated
from agent.app.names import command, launcher
from agent.core.errors import BudgetSpent, InfrastructureError, UserError
from agent.core.options import DEFAULT_TEMPLATE, Options
from agent.core.paths import SessionPaths
from agent.core.program import short
from agent.core.record import Job
from agent.llm.playback import PlaybackModel
from agent.loop import play
from agent.publishing.records import session_facts
from agent.publishing.review.page import summary
from agent.session.session import Session, missing_pdf
from agent.session.tools import Tools
from paper.evidence.confirmed import confirmation


def opening_words(paths: SessionPaths) -> str:
    """The session's name, and where to look while it runs."""
    return "\n".join(
        [
            f"Session {paths.root.name}",
            f"  Watch it    {command('--follow', paths.root)}   (in another terminal; a part of the name is enough)",
            f"  Stop it     Ctrl-C, or {command('--stop', paths.root)}; nothing is lost",
            f"  Its files   {short(paths.root)}   (session.log has every line)",
        ]
    )


def play_session(tools: Tools) -> int:
    """Plays the session to its end or a stop, prints why it stopped, and returns the exit status."""
    resume = command("--resume", tools.paths.root)
    if told := _asked_at(tools.session.options):
        tools.say(told)
    try:
        stop = play(tools)
    except BudgetSpent as error:
        tools.journal.stopped = str(error)
        tools.console.conclude(f"Stopped: {error}. Nothing is lost; go on with a higher bound: {resume}")
        return BUDGET
    except InfrastructureError as error:
        tools.journal.stopped = str(error)
        tools.console.conclude(f"Stopped: {error}\n{_what_goes_on(tools)}Nothing is lost; go on with: {resume}")
        return INFRASTRUCTURE
    except KeyboardInterrupt as stop_asked:
        return _interrupted(tools, running_jobs(tools), resume, again=not isinstance(stop_asked, Terminated))
    if stop is not None:
        tools.console.conclude(
            f"Stopped after {stop.after}, as asked. Go on with: {resume} (add --stop-after to stop again)"
        )
        return DONE
    _closing_words(tools)
    return _strict_end(tools) or (NO_PDF if missing_pdf(tools.session) else DONE)


def _asked_at(options: Options) -> str:
    """Which servers get the session's prompts; "" if they are the providers' own, or a recording answers."""
    if options.playback:
        return ""
    if options.api_base:
        return f"Models are asked at {options.api_base} (--api-base)"
    places = [f"{server} ({name})" for name, server in options.addresses.items()]
    return f"Models are asked at {', '.join(places)}" if places else ""


def _strict_end(tools: Tools) -> int:
    """The exit status of a playback: an error if replies of the recording were not used.

    A reply that is left over means that the session took another way than the recorded one.
    """
    session = tools.session
    if not session.options.playback:
        return DONE
    over = PlaybackModel(Path(session.options.playback)).leftover(set(session.calls))
    if over:
        tools.console.conclude(
            f"playback: these replies were not used: {', '.join(over)}. The session took another way than the recorded "
            "one (another number of runs or attempts?)"
        )
    return INFRASTRUCTURE if over else DONE


def _in_background(jobs: Sequence[Job]) -> str:
    several = len(jobs) > 1
    runs = f"runs {listed([job.run for job in jobs])}" if several else f"run {jobs[0].run}"
    who = f"The trainings of {runs} go" if several else f"The training of {runs} goes"
    return f"{who} on in the background and will be found again."


def _what_goes_on(tools: Tools) -> str:
    """A line about the trainings that outlive a session which stops for a fault, with its line end; "" for none."""
    try:
        jobs = running_jobs(tools)
    except (InfrastructureError, UserError, OSError):  # what stopped the session may stop this too
        return ""
    return f"{_in_background(jobs)}\n" if jobs else ""


def _interrupted(tools: Tools, jobs: Sequence[Job], resume: str, *, again: bool) -> int:
    """Prints which trainings continue. If `again`, waits a few seconds for a second Ctrl-C, which cancels them."""
    tools.console.conclude(f"Stopped. Go on with: {resume}")
    if not jobs:
        return INTERRUPTED
    told = _in_background(jobs)
    if not again:
        tools.console.conclude(told)
        return INTERRUPTED
    try:
        tools.console.conclude(f"{told} Ctrl-C once more within 5 s cancels {'them' if len(jobs) > 1 else 'it'}.")
        time.sleep(5)
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):  # a third Ctrl-C ends the wait for the cancelled trainings
            for job in jobs:
                cancel(job, tools)
    return INTERRUPTED


def _closing_words(tools: Tools) -> None:
    session, paths = tools.session, tools.paths
    pdf = paths.repo / "paper" / "paper.pdf"
    if reason := missing_pdf(session):
        lines = [
            "The paper has no PDF; everything else is done.",
            f"  TeX says    {reason}",
            f"  Paper       {short(pdf.with_suffix('.tex'))} (after a repair there: latexmk -pdf paper.tex)",
        ]
    else:
        lines = ["Done.", f"  Result      {confirmation(session_facts(tools)).text}"]
        if pdf.exists() and session.compiled:
            lines.append(f"  Paper       {short(pdf)} ({session.compiled.pages} pages)")
    lines += [
        f"  Repository  {short(paths.repo)}   (git -C {short(paths.repo)} log --oneline)",
        f"  Data        {short(paths.runs)}, records in {short(paths.repo / 'records')}",
        f"  Review      {short(paths.repo / 'review' / 'review.md')} ({summary(session.judging, session.judgements)})",
        f"  Look at it  {command('--page', paths.root)}   (one file for a browser; --serve shows all sessions)",
        f"  Check it    {command('--verify', paths.root)}   (every number again, from the repository alone)",
    ]
    if next(paths.runs.glob("*/*/trainings/*/export"), None):
        lines.append(f"  SAEs        {short(paths.runs)}/*/*/trainings/*/export (each says how to load it)")
    if session.compiled and session.compiled.dropped:
        lines.append(f"  {len(session.compiled.dropped)} passages were cut from the paper; its appendix lists them")
    if read := [event for event in session.judgements if event.judged]:
        judged, refused = sum(len(event.judged) for event in read), len(session.refusals)
        missed = "; some were not judged and print with a mark" if any(e.failed for e in session.judgements) else ""
        words = f"{judged} told in words, over all drafts, were judged by {read[0].model}, {refused} refused{missed}"
        lines.append(f"  Sentences   {words}")
    if session.options.playback:
        lines += [
            "The words of this session were played back from a recording; the trainings and all measured",
            "numbers are this machine's, made just now. With a real model:",
            f"  ANTHROPIC_API_KEY=... {launcher()} {_what(session, paths)} --model anthropic/claude-sonnet-4-5",
        ]
    tools.console.conclude("\n".join(lines))


def _what(session: Session, paths: SessionPaths) -> str:
    """The options that name the same idea and template; an idea that is not shipped is named by its file."""
    template = Path(session.options.template)
    shipped = Path(session.options.playback or "").is_relative_to(template)
    idea = session.idea.Name if shipped else short(paths.repo / "idea.json")
    return f"--idea {idea}" + ("" if template.name == DEFAULT_TEMPLATE else f" --template {short(template)}")
