"""The schematic of the described run: an autoencoder with its sizes, its choice of latents and its nested prefixes.

It is drawn from the record alone, never from the paper's text: a part that the record does not have is left out. There
is no schematic where the template's manifest does not declare one or where a size is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.looks import TEXT_WIDTH
from paper.evidence.facts import FactError, Facts
from paper.evidence.numbers import count_text
from paper.pictures.shown import Figure, look_of
from paper.pictures.style import draw

if TYPE_CHECKING:
    from agent.core.record import RunRecord

NAME = "schematic"
HEIGHT, MIDDLE, TALL = 1.35, 0.76, 0.92  # inches: of the picture, of its axis, of a column of latents
INK, PALE, FAINT = "#333333", "#eef1f4", "#d4dbe2"
# How an exported autoencoder of each form chooses its latents: the words in the box, and those in the caption.
FORMS = {
    "topk": ("{l0} largest\nof each row", "each row keeps its {l0} largest pre-activations"),
    "jumprelu": ("those above\na threshold", "a latent is on where its pre-activation passes a threshold"),
    "gated": ("those whose\ngate is open", "a gate says which latents are on"),
    "standard": ("those above\nzero", "every positive pre-activation stays"),
}


@dataclass(frozen=True)
class Parts:
    """What the record says of the run. A part that is "" or empty is not known and is not drawn."""

    d_in: int
    d_sae: int
    l0: str  # latents that are kept a row; "the" where conditions differ in it
    choice: str  # one of FORMS
    tiers: tuple[int, ...]  # latents of each nested prefix, the last one all of them
    schedule: tuple[tuple[float, ...], tuple[float, ...]] | None  # steps, and latents a row, if these change


def schematic(facts: Facts, folder: Path) -> Figure | None:
    """Draw the described run's autoencoder; None where the template declares no schematic or a size is missing."""
    parts = parts_of(facts)
    if parts is None:
        return None
    record = facts.described
    colour = look_of(facts, record)["color"]

    def paint(canvas: Any) -> None:
        shares = [3.6, 1] if parts.schedule else [1]
        axes = canvas.subplots(1, len(shares), squeeze=False, width_ratios=shares).ravel()
        _autoencoder(axes[0], parts, colour)
        if parts.schedule:
            axes[1].plot(*parts.schedule, color=colour)
            axes[1].set(xlabel="training step", title="latents a row")
            axes[1].set_ylim(0, 1.1 * max(parts.schedule[1]))
            axes[1].locator_params(nbins=3)

    width = 1.0 if parts.schedule else 0.78
    file = draw(folder / NAME, width * TEXT_WIDTH, HEIGHT, paint)
    return Figure(
        NAME,
        file,
        width=width,
        caption=_caption(record, parts),
        description=f"Schematic of {record.label}, drawn from its record: sizes, choice of latents, nested prefixes.",
    )


def parts_of(facts: Facts) -> Parts | None:
    """The parts of the described run, by the settings and diagnostics that the manifest's `schematic` names."""
    spec = facts.manifest.schematic
    if spec is None or not facts.measured:
        return None
    record = facts.described
    try:
        sizes = [facts.setting(key, run=record.name) for key in (spec.d_in, spec.d_sae)]
    except FactError:
        return None
    if not all(isinstance(size, int) for size in sizes):
        return None
    d_in, d_sae = (int(size) for size in sizes)
    try:
        l0 = f"{facts.setting(spec.l0, run=record.name)}"
    except FactError:
        l0 = "the"
    forms = {t.export.removeprefix("SAELens: ") for t in record.trainings if t.outcome == "measured"}
    choice = forms.pop() if len(forms) == 1 else ""
    tiers = _tiers(record, spec.tiers, d_sae) if spec.tiers else ()
    schedule = _schedule(record, spec.schedule) if spec.schedule else None
    return Parts(d_in, d_sae, l0, choice if choice in FORMS else "", tiers, schedule)


def _tiers(record: RunRecord, prefix: str, d_sae: int) -> tuple[int, ...]:
    """The widths of nested prefixes, from the diagnostics whose names begin with `prefix`.

    Every training must have reported the same growing whole numbers, the last of them `d_sae`; else there are none.
    """
    told = {
        tuple(value for key, value in sorted(t.diagnostics.items()) if key.startswith(prefix))
        for t in record.trainings
        if t.outcome == "measured"
    }
    if len(told) != 1:
        return ()
    [widths] = told
    grows = all(a < b for a, b in zip(widths, widths[1:], strict=False))
    whole = all(width == int(width) for width in widths)
    return tuple(map(int, widths)) if len(widths) > 1 and grows and whole and widths[-1] == d_sae else ()


def _schedule(record: RunRecord, name: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The first training's curve of latents a row, if its largest value is more than 1.1 times its smallest."""
    for training in record.trainings:
        steps, values = training.curves.get("step", ()), training.curves.get(name, ())
        if training.outcome == "measured" and len(steps) == len(values) > 1:
            return (steps, values) if max(values) > 1.1 * min(values) else None
    return None


# ---------------------------------------------------------------- drawing


def _autoencoder(axis: Any, parts: Parts, colour: str) -> None:
    from matplotlib.patches import Polygon

    axis.set(xlim=(0, 4.25), ylim=(0, HEIGHT))
    axis.axis("off")
    small, gap = 0.5 * TALL, 0.06
    _column(axis, 0.25, small, "$x$", f"{count_text(parts.d_in)}")
    for left, right, low, high, word in ((0.42, 0.95, small, TALL, "encoder"), (3.2, 3.73, TALL, small, "decoder")):
        corners = [(left, MIDDLE - low / 2), (left, MIDDLE + low / 2), (right, MIDDLE + high / 2)]
        axis.add_patch(Polygon([*corners, (right, MIDDLE - high / 2)], fc=PALE, ec=INK, lw=0.6))
        axis.text((left + right) / 2, MIDDLE, word, ha="center", va="center", fontsize=7.5)
    _column(axis, 1.12, TALL, "", f"{count_text(parts.d_sae)} pre-\nactivations")
    _arrow(axis, 1.12 + gap + 0.02, 1.42)
    box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": colour, "lw": 1.1}
    words = "keep\n" + FORMS[parts.choice][0].format(l0=parts.l0) if parts.choice else "choice of\nlatents"
    axis.text(1.83, MIDDLE, words, ha="center", va="center", fontsize=7.5, linespacing=1.1, bbox=box)
    _arrow(axis, 2.24, 2.5)
    _column(axis, 2.6, TALL, "$z$", f"{count_text(parts.d_sae)} latents", parts.tiers, colour)
    _arrow(axis, 2.98 if parts.tiers else 2.7, 3.17)
    _column(axis, 3.95, small, r"$\hat{x}$", f"{count_text(parts.d_in)}")


def _column(
    axis: Any, x: float, tall: float, name: str, size: str, tiers: tuple[int, ...] = (), colour: str = INK
) -> None:
    """Draw a vector as a thin column, with its name above, its size below, and a bracket for each nested prefix."""
    from matplotlib.patches import Rectangle

    top, wide = MIDDLE + tall / 2, 0.12
    axis.add_patch(Rectangle((x - wide / 2, top - tall), wide, tall, fc=FAINT, ec=INK, lw=0.6))
    axis.text(x, top + 0.04, name, ha="center", va="bottom")
    axis.text(x, top - tall - 0.05, size, ha="center", va="top", fontsize=7, linespacing=0.95)
    for place, width in enumerate(tiers):
        last = place + 1 == len(tiers)
        part = tall * (place + 1) / len(tiers)
        axis.add_patch(Rectangle((x - wide / 2, top - part), wide, part, fc="none", ec=INK, lw=0.6))
        edge = x + wide / 2 + 0.04 + 0.055 * (len(tiers) - 1 - place)  # the shortest stands outside
        axis.plot([edge - 0.02, edge, edge, edge - 0.02], [top, top, top - part, top - part], color=colour, lw=0.9)
        where = "bottom" if last else "center"
        axis.text(edge + 0.03, top - part, count_text(width), ha="left", va=where, fontsize=6.5)


def _arrow(axis: Any, start: float, end: float) -> None:
    axis.annotate("", (end, MIDDLE), (start, MIDDLE), arrowprops={"arrowstyle": "-|>", "lw": 0.7, "color": INK})


def _caption(record: RunRecord, parts: Parts) -> str:
    said = [f"The described run, {record.label}, drawn from its record; sizes are its settings."]
    if parts.choice:
        how = FORMS[parts.choice][1].format(l0=parts.l0)
        said.append(f"At inference {how}: the runner compared this form's latents with those that were measured.")
    if parts.tiers:
        widths = ", ".join(map(count_text, parts.tiers[:-1]))
        said.append(
            f"Brackets: nested prefixes of {widths} and {count_text(parts.tiers[-1])} latents, as the training "
            "reported them (not to scale)."
        )
    if parts.schedule:
        said.append("Right: active latents a row over the training, as its first seed reported them.")
    return " ".join(said)
