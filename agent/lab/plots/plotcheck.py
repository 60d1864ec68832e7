"""Checks whether figures show the records. plot.py draws them twice, from the records and from perturbed ones.

Every bar, point, line end and written number must be an expression over the records (known.py), and the same one in
both runs. This does not notice code that changes what draw_worker.py reports, nor a misleading choice of true numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from agent.lab.plots import texts
from agent.lab.plots.artists import LONG, MOST, Look, Numbers
from agent.lab.plots.drawing import Artist, Drawing, Plot
from agent.lab.plots.perturbing import perturb

DRAWN_BY = {"bar", "line", "points", "segments", "area", "steps", "image"}
STAYS = "stays the same when every measured number changes, so it does not show them; read what it draws from the files"


def problems(
    first: dict[str, Drawing],
    second: dict[str, Drawing],
    files: dict[str, str],
    records: str,
    captions: dict[str, tuple[str, str | None]] | None = None,
) -> list[str]:
    """Lines for the agent about what is wrong with the figures of two runs of plot.py, the second on perturbed records.

    Args:
        first, second: what was drawn, by file name.
        files: the SHA-256 of each picture that is to be taken over, by its name.
        records: records.json of the first run.
        captions: the caption of each picture in both runs, by its name; None if the second run has no such picture.
    """
    numbers = Numbers(json.loads(records), json.loads(perturb(records)))
    found = []
    for name, digest in files.items():
        before, after = first.get(name), second.get(name)
        if before is None or before.sha256 != digest:
            found.append(
                f"{name}: draw it with matplotlib and save it with savefig, as the last thing done to the file"
            )
        elif after is None:
            found.append(f"{name}: not drawn when the records hold other numbers; draw it whatever the values are")
        else:
            found += [f"{name}: {text}" for text in dict.fromkeys(_compared(before, after, numbers))]
            said, again = (captions or {}).get(name, ("", None))
            found += [f"{name}: in its caption, {text}" for text in numbers.unknown_words([said], [again or said])]
    return found


def unchanged(first: dict[str, Drawing], second: dict[str, Drawing]) -> list[str]:
    """Lines for the agent about figures that do not change with the results, and so do not show them."""
    return [f"{name}: {STAYS}" for name, one in first.items() if name in second and _same(one, second[name])]


def _compared(before: Drawing, after: Drawing, numbers: Numbers) -> Iterator[str]:
    if _same(before, after):
        yield STAYS
        return
    same_axes = len(before.axes) == len(after.axes)
    for place, plot in enumerate(before.axes):
        partner = after.axes[place] if same_axes else None
        yield from _plot_problems(plot, partner, numbers, cut_is_told="".join(before.words))
    yield from numbers.unknown_words(before.words, after.words)


def _same(before: Drawing, after: Drawing) -> bool:
    return [p.artists for p in before.axes] == [p.artists for p in after.axes]


def _plot_problems(plot: Plot, partner: Plot | None, numbers: Numbers, cut_is_told: str) -> Iterator[str]:
    kinds = [artist.kind for artist in plot.artists]
    paired = partner is not None and kinds == [artist.kind for artist in partner.artists]
    strange: list[float] = []
    for place, artist in enumerate(plot.artists):
        other = partner.artists[place] if paired and partner else None
        if artist.kind not in DRAWN_BY:
            yield f"{artist.kind} cannot be compared with the records; draw bars, lines, points, error bars or areas"
            continue
        strange += Look(plot, artist, other, numbers).strange()
        yield from _hidden(plot, artist)
    if strange:
        shown = ", ".join(f"{v:.4g}" for v in list(dict.fromkeys(strange))[:MOST])
        more = f" and {len(strange) - MOST} more" if len(strange) > MOST else ""
        yield (
            f"it draws {shown}{more}, which is not what records.json holds for that run (a mean, a seed's value, an "
            "interval, a difference or ratio of two runs, a point of a curve); draw the records' numbers as they are"
        )
    yield from _cut(plot, cut_is_told)
    for axis in (plot.x, plot.y):
        yield from texts.tick_problems(axis.ticks)


def _cut(plot: Plot, told: str) -> Iterator[str]:
    """A complaint if the axis of bars leaves out zero, unless the figure says so."""
    for artist in plot.artists:
        axis = plot.y if artist.upright else plot.x
        stands = artist.kind == "bar" and artist.base[:1] == (0.0,) and axis.scale == "linear"
        if stands and not axis.holds(0.0) and not texts.tells_of_a_cut(told):
            yield "the axis of its bars does not show zero, so that their lengths mislead; let it begin at zero"
            return


def _hidden(plot: Plot, artist: Artist) -> Iterator[str]:
    """A complaint if the limits of an axis leave out a point or bar; a long line may start outside of them."""
    if artist.kind not in ("points", "line", "bar") or len(artist.x or ()) >= LONG:
        return
    ends = [a + b for a, b in zip(artist.base, artist.size, strict=False) if a is not None and b is not None]
    along_x, along_y = (artist.x, artist.y)
    if artist.kind == "bar":
        along_x, along_y = (None, tuple(ends)) if artist.upright else (tuple(ends), None)
    for axis, values in ((plot.x, along_x), (plot.y, along_y)):
        if any(v is not None and not axis.holds(v) for v in values or ()):
            yield "a point or bar lies outside of the axis's limits, where nobody sees it; widen them"
            return
