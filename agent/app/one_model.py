"""The model of one role, for the commands that ask a model without a session (review, generate-ideas)."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.core.errors import UserError
from agent.core.exchange import Role
from agent.core.protocols import Model


def model_for(args: argparse.Namespace, role: Role, option: str) -> Model:
    """The model that the arguments name for a role; `option` names the command in error messages.

    Raises:
        UserError: no model is named, it is not known, or its key is missing.
    """
    if args.playback:
        from agent.llm.playback import PlaybackModel

        if not Path(args.playback).is_dir():
            raise UserError(f"--playback {args.playback}: no such folder")
        return PlaybackModel(Path(args.playback))
    name = getattr(args, role) or args.model
    if not name:
        raise UserError(f"{option} needs a model: name one, e.g. --model anthropic/claude-sonnet-4-5")
    from agent.app import choices
    from agent.app.assemble import language_model
    from agent.app.console import TerminalConsole
    from agent.llm.names import check
    from agent.llm.providers import Stated

    problems = check({role: name}, args.api_base)
    if problems:
        raise UserError("; ".join(f"{problem}; {mend}" for problem, mend in problems))
    stated = Stated(args.price, choices.value("max_output", args.max_output), choices.value("context", args.context))
    return language_model({role: name}, args.api_base, TerminalConsole(), stated)
