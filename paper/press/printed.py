"""Reads from a PDF how it prints: sizes of letters, pictures as they are placed, fonts, and where links lead.

What is wrong with it is decided in pages.py.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Matrix = tuple[float, float, float, float, float, float]
_UNIT: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_SHOWS = (b"Tj", b"TJ", b"'", b'"')


@dataclass
class Picture:
    """One included figure as it is placed on a page."""

    page: int
    digest: str  # of what it draws
    letters: Counter[float] = field(default_factory=Counter)  # points as printed -> how many
    dpi: list[float] = field(default_factory=list)  # of each raster in it, as printed
    fonts: dict[str, str] = field(default_factory=dict)

    @property
    def smallest(self) -> float | None:
        """The size in points of its smallest letters; None where it has none."""
        return min(self.letters, default=None)


@dataclass
class Page:
    """One page without its pictures. `fonts`: by name "embedded", "missing" (not in the file) or "bitmap" (Type 3)."""

    number: int
    text: str
    letters: Counter[float] = field(default_factory=Counter)
    fonts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Printed:
    """A whole PDF. A destination is the target of links, e.g. "figure.caption.2", "cite.kuhn1955" or "appendix.A"."""

    pages: tuple[Page, ...]
    pictures: tuple[Picture, ...]
    places: dict[str, int]  # the page of each destination, from 1
    links: dict[str, tuple[int, ...]]  # the pages with links to each destination


def read(pdf: bytes) -> Printed:
    """Read a PDF.

    Raises:
        ValueError: it is not a PDF that can be read.
    """
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(pdf))
        pages: list[Page] = []
        pictures: list[Picture] = []
        links: dict[str, list[int]] = {}
        for number, page in enumerate(reader.pages, start=1):
            shown = Page(number, "")
            walk = _Walk(shown, pictures, _resolved(page.get("/Resources")))
            shown.text = page.extract_text(visitor_operand_before=walk.before, visitor_operand_after=walk.after)
            pages.append(shown)
            for name in _link_targets(page):
                links.setdefault(name, []).append(number)
        numbers = {name: reader.get_destination_page_number(to) for name, to in reader.named_destinations.items()}
        places = {name: number + 1 for name, number in numbers.items() if number is not None}
    except Exception as error:  # a damaged file may break the parser anywhere
        raise ValueError(f"not a readable PDF: {error!r}") from None
    return Printed(tuple(pages), tuple(pictures), places, {name: tuple(found) for name, found in links.items()})


def _link_targets(page: Any) -> Iterator[str]:
    for annotation in _resolved(page.get("/Annots")) or ():
        action = _resolved(_resolved(annotation).get("/A")) or {}
        target = action.get("/D", _resolved(annotation).get("/Dest"))
        if action.get("/S", "/GoTo") == "/GoTo" and isinstance(target, str):
            yield str(target)


@dataclass
class _Drawing:
    """A page's content, or a drawing that it places. `start` transforms its own coordinates to those of the page."""

    resources: Any
    start: Matrix
    letters: Counter[float]
    picture: Picture | None
    placed: Any = None  # the operands that place it, the same object before and after
    size: float = 0.0  # of the font that is set
    code: int = 1  # bytes that a letter of it takes


class _Walk:
    """Collects letters and pictures while pypdf walks through a page's content and the drawings that it places.

    pypdf starts each drawing with coordinates of its own, so the transformations around it are kept here.
    """

    def __init__(self, page: Page, pictures: list[Picture], resources: Any) -> None:
        self.page, self.pictures = page, pictures
        self.around = [_Drawing(resources, _UNIT, page.letters, None)]
        _fonts(resources, page.fonts)

    def before(self, operator: bytes, operands: Any, now: Any, text: Any) -> None:
        """Called by pypdf before each operator, with the transformations of the drawing (`now`) and of its text."""
        here = self.around[-1]
        if operator == b"Tf":
            font = _resolved(_resolved(here.resources["/Font"])[operands[0]])
            here.size, here.code = float(operands[1]), 2 if font.get("/Subtype") == "/Type0" else 1
        elif operator in _SHOWS:
            scale = _scale(_times(_times(text, now), here.start))
            here.letters[round(abs(here.size) * scale, 1)] += _length(operands[-1]) // here.code
        elif operator == b"Do":
            item = _resolved(_resolved(here.resources["/XObject"])[operands[0]])
            self.around.append(self._placed(item, _times(now, here.start), here, operands))

    def after(self, operator: bytes, operands: Any, now: Any, text: Any) -> None:
        """Called by pypdf after each operator, with the drawing that it places read to its end."""
        if operator == b"Do":
            while self.around.pop().placed is not operands:
                pass  # a damaged drawing may have left drawings inside of it on the stack

    def _placed(self, item: Any, now: Matrix, here: _Drawing, operands: Any) -> _Drawing:
        picture = here.picture
        if picture is None:
            picture = Picture(self.page.number, hashlib.sha256(item.get_data()).hexdigest())
            self.pictures.append(picture)
        own = _resolved(item.get("/Resources")) or here.resources
        if item.get("/Subtype") == "/Image":
            width = math.hypot(now[0], now[1]) / 72  # inches; an image fills the unit square
            if width:
                picture.dpi.append(float(item["/Width"]) / width)
        else:
            _fonts(own, picture.fonts)
        return _Drawing(own, _times(item.get("/Matrix") or _UNIT, now), picture.letters, picture, operands)


def _fonts(resources: Any, found: dict[str, str]) -> None:
    for font in ((_resolved((resources or {}).get("/Font"))) or {}).values():
        font = _resolved(font)
        below = _resolved(font.get("/DescendantFonts"))
        descriptor = _resolved((_resolved(below[0]) if below else font).get("/FontDescriptor")) or {}
        embedded = any(f"/FontFile{n}" in descriptor for n in ("", "2", "3"))
        name = str(font.get("/BaseFont", "/unnamed")).removeprefix("/").partition("+")[2]
        kind = "bitmap" if font.get("/Subtype") == "/Type3" else "embedded" if embedded else "missing"
        found[name or str(font.get("/BaseFont", "/unnamed")).removeprefix("/")] = kind


def _resolved(item: Any) -> Any:
    return item.get_object() if hasattr(item, "get_object") else item


def _length(shown: Any) -> int:
    return sum(len(part) for part in shown if hasattr(part, "__len__")) if isinstance(shown, list) else len(shown)


def _times(first: Any, then: Any) -> Matrix:
    """The transformation that makes `first` and then `then`."""
    m, n = (tuple(map(float, matrix)) for matrix in (first, then))
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def _scale(m: Matrix) -> float:
    """The factor by which a transformation makes a letter taller."""
    return math.hypot(m[2], m[3])
