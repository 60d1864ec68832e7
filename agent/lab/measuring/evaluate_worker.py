"""Runs inside the sandbox: loads the template's evaluate.py and its truth, and leaves rows or metrics in /out.

Called as `python -m agent.lab.measuring.evaluate_worker rows|evaluate`. The runner trusts nothing that it leaves.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy import sparse

from agent.lab.worlds import load_module

GIVEN, OUT = Path("/given"), Path("/out")


def main(what: str) -> None:
    module = load_module(Path("/template/evaluate.py"))
    truth = module.load_truth(Path("/truth"), json.loads((GIVEN / "settings.json").read_text()))
    if what == "rows":
        np.save(OUT / "x.npy", np.ascontiguousarray(truth.x))
        return
    files = sorted((p for p in GIVEN.iterdir() if p.suffix != ".json"), key=lambda path: int(path.stem))
    arrays = [sparse.csr_matrix(sparse.load_npz(p)) if p.suffix == ".npz" else np.load(p) for p in files]
    metrics = module.evaluate(*arrays, truth)
    (OUT / "metrics.json").write_text(json.dumps({name: float(value) for name, value in metrics.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
