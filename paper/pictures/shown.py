"""What the standard figures share: which run stands out, whose values are drawn, and the words of their captions."""

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
    """A figure as the paper knows it: `[@fig:name]`."""

    name: str
    file: Path
    caption: str
    description: str  # for the notes and the writer's prompt
    by: str = "runner"  # "runner" or "agent"
    width: float = 1.0  # of the text's width


def standing_out(facts: Facts) -> RunRecord | None:
    """The run that the paper describes, which a figure sets off; None where nothing was measured."""
    return facts.described if facts.measured else None


def look_of(facts: Facts, record: RunRecord) -> Look:
    """The colour and the marker that a run has in every figure of its session."""
    return looks(facts.records)[record.run]


def in_lines(text: str, letters: int) -> str:
    """A long name in two lines or more; a shorter one, up to half as long again, as it is."""
    if len(text) <= 1.5 * letters:
        return text
    apart = text.replace("_", "_\u200b").replace("/", "/\u200b").replace("\u200b", " \u200b")
    return textwrap.fill(apart, letters + 4).replace(" \u200b", "").replace("\n\u200b", "\n")


def mark_label(axis_labels: list[Any], records: list[RunRecord], facts: Facts) -> None:
    """The described run's name in bold."""
    chosen = standing_out(facts)
    for label, record in zip(axis_labels, records, strict=False):
        if chosen is not None and record.run == chosen.run:
            label.set_fontweight("bold")


# ---------------------------------------------------------------- words


def seeds_words(facts: Facts) -> str:
    """How many seeds the means of a figure are over."""
    counts = sorted(
        {s.n for r in facts.measured for c in facts.condition_names() if (s := series_of(r, facts.manifest.primary, c))}
    )
    if len(counts) == 1:
        return f"n = {counts[0]} seed{'s' if counts[0] != 1 else ''}"
    return f"{count_text(counts[0])} to {count_text(counts[-1])} seeds (listed in the appendix)" if counts else "seeds"


def means_words(facts: Facts, spread: str) -> str:
    """What the markers or lines of a figure are, with the words for their spread; a single training has none."""
    counts = {
        s.n for r in facts.measured for c in facts.condition_names() if (s := series_of(r, facts.manifest.primary, c))
    }
    once = "the values of one training each" if facts.manifest.seeded else "the values that one execution reported"
    return once if counts == {1} else f"means over {seeds_words(facts)}{spread}"


def metric_words(facts: Facts, metric: str) -> str:
    """A metric with its direction."""
    return f"{facts.spec(metric).label} ({facts.direction(metric)})"


def axis_words(facts: Facts, metric: str) -> str:
    """A metric as an axis names it: label, unit and direction."""
    spec = facts.spec(metric)
    unit = f" [{spec.unit}]" if spec.unit else ""
    return f"{spec.label}{unit} {ARROW.get(spec.better, '')}".strip()


def described_words(facts: Facts) -> str:
    """Which run a figure sets off."""
    chosen = standing_out(facts)
    return f" In bold: {chosen.label}, which the paper describes." if chosen else ""


def reported_words(facts: Facts) -> str:
    return "" if facts.manifest.measured else " All values are self-reported by the experiments."
