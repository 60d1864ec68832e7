"""The commands behind launch.py. Catches what a person can meet; prints one line and an exit code for it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from agent.core.errors import BudgetSpent, InfrastructureError, UserError, disk_named
from agent.core.paths import SessionPaths
from agent.storage.workspace import Workspace, new_session_folder

HOME = Path(__file__).resolve().parents[2]  # the checkout
TRUSTED = "its template runs here without walls, its experiments and replies as its log says"
USER_ERROR, INFRASTRUCTURE, BUDGET, INTERRUPTED = 2, 3, 4, 130


def run(args: argparse.Namespace) -> int:
    """Do what the arguments say; the exit status tells how it ended."""
    workspace = Workspace(Path(args.workspace).resolve() if args.workspace else HOME / "workspace")
    try:
        with disk_named():
            return _run(args, workspace)
    except UserError as error:
        print(f"launch.py: {error}", file=sys.stderr)
        return USER_ERROR
    except BudgetSpent as error:
        print(f"launch.py: stopped: {error}", file=sys.stderr)
        return BUDGET
    except InfrastructureError as error:
        print(f"launch.py: {error}", file=sys.stderr)
        return INFRASTRUCTURE
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(args: argparse.Namespace, workspace: Workspace) -> int:
    if args.list:
        from agent.app.listing import show_ideas

        return show_ideas(HOME / "ideas", HOME / "templates", args.template)
    if args.status:
        from agent.app.listing import show_status

        return show_status(workspace)
    if args.follow:
        from agent.app.follow import follow

        return follow(workspace.find(args.follow))
    if args.verify:
        from agent.publishing.verify.command import verify

        return verify(args.verify, workspace, artefacts=args.artefacts, trust=args.trust)
    if args.review:
        from agent.app.review import review

        return review(args)
    if args.bundle:
        from agent.publishing.bundle.bundle import bundle

        return bundle(args.bundle, workspace, Path(args.out) if args.out else Path.cwd())
    if args.generate_ideas:
        from agent.app.generate import generate

        return generate(args, HOME, workspace)
    if args.new_template or args.check_template:
        from agent.app.templates import check, new

        return new(args, HOME) if args.new_template else check(args, HOME, workspace)
    if args.setup_saebench:
        from agent.app.saebench import set_up_here

        return set_up_here(workspace)
    if args.clean:
        from agent.app.listing import clean_cache

        return clean_cache(workspace)
    if args.resume:
        return _resume(args, workspace)
    return _start(args, workspace)


def _start(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app import options as choices
    from agent.app import preflight
    from agent.app.assemble import open_session, system_for

    idea = choices.idea(args, HOME) if args.idea else None
    options = choices.options(args, HOME, idea)
    template = choices.template(options.template, HOME)
    system = system_for(options, args.api_base)
    complaints = preflight.complaints(options, template, system, workspace.root)
    if args.doctor:
        return preflight.report(complaints, options, system, workspace.cache)
    if complaints:
        for complaint in complaints:
            print(f"launch.py: {complaint}", file=sys.stderr)
        print(
            f"launch.py: nothing was started; {len(complaints)} "
            f"{'thing' if len(complaints) == 1 else 'things'} to mend",
            file=sys.stderr,
        )
        return USER_ERROR
    print(preflight.estimate(options, template, system, workspace.cache))
    if args.dry_run:
        return 0
    paths = new_session_folder(workspace, idea.Name)
    with open_session(paths, workspace, system, new=(idea, options)) as tools:
        return play_session(tools, paths)


def _resume(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app import options as choices
    from agent.app import preflight
    from agent.app.assemble import open_session, system_for
    from agent.publishing.verify.trust import ask_for_trust, is_ours
    from agent.session.session import fold
    from agent.storage.log import EventLog

    paths = workspace.find(args.resume)
    if not is_ours(paths):
        ask_for_trust(paths.root.name, TRUSTED, args.trust)
    before = fold(EventLog(paths.events).read())
    if before.options is None:
        raise UserError(f"{paths.root}: its log is empty; start the idea anew")
    options = choices.changed(before.options, args)
    if args.feedback:
        paths.feedback.write_text(args.feedback + "\n", encoding="utf-8")
    system = system_for(options, args.api_base)
    template = choices.template(options.template, HOME)
    complaints = preflight.complaints(options, template, system, workspace.root)
    if complaints:
        raise UserError("; ".join(complaints))
    with open_session(paths, workspace, system, changed=options if options != before.options else None) as tools:
        return play_session(tools, paths)


def play_session(tools, paths: SessionPaths) -> int:
    """Go on to the end or a stop; the exit status, with its reason said in a line."""
    from agent.actions.training import running_job
    from agent.loop import play

    resume = f"python launch.py --resume {paths.root.name}"
    try:
        stop = play(tools)
    except BudgetSpent as error:
        tools.journal.stopped = str(error)
        tools.say(f"Stopped: {error}. Nothing is lost; go on with a higher bound: {resume}")
        return BUDGET
    except InfrastructureError as error:
        tools.journal.stopped = str(error)
        tools.say(f"Stopped: {error}\nNothing is lost; go on with: {resume}")
        return INFRASTRUCTURE
    except KeyboardInterrupt:
        return _interrupted(tools, running_job(tools), resume)
    if stop is not None:
        tools.say(f"Stopped after {stop.after}, as asked. Go on with: {resume} (add --stop-after to stop again)")
        return 0
    _closing_words(tools, paths)
    return _strict_end(tools)


def _strict_end(tools) -> int:
    """A recording must be played to its last reply; one left over means that the session went another way."""
    session = tools.session
    if not session.options.playback:
        return 0
    from agent.llm.playback import PlaybackModel

    over = PlaybackModel(Path(session.options.playback)).leftover(set(session.calls))
    if over:
        tools.say(
            f"playback: nobody asked for {', '.join(over)}; the session went another way than the recording "
            "(another number of runs or attempts?)"
        )
    return INFRASTRUCTURE if over else 0


def _interrupted(tools, job, resume: str) -> int:
    """Say what goes on; a second Ctrl-C within a few seconds ends that too."""
    tools.say(f"Stopped. Go on with: {resume}")
    if job is None:
        return INTERRUPTED
    try:
        tools.say(
            f"The training of run {job.run} goes on in the background and will be found again. "
            "Ctrl-C once more within 5 s cancels it."
        )
        time.sleep(5)
    except KeyboardInterrupt:
        tools.runner.cancel(job)
        tools.say(f"The training of run {job.run} is cancelled; a resume starts it again.")
    return INTERRUPTED


def _closing_words(tools, paths: SessionPaths) -> None:
    from agent.publishing.review.page import summary

    session = tools.session
    pdf = paths.repo / "paper" / "paper.pdf"
    lines = ["", "Done."]
    if pdf.exists():
        lines.append(f"  Paper       {_short(pdf)} ({session.compiled.pages} pages)")
    lines += [
        f"  Repository  {_short(paths.repo)}   (git -C {_short(paths.repo)} log --oneline)",
        f"  Data        {_short(paths.runs)}, records in {_short(paths.repo / 'records')}",
        f"  Review      {_short(paths.repo / 'review' / 'review.md')} ({summary(session.judging)})",
    ]
    if next(paths.runs.glob("*/*/trainings/*/export"), None):
        lines.append(f"  SAEs        {_short(paths.runs)}/*/*/trainings/*/export (each says how to load it)")
    if session.compiled and session.compiled.dropped:
        lines.append(f"  {len(session.compiled.dropped)} passages were cut from the paper; its appendix lists them")
    if session.options.playback:
        lines += [
            "",
            "The words of this session were played back from a recording; the trainings and all measured",
            "numbers are this machine's, made just now. With a real model:",
            f"  ANTHROPIC_API_KEY=... python launch.py {_what(session, paths)} --model anthropic/claude-sonnet-4-5",
        ]
    print("\n".join(lines), flush=True)


def _what(session, paths: SessionPaths) -> str:
    """Options that name the same idea and template; an idea that is not shipped lies in its repository."""
    template = Path(session.options.template)
    shipped = Path(session.options.playback).is_relative_to(template)
    idea = session.idea.Name if shipped else _short(paths.repo / "idea.json")
    return f"--idea {idea}" + ("" if template.name == "synth_sae" else f" --template {_short(template)}")


def _short(path: Path) -> str:
    """Relative where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
