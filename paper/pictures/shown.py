"""What the standard figures share: which run stands out, the look of each run, and phrases of captions."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.looks import Look, looks
from paper.evidence.facts import Facts
from paper.evidence.numbers import count_text
from paper.evidence.series import series_of

if TYPE_CHECKING:
    from agent.core.record import RunRecord

ARROW = {"higher": "↑", "lower": "↓"}


@dataclass(frozen=True)
class Figure:
    """A figure of the paper, to which the text refers as `[@fig:name]`."""

    name: str
    file: Path
    caption: str
    description: str  # for the notes and the writer's prompt
    by: str = "runner"  # "runner" or "agent"
    width: float = 1.0  # of the text's width


def standing_out(facts: Facts) -> RunRecord | None:
    """The run that the paper describes, whose name is bold in figures; None where nothing was measured."""
    return facts.described if facts.measured else None


def look_of(facts: Facts, record: RunRecord) -> Look:
    """The colour and the marker that a run has in every figure of its session."""
    return looks(facts.records)[record.run]


def in_lines(text: str, letters: int) -> str:
    """A name broken into lines of about `letters` letters; one of up to 1.5 times as many stays in one line.

    A line may also end behind an underscore or a slash.
    """
    if len(text) <= 1.5 * letters:
        return text
    apart = text.replace("_", "_\u200b").replace("/", "/\u200b").replace("\u200b", " \u200b")
    return textwrap.fill(apart, letters + 4).replace(" \u200b", "").replace("\n\u200b", "\n")


def mark_label(axis_labels: list[Any], records: list[RunRecord], facts: Facts) -> None:
    """Set the label of the described run in bold; `records` are the runs of the labels, in their order."""
    chosen = standing_out(facts)
    for label, record in zip(axis_labels, records, strict=False):
        if chosen is not None and record.run == chosen.run:
            label.set_fontweight("bold")


# ---------------------------------------------------------------- words


def _seed_counts(facts: Facts) -> list[int]:
    """The different numbers of seeds that runs were measured with, ascending."""
    conditions, primary = facts.condition_names(), facts.manifest.primary
    return sorted({s.n for r in facts.measured for c in conditions if (s := series_of(r, primary, c))})


def seeds_words(facts: Facts) -> str:
    """Over how many seeds the means of a figure are, e.g. "n = 3 seeds"."""
    counts = _seed_counts(facts)
    if len(counts) == 1:
        return f"n = {counts[0]} seed{'s' if counts[0] != 1 else ''}"
    return f"{count_text(counts[0])} to {count_text(counts[-1])} seeds (listed in the appendix)" if counts else "seeds"


def means_words(facts: Facts, spread: str) -> str:
    """What the markers or lines of a figure are; `spread` says how their spread is drawn, if they are means."""
    once = "the values of one training each" if facts.manifest.seeded else "the values that one execution reported"
    return once if _seed_counts(facts) == [1] else f"means over {seeds_words(facts)}{spread}"


def metric_words(facts: Facts, metric: str) -> str:
    """A metric with its direction, e.g. "F1 (higher is better)"."""
    return f"{facts.spec(metric).label} ({facts.direction(metric)})"


def axis_words(facts: Facts, metric: str) -> str:
    """The name of an axis: a metric's label, its unit in brackets and an arrow for its direction."""
    spec = facts.spec(metric)
    unit = f" [{spec.unit}]" if spec.unit else ""
    return f"{spec.label}{unit} {ARROW.get(spec.better, '')}".strip()


def described_words(facts: Facts) -> str:
    """A sentence that names the run whose name is bold; it begins with a blank."""
    chosen = standing_out(facts)
    return f" In bold: {chosen.label}, which the paper describes." if chosen else ""


def reported_words(facts: Facts) -> str:
    """A sentence for the captions of templates whose experiments measure themselves; "" for others."""
    return "" if facts.manifest.measured else " All values are self-reported by the experiments."
