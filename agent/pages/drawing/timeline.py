"""Draws the timeline of a session: its stages as bars over active time, failures as red marks, and the present."""

from __future__ import annotations

from markupsafe import Markup

from agent.pages.drawing.svg import Scale, picture, tag
from agent.pages.views.story import Story
from agent.pages.views.words import lasted

_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800)
ROW, LEFT = 26, 112
BROAD, SLIM = 720, 360  # a screen's and a phone's
MOST_MARKS = 60  # failures that are drawn in a stage


def timeline(story: Story) -> Markup:
    """The timeline with a row for each stage, for a screen and for a phone."""
    return _drawn(story, BROAD, "broad") + _drawn(story, SLIM, "slim")


def _drawn(story: Story, width: int, look_of: str) -> Markup:
    rows = len(story.spans)
    height = rows * ROW + 34
    x = Scale(0.0, max(story.total, 1.0), LEFT, width - 74)
    parts = []
    for value in _round_times(x.high, most=6 if width == BROAD else 3):
        at = x.at(value)
        parts.append(tag("line", class_="grid", x1=at, x2=at, y1=4, y2=rows * ROW + 6))
        text = lasted(value).removesuffix(" 00 s").removesuffix(" 00 min") if value else "0"
        parts.append(tag("text", text, class_="tick", x=at, y=height - 6, text_anchor="middle"))
    for place, span in enumerate(story.spans):
        top = place * ROW + 8
        begin, end = x.at(span.begin), x.at(span.end)
        parts.append(tag("text", span.label, class_="stage", x=LEFT - 10, y=top + 12, text_anchor="end"))
        name = tag("title", f"{span.label}: {span.lasted}")
        look = "bar now" if span.now else "bar"
        parts.append(tag("rect", name, class_=look, x=begin, y=top, width=max(2.0, end - begin), height=15, rx=3))
        parts.append(tag("text", span.lasted, class_="tick", x=end + 8, y=top + 12))
        for failure in span.failures[:MOST_MARKS]:
            at = x.at(failure.at)
            title = tag("title", f"{failure.what}: {failure.why[:200]}")
            parts.append(tag("path", title, class_="failed", d=f"M{at - 4:.1f} {top + 3.5}l8 8m0 -8l-8 8"))
        if span.now:
            parts.append(tag("line", class_="cursor", x1=end, x2=end, y1=2, y2=rows * ROW + 8))
    failed = sum(len(span.failures) for span in story.spans)
    label = f"Stages of the session over {lasted(story.total)} of active time, with {failed} failures"
    return picture(width, height, label, *parts, class_=f"chart timeline {look_of}")


def _round_times(total: float, most: int) -> list[float]:
    """Round times from 0 to `total`, at most about `most` of them, at a step from _STEPS."""
    step = next((s for s in _STEPS if total / s <= most), _STEPS[-1])
    return [step * i for i in range(min(40, int(total / step) + 1))]
