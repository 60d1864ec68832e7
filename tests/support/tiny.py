"""The tiny template, exact edits of its experiment, and a job that trains it."""

from __future__ import annotations

import shutil
from pathlib import Path

from agent.core.paths import DataPaths
from agent.core.record import Job
from agent.core.template import load_template
from tests.support import TEMPLATE

TINY = load_template(TEMPLATE)
ENCODE = "        pre_acts = np.maximum((x - self.b_dec) @ self.W_dec.T, 0)\n"
SAVE = '    train(task, out_dir).save(out_dir / task["artefact"])\n'
SETTINGS = TINY.manifest.profiles["tiny"].settings


def job_of(folder: Path, world: DataPaths, code: str | None = None, script: str = "experiment.py", **changes) -> Job:
    """A job on a copy of the tiny template; `code` replaces its experiment.py."""
    profile = TINY.manifest.profiles["tiny"]
    shutil.copytree(TINY.folder, folder / "code")
    if code is not None:
        (folder / "code" / "experiment.py").write_text(code)
    return Job(
        **{
            "key": "k",
            "run": "1",
            "kind": "experiment",
            "attempt": 1,
            "folder": str(folder / "job"),
            "code": str(folder / "code"),
            "script": script,
            "template": TINY.folder,
            "train_data": str(world.train),
            "truth_data": str(world.truth),
            "settings": profile.settings,
            "seeds": profile.seeds,
            "conditions": profile.conditions,
            "limits": profile.limits,
            "evaluate_limits": profile.evaluate_limits,
            "device": "cpu",
            "slots": 1,
            "threads": 1,
            "sandbox": "none",
            **changes,
        }
    )


def edited(*edits: tuple[str, str]) -> str:
    """The tiny experiment with these texts replaced; asserts that each occurs once."""
    text = TINY.path("experiment.py").read_text()
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text
