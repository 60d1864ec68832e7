"""The tables that say how each metric is read: its direction, and the manifest's sentence on it."""

from __future__ import annotations

from pylatex import NoEscape

from paper.evidence.facts import Facts
from paper.press.latex import escape
from paper.press.tabular import LETTERS_PT, in_lines, long_table, paragraph, tabular
from paper.press.widths import LINE_PT, lines_of, text_pt

_HEADS = ("Metric", "Better", "How to read it")
_LABEL_PT, _READ_PT = 84.0, 238.0  # columns of labels and of readings, where labels are long
_WIDE_READ = 0.7  # share of the line for the readings, where labels are short
_READ_LINES = 46  # of the table of the text


def metrics(facts: Facts) -> str:
    """The table of the text: direction and reading of the headline metrics, as many as one page holds."""
    width = _metric_label_pt(facts)
    spec = r"l l >{\raggedright\arraybackslash}p{0.7\linewidth}"
    if width is not None:
        spec = f"{paragraph(width)} l {paragraph(_READ_PT)}"
    table = tabular(rf"@{{}}{spec}@{{}}", width=3)
    table.add_row(_HEADS)
    table.add_hline()
    for name in _read_first(facts):
        table.add_row([NoEscape(cell) for cell in _reading(facts, name, width)])
    return "\\footnotesize\n" + table.dumps()


def further_metrics(facts: Facts) -> str:
    """The table of the appendix: the same for all other metrics; "" where there are none."""
    first = _read_first(facts)
    rest = [name for name in facts.manifest.metrics if name not in first]
    if not rest:
        return ""
    rows = [_reading(facts, name, _LABEL_PT) for name in rest]
    return long_table(f"{paragraph(_LABEL_PT)} l {paragraph(_READ_PT)}", _HEADS, rows)


def _metric_label(facts: Facts, name: str) -> str:
    spec = facts.spec(name)
    return spec.label + (" (primary)" if spec.primary else "")


def _metric_label_pt(facts: Facts) -> float | None:
    """The width in points of the column of labels; None where every label fits in one line beside the reading."""
    labels = max(text_pt(_metric_label(facts, name), LETTERS_PT) for name in facts.manifest.metrics)
    better = max(text_pt(facts.better(name), LETTERS_PT) for name in facts.manifest.metrics)
    return None if labels + better + 24 <= (1 - _WIDE_READ) * LINE_PT else _LABEL_PT


def _reading(facts: Facts, name: str, width: float | None) -> list[str]:
    return [in_lines(_metric_label(facts, name), width), facts.better(name), escape(facts.spec(name).read)]


def _read_first(facts: Facts) -> list[str]:
    """The headline metrics whose readings fit on one page."""
    width = _metric_label_pt(facts)
    room = _READ_PT if width else _WIDE_READ * LINE_PT
    shown: list[str] = []
    lines = 0
    for name in facts.manifest.headline:
        label = lines_of(_metric_label(facts, name), width, LETTERS_PT) if width else [""]
        lines += max(len(label), len(lines_of(facts.spec(name).read, room, LETTERS_PT)))
        if lines > _READ_LINES and shown:
            break
        shown.append(name)
    return shown


def metrics_caption(facts: Facts) -> str:
    how = (
        "measured by the runner on held-out data, outside the experiment's process"
        if facts.manifest.measured
        else "reported by the experiments themselves"
    )
    rest = len(facts.manifest.metrics) > len(_read_first(facts))
    more = " What one page does not hold stands in the appendix, under Further Metrics." if rest else ""
    return f"The metrics, {how}.{more}"
