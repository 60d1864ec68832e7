"""Runs inside the sandbox: loads a stranger's evaluate.py and its truth, and writes rows or metrics to /out.

Called as `python -m agent.lab.measuring.evaluate_worker` with one of three commands: `rows` writes the held-out rows;
`evaluate` evaluates the arrays in /given; `drive SPEC` (the manifest's [model] as JSON) lets the evaluation call the
model, with calls on standard output and answers on standard input. The runner trusts nothing of it.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from agent.core.methods import ModelSpec
from agent.lab.measuring import frames
from agent.lab.measuring.artefact import read_tensors
from agent.lab.measuring.called import Called
from agent.lab.measuring.driving import driven, remote
from agent.lab.worlds import load_module

GIVEN, OUT = Path("/given"), Path("/out")


class Remote(Called):
    """The model at the other end of the pipe."""

    def __init__(self, spec: ModelSpec, settings: dict[str, Any]) -> None:
        super().__init__(spec.called(settings), read_tensors(next(Path("/artefact").iterdir())))
        answers, self._calls = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # whatever the evaluation prints goes to the log, not among the calls
        self._ask = remote(list(self.methods), self.send, answers.read)

    def ask(self, name: str, arguments: Sequence[Any]) -> tuple[Any, ...]:
        *answer, seconds = self._ask(name, arguments)
        self.seconds = float(seconds)
        return tuple(answer)

    def send(self, data: bytes) -> None:
        self._calls.write(data)
        self._calls.flush()


def main(what: str, *spec: str) -> None:
    """Run one of the three commands; see the module."""
    module = load_module(Path("/template/evaluate.py"))
    settings = json.loads((GIVEN / "settings.json").read_text())
    truth = module.load_truth(Path("/truth"), settings)
    if what == "rows":
        if getattr(truth, "x", None) is not None:
            np.save(OUT / "x.npy", np.ascontiguousarray(truth.x))
        return
    if what == "drive":
        wanted = ModelSpec.model_validate_json(spec[0])
        model = Remote(wanted, settings)
        metrics = driven(wanted, module, model, truth, settings)
    else:
        files = sorted((p for p in GIVEN.iterdir() if p.suffix != ".json"), key=lambda path: int(path.stem))
        arrays = [sparse.csr_matrix(sparse.load_npz(p)) if p.suffix == ".npz" else np.load(p) for p in files]
        metrics = module.evaluate(*arrays, truth)
    (OUT / "metrics.json").write_text(json.dumps({name: float(value) for name, value in metrics.items()}))
    if what == "drive":
        model.send(frames.pack(frames.DONE, 0, []))


if __name__ == "__main__":
    main(*sys.argv[1:])
