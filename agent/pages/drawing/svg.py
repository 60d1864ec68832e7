"""Makes elements of SVG, in which every text is escaped, and scales with ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from agent.core.visible import visible

Child = Markup | str


def tag(name: str, *children: Child, **attributes: object) -> Markup:
    """An element. `class_` is written as `class`, `stroke_width` as `stroke-width`; None leaves an attribute out."""
    written = "".join(
        f' {escape(key.rstrip("_").replace("_", "-"))}="{escape(visible(_text(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(c if isinstance(c, Markup) else visible(c) for c in children)
    return Markup(f"<{name}{written}>{inside}</{name}>") if inside else Markup(f"<{name}{written}/>")


def picture(width: float, height: float, label: str, *children: Child, class_: str = "chart") -> Markup:
    """A whole drawing; `label` is its name for readers who do not see it."""
    box = f"0 0 {_text(width)} {_text(height)}"
    return tag("svg", *children, class_=class_, viewBox=box, role="img", aria_label=label, width=width, height=height)


def path(points: Iterable[tuple[float, float]]) -> str:
    """A line through these points, as the `d` of a path."""
    return "M" + "L".join(f"{_text(x)} {_text(y)}" for x, y in points)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".rstrip("0").rstrip(".")
    return str(value)


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` to coordinates from `begin` to `end`; `log` needs values above zero."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], begin: float, end: float, log: bool = False, margin: float = 0.06) -> Scale:
        """A scale that holds these values with a margin on both sides."""
        finite = [v for v in values if math.isfinite(v)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        if log and low > 0:
            spread = (high / low) ** margin if high > low else 2.0
            return cls(low / spread, high * spread, begin, end, True)
        gap = (high - low) * margin if high > low else abs(high) * 0.1 or 1.0
        return cls(low - gap, high + gap, begin, end)

    def at(self, value: float) -> float:
        """The coordinate of a value; values beyond the ends are drawn at the ends."""
        if not math.isfinite(value):
            return self.end
        if self.log:
            share = math.log(max(value, 1e-300) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + min(1.0, max(0.0, share)) * (self.end - self.begin)

    def ticks(self, about: int = 6) -> list[tuple[float, str]]:
        """Round values inside the scale, with their texts."""
        if self.log and self.high / self.low > 12:
            exponents = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [(10.0**e, _number(10.0**e, e)) for e in exponents]
        step = _round_step((self.high - self.low) / max(1, about))
        first = math.ceil(self.low / step) * step
        count = int((self.high - first) / step + 1e-9) + 1
        exponent = math.floor(math.log10(step) + 1e-9) - (
            round(step / 10 ** math.floor(math.log10(step) + 1e-9), 1) == 2.5
        )
        return [(first + i * step, _number(first + i * step, exponent)) for i in range(count)]


def _round_step(rough: float) -> float:
    size = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= rough * 0.999)


def _number(value: float, exponent: int) -> str:
    if abs(value) >= 1e6 or (value and abs(value) < 1e-4):
        digits = max(0, math.floor(math.log10(abs(value)) + 1e-9) - exponent)
        return f"{value:.{digits}e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    if abs(value) >= 10_000 and exponent >= 3:
        return f"{value / 1000:g}k"
    text = f"{value:.{max(0, -exponent)}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def frame(x: Scale, y: Scale, x_label: str, y_label: str) -> list[Markup]:
    """Grid, ticks and names of two axes; `y.begin` is the bottom."""
    parts = []
    for value, text in y.ticks():
        at = y.at(value)
        parts.append(tag("line", class_="grid", x1=x.begin, x2=x.end, y1=at, y2=at))
        parts.append(tag("text", text, class_="tick", x=x.begin - 8, y=at + 4, text_anchor="end"))
    for value, text in x.ticks(6 if x.end > 400 else 4):
        at = x.at(value)
        parts.append(tag("line", class_="tickmark", x1=at, x2=at, y1=y.begin, y2=y.begin + 4))
        parts.append(tag("text", text, class_="tick", x=at, y=y.begin + 18, text_anchor="middle"))
    parts.append(tag("line", class_="axis", x1=x.begin, x2=x.end, y1=y.begin, y2=y.begin))
    parts.append(tag("text", x_label, class_="name", x=x.end, y=y.begin + 36, text_anchor="end"))
    parts.append(tag("text", y_label, class_="name", x=x.begin, y=y.end - 12, text_anchor="start"))
    return parts
