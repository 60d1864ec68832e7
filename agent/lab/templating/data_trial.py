"""What is wrong with the data of a template, seen by drawing them from two secrets.

Not here: the trainings on them (trial.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from agent.core.manifest import Condition, Manifest
from agent.core.paths import DataPaths
from agent.lab.built import data_of
from agent.lab.templating.flaw import Flaw


class HeldOut(Protocol):
    """Gives the rows of the first argument that are held out."""

    def __call__(self, world: DataPaths, condition: Condition) -> Any: ...


OVERLAP = 0.01  # share of held-out rows that may stand among the training rows: small alphabets repeat by chance


def data_flaws(
    manifest: Manifest, conditions: Sequence[Condition], held_out: HeldOut, one: DataPaths, other: DataPaths
) -> Iterator[Flaw]:
    """What is wrong with two worlds: with the data that conditions share, or with those of the first where that shows.

    `held_out` gives the held-out rows of a condition's data, as evaluate.py reads them; None where there are none.
    """
    shown: set[Path] = set()
    for condition in conditions:
        mine, again = (data_of(world, condition.name) for world in (one, other))
        rows = partial(held_out, condition=condition)
        flaws = [] if mine.train in shown else list(_flaws_of(manifest.memorised, mine, again, rows))
        shown.add(mine.train)
        yield from flaws
        if flaws:  # those of the other conditions would have the same
            return


def _flaws_of(
    memorised: bool, one: DataPaths, other: DataPaths, held_out: Callable[[DataPaths], Any]
) -> Iterator[Flaw]:
    truth, again = ({n: h for n, h in w.hashes.items() if n.startswith("truth/")} for w in (one, other))
    if truth and truth == again:
        yield Flaw(
            "secret-ignored",
            "prepare.py",
            "two secrets give the same held-out data, so the confirmation's fresh world is the explored one",
            "draw the held-out rows (or the split) from `secret`",
        )
    by_hash = {digest: name for name, digest in one.hashes.items() if name.startswith("train/")}
    for name, digest in truth.items():
        if digest in by_hash and not memorised:
            yield Flaw(
                "held-out-visible",
                "prepare.py",
                f"{by_hash[digest]} is {name}, byte for byte: the held-out data are shown to the training",
                "write to train_dir what may be trained on alone (or say `memorised = true` in manifest.toml)",
            )
    try:
        rows = held_out(one)
        share = 0.0 if rows is None or memorised else overlap(rows, one)
    except Exception as error:  # whatever a template's own code does
        yield Flaw(
            "load-truth-fails", "evaluate.py", f"load_truth: {error!r}", "repair it: nothing can be measured before"
        )
        return
    if share > OVERLAP:
        yield Flaw(
            "train-test-overlap",
            "prepare.py",
            f"{share:.0%} of the held-out rows stand among the training rows",
            "split before writing, each row to one side (or say `memorised = true` in manifest.toml)",
        )


def overlap(rows: Any, world: DataPaths) -> float:
    """Share of held-out `rows` that stand, byte for byte, in an array of the training data of the same width.

    Less the share of training rows that stand there twice: so many repeat by chance (rows in which nothing fires,
    the first word of a sentence).
    """
    import numpy as np

    held_out = np.ascontiguousarray(rows)
    seen: Counter[int] = Counter()
    for path in sorted(world.train.rglob("*.npy")):
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        if rows.ndim == held_out.ndim and rows.shape[1:] == held_out.shape[1:]:
            seen.update(hash(np.ascontiguousarray(row, dtype=held_out.dtype).tobytes()) for row in rows)
    repeated = sum(times for times in seen.values() if times > 1) / max(1, seen.total())
    return sum(hash(row.tobytes()) in seen for row in held_out) / max(1, len(held_out)) - repeated
