"""Several sessions in one command: one for each idea that was typed, or for each session that has stopped.

Not here: how they run side by side (fleet.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.app.commands import OPTIONS
from agent.app.fleet import Many, One
from agent.app.names import named_idea
from agent.app.standing import standing
from agent.core.errors import UserError
from agent.core.ideas import read_ideas
from agent.core.program import places
from agent.storage.workspace import Workspace

OWN = ("idea", "ideas", "parallel", "max_usd", "max_usd_total", "quiet", "verbose")  # not passed on as they were typed
MOST = 256  # sessions at once


def run_all(sessions: Sequence[One], args: argparse.Namespace, workspace: Workspace, loudness: str) -> int:
    """Runs these sessions with the options that were typed; returns the exit status.

    Raises:
        UserError: a number is out of range.
    """
    parallel = 1 if args.parallel is None else args.parallel
    if not 1 <= parallel <= MOST:
        raise UserError(f"--parallel {parallel}: give 1 to {MOST}")
    if args.max_usd_total is not None and args.max_usd_total <= 0:
        raise UserError(f"--max-usd-total {args.max_usd_total:g}: give more than 0")
    options = common_words(args)
    return Many(sessions, workspace, options, parallel, args.max_usd, args.max_usd_total, loudness).run()


def named_ideas(args: argparse.Namespace) -> list[str]:
    """Every idea that was typed, and those of --ideas FILE. All are looked up before any session starts.

    Raises:
        UserError: one of them is not found.
    """
    names = list(args.operands)
    if args.ideas:
        names += [f"{args.ideas}:{idea.Name}" for idea in read_ideas(Path(args.ideas))]
    for name in names:
        named_idea(name, args.template, places())
    return names


def common_words(args: argparse.Namespace) -> tuple[str, ...]:
    """The options that every session gets, as words of a command line."""

    def words() -> Iterator[str]:
        for option in OPTIONS.values():
            value = getattr(args, option.dest)
            if args.command not in option.owners or option.dest in OWN or value is None or value is False:
                continue
            for said in value if option.repeated else (value,):
                shown = _as_typed(said)
                yield from (option.name,) if value is True else (option.name, shown)

    return tuple(words())


def _as_typed(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={said}" for name, said in value.items())
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def of_ideas(names: Sequence[str]) -> list[One]:
    """A session for each idea, labelled by the idea's name, and by a number if an idea is named twice."""
    labels = [Path(name.rpartition(":")[2]).stem for name in names]
    counted = [
        f"{label} {labels[:i].count(label) + 1}" if labels.count(label) > 1 else label for i, label in enumerate(labels)
    ]
    return [One(label, ("run", name)) for label, name in zip(counted, names, strict=True)]


def of_stopped(workspace: Workspace) -> list[One]:
    """One for each session that has stopped before its end, and that no process works on."""
    found = [standing(paths) for paths in workspace.sessions()]
    return [
        One(stood.session, ("resume", stood.session), session=stood.session)
        for stood in found
        if stood.state in ("stopped", "training")
    ]
