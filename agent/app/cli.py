"""The commands of launch.py: each function calls the module that does the work with the arguments that were typed.

Errors that a user can cause or meet end as one line on stderr and an exit status (exits.py).
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from agent.app.exits import BUDGET, DONE, INFRASTRUCTURE, INTERRUPTED, USER_ERROR, Terminated
from agent.app.settings import sources, with_defaults
from agent.core.errors import BudgetSpent, InfrastructureError, UserError, disk_named
from agent.core.given import place_given
from agent.core.program import HOME, NAME, places
from agent.core.visible import line
from agent.storage.workspace import Workspace

if TYPE_CHECKING:
    from agent.app.console import Loudness, TerminalConsole
    from agent.app.start import Start


CHECKING = "checking this machine, the template and the models"


def run(args: argparse.Namespace) -> int:
    """Runs the command that the arguments name, and returns its exit status."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns at length if it cannot write to the home folder
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts a command with & makes it ignored
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        with disk_named():
            args = with_defaults(args, sources(os.environ, HOME))
            root = place_given(args.workspace, "--workspace") if args.workspace else places().workspace
            return COMMANDS[args.command](args, Workspace(root))
    except UserError as error:
        _complain(str(error))
        return USER_ERROR
    except BudgetSpent as error:
        _complain(f"stopped: {error}")
        return BUDGET
    except InfrastructureError as error:
        _complain(str(error))
        return INFRASTRUCTURE
    except KeyboardInterrupt:
        return INTERRUPTED


def _complain(text: str) -> None:
    print(f"{NAME}: {line(text)}", file=sys.stderr)


def _end(number: int, frame: object) -> None:
    """Ends the command as Ctrl-C does, except that nothing waits for a second Ctrl-C."""
    raise Terminated


# ---------------------------------------------------------------- sessions


def _run(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.estimate import estimate

    if args.ideas or len(args.operands) > 1:
        return _many(args, workspace)
    _bound_alone(args)
    if args.offline and not args.dry_run:
        raise UserError("--offline: it goes with --dry-run; a session asks its models (or plays a recording)")
    console = _console(args)
    with console.living():
        console.waiting(CHECKING)
        start = _begin(args, workspace, console)
        found = start.complaints(keys=not args.offline)  # one may ask what it costs before one has a key
        if args.dry_run and not args.offline and not found:
            found = start.unanswered()
        console.waiting("")
        ahead = "" if found else estimate(start.options, start.template, workspace)
    if found:
        for complaint in [*found, *([f"nothing was started; {len(found)} things to fix"] if found[1:] else [])]:
            _complain(complaint)
        return USER_ERROR
    if args.dry_run:
        print(ahead)
        if start.options.executor == "slurm":
            from agent.app.cluster import first_script

            print(f"\n{first_script(start.options, start.template, workspace)}")
        return DONE
    return _play(start, console, args, ahead)


def _resume(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app import choices
    from agent.app.assemble import Parts
    from agent.app.start import go_on

    if args.operand == "all":
        return _many(args, workspace)
    _bound_alone(args)
    paths = workspace.find(args.operand)
    console = _console(args)
    with console.living():
        console.waiting(CHECKING)
        start = go_on(paths, choices.typed(args), workspace, Parts(console), trust=args.trust)
        start.require()
        console.waiting("")
    if args.feedback:
        paths.feedback.write_text(args.feedback + "\n", encoding="utf-8")
    return _play(start, console, args)


def _bound_alone(args: argparse.Namespace) -> None:
    """Makes --max-usd-total, the bound of several sessions together, bound a single session as well."""
    bounds = [bound for bound in (args.max_usd, args.max_usd_total) if bound is not None]
    args.max_usd = min(bounds, default=None)


def _many(args: argparse.Namespace, workspace: Workspace) -> int:
    """Plays a session for each of several ideas, or resumes every session that has stopped."""
    from agent.app import many

    if args.command == "run":
        sessions = many.of_ideas(many.named_ideas(args))
    elif not (sessions := many.of_stopped(workspace)):
        raise UserError(f"resume all: no session in {workspace.root} has stopped before its end; see --status")
    return many.run_all(sessions, args, workspace, _loudness(args))


def _play(start: Start, console: TerminalConsole, args: argparse.Namespace, ahead: str = "") -> int:
    """Plays the session to its end or a stop; `ahead` is the estimate, printed after the session's name."""
    from agent.app.notify import Notifier
    from agent.app.playing import opening_words, play_session
    from agent.publishing.bundle.secrets import Stripper

    with ExitStack() as around:
        around.enter_context(console.living())
        told = None
        if args.on_event:
            told = around.enter_context(Notifier(args.on_event, console.say, Stripper({}).text))
        tools = around.enter_context(start.opened())
        if told:
            tools.journal.listeners.append(lambda event, session: told.hear(event, session, tools.paths.root))
        console.conclude(opening_words(tools.paths))
        if ahead:
            console.say(ahead)
        return play_session(tools)


def _console(args: argparse.Namespace) -> TerminalConsole:
    from agent.app.console import TerminalConsole

    return TerminalConsole(loudness=_loudness(args))


def _loudness(args: argparse.Namespace) -> Loudness:
    if args.quiet and args.verbose:
        raise UserError("--quiet and --verbose do not go together")
    return "quiet" if args.quiet else "verbose" if args.verbose else "normal"


def _doctor(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.console import TerminalConsole
    from agent.app.doctor import report

    console = TerminalConsole(sys.stderr)
    with console.living():
        console.waiting(CHECKING)
        start = _begin(args, workspace, console)
        found, cluster = start.complaints(), ""
        if start.options.executor == "slurm" and not found:
            from agent.app.cluster import tried

            trial = tried(start.options, start.template, workspace, console.waiting)
            found, cluster = trial.problems, trial.said
        if not args.offline and not found:
            found = start.unanswered()
    return report(found, start.options, start.system.sandbox, workspace, cluster, as_json=args.json)


def _begin(args: argparse.Namespace, workspace: Workspace, console: TerminalConsole) -> Start:
    from agent.app import choices
    from agent.app.assemble import Parts
    from agent.app.start import begin

    return begin(args.idea, choices.typed(args), workspace, Parts(console), trust=args.trust)


def _status(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.status import show_status

    return show_status(workspace, as_json=args.json)


def _follow(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.follow import follow

    return follow(workspace.find(args.operand), _loudness(args))


def _stop(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.assemble import runner_of
    from agent.app.console import TerminalConsole
    from agent.app.stopping import stop
    from agent.storage.workspace import read_session

    paths, console = workspace.find(args.operand), TerminalConsole()
    return stop(paths, runner_of(read_session(paths).options, console.say), console)


def _page(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.console import TerminalConsole
    from agent.app.follow import describe
    from agent.pages.command import page

    console, paths = TerminalConsole(sys.stderr), workspace.find(args.operand)
    with console.living():
        console.waiting(f"making the page of {paths.root.name}: its paper is rendered and its figures are drawn again")
        return page(paths, _out(args), describe)


def _serve(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.follow import describe
    from agent.pages.command import serve

    return serve(workspace, args.host or "127.0.0.1", args.port, args.control, describe)


def _export(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.publishing.wandb_export import export_wandb

    if args.operand != "wandb":
        raise UserError(f"export: there is no export to {args.operand!r}; name wandb")
    paths = workspace.find(args.session or "last")
    return export_wandb(paths, args.project or "experiment-runner", _out(args), offline=args.offline)


def _bundle(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.console import TerminalConsole
    from agent.app.follow import describe
    from agent.pages.command import page_of
    from agent.publishing.bundle.bundle import bundle

    console = TerminalConsole(sys.stderr)
    with console.living():
        console.waiting(f"making the archive of {args.operand}: its page, its bibliography and a check of every file")
        return bundle(args.operand, workspace, _out(args), lambda paths: page_of(paths, describe, "paper.pdf"))


def _out(args: argparse.Namespace) -> Path:
    """The folder of --out, by default the current one."""
    return Path(args.out) if args.out else Path.cwd()


# ---------------------------------------------------------------- autoencoders


def _evaluate(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.evaluate import evaluate

    return evaluate(args, places(), workspace)


# ---------------------------------------------------------------- papers


def _verify(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.console import TerminalConsole
    from agent.publishing.verify.command import verify

    console = TerminalConsole(sys.stderr)  # stdout holds the findings only
    with console.living():
        return verify(
            args.operand,
            workspace,
            artefacts=args.artefacts,
            trust=args.trust,
            as_json=args.json,
            say=console.waiting,
        )


def _review(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.review import review

    return review(args)


# ---------------------------------------------------------------- ideas and templates


def _list(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.listing import show_ideas

    return show_ideas(places(), args.template, as_json=args.json)


def _generate_ideas(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.generate import generate

    return generate(args, places(), workspace)


def _new_template(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.templates import new

    return new(args, places(), workspace)


def _check_template(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.app.templates import check

    return check(args, places(), workspace)


# ---------------------------------------------------------------- this machine


def _setup_saebench(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.lab.saebench.environment import described, set_up

    set_up(workspace.cache, print)
    print(f"sae-bench {described(workspace.cache)}")
    return DONE


def _clean(args: argparse.Namespace, workspace: Workspace) -> int:
    from agent.storage.cache import clean
    from agent.storage.locks import is_locked

    busy = any(is_locked(paths.lock) for paths in workspace.sessions())
    print(clean(workspace.cache, busy=busy))
    return DONE


COMMANDS = {
    "run": _run,
    "resume": _resume,
    "status": _status,
    "follow": _follow,
    "stop": _stop,
    "page": _page,
    "serve": _serve,
    "export": _export,
    "bundle": _bundle,
    "evaluate": _evaluate,
    "verify": _verify,
    "review": _review,
    "list": _list,
    "generate-ideas": _generate_ideas,
    "new-template": _new_template,
    "check-template": _check_template,
    "doctor": _doctor,
    "setup-saebench": _setup_saebench,
    "clean": _clean,
}
