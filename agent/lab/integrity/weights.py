"""Checks of whether an artefact holds the parameters of one training and nothing else, and comparisons of artefacts.

The checks read `Training.artefact_facts`, which the runner took from the files itself (measuring/contents.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agent.core.manifest import Manifest
from agent.core.record import RunRecord
from agent.lab.integrity.rule import named

if TYPE_CHECKING:
    import numpy as np

ALIGNED = 0.5  # correlation of two seeds' parameters, entry by entry; independent initialisations give 0
DEVIATIONS = 5.0  # standard deviations of a correlation by chance, which are large for small artefacts
MATCHED = 0.97  # absolute cosine that 19 of 20 decoder rows reach with some row of another seed
NEARER = 0.25  # share of the distance from 1 that the first baseline's own seeds keep
NUMBERS = 1.5  # times the numbers in the largest artefact of a baseline
BYTES = 2.5  # times the bytes of its file; double precision is a factor of two
SLACK = 2048  # bytes of a header, whatever the model
DATA_LIKE = 1 - 1e-6  # cosine with a training row; a row kept in float16 has 1 - 1e-7
FEW = 8  # matches with training rows; fewer may be chance


@named("shared-weights", "flag")
def shared_weights(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags seeds whose parameters come nearly from one training: the same entries, or the same decoder rows in another
    order. Their spread then says nothing about the method's. It also flags an initialisation that is the same for all
    seeds. Independent trainings on one world find many of the same features, so rows in another order are compared
    with what the first baseline's own seeds have in common. Does not catch a copy that has moved far since. Left out
    where the manifest says `one_optimum`."""
    if manifest.one_optimum:
        return
    usual = _most(next((r for r in earlier if r.kind == "baseline"), None), "matched")
    for t in record.trainings:
        facts = t.artefact_facts
        least = max(ALIGNED, DEVIATIONS / max(facts.get("compared", 1.0), 1.0) ** 0.5)
        aligned, matched = facts.get("aligned", 0.0), facts.get("matched", 0.0)
        where = f"seed {t.seed}, {t.condition}"
        if aligned > min(least, 0.95):
            yield (
                f"{where}: its parameters correlate by {aligned:.3f} with another seed's, entry by entry; seeds that "
                "start apart give about 0, so the spread over seeds is not that of independent trainings"
            )
        elif usual is not None and matched > MATCHED and 1 - matched < NEARER * (1 - usual):
            yield (
                f"{where}: 19 of 20 decoder rows have a cosine above {matched:.3f} with a row of another seed; the "
                f"first baseline's seeds reach {usual:.3f}, so this looks like one training in another order"
            )


@named("large-artefact", "flag")
def large_artefact(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> Iterator[str]:
    """Flags an artefact with more than 1.5 times the numbers, or 2.5 times the bytes, of the largest that a baseline
    left: it holds capacity that the comparison does not grant (a hidden wider dictionary, a second model), or data.
    Baselines are left out, because the template declares them."""
    baselines = [r for r in earlier if r.kind == "baseline"]
    numbers = max((n for r in baselines if (n := _most(r, "numbers")) is not None), default=None)
    size = max((n for r in baselines if (n := _most(r, "bytes")) is not None), default=None)
    if record.kind == "baseline" or numbers is None or size is None:
        return
    mine, weight = _most(record, "numbers"), _most(record, "bytes")
    if mine is not None and mine > NUMBERS * numbers:
        yield f"the artefact holds {mine / numbers:.1f} times the numbers of the largest baseline's ({numbers:.0f})"
    elif weight is not None and weight > BYTES * size + SLACK:
        yield f"the artefact's file is {weight / size:.1f} times as large as the largest baseline's ({size:.0f} bytes)"


def aligned(one: np.ndarray, other: np.ndarray) -> float:
    """The absolute correlation of two arrays of one shape, entry by entry; 0.0 if one of them is constant."""
    import numpy as np

    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(abs(a @ b)) / scale if scale > 0 else 0.0


def matched(one: np.ndarray, other: np.ndarray) -> float:
    """The absolute cosine that 19 of 20 rows of `one` reach with some row of `other`; both [d_sae, d_in]."""
    import numpy as np

    a, b = (m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12) for m in (one, other))
    nearest = np.concatenate([np.abs(a[i : i + 1024] @ b.T).max(axis=1) for i in range(0, len(a), 1024)])
    return float(np.quantile(nearest, 0.05, method="lower"))


def rows_of_data(rows: np.ndarray, data: np.ndarray) -> int:
    """How many of `rows` [n, d_in] are a row of `data` [N, d_in], whatever their scale."""
    import numpy as np

    a, b = (m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12) for m in (rows, data))
    hits = np.zeros(len(a), dtype=bool)
    for start in range(0, len(b), 4096):
        hits |= np.abs(a @ b[start : start + 4096].T).max(axis=1, initial=0.0) > DATA_LIKE
    return int(hits.sum())


def _most(record: RunRecord | None, fact: str) -> float | None:
    """The largest value of one artefact fact among a record's trainings, if any has it."""
    found = [t.artefact_facts[fact] for t in record.trainings if fact in t.artefact_facts] if record else []
    return max(found, default=None)
