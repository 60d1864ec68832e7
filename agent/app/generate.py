"""--generate-ideas: new ideas for a template, in a file that a person edits and --idea takes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from agent.app import options as choices
from agent.app.console import compact
from agent.app.one_model import Spent, model_for
from agent.app.proposing import propose, ranked
from agent.core.ideas import Idea, all_ideas
from agent.core.template import Template
from agent.llm.calls import RecordedCalls
from agent.storage.atomic import write_text
from agent.storage.workspace import Workspace

SHOWN_PAPERS = 40


def generate(args: argparse.Namespace, home: Path, workspace: Workspace) -> int:
    """Propose ideas one after another; each is in the file before the next is asked for.

    Raises:
        UserError: the template or the model will not do.
        InfrastructureError: no usable answer; what was found before is in the file.
        BudgetSpent: likewise.
    """
    template = choices.template(args.template or "synth_sae", home, choices.adapter(workspace.root))
    model = model_for(args, "planner", "--generate-ideas")
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
        print(f"\n{compact(spent.tokens)} tokens, {spent.cost}")
        if found:
            print(
                f"Best first in {file}; the scores are the model's own. Edit the file as you like, then:\n"
                f"  python launch.py --idea {file}:{ranked(found)[0].Name}",
                flush=True,
            )
    return 0


def _ideas(wanted: int, calls: RecordedCalls, template: Template, known: list[Idea]) -> Iterator[Idea]:
    profile = template.manifest.profiles[template.manifest.default_profile]
    code = (Path(template.folder) / template.manifest.editable[0]).read_text(encoding="utf-8")
    papers, known = _papers(template), list(known)
    for number in range(1, wanted + 1):
        known.append(propose(calls.ask, number, template, profile, code, known, papers))
        yield known[-1]


def _papers(template: Template) -> list[str]:
    from agent.literature.library import load_library

    question = f"{template.manifest.question} {template.manifest.about}"
    return [f"{entry.title} ({entry.year})" for entry in load_library().search(question, SHOWN_PAPERS)]
