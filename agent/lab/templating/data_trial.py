"""Flaws of a template's data: two worlds, drawn from different secrets, are compared.

Not here: the trainings on them (trial.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agent.core.manifest import Condition, Manifest
from agent.core.paths import DataPaths
from agent.lab.built import data_of
from agent.lab.templating.flaw import Flaw

HeldOut = Callable[[DataPaths, Condition], Any]  # gives the held-out rows of a world under a condition
OVERLAP = 0.01  # share of held-out rows that may also be training rows: with few distinct values, rows repeat


def data_flaws(
    manifest: Manifest, conditions: Sequence[Condition], held_out: HeldOut, one: DataPaths, other: DataPaths
) -> Iterator[Flaw]:
    """The flaws of the data in two worlds. Each condition's own data are looked at, up to the first that has a flaw.

    `held_out` gives the held-out rows [N, ...] of a condition's data as evaluate.py reads them; None if it has none.
    """
    shown: set[Path] = set()
    for condition in conditions:
        mine, again = (data_of(world, condition.name) for world in (one, other))
        rows = partial(held_out, mine, condition)
        flaws = [] if mine.train in shown else list(_flaws_of(manifest.memorised, mine, again, rows))
        shown.add(mine.train)
        yield from flaws
        if flaws:  # the data of other conditions would have the same flaws
            return


def _flaws_of(memorised: bool, one: DataPaths, other: DataPaths, held_out: Callable[[], Any]) -> Iterator[Flaw]:
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
        rows = held_out()
        share = 0.0 if rows is None or memorised else overlap(rows, one)
    except UnreadableRows as problem:
        yield Flaw("unreadable-rows", "prepare.py", str(problem), "save arrays of numbers, without dtype=object")
        return
    except Exception as error:  # whatever a template's own code raises
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


class UnreadableRows(Exception):
    """A file of training rows is no array of numbers; the text names the file."""


def overlap(rows: Any, world: DataPaths) -> float:
    """The share of held-out `rows` [N, ...] that are, byte for byte, rows of a training array of the same width.

    The share of training rows that occur more than once is subtracted, because so many repeat by chance (rows in which
    nothing is active, the first word of a sentence).

    Raises:
        UnreadableRows: a training array holds objects, or is damaged.
    """
    import numpy as np

    held_out = np.ascontiguousarray(rows)
    seen: Counter[int] = Counter()
    for path in sorted(world.train.rglob("*.npy")):
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            name = path.relative_to(world.train.parent).as_posix()
            raise UnreadableRows(f"{name} cannot be compared with the held-out rows: {error}") from None
        if rows.ndim == held_out.ndim and rows.shape[1:] == held_out.shape[1:]:
            seen.update(hash(np.ascontiguousarray(row, dtype=held_out.dtype).tobytes()) for row in rows)
    repeated = sum(times for times in seen.values() if times > 1) / max(1, seen.total())
    return sum(hash(row.tobytes()) in seen for row in held_out) / max(1, len(held_out)) - repeated
