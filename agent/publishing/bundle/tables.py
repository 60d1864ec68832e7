"""The data behind each figure of a paper as CSV, from the records alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from agent.core.manifest import Manifest
from agent.core.record import RunRecord
from paper.press.account import FigureAccount

HEAD = ("run", "name", "label", "kind", "seed", "condition")


def figure_csv(figure: FigureAccount, records: Sequence[RunRecord], manifest: Manifest) -> str:
    """The values that a figure can show, one a row: for a figure of the runner those that it draws, for one of the
    agent everything that its plot.py was given."""
    explored = [r for r in records if r.kind != "confirmation" and r.status == "measured"]
    mark = "measured" if manifest.measured else "self-reported"
    if figure.by == "runner" and figure.name.startswith("curves"):
        return _csv((*HEAD, "curve", "index", "value"), _curves(explored))
    if figure.name.startswith("sweep_"):
        whole = [r.whole for r in explored if r.swept]
        return _csv((*HEAD, "source", "quantity", "value"), _values(whole, "metrics", mark))
    if figure.by != "runner":
        rows = [*_values(explored, "metrics", mark), *_values(explored, "diagnostics", "self-reported")]
        return _csv((*HEAD, "source", "quantity", "value"), rows)
    shown = _shown(figure.name, manifest)
    return _csv((*HEAD, "source", "quantity", "value"), _values(explored, "metrics", mark, shown))


def _shown(name: str, manifest: Manifest) -> set[str]:
    """The metrics that a standard figure draws."""
    if name.startswith("differences"):
        return {manifest.primary}
    if name.startswith("tradeoff"):
        return {metric for plane in manifest.tradeoffs for metric in (plane.x, plane.y)}
    return set(manifest.metrics)


def _values(
    records: Sequence[RunRecord], field: str, source: str, wanted: set[str] | None = None
) -> Iterable[Sequence[object]]:
    for record in records:
        for training in record.trainings:
            for name, value in getattr(training, field).items():
                if wanted is None or name in wanted:
                    yield (*_head(record), training.seed, training.condition, source, name, repr(value))


def _curves(records: Sequence[RunRecord]) -> Iterable[Sequence[object]]:
    for record in records:
        for training in record.trainings:
            for name, curve in training.curves.items():
                for index, value in enumerate(curve):
                    yield (*_head(record), training.seed, training.condition, name, index, repr(value))


def _head(record: RunRecord) -> tuple[str, ...]:
    return record.run, record.name, record.label, record.kind


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()
