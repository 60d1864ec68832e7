"""Runs inside the sandbox: loads the agent's model and turns rows into sparse latents (or outputs), chunk by chunk.

Called as `python -P encode_worker.py ARTEFACT THREADS CLASS METHOD` in the folder of the experiment's code. Framing:
`ROWS rows d_in` + float32 rows come in; `LATS rows d_sae non-zeros` + counts, columns, values go out.
Imports nothing of the runner, which trusts no answer. Code that never imports torch gets numpy arrays.
"""

import os
import struct
import sys
from collections.abc import Callable

import numpy as np

REQUEST = struct.Struct("<4sII")
ANSWER = struct.Struct("<4sIIQ")


def main() -> None:
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the experiment prints goes to the log, not among the answers
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    encode = load_encode(sys.argv[1], int(sys.argv[2]), *sys.argv[3:5])
    while header := requests.read(REQUEST.size):
        _, rows, d_in = REQUEST.unpack(header)
        x = np.frombuffer(requests.read(rows * d_in * 4), dtype=np.float32).reshape(rows, d_in)
        answers.write(frame(encode(x), rows, ".".join(sys.argv[3:5])))
        answers.flush()


def load_encode(artefact: str, threads: int, name: str, method: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function from float32 rows to an array of latents, by way of the experiment's own class."""
    sys.path.insert(0, os.getcwd())
    import experiment

    torch = sys.modules.get("torch")
    kind = getattr(experiment, name)
    if torch is None:
        call = getattr(kind.load(artefact), method)
        return lambda x: np.asarray(call(x.copy()))
    torch.set_num_threads(threads)
    with torch.no_grad():
        model = kind.load(artefact)
        if isinstance(model, torch.nn.Module):
            model.eval()

    def encode(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return torch.as_tensor(getattr(model, method)(torch.from_numpy(x.copy()))).float().cpu().numpy()

    return encode


def frame(z: np.ndarray, rows: int, call: str) -> bytes:
    """One answer. Where a latent is exactly zero, nothing is sent."""
    if z.ndim != 2 or len(z) != rows:
        raise ValueError(f"{call} gave shape {list(z.shape)} for {rows} rows, not [{rows}, width]")
    row, column = np.nonzero(z)
    counts = np.bincount(row, minlength=rows).astype(np.uint32)
    values = z[row, column].astype(np.float32)
    header = ANSWER.pack(b"LATS", rows, z.shape[1], len(values))
    return header + counts.tobytes() + column.astype(np.uint32).tobytes() + values.tobytes()


if __name__ == "__main__":
    main()
