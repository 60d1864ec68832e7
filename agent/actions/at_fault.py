"""Finds out whether a failed attempt is the fault of the template and not of the model's edit.

If a failure looks like the template's, the code that the attempt started from is trained once more. That code was
measured before, so if it fails now in the same way, the edit is not the cause. The functions here are pure; training.py
trains, and decides what follows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from agent.core.record import Job, JobResult, Training

REASON = "template"  # the code in the event; such a failure is not counted as an attempt
SLACK_S = 30.0  # seconds that the earlier code gets besides twice the time after which the edited code failed
# Errors that missing files or packages cause. Any other error in an editable file is blamed on the edit.
_SURROUNDINGS = re.compile(
    r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError|FileNotFoundError|PermissionError|NotADirectoryError|"
    r"IsADirectoryError|OSError|EOFError|UnpicklingError)\b"
)
_FRAME = re.compile(
    r'^\s*File "(?P<file>[^"\n]+)", line \d+(?:, in [^\n]*)?(?:\n(?P<source>[ \t]+[^\n]*))?', re.MULTILINE
)
_CODE = re.compile(r"(?:^/w/|/trainings/[^/]+/code/)(?P<name>.+)")


def suspected(bad: Training, before: Mapping[str, str], template: str, *, command: bool) -> bool:
    """Whether a failure may be the template's fault.

    It may be if the evaluation failed, if a protected file raised, or if a line that the edit did not change misses a
    file or a package. With a command it also may be if no Python code is seen to raise.

    Args:
        before: text of each editable file as the attempt found it, by name.
        template: path of the template's folder.
        command: whether the template trains by a command line of its own.
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
    """A job that repeats the failed training with the code before the edit, for little longer than the failure took."""
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
    """Whether the code before the edit failed in the same way; numbers in the messages are not compared."""
    found = result.trainings[0]
    ends = (re.sub(r"[0-9]+|0x[0-9a-f]+", "", last_line(training.detail)) for training in (bad, found))
    return found.outcome != "measured" and found.reason == bad.reason and len(set(ends)) == 1


def last_line(detail: str) -> str:
    """The last line that is not blank: usually the exception and its message."""
    return next((line.strip() for line in reversed(detail.splitlines()) if line.strip()), "")
