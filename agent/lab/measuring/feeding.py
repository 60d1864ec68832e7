"""Rows that come to a training while it runs, through its standard input, from the template's feed.py.

The code asks once, by a file in its output folder, from which row on it wants them (a training that goes on from a
checkpoint wants the later ones). The rows are made by a process of the runner (feeder.py), which knows the model and
the text; the sandbox sees a pipe of numbers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.core.errors import InfrastructureError
from agent.core.protocols import SandboxProcess
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.scratch import TrainingPaths
from agent.sandbox import harvest
from agent.storage.atomic import write_text

PROJECT = Path(__file__).resolve().parents[3]
ASKED = "feed.json"  # {"row": n}
MAX_ASKED = 1 << 10  # bytes
LARGEST_ROW = 1 << 50
TAIL = 500  # characters of what the feeder said


def is_fed(bench: Bench) -> bool:
    """Whether the profile's setting `streamed` asks for it."""
    return bool(bench.manifest.feed and bench.settings.get("streamed"))


class Feed:
    """The feeder of one training."""

    def __init__(self, bench: Bench, paths: TrainingPaths, settings: dict[str, Any], process: SandboxProcess) -> None:
        if bench.walled:
            raise InfrastructureError(
                f"{bench.manifest.feed}: would run outside of the sandbox, and its template is somebody else's"
            )
        self._bench, self._paths, self._settings, self._training = bench, paths, settings, process
        self._said = paths.text("feed.stderr")
        self._process: subprocess.Popen[str] | None = None

    def look(self) -> None:
        """Start the feeder once the code has asked for rows."""
        if self._process is None and (row := self._asked()) is not None:
            self._start(row)

    def end(self, *, well: bool) -> None:
        """The training is over; `well`: it has come to its own end.

        Raises:
            InfrastructureError: it has not, and the feeder had failed before.
        """
        if self._process is None:
            return
        failed = self._process.poll()
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        if failed and not well:
            last = harvest.read_text(self._said).strip().splitlines()[-1:]
            said = last[0][:TAIL] if last else f"exit status {failed}"
            raise InfrastructureError(f"{self._bench.manifest.feed}: gave no more rows: {said} (see {self._said})")

    def _asked(self) -> int | None:
        try:
            said = harvest.parse_json(harvest.read_bytes(self._paths.out, ASKED, MAX_ASKED))
        except (harvest.Unharvestable, OSError):
            return None
        row = said.get("row") if isinstance(said, dict) else None
        return row if isinstance(row, int) and not isinstance(row, bool) and 0 <= row < LARGEST_ROW else None

    def _start(self, row: int) -> None:
        request = {
            "feed": str(Path(self._bench.job.template) / self._bench.manifest.feed),
            "settings": {**self._bench.told, **self._settings},
            "truth": self._bench.job.truth_data,
            "seed": self._bench.seed,
            "start": row,
        }
        write_text(self._paths.root / ASKED, json.dumps({"row": row}))  # kept: the folder that it stood in goes
        pipe = self._training.stdin
        assert pipe
        with open(self._said, "wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent.lab.measuring.feeder"],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=pipe,
                stderr=said,
                text=True,
            )
        pipe.close()  # the feeder alone holds it now, so that the code sees the end of its rows
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
