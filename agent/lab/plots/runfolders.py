"""Run folders as a plot.py of the AI-Scientist v1 form expects them: run_0/final_info.json, run_1/..., and no others.

Only explored runs that were measured are there, so that nothing stale is drawn. Not here: running plot.py.
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
    """One folder a run. `sessions` holds this session and others, which a cached baseline may come from."""
    for record in records:
        folder = work / f"run_{record.run}"
        kept = _kept(record, sessions)
        text = (kept / FINAL_INFO).read_text(encoding="utf-8") if kept else _from_record(record)
        write_text(folder / FINAL_INFO, _perturbed(text) if perturb else text)
        for name in ALL_RESULTS:
            if kept and (kept / name).is_file():
                shutil.copyfile(kept / name, folder / name)


def pictures(work: Path) -> list[dict[str, str]]:
    """What stands for figures.json: every PNG beside the script, by its name."""
    return [
        {"file": name, "caption": f"{one_line(Path(name).stem.replace('_', ' '), 80)}."}
        for name in listing(work, [".png"])[:MAX_PICTURES]
    ]


def _kept(record: RunRecord, sessions: Path) -> Path | None:
    """The folder with the file that the record names by its hash; None where it is not at hand."""
    training = record.trainings[0]
    name = f"trainings/{training.condition}-seed{training.seed}/harvest/{FINAL_INFO}"
    for path in sorted(sessions.glob(f"*/runs/{record.run}/attempt-*/{name}")):
        if file_sha256(path) == training.artefact_sha256:
            return path.parent
    return None


def _from_record(record: RunRecord) -> str:
    """The plain form, with what the record holds."""
    training = record.trainings[0]
    errors = {name: s.stderr for name, s in training.statistics.items() if s.stderr is not None}
    return json.dumps({record.template: {"means": training.metrics, "stderrs": errors}})


def _perturbed(text: str) -> str:
    try:
        return json.dumps(perturbed(parse_json(text.encode(), finite=False), random.Random(0)))
    except Unharvestable:
        return text
