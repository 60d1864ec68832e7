"""Writes the manifest.toml of a template that is made of a repository.

Only what is certain is filled in. If a metric's name does not say which direction is better, a person has to add it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.core.program import TYPED
from agent.lab.measuring import selfreport
from agent.lab.templating.command_run import FirstRun
from agent.lab.templating.directions import direction
from agent.lab.templating.repository import Taken
from agent.lab.templating.toml import toml_text as _text

CODE = "code"  # folder of the template that holds the repository
PROFILE = "full"
ABOUT = 1500  # characters of the README that become `about`
MOST_METRICS = 6  # as many as a table on a page has room for; other numbers are kept as diagnostics
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Draft:
    """What is known about the template before its first run."""

    name: str
    taken: Taken
    command: str
    editable: list[str]  # the files that a model may edit
    seeded: bool  # the code gets its seed
    requirements: str  # the file of the template that lists packages; "": the runner's own packages suffice


def metrics_of(said: selfreport.Reported) -> dict[str, str | None]:
    """The metrics with their better direction, the primary one first.

    They are the numbers whose name says the direction, without those of training data unless there are no others. If no
    name says it, they are all numbers with None, and a person has to say it.
    """
    known = {name: way for name in said.means if (way := direction(name))}
    held_out = {name: way for name, way in known.items() if not re.search(r"(?:^|_)train(?:_|$)", name)}
    chosen: Mapping[str, str | None] = held_out or known or dict.fromkeys(said.means)
    by_rank = sorted(chosen.items(), key=lambda m: (not re.search(r"(?:^|_)test(?:_|$)", m[0]), "time" in m[0]))
    return dict(by_rank[:MOST_METRICS])


def manifest_text(draft: Draft, found: FirstRun | None, metrics: Mapping[str, str | None]) -> str:
    """The text of manifest.toml; `found` is None before the first run."""
    return "\n".join(
        [*_head(draft, next(iter(metrics)), found), *_metric_tables(metrics), *_baseline_and_profile(draft, found)]
    )


def _head(draft: Draft, primary: str, found: FirstRun | None) -> Iterator[str]:
    title, about = _readme(draft)
    assets = [f"{CODE}/{name}" for name in draft.taken.files if name not in draft.editable]
    yield f"# Made from {' '.join(draft.taken.origin.split())}. After a change: {TYPED} --check-template"
    yield f"name     = {_text(draft.name)}"
    yield f"title    = {_text(title)}"
    yield f"question = {_text(f'Which change of the code of {title} improves its {_label(primary)}?')}"
    yield f"about    = {_text(about)}"
    yield "measured = false  # the code reports its own numbers, until an evaluate.py measures"
    if not draft.seeded:
        yield "seeded   = false  # the command takes no seed: nothing can be confirmed on fresh ones"
    yield f"default_profile = {_text(PROFILE)}"
    yield "# What a model may change, besides plot.py. The other files of the repository stay as they are."
    yield f"editable = {_list(f'{CODE}/{name}' for name in draft.editable)}"
    yield f"assets   = {_list(assets)}"
    yield ""
    yield "[command]  # runs once for each seed; {seed}, {out}, {data}, {device} and names of settings are filled in"
    yield f"run     = {_text(draft.command)}"
    yield f"folder  = {_text(CODE)}"
    yield f"results = {_text(found.results if found else '{out}/final_info.json')}"
    yield ""
    if draft.requirements:
        yield f"[environment]\nrequirements = {_text(draft.requirements)}\nextend = true\n"


def _metric_tables(metrics: Mapping[str, str | None]) -> Iterator[str]:
    """A table for each metric; the first is the primary one."""
    for number, (name, way) in enumerate(metrics.items()):
        yield f"[metrics.{name}]"
        yield f"label   = {_text(_label(name))}"
        yield f"better  = {_text(way)}" if way else '# better  = "higher"  # or "lower": its name does not say which'
        if not number:
            yield "primary = true  # of the one comparison that is fixed before the first run"
        yield f"read    = {_text(f'What the code writes as {name}.')}"
        yield "# low = 0.0, high = 1.0: values outside of them are refused"
        yield ""


def _baseline_and_profile(draft: Draft, found: FirstRun | None) -> Iterator[str]:
    # five times the seconds and three times the memory that the first run took, rounded
    wall = max(600, 100 * round(found.end.wall_s / 20)) if found else 7200
    memory = max(4096, 1024 * round(3 * found.end.peak_memory_mb / 1024)) if found else 16384
    yield "[[baselines]]"
    yield 'name  = "baseline"'
    yield 'label = "Baseline"'
    yield f"file  = {_text(f'{CODE}/{draft.editable[0]}')}"
    yield 'about = "The code of the repository as it is."'
    yield ""
    yield f"[profiles.{PROFILE}]"
    yield 'about      = "As the repository has it."'
    yield f"seeds      = {list(SEEDS) if draft.seeded else [0]}"
    yield 'conditions = [{ name = "all", label = "as it is" }]'
    yield f"limits     = {{ wall_s = {wall}.0, memory_mb = {memory}, disk_mb = 8192, files = 20000, file_mb = 2048 }}"
    yield ""
    yield f"[profiles.{PROFILE}.settings]  # e.g. epochs = 3, which the command takes as {{epochs}}"
    yield ""


def _readme(draft: Draft) -> tuple[str, str]:
    """The title and the first paragraphs of the README, without pictures, badges and markup of its own."""
    name = next((n for n in draft.taken.files if re.fullmatch(r"(?i)readme(?:\.\w+)?", n)), None)
    text = draft.taken.files[name].decode("utf-8", "replace") if name else ""
    text = re.sub(
        r"<!--.*?-->|<[^>\n]*>|!\[[^\]]*\]\([^)]*\)|\[!\[.*?\]\(.*?\)\]\(.*?\)|```.*?```", "", text, flags=re.DOTALL
    )
    heading = re.search(r"^#+\s*(.+)$", text, re.MULTILINE)
    title = " ".join(heading[1].split())[:80] if heading else draft.name.replace("_", " ")
    body = re.sub(r"^#+.*$", "", text, flags=re.MULTILINE)
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", body) if p.strip()]
    about, size = [], 0
    for paragraph in paragraphs:
        if size + len(paragraph) > ABOUT:
            break
        about.append(paragraph)
        size += len(paragraph)
    return title, "\n\n".join(about) or f"The code of {title}, run by: {draft.command}"


def _label(metric: str) -> str:
    return metric.replace("_", " ")


def _list(values: Iterable[str]) -> str:
    given = list(map(_text, values))
    one = f"[{', '.join(given)}]"
    return one if len(one) < 100 else "[\n" + "".join(f"    {value},\n" for value in given) + "]"
