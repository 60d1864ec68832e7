"""What commands that ask a model without a session need: the model of one role, and the bounds on its calls."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.core.errors import BudgetSpent, UserError
from agent.core.protocols import Model, Role
from agent.llm.calls import CallRecord


class Spent:
    """What the calls took so far, and the bounds a person set."""

    def __init__(self, max_usd: float | None, max_tokens: int | None) -> None:
        self.max_usd, self.max_tokens = max_usd, max_tokens
        self.usd, self.tokens, self.unpriced = 0.0, 0, 0

    @property
    def cost(self) -> str:
        return f"${self.usd:.2f}" + ("+?" if self.unpriced else "")

    def add(self, call: CallRecord) -> None:
        self.usd += call.cost_usd or 0.0
        self.unpriced += call.cost_usd is None
        self.tokens += call.tokens_in + call.tokens_out

    def check(self) -> None:
        if self.max_usd is not None and self.usd >= self.max_usd:
            raise BudgetSpent(f"--max-usd {self.max_usd:g} is reached (${self.usd:.4f} spent)")
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            raise BudgetSpent(f"--max-tokens {self.max_tokens} is reached ({self.tokens} used)")


def model_for(args: argparse.Namespace, role: Role, option: str) -> Model:
    """The model that plays a role for the command `option`.

    Raises:
        UserError: none is named, it is not known, or its key is missing.
    """
    if args.playback:
        from agent.llm.playback import PlaybackModel

        if not Path(args.playback).is_dir():
            raise UserError(f"--playback {args.playback}: no such folder")
        return PlaybackModel(Path(args.playback))
    name = getattr(args, role) or args.model
    if not name:
        raise UserError(f"{option} needs a model: name one, e.g. --model anthropic/claude-sonnet-4-5")
    from agent.app.assemble import CALL_TIMEOUT_S
    from agent.app.console import TerminalConsole
    from agent.llm.litellm_model import LiteLLMModel
    from agent.llm.providers import check

    problems = check({role: name}, args.api_base)
    if problems:
        raise UserError("; ".join(f"{problem}; {mend}" for problem, mend in problems))
    return LiteLLMModel({role: name}, timeout_s=CALL_TIMEOUT_S, api_base=args.api_base, notify=TerminalConsole().say)
