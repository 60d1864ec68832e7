"""Lays out run folders for a plot.py of the AI-Scientist v1 form: run_0/final_info.json, run_1/..., and no others.

The caller gives the measured runs, so that nothing out of date is drawn. Not here: running plot.py.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from agent.core.record import RunRecord
from agent.lab.built import file_sha256
from agent.lab.measuring.reports import ALL_RESULTS, FINAL_INFO
from agent.lab.plots.perturbing import perturbed
from agent.sandbox.harvest import Unharvestable, listing, one_line, parse_json
from agent.storage.atomic import write_text

MAX_PICTURES = 12


def lay_out(work: Path, records: Sequence[RunRecord], sessions: Path, *, perturb: bool) -> None:
    """Make a folder for each run below `work`; with `perturb`, its numbers are changed.

    `sessions` is the folder with this session and others, from which a cached baseline may come.
    """
    for record in records:
        folder = work / f"run_{record.run}"
        kept = _kept(record, sessions)
        text = (kept / FINAL_INFO).read_text(encoding="utf-8") if kept else _from_record(record)
        write_text(folder / FINAL_INFO, _perturbed(text) if perturb else text)
        for name in ALL_RESULTS:
            if kept and (kept / name).is_file():
                shutil.copyfile(kept / name, folder / name)


def pictures(work: Path) -> list[dict[str, str]]:
    """The entries that figures.json would have: every PNG beside the script, with a caption made of its name."""
    return [
        {"file": name, "caption": f"{one_line(Path(name).stem.replace('_', ' '), 80)}."}
        for name in listing(work, [".png"])[:MAX_PICTURES]
    ]


def _kept(record: RunRecord, sessions: Path) -> Path | None:
    """The folder with the very final_info.json whose hash is in the record; None if it is not found."""
    training = record.trainings[0]
    name = f"trainings/{training.condition}-seed{training.seed}/harvest/{FINAL_INFO}"
    for path in sorted(sessions.glob(f"*/runs/{record.run}/attempt-*/{name}")):
        if file_sha256(path) == training.artefact_sha256:
            return path.parent
    return None


def _from_record(record: RunRecord) -> str:
    """A final_info.json made of the record."""
    training = record.trainings[0]
    errors = {name: s.stderr for name, s in training.statistics.items() if s.stderr is not None}
    return json.dumps({record.template: {"means": training.metrics, "stderrs": errors}})


def _perturbed(text: str) -> str:
    try:
        return json.dumps(perturbed(parse_json(text.encode(), finite=False), random.Random(0)))
    except Unharvestable:
        return text
