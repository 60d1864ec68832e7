"""Is the template at fault where an attempt failed, and not the model's edit?

Evidence, not a guess: where the failure looks like the template's, the code that the attempt started from is trained
once more. It was measured before; if it fails now in the same way, no edit is the cause. Pure: who trains and what
follows from it is training.py's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from agent.core.record import Job, JobResult, Training

REASON = "template"  # of the event; no attempt is counted
SLACK_S = 30.0  # for the code before the edit to come to the same place
# Errors of what surrounds the code. Any other error of an editable file is taken for the edit's.
_SURROUNDINGS = re.compile(
    r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError|FileNotFoundError|PermissionError|NotADirectoryError|"
    r"IsADirectoryError|OSError|EOFError|UnpicklingError)\b"
)
_FRAME = re.compile(
    r'^\s*File "(?P<file>[^"\n]+)", line \d+(?:, in [^\n]*)?(?:\n(?P<source>[ \t]+[^\n]*))?', re.MULTILINE
)
_CODE = re.compile(r"(?:^/w/|/trainings/[^/]+/code/)(?P<name>.+)")


def suspected(bad: Training, before: Mapping[str, str], template: str, *, command: bool) -> bool:
    """Whether a failure may be the template's. `before`: the editable files, as the attempt found
    them; `template`: the template's folder.

    It may be where the evaluation failed, or a protected file raised, or a line that was there before the edit did not
    find what it needs; with a command also where no Python is seen to raise.
    """
    if bad.reason in ("evaluate", "supervisor"):
        return bad.reason == "evaluate" or template in bad.detail or "evaluate.py" in bad.detail
    if bad.reason != "exit":
        return False
    frames = [
        (found["name"], (frame["source"] or "").strip())
        for frame in _FRAME.finditer(bad.detail)
        if (found := _CODE.search(frame["file"]))
    ]
    if not frames:
        return command and "Traceback" not in bad.detail
    name, source = frames[-1]
    if name not in before:
        return True
    return bool(_SURROUNDINGS.match(last_line(bad.detail))) and source in before[name]


def again(before: Job, job: Job, bad: Training) -> Job:
    """The training that failed, with the code before the edit, and no longer than the failure took to come."""
    wall_s = min(before.limits.wall_s, 2 * bad.wall_s + SLACK_S)
    return before.model_copy(
        update={
            "key": hashlib.sha256(f"{job.key} {before.key}".encode()).hexdigest()[:16],
            "folder": str(Path(job.folder) / "before"),
            "seeds": (bad.seed,),
            "conditions": tuple(c for c in job.conditions if c.name == bad.condition),
            "limits": before.limits.model_copy(update={"wall_s": wall_s}),
            "earlier": (),
            "saebench": None,
        }
    )


def same_end(bad: Training, result: JobResult) -> bool:
    """Whether the code before the edit came to the same end, whatever numbers the messages hold."""
    found = result.trainings[0]
    ends = (re.sub(r"[0-9]+|0x[0-9a-f]+", "", last_line(training.detail)) for training in (bad, found))
    return found.outcome != "measured" and found.reason == bad.reason and len(set(ends)) == 1


def last_line(detail: str) -> str:
    """What an exception says, or whatever was printed last."""
    return next((line.strip() for line in reversed(detail.splitlines()) if line.strip()), "")
