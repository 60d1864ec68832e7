"""Figures: the runner's own, the agent's plot.py, and a paragraph on each for the notes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agent.actions.experiment import describe
from agent.actions.runs import last_words
from agent.core.exchange import Message
from agent.core.looks import STYLE, looks
from agent.core.manifest import Limits
from agent.core.sandboxing import Exit, Mount, SandboxSpec
from agent.core.writing import FigureText
from agent.lab.built import file_sha256
from agent.lab.measuring import foreign
from agent.lab.measuring.reports import ALL_RESULTS
from agent.lab.measuring.scratch import remove
from agent.lab.measuring.selfreport import slug
from agent.lab.plots import drawing, legible, perturbing, pictures, plotcheck, runfolders
from agent.lab.plots.draw_worker import DRAWN
from agent.llm.answers import ask_json
from agent.llm.editing.lint import lint
from agent.llm.prompting import render
from agent.publishing import digest, notes
from agent.publishing.notes import table
from agent.publishing.records import session_facts
from agent.sandbox import harvest
from agent.session.action import DescribeFigures, DrawFigures, EditPlot, GiveUpPlots, RunPlot
from agent.session.events import FiguresDescribed, FiguresDrawn, PlotEdited, PlotFailed, PlotsGivenUp
from agent.session.session import apply
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.evidence.few import few
from paper.evidence.series import series_of
from paper.pictures.figures import standard_figures
from paper.pictures.schematic import NAME as SCHEMATIC
from paper.truth.checks import unverified_numbers

PLOT_LIMITS = Limits(wall_s=120, memory_mb=4096, processes=64, disk_mb=64, files=64, file_mb=16, output_mb=2)
MAX_FIGURES = 6
MAX_BYTES = 8 << 20  # one picture
MAX_LIST = 1 << 18  # figures.json
MAX_DRAWN = 16 << 20  # what all figures show, as numbers
WORKER = Path(drawing.__file__).with_name("draw_worker.py")
_STEM = re.compile(r"[a-z][a-z0-9_-]{0,40}\Z")


class Descriptions(BaseModel):
    """The writer's paragraphs by figure name."""

    descriptions: dict[str, str]


def draw_figures(action: DrawFigures, tools: Tools) -> FiguresDrawn:
    """The trusted figures, drawn from the records by the runner."""
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


def edit_plot(action: EditPlot, tools: Tools) -> PlotEdited | PlotFailed:
    """One editing conversation over plot.py, with its lint."""
    plot = tools.template.manifest.plot
    trailers = {"Attempt": str(action.attempt), "Event": "plot-edit"}
    tools.versions.reset(tools.versions.base(trailers))
    records = json.loads(plot_records(tools))
    failures = tools.session.plot_failures
    if failures:
        prompt = render(
            "plot_mend", failure=failures[-1], tries_left=tools.session.options.attempts - action.attempt + 1
        )
    else:
        prompt = render(
            "plot",
            idea=tools.session.idea,
            manifest=tools.template.manifest,
            runs=few(session_facts(tools)).explored,
            standard=tools.session.figures,
            example=json.dumps(_shortened(records[-1]), indent=1)[:6000],
        )
    result = tools.coder.edit(tools.paths.repo, [plot], prompt, step=f"plot.edit-{action.attempt}", role="editor")
    if result.refused:
        return _plot_failed(tools, action.attempt, result.refused, result.detail)
    commit = tools.versions.commit([plot], f"plot, attempt {action.attempt}", trailers)
    errors = list(lint(tools.paths.repo / plot))
    if errors:
        return _plot_failed(tools, action.attempt, errors[0].code, describe(errors))
    return PlotEdited(at=tools.now, attempt=action.attempt, commit=commit)


def _shortened(value: Any, most: int = 4) -> Any:
    """A record's form: of a list or of what lies under names of its own the first few."""
    if isinstance(value, list):
        rest = [f"... {len(value)} in all"] if len(value) > most else []
        return [*(_shortened(one) for one in value[:most]), *rest]
    if not isinstance(value, dict):
        return value
    known = {key: _shortened(one) for key, one in value.items()}
    for name in ("metrics", "metric_labels", "diagnostics"):
        if len(known.get(name, ())) > most:
            first = dict(list(known[name].items())[:most])
            known[name] = {**first, "...": f"{len(value[name])} in all: {', '.join(value[name])}"}
    return known


def run_plot(action: RunPlot, tools: Tools) -> FiguresDrawn | PlotFailed:
    """plot.py in the sandbox, over the records alone; then over perturbed ones, to see that it reads them."""
    folder = tools.paths.runs / "plots" / f"attempt-{action.attempt}"
    try:
        figures = _drawn(folder, tools)
    except _NotDrawn as failure:
        return _plot_failed(tools, action.attempt, failure.reason, failure.detail)
    except harvest.Unharvestable as error:
        return _plot_failed(tools, action.attempt, "figures", str(error))
    finally:
        for name in ("work", "perturbed"):
            remove(folder / name)  # it may hold anything
    files = sorted(figure.file for figure in figures)
    commit = tools.versions.commit(
        files, f"figures: {len(figures)} drawn by plot.py", {"Attempt": str(action.attempt), "Event": "plot-figures"}
    )
    tools.versions.restore(commit, files)  # of an earlier start of this action, which was killed after its commit
    tools.say(f"Figures by plot.py: {', '.join(f.name for f in figures)}")
    return FiguresDrawn(at=tools.now, figures=figures, by="agent", commit=commit)


@dataclass
class _NotDrawn(Exception):
    """plot.py did not end well: how, and what it said."""

    reason: str
    detail: str


def _drawn(folder: Path, tools: Tools) -> tuple[FigureText, ...]:
    """Both runs of plot.py, and what is taken over from the first."""
    records = plot_records(tools)
    for name, shown in (("work", records), ("perturbed", perturbing.perturb(records))):
        end = _draw(tools, folder, name, shown)
        if end.reason != "ok":
            said = harvest.tail(harvest.read_text(folder / f"{name}.stderr.log"), 1500)
            where = "" if name == "work" else "with other numbers in records.json: "
            raise _NotDrawn(end.reason, where + said)
    figures = _harvest(folder / "work", tools)
    drawings = _drawings(folder / "work")
    if unreadable := legible.problems(drawings, map(_own_name, figures)):
        raise harvest.Unharvestable("\n".join(unreadable))
    _check_drawn_from_records(folder, figures, records, tools)
    return tuple(f.model_copy(update={"width": legible.share(drawings.get(_own_name(f)))}) for f in figures)


def _own_name(figure: FigureText) -> str:
    """The file as plot.py named it."""
    return Path(figure.file).name.removeprefix("agent-")


def _draw(tools: Tools, folder: Path, name: str, records: str) -> Exit:
    work, plot = folder / name, tools.template.manifest.plot
    remove(work)  # a repeated action starts from nothing
    write_text(work / plot, tools.versions.show(tools.versions.head(), plot))
    write_text(work / "records.json", records)
    if tools.template.manifest.form == "v1":
        runfolders.lay_out(work, session_facts(tools).measured, tools.paths.root.parent, perturb=name == "perturbed")
    mount, worker = Mount(work, "/w", writable=True), Mount(WORKER, "/runner/draw_worker.py")
    environment = tools.environment()
    python, trees = foreign.python(environment)
    spec = SandboxSpec(
        argv=(python, "-P", tools.sandbox.visible(worker), plot, json.dumps(STYLE)),
        cwd=tools.sandbox.visible(mount),
        mounts=(mount, worker, *trees),
        limits=PLOT_LIMITS,
        env={"MPLBACKEND": "Agg", "MPLCONFIGDIR": "/tmp/matplotlib", **foreign.path_env(environment)},
    )
    return tools.sandbox.start(spec, stdout=folder / f"{name}.stdout.log", stderr=folder / f"{name}.stderr.log").wait()


def _check_drawn_from_records(folder: Path, figures: tuple[FigureText, ...], records: str, tools: Tools) -> None:
    """Compare what both runs drew with the records.

    Raises:
        Unharvestable: a figure shows what the records do not hold; the text is for the agent.
    """
    if any(path for name in ALL_RESULTS for path in (folder / "work").glob(f"run_*/{name}")):
        return  # arrays that nobody can perturb: the caption says that what the figure shows is not verified
    taken = {_own_name(f): file_sha256(tools.paths.repo / f.file) for f in figures}
    first, second = (_drawings(folder / which) for which in ("work", "perturbed"))
    if tools.template.manifest.form == "v1":  # its files are not records.json, and are perturbed on their own
        found = plotcheck.unchanged(first, second)
    else:
        told = {name: (one, other) for name, one, other in _captions(folder, figures)}
        found = plotcheck.problems(first, second, taken, records, told)
    if found:
        raise harvest.Unharvestable("\n".join(found))


def _drawings(work: Path) -> dict[str, drawing.Drawing]:
    """What the worker wrote of each picture; nothing where plot.py kept it from doing so."""
    try:
        return drawing.parse(harvest.parse_json(harvest.read_bytes(work, DRAWN, MAX_DRAWN)))
    except harvest.Unharvestable:
        return {}


def _captions(folder: Path, figures: tuple[FigureText, ...]) -> Iterator[tuple[str, str, str | None]]:
    """Each picture's name, its caption, and the one that plot.py gave it over perturbed records."""
    listed = harvest.parse_json(harvest.read_bytes(folder / "perturbed", "figures.json", MAX_LIST))
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    after = {re.sub(r"\.(?:pdf|png)\Z", "", str(i.get("file", ""))): str(i.get("caption", "")) for i in items}
    for figure in figures:
        name = _own_name(figure)
        yield name, figure.caption, after.get(Path(name).stem)


def give_up_plots(action: GiveUpPlots, tools: Tools) -> PlotsGivenUp:
    reason = tools.session.plot_failures[-1].reason
    tools.say(f"plot.py is given up ({reason}); the paper has the standard figures")
    return PlotsGivenUp(at=tools.now, reason=reason)


def describe_figures(action: DescribeFigures, tools: Tools) -> FiguresDescribed:
    """A paragraph on each figure for notes.txt."""
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


def plot_records(tools: Tools) -> str:
    """records.json: what plot.py may draw, means and standard errors by metric and condition, and each run's look."""
    manifest, facts = tools.template.manifest, session_facts(tools)
    look = looks(facts.records)
    entries = []
    for record in facts.explored:
        metrics = {
            name: {
                c.name: {"mean": found.mean, "se": found.se, "n": found.n, "values": found.values}
                for c in record.conditions
                if (found := series_of(record, name, c.name))
            }
            for name in manifest.metrics
        }
        said = sorted({key for t in record.trainings for key in t.diagnostics})
        entries.append(
            {
                "run": record.run,
                "name": record.name,
                "label": record.label,
                "kind": record.kind,
                "status": record.status,
                "look": look[record.run],
                "conditions": [c.model_dump() for c in record.conditions],
                "targets": {
                    name: aim
                    for name in manifest.metrics
                    if (aim := manifest.aim(name, record.settings, record.conditions)) is not None
                },
                "metrics": metrics,
                "metric_labels": {name: spec.label for name, spec in manifest.metrics.items()},
                "diagnostics": {
                    key: [t.diagnostics[key] for t in record.trainings if key in t.diagnostics] for key in said
                },
                "curves": [{"seed": t.seed, "condition": t.condition, **t.curves} for t in record.trainings],
            }
        )
    return json.dumps(entries, indent=1) + "\n"


def _harvest(work: Path, tools: Tools) -> tuple[FigureText, ...]:
    """Take over what figures.json lists: a picture each, with a caption.

    Raises:
        Unharvestable: no list, no picture, or something that is neither; the text is for the agent.
    """
    if tools.template.manifest.form == "v1":
        listed = runfolders.pictures(work)
    else:
        listed = harvest.parse_json(harvest.read_bytes(work, "figures.json", MAX_LIST))
    if not isinstance(listed, list) or not listed:
        what = (
            "plot.py drew no PNG beside itself"
            if tools.template.manifest.form == "v1"
            else ("figures.json must hold a list with at least one figure")
        )
        raise harvest.Unharvestable(what)
    figures: dict[str, FigureText] = {}
    facts = session_facts(tools)
    for item in listed[:MAX_FIGURES]:
        listed_as, caption = (str(item.get(key, "")) if isinstance(item, dict) else "" for key in ("file", "caption"))
        stem = listed_as.removesuffix(".pdf").removesuffix(".png")
        if tools.template.manifest.form == "v1":
            stem = slug(stem)
        caption = harvest.one_line(caption, 600)
        if not _STEM.match(stem) or not caption:
            raise harvest.Unharvestable(
                "each entry of figures.json needs a `file` named in lower case (a-z, 0-9, _, -) and a `caption`"
            )
        own = tools.template.manifest.form == "own"  # else the runner words the caption
        if typed := [n for n in unverified_numbers(caption, facts) if own and n != "%"]:
            raise harvest.Unharvestable(
                f"the caption of {stem} holds a number that nobody measured or set: {', '.join(typed)}; leave it out"
            )
        file = _take(work, [listed_as] if listed_as != stem else [f"{stem}.pdf", f"{stem}.png"], tools)
        figures[stem] = FigureText(
            name=f"agent-{stem}", file=f"figures/agent-{file}", caption=caption, description="", by="agent"
        )
    return tuple(figures.values())


def _take(work: Path, names: list[str], tools: Tools) -> str:
    """The first of these pictures that is there, checked and moved into the repository."""
    kept = tools.paths.scratch("plots")
    taken = harvest.copy_files(work, kept, dict.fromkeys(names, MAX_BYTES), max_total=MAX_BYTES * len(names))
    file = next((name for name in names if name in taken.sha256), None)
    if file is None:
        name = next((name for name in names if taken.problems[name] != "missing"), names[0])
        raise harvest.Unharvestable(f"{name}: listed in figures.json, but {taken.problems[name]}")
    pictures.check(kept / file, tools.sandbox)
    target = tools.paths.repo / "figures" / f"agent-{file}"
    target.parent.mkdir(exist_ok=True)
    (kept / file).replace(target)
    return file


def _plot_failed(tools: Tools, attempt: int, reason: str, detail: str) -> PlotFailed:
    tools.versions.reset(tools.versions.head())
    name = f"attempts/plot.{attempt}.json"
    account = {"attempt": attempt, "reason": reason, "detail": detail}
    write_text(tools.paths.repo / name, json.dumps(account, indent=2) + "\n")
    commit = tools.versions.commit(
        [name], f"plot, attempt {attempt}: failed ({reason})", {"Attempt": str(attempt), "Event": "plot-failed"}
    )
    tools.say(f"  attempt {attempt} of plot.py failed: {reason}{last_words(detail)}")
    return PlotFailed(at=tools.now, attempt=attempt, reason=reason, detail=detail, commit=commit)
