"""The agent's own figures: it edits plot.py, which draws in the sandbox from records.json.

plot.py runs a second time over records with other numbers. A figure that does not change with them was not drawn from
the records, and is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.actions.experiment import describe
from agent.actions.plot_records import plot_records, shortened
from agent.actions.runs import last_words
from agent.core.looks import STYLE
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
from agent.llm.editing.lint import lint
from agent.llm.prompting import render
from agent.publishing.records import session_facts
from agent.sandbox import harvest
from agent.session.action import EditPlot, GiveUpPlots, RunPlot
from agent.session.events import FiguresDrawn, PlotEdited, PlotFailed, PlotsGivenUp
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from paper.evidence.few import few
from paper.truth.checks import unverified_numbers

PLOT_LIMITS = Limits(wall_s=120, memory_mb=4096, processes=64, disk_mb=64, files=64, file_mb=16, output_mb=2)
MAX_FIGURES = 6
MAX_BYTES = 8 << 20  # one picture
MAX_LIST = 1 << 18  # figures.json
MAX_DRAWN = 16 << 20  # bytes of the worker's report on what all figures show
WORKER = Path(drawing.__file__).with_name("draw_worker.py")
_STEM = re.compile(r"[a-z][a-z0-9_-]{0,40}\Z")


def edit_plot(action: EditPlot, tools: Tools) -> PlotEdited | PlotFailed:
    """The editor changes plot.py, and the linter checks it."""
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
            example=json.dumps(shortened(records[-1]), indent=1)[:6000],
        )
    result = tools.coder.edit(tools.paths.repo, [plot], prompt, step=f"plot.edit-{action.attempt}", role="editor")
    if result.refused:
        return _plot_failed(tools, action.attempt, result.refused, result.detail)
    commit = tools.versions.commit([plot], f"plot, attempt {action.attempt}", trailers)
    errors = list(lint(tools.paths.repo / plot))
    if errors:
        return _plot_failed(tools, action.attempt, errors[0].code, describe(errors))
    return PlotEdited(at=tools.now, attempt=action.attempt, commit=commit)


def run_plot(action: RunPlot, tools: Tools) -> FiguresDrawn | PlotFailed:
    """Run plot.py over the records and over changed ones.

    Keep the pictures of the first run if they pass the checks.
    """
    folder = tools.paths.runs / "plots" / f"attempt-{action.attempt}"
    try:
        figures = _drawn(folder, tools)
    except _NotDrawn as failure:
        return _plot_failed(tools, action.attempt, failure.reason, failure.detail)
    except harvest.Unharvestable as error:
        return _plot_failed(tools, action.attempt, "figures", str(error))
    finally:
        for name in ("work", "perturbed"):
            remove(folder / name)  # plot.py could write anything there
    files = sorted(figure.file for figure in figures)
    commit = tools.versions.commit(
        files, f"figures: {len(figures)} drawn by plot.py", {"Attempt": str(action.attempt), "Event": "plot-figures"}
    )
    # If this action was killed after its commit and is repeated, the commit has the pictures of its first start.
    tools.versions.restore(commit, files)
    tools.say(f"Figures by plot.py: {', '.join(f.name for f in figures)}")
    return FiguresDrawn(at=tools.now, figures=figures, by="agent", commit=commit)


def give_up_plots(action: GiveUpPlots, tools: Tools) -> PlotsGivenUp:
    """Go on without figures by the agent, because its attempts at plot.py are spent."""
    reason = tools.session.plot_failures[-1].reason
    tools.say(f"plot.py is given up ({reason}); the paper has the standard figures")
    return PlotsGivenUp(at=tools.now, reason=reason)


@dataclass
class _NotDrawn(Exception):
    """plot.py failed. `reason` is how it ended, `detail` what it printed, for the agent."""

    reason: str
    detail: str


def _drawn(folder: Path, tools: Tools) -> tuple[FigureText, ...]:
    """Run plot.py over the records and over changed ones; return the pictures of the first run.

    Raises:
        _NotDrawn: one of the two runs failed.
        Unharvestable: a picture is missing, unreadable, or was not drawn from the records.
    """
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
    """The name that plot.py gave the file."""
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
        return  # plot.py reads arrays of a v1 folder, which are not perturbed; the caption says "not verified"
    taken = {_own_name(f): file_sha256(tools.paths.repo / f.file) for f in figures}
    first, second = (_drawings(folder / which) for which in ("work", "perturbed"))
    if tools.template.manifest.form == "v1":  # it does not read records.json; its own files were perturbed
        found = plotcheck.unchanged(first, second)
    else:
        told = {name: (one, other) for name, one, other in _captions(folder, figures)}
        found = plotcheck.problems(first, second, taken, records, told)
    if found:
        raise harvest.Unharvestable("\n".join(found))


def _drawings(work: Path) -> dict[str, drawing.Drawing]:
    """What the worker reported about each picture; empty if plot.py kept it from writing its report."""
    try:
        return drawing.parse(harvest.parse_json(harvest.read_bytes(work, DRAWN, MAX_DRAWN)))
    except harvest.Unharvestable:
        return {}


def _captions(folder: Path, figures: tuple[FigureText, ...]) -> Iterator[tuple[str, str, str | None]]:
    """For each picture its name, its caption, and the caption that it got over the perturbed records."""
    listed = harvest.parse_json(harvest.read_bytes(folder / "perturbed", "figures.json", MAX_LIST))
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    after = {re.sub(r"\.(?:pdf|png)\Z", "", str(i.get("file", ""))): str(i.get("caption", "")) for i in items}
    for figure in figures:
        name = _own_name(figure)
        yield name, figure.caption, after.get(Path(name).stem)


def _harvest(work: Path, tools: Tools) -> tuple[FigureText, ...]:
    """Copy the pictures that figures.json lists, each with a caption, into the repository.

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
        own = tools.template.manifest.form == "own"  # with v1 the runner writes the caption
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
    """Check the first of these pictures that exists and move it into the repository; return its name."""
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
    """Commit an account of the failed attempt, so that the repository shows it."""
    tools.versions.reset(tools.versions.head())
    name = f"attempts/plot.{attempt}.json"
    account = {"attempt": attempt, "reason": reason, "detail": detail}
    write_text(tools.paths.repo / name, json.dumps(account, indent=2) + "\n")
    commit = tools.versions.commit(
        [name], f"plot, attempt {attempt}: failed ({reason})", {"Attempt": str(attempt), "Event": "plot-failed"}
    )
    tools.say(f"  attempt {attempt} of plot.py failed: {reason}{last_words(detail)}")
    return PlotFailed(at=tools.now, attempt=attempt, reason=reason, detail=detail, commit=commit)
