"""--generate-ideas: new ideas for a template, in a file that a person edits and --idea takes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from agent.atomic import write_text
from agent.command import choices
from agent.command.console import compact
from agent.errors import BudgetSpent, UserError
from agent.idea import all_ideas
from agent.manifest import Template
from agent.models.calls import CallRecord, RecordedCalls
from agent.paths import Workspace
from agent.proposing import propose, ranked
from agent.protocols import Model
from agent.types import Idea

SHOWN_PAPERS = 40


class Spent:
    """What the calls took so far, and the bounds a person set."""

    def __init__(self, max_usd: float | None, max_tokens: int | None) -> None:
        self.max_usd, self.max_tokens = max_usd, max_tokens
        self.usd, self.tokens, self.unpriced = 0.0, 0, 0

    def add(self, call: CallRecord) -> None:
        self.usd += call.cost_usd or 0.0
        self.unpriced += call.cost_usd is None
        self.tokens += call.tokens_in + call.tokens_out

    def check(self) -> None:
        if self.max_usd is not None and self.usd >= self.max_usd:
            raise BudgetSpent(f"--max-usd {self.max_usd:g} is reached (${self.usd:.4f} spent)")
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            raise BudgetSpent(f"--max-tokens {self.max_tokens} is reached ({self.tokens} used)")


def generate(args: argparse.Namespace, home: Path, workspace: Workspace) -> int:
    """Propose ideas one after another; each is in the file before the next is asked for.

    Raises:
        UserError: the template or the model will not do.
        InfrastructureError: no usable answer; what was found before is in the file.
        BudgetSpent: likewise.
    """
    template = choices.template(args.template or "synth_sae", home, choices.adapter(workspace.root))
    model = _model(args)
    folder = workspace.root / "ideas" / f"{datetime.now():%Y%m%d_%H%M%S}_{template.manifest.name}"
    folder.mkdir(parents=True, exist_ok=True)
    spent = Spent(args.max_usd, args.max_tokens)
    calls = RecordedCalls(model, folder / "calls", spent.add, spent.check)
    known, complaints = all_ideas(home / "ideas")
    for complaint in complaints:
        print(f"not read: {complaint}")
    file, found = folder / "ideas.json", list[Idea]()
    try:
        for idea in _ideas(args.generate_ideas, calls, template, known):
            found.append(idea)
            data = [i.model_dump(exclude_none=True) for i in ranked(found)]
            write_text(file, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
            print(f"{len(found)}. {idea.Name}: {idea.Title}", flush=True)
    finally:
        cost = f"${spent.usd:.2f}" + ("+?" if spent.unpriced else "")
        print(f"\n{compact(spent.tokens)} tokens, {cost}")
        if found:
            print(f"Best first in {file}; the scores are the model's own. Edit the file as you like, then:\n"
                  f"  python launch.py --idea {file}:{ranked(found)[0].Name}", flush=True)
    return 0


def _ideas(wanted: int, calls: RecordedCalls, template: Template, known: list[Idea]) -> Iterator[Idea]:
    profile = template.manifest.profiles[template.manifest.default_profile]
    code = (Path(template.folder) / template.manifest.editable[0]).read_text(encoding="utf-8")
    papers, known = _papers(template), list(known)
    for number in range(1, wanted + 1):
        known.append(propose(calls.ask, number, template, profile, code, known, papers))
        yield known[-1]


def _papers(template: Template) -> list[str]:
    from paper.library import load_library

    question = f"{template.manifest.question} {template.manifest.about}"
    return [f"{entry.title} ({entry.year})" for entry in load_library().search(question, SHOWN_PAPERS)]


def _model(args: argparse.Namespace) -> Model:
    if args.playback:
        from agent.models.playback import PlaybackModel

        if not Path(args.playback).is_dir():
            raise UserError(f"--playback {args.playback}: no such folder")
        return PlaybackModel(Path(args.playback))
    name = args.planner or args.model
    if not name:
        raise UserError("--generate-ideas needs a model: name one, e.g. --model anthropic/claude-sonnet-4-5")
    from agent.assemble import CALL_TIMEOUT_S
    from agent.command.console import TerminalConsole
    from agent.models.model import LiteLLMModel
    from agent.models.providers import check

    problems = check({"planner": name}, args.api_base)
    if problems:
        raise UserError("; ".join(f"{problem}; {mend}" for problem, mend in problems))
    return LiteLLMModel({"planner": name}, timeout_s=CALL_TIMEOUT_S, api_base=args.api_base,
                        notify=TerminalConsole().say)
