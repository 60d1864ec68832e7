"""Runs a repository's command once, to learn where it writes its results and which numbers they hold.

Not here: which of them become metrics (repository_manifest.py), and how results are read (measuring/results.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.command import FORMS
from agent.core.errors import UserError
from agent.core.protocols import Sandbox
from agent.core.record import Environment
from agent.core.sandboxing import Exit
from agent.core.template import Template
from agent.lab.built import file_sha256
from agent.lab.measuring import results, selfreport
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.scratch import inside
from agent.lab.measuring.train import train
from agent.lab.measuring.verdict import training_ended
from agent.lab.templating.failures import told
from agent.lab.templating.trial import Trial
from agent.sandbox import harvest
from agent.storage import foreign

MOST_LOOKED_AT = 20_000  # files that are looked at after the run
# Files with such names hold the settings of a run, not its results.
TOLD = re.compile(
    r"(?i)config|args|arguments|hparam|hyper|param|setting|package|tokenizer|vocab|meta|opt(?:ion)?s\b|optimizer"
)
RESULTS = re.compile(r"(?i)metric|result|score|eval|final|summary|test|history|log")


@dataclass(frozen=True)
class FirstRun:
    """What one run of the command showed."""

    end: Exit  # with the time and memory that it took
    results: str  # the pattern of its result file, for command.results in the manifest
    said: selfreport.Reported
    others: tuple[str, ...]  # patterns of other files that hold numbers


def first_run(
    template: Template, profile: str, scratch: Path, sandbox: Sandbox, environment: Environment | None
) -> FirstRun:
    """Run the template's command with seed 0, and find its results.

    Raises:
        UserError: the command fails, or writes no file that can be read as results.
    """
    trial = Trial(template, profile, scratch, sandbox, lambda text: None, environment=environment)
    job = trial.job("first", trial.world(1), template.manifest.baselines[0].file)
    bench = Bench.of(job, 0, trial.condition, sandbox, lambda: False)
    end = train(bench, bench.paths, bench.settings)
    if end.reason != "ok":
        stop = training_ended(end, bench.paths.text("train.stderr"))
        printed = harvest.read_text(bench.paths.text("train.stdout"))
        # without a line of stderr, the error may have gone to stdout
        detail = stop.detail if "\n" in stop.detail else f"{stop.detail}\n{printed}"
        raise UserError(f"the first run failed: {told(stop.reason, detail, 'manifest.toml')}")
    work = Path(inside(str(bench.paths.code), template.manifest))
    before = Path(inside(template.folder, template.manifest))
    found = [*_candidates(bench.paths.out, None, "{out}/"), *_candidates(work, before, "")]
    if not found:
        raise UserError(
            "the first run ended well, but left no results: write final_info.json, or another JSON, JSON lines, CSV or "
            "TensorBoard file with numbers, into the folder that {out} or the variable OUT_DIR names"
        )
    found.sort(key=lambda item: item[0])
    _, pattern, said = found[0]
    return FirstRun(end, pattern, said, tuple(dict.fromkeys(p for _, p, _ in found[1:] if p != pattern)))


def _candidates(
    folder: Path, before: Path | None, prefix: str
) -> Iterator[tuple[tuple[int, int, str], str, selfreport.Reported]]:
    """Result files below a folder: a key that sorts the likeliest first, the pattern of the file, and its numbers.

    Those that are as in the folder `before` are left out. `prefix` is put before each pattern.
    """
    for name in _files(folder):
        last = name.rpartition("/")[2]
        events = "tfevents" in last
        if not (events or last.endswith(FORMS)) or (TOLD.search(last) and not RESULTS.search(last)):
            continue
        old = before / name if before else None
        if old and old.is_file() and file_sha256(old) == file_sha256(folder / name):
            continue
        try:
            said = results.read_file(name, harvest.read_bytes(folder, name, results.LARGEST))
        except harvest.Unharvestable:
            continue
        if said.means:
            rank = 0 if last == "final_info.json" else 3 if events else 1 if RESULTS.search(last) else 2
            yield (rank, name.count("/"), name), prefix + pattern_of(name), said


def _files(folder: Path) -> Iterator[str]:
    """Names of at most MOST_LOOKED_AT plain files; links are not followed, and unusual names are left out."""
    waiting, seen = [""], 0
    while waiting:
        top = waiting.pop(0)
        for path in sorted((folder / top).iterdir()) if (folder / top).is_dir() else ():
            seen += 1
            name = f"{top}{path.name}"
            if seen > MOST_LOOKED_AT or path.is_symlink() or not foreign.is_plain(name):
                continue
            if path.is_dir():
                waiting.append(f"{name}/")
            elif path.is_file():
                yield name


def pattern_of(name: str) -> str:
    """A pattern for a file's name in other runs: `*` for dates, times and ids, and {seed} for the seed 0."""
    parts = []
    for part in name.split("/"):
        part = re.sub(r"(?i)(seed[_=-]?)0(?!\d)", r"\g<1>{seed}", part)
        if "tfevents" in part:
            part = f"{part.partition('tfevents')[0]}tfevents.*"
        elif re.search(r"\d{4,}|\d\d[-_:.]\d\d", part):
            stem, dot, ending = part.rpartition(".")
            part = f"*.{ending}" if dot and f".{ending}" in FORMS else "*"
            part = f"{stem.split('_')[0].split('-')[0]}{part}" if dot and stem[:1].isalpha() else part
        parts.append(part)
    return "/".join(parts)
