"""What a PDF prints: sizes of letters, pictures as placed, fonts, where links lead. Reads only, judges nothing.

The judgement is pages.py's.
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
MAX_STREAM = 16 << 20  # decoded bytes of one drawing that are read
MAX_DEPTH = 4  # of drawings inside drawings
_SHOWS = (b"Tj", b"TJ", b"'", b'"')


@dataclass
class Picture:
    """One included figure as it stands on the page."""

    page: int
    digest: str  # of what it draws
    letters: Counter[float] = field(default_factory=Counter)  # points as printed -> bytes of text
    dpi: list[float] = field(default_factory=list)  # of each raster in it, as printed
    fonts: dict[str, str] = field(default_factory=dict)

    @property
    def smallest(self) -> float | None:
        return min(self.letters, default=None)


@dataclass
class Page:
    """One page without its pictures. `fonts`: name -> how it is there ("embedded", "missing" or "bitmap")."""

    number: int
    text: str
    letters: Counter[float] = field(default_factory=Counter)
    fonts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Printed:
    """A whole PDF. Places and links go by destination: "figure.caption.2", "cite.kuhn1955", "appendix.A"."""

    pages: tuple[Page, ...]
    pictures: tuple[Picture, ...]
    places: dict[str, int]
    links: dict[str, tuple[int, ...]]


def read(pdf: bytes) -> Printed:
    """
    Raises:
        ValueError: not a PDF that can be read.
    """
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(pdf))
        pages: list[Page] = []
        pictures: list[Picture] = []
        links: dict[str, list[int]] = {}
        for number, page in enumerate(reader.pages, start=1):
            shown = Page(number, page.extract_text())
            resources = _resolved(page.get("/Resources"))
            walk = _Walk(reader, number, pictures)
            walk.fonts(resources, shown.fonts)
            walk.content(page.get_contents(), resources, _UNIT, shown.letters, None, 0)
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


class _Walk:
    """Follows a page's content into the pictures that it places."""

    def __init__(self, reader: Any, number: int, pictures: list[Picture]) -> None:
        self.reader, self.number, self.pictures = reader, number, pictures

    def content(
        self, stream: Any, resources: Any, start: Matrix, letters: Counter[float], inside: Picture | None, depth: int
    ) -> None:
        from pypdf.generic import ContentStream

        if stream is None or depth > MAX_DEPTH or len(stream.get_data()) > MAX_STREAM:
            return
        now, stack, text, size = start, [], _UNIT, 0.0
        for operands, operator in ContentStream(stream, self.reader).operations:
            if operator == b"q":
                stack.append(now)
            elif operator == b"Q" and stack:
                now = stack.pop()
            elif operator == b"cm":
                now = _times(_matrix(operands), now)
            elif operator == b"BT":
                text = _UNIT
            elif operator == b"Tm":
                text = _matrix(operands)
            elif operator == b"Tf":
                size = float(operands[1])
            elif operator in _SHOWS:
                letters[round(abs(size) * _scale(_times(text, now)), 1)] += _length(operands[-1])
            elif operator == b"Do":
                self._object(_resolved(_resolved(resources["/XObject"])[operands[0]]), resources, now, inside, depth)

    def _object(self, item: Any, resources: Any, now: Matrix, inside: Picture | None, depth: int) -> None:
        picture = inside
        if picture is None:
            picture = Picture(self.number, hashlib.sha256(item.get_data()).hexdigest())
            self.pictures.append(picture)
        if item.get("/Subtype") == "/Image":
            width = math.hypot(now[0], now[1]) / 72  # inches; an image fills the unit square
            if width:
                picture.dpi.append(float(item["/Width"]) / width)
        else:
            own = _resolved(item.get("/Resources")) or resources
            self.fonts(own, picture.fonts)
            matrix = _matrix(item.get("/Matrix") or _UNIT)
            self.content(item, own, _times(matrix, now), picture.letters, picture, depth + 1)

    def fonts(self, resources: Any, found: dict[str, str]) -> None:
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


def _matrix(values: Any) -> Matrix:
    a, b, c, d, e, f = (float(v) for v in values)
    return a, b, c, d, e, f


def _times(m: Matrix, n: Matrix) -> Matrix:
    """First m, then n."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def _scale(m: Matrix) -> float:
    """How much taller a letter gets."""
    return math.hypot(m[2], m[3])
