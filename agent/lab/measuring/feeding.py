"""Streams rows to a training while it runs, through its standard input, from the template's feed.py.

The code asks once, with a file in its output folder, from which row on it wants them; a training that continues from a
checkpoint asks for the later ones. A process of the runner (feeder.py) makes the rows, because it knows the language
model and the text; the sandbox sees only a pipe of numbers.
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
ASKED = "feed.json"  # the file with which the code asks for rows: {"row": n}
MAX_ASKED = 1 << 10  # bytes
LARGEST_ROW = 1 << 50
TAIL = 500  # characters of the feeder's last line


def is_fed(bench: Bench) -> bool:
    """Whether a training gets streamed rows: its template has a feed.py, and the setting `streamed` is true."""
    return bool(bench.manifest.feed and bench.settings.get("streamed"))


class Feed:
    """The process that feeds one training; started once the training asks for rows."""

    def __init__(self, bench: Bench, paths: TrainingPaths, settings: dict[str, Any], process: SandboxProcess) -> None:
        if bench.walled:
            raise InfrastructureError(
                f"{bench.manifest.feed}: would run outside of the sandbox, and its template is somebody else's; copy "
                "the template into templates/ once you trust it"
            )
        self._bench, self._paths, self._settings, self._training = bench, paths, settings, process
        self._said = paths.text("feed.stderr")
        self._process: subprocess.Popen[str] | None = None

    def look(self) -> None:
        """Start the feeder once the code has asked for rows."""
        if self._process is None and (row := self._asked()) is not None:
            self._start(row)

    def end(self, *, well: bool) -> None:
        """Stop the feeder, because the training is over.

        `well` says whether the training came to its own end or was cancelled.

        Raises:
            InfrastructureError: it did not, and the feeder had failed before.
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
        """The row from which on the training wants rows; None if it has not asked yet, or not in the right form."""
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
        write_text(self._paths.root / ASKED, json.dumps({"row": row}))  # a copy: the output folder is removed later
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
