"""Runs inside the sandbox: loads the agent's model and answers calls of its methods, arrays in, arrays out.

Called as `python -P call_worker.py FRAMES ARTEFACT THREADS DEVICE CLASS METHODS` in the folder of the experiment's
code: FRAMES is the path of frames.py, CLASS is written with its module (experiment.SAE), METHODS is a JSON list.
Imports nothing else of the runner, which trusts no answer.

Code that never imports torch gets numpy arrays; an argument without dimensions is passed as a Python number. A torch
module answers on DEVICE. If its first answer there fails, as that of code which creates tensors without a device does,
it answers on the CPU from then on.
"""

import importlib
import importlib.util
import json
import os
import sys
from types import ModuleType
from typing import Any

import numpy as np


def main() -> None:
    """Load the model, and answer requests from standard input until it is closed."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the experiment prints goes to the log, not among the answers
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    frames, (artefact, threads, device, kind, methods) = load_frames(sys.argv[1]), sys.argv[2:7]
    answerer = Answerer(kind, artefact, int(threads), device)
    declared = json.loads(methods)
    while head := requests.read(frames.HEAD.size):
        _, number, shapes = frames.header(head, requests.read)
        given = frames.arrays(shapes, requests.read)
        answers.write(frames.pack(frames.GAVE, number, answerer.answer(declared[number], given)))
        answers.flush()


def load_frames(path: str) -> ModuleType:
    """Import frames.py from its path, under a name that no module of an experiment has."""
    spec = importlib.util.spec_from_file_location("_frames_of_the_runner", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Answerer:
    """The experiment's model, loaded from the artefact by its own class."""

    def __init__(self, kind: str, artefact: str, threads: int, device: str = "cpu") -> None:
        self.device, self.answered = "cpu", False
        sys.path.insert(0, os.getcwd())
        module, _, name = kind.rpartition(".")
        model = getattr(importlib.import_module(module), name)
        self.torch: Any = sys.modules.get("torch")
        if self.torch is None:
            self.model = model.load(artefact)
            return
        self.torch.set_num_threads(threads)
        with self.torch.no_grad():
            self.model = model.load(artefact)
            if isinstance(self.model, self.torch.nn.Module):
                self.model.eval()
                self.device = device

    def answer(self, method: dict[str, Any], given: list[np.ndarray]) -> list[np.ndarray]:
        """The arrays of the method's answer, in the types in which they are sent."""
        call = getattr(self.model, method["name"])
        if self.torch is None:
            gave = call(*(array if array.ndim else array.item() for array in given))
        else:
            with self.torch.no_grad():
                gave = self._gave(call, method["takes"], given)
        several = gave if len(method["gives"]) > 1 else (gave,)
        if not isinstance(several, (tuple, list)) or len(several) != len(method["gives"]):
            raise ValueError(
                f"{method['call']} gave {type(gave).__name__}; {len(method['gives'])} arrays were declared"
            )
        arrays = [self._array(v, method["call"], *method["gives"][n]) for n, v in enumerate(several)]
        return sparse(arrays[0], given[0], method["call"]) if method["sparse"] else arrays

    def _gave(self, call: Any, dtypes: list[str], given: list[np.ndarray]) -> Any:
        """The answer of a torch model, on its device or, after a failed first answer, on the CPU."""
        try:
            if self.device != "cpu" and not self.answered:
                self.model.to(self.device)
            gave = call(*(self._tensor(a, dtypes[n]) for n, a in enumerate(given)))
        except Exception as error:
            if self.device == "cpu" or self.answered:
                raise
            print(f"answers on the CPU, because on {self.device}: {error}", file=sys.stderr)
            self.device = "cpu"
            self.model.to(self.device)
            gave = call(*(self._tensor(a, dtypes[n]) for n, a in enumerate(given)))
        self.answered = True
        return gave

    def _tensor(self, array: np.ndarray, dtype: str) -> Any:
        if not array.ndim:
            return array.item()
        return self.torch.from_numpy(array).to(self.device, getattr(self.torch, dtype))

    def _array(self, value: Any, call: str, name: str, dtype: str, carried: str) -> np.ndarray:
        """One result in the type in which it is sent.

        Floats and integers of another width are converted; another kind of number raises TypeError.
        """
        if self.torch is not None and isinstance(value, self.torch.Tensor):
            value = value.to(getattr(self.torch, dtype)) if value.is_floating_point() and carried != dtype else value
            value = (value.float() if value.dtype == self.torch.bfloat16 or carried != dtype else value).cpu().numpy()
        array = np.asarray(value)
        if not np.can_cast(array.dtype, carried, "same_kind") and not (array.dtype.kind in "iu" and carried[0] in "iu"):
            raise TypeError(f"{call} gave {array.dtype} as `{name}`; {dtype} was declared")
        return array.astype(carried)


def sparse(z: np.ndarray, x: np.ndarray, call: str) -> list[np.ndarray]:
    """Latents [B, d_sae] as four arrays: width, number of non-zeros of each row, their columns, their values."""
    if z.ndim != 2 or len(z) != len(x):
        raise ValueError(f"{call} gave shape {list(z.shape)} for {len(x)} rows, not [{len(x)}, width]")
    row, column = np.nonzero(z)
    counts = np.bincount(row, minlength=len(z)).astype(np.uint32)
    return [np.asarray(z.shape[1], np.uint32), counts, column.astype(np.uint32), z[row, column]]


if __name__ == "__main__":
    main()
