"""The runner's own figures, drawn from the records, and a paragraph on each figure for notes.txt.

Not here: the figures that the agent draws (plots.py).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from agent.core.exchange import Message
from agent.core.writing import FigureText
from agent.llm.answers import ask_json
from agent.llm.prompting import render
from agent.publishing import digest, notes
from agent.publishing.notes import table
from agent.publishing.records import session_facts
from agent.session.action import DescribeFigures, DrawFigures
from agent.session.events import FiguresDescribed, FiguresDrawn
from agent.session.session import apply
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.evidence.few import few
from paper.pictures.figures import standard_figures
from paper.pictures.schematic import NAME as SCHEMATIC


class Descriptions(BaseModel):
    """The writer's answer: a paragraph on each figure, by the figure's name."""

    descriptions: dict[str, str]


def draw_figures(action: DrawFigures, tools: Tools) -> FiguresDrawn:
    """Draw the runner's own figures from the records and commit them."""
    tools.versions.reset(tools.versions.head())
    folder = tools.paths.repo / "figures"
    drawn = standard_figures(session_facts(tools), folder)
    figures = tuple(
        FigureText(
            name=f.name,
            file=f"figures/{Path(f.file).name}",
            caption=f.caption,
            description=f.description,
            by="runner",
            width=f.width,
        )
        for f in drawn
    )
    files = sorted(f"figures/{path.name}" for path in folder.iterdir())
    commit = tools.versions.commit(files, f"figures: {len(figures)} drawn from the records", {"Event": "figures"})
    tools.say(f"Figures: {', '.join(f.name for f in figures)}")
    return FiguresDrawn(at=tools.now, figures=figures, by="runner", commit=commit)


def describe_figures(action: DescribeFigures, tools: Tools) -> FiguresDescribed:
    """The writer describes each figure that shows results; its paragraphs go into notes.txt."""
    figures = [figure for figure in tools.session.figures if figure.name != SCHEMATIC]  # it shows no result to read
    names = {figure.name for figure in figures}
    facts = session_facts(tools)
    prompt = render("describe_figures", figures=figures, table=table(few(facts)), more=digest.beside_tables(facts))

    def accept(answer: Descriptions) -> str | None:
        missing = names - set(answer.descriptions)
        return f"no description of {', '.join(sorted(missing))}" if missing else None

    answer = ask_json(tools.ask, "plot.describe", "writer", [Message("user", prompt)], Descriptions, accept)
    told = {name: text for name, text in answer.descriptions.items() if name in names}
    event = FiguresDescribed(at=tools.now, descriptions=told, commit="")
    write_text(tools.paths.repo / "notes.txt", notes.render(apply(tools.session, event), facts))
    commit = tools.versions.commit(["notes.txt"], "notes: figures described", {"Event": "figures-described"})
    return event.model_copy(update={"commit": commit})
