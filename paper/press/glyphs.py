"""Makes small font files for the characters of a paper that its own fonts lack; they lie beside paper.tex.

pdfTeX can address 256 characters of a font. The other characters of a paper are taken from fonts that matplotlib ships
(STIX and DejaVu) or that the system has (Han, kana and hangul). Each font is reduced to the characters that are used,
and gets its TeX metrics and its encoding; glyphs.tex maps characters to these fonts. This works with any style for
pdflatex. Characters that are plain LaTeX are written in latex.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from paper.pictures.style import SYSTEM_FONTS
from paper.press.tfm import Box, metrics

FILE = "glyphs.tex"
FIRST, LAST = 33, 232  # slots of a font that are used
_USED = re.compile(r"\\(uni|mono)\{([^{}\\])\}")
_SHAPES = {"": [("m", "n")], "Bold": [("b", "n"), ("bx", "n")], "Italic": [("m", "it"), ("m", "sl")]} | {
    "BoldItalic": [("b", "it"), ("bx", "it"), ("b", "sl"), ("bx", "sl")]
}
_ALL_SHAPES = tuple((series, shape) for series in ("m", "b", "bx") for shape in ("n", "it", "sl", "sc"))


@dataclass(frozen=True)
class Face:
    """One typeface. `files`: (variant, font file); `scale`: the factor by which it gets the size of the paper's
    font."""

    name: str
    files: tuple[tuple[str, Path], ...]
    scale: float = 1.0

    def has(self, character: str) -> bool:
        """Whether all its variants have the character. Right-to-left scripts have none: TeX would reverse them here."""
        rtl = unicodedata.bidirectional(character) in ("R", "AL")
        return not rtl and all(ord(character) in _characters(path) for _, path in self.files)


def glyph_files(texts: Iterable[str]) -> dict[str, bytes]:
    r"""The font files and glyphs.tex that print the \uni{x} and \mono{x} of these texts, by name; empty without any."""
    used = dict.fromkeys(match for text in texts for match in _USED.findall(text))
    if not used:
        return {}
    placed: dict[Face, list[tuple[str, str]]] = {}
    missing = []
    for command, character in sorted(used):
        face = face_of(character, mono=command == "mono")
        if face is None:
            missing.append(
                rf"\glyphmissing{{{command}}}{{{character}}}{{{code_point(character)}}}{{{named(character)}}}"
            )
        else:
            placed.setdefault(face, []).append((command, character))
    files: dict[str, bytes] = {}
    lines = [r"% Made by the runner: the characters of this paper that its own fonts lack."]
    fonts = [(face, part) for face in sorted(placed, key=lambda f: f.name) for part in _parts(placed[face])]
    for index, (face, part) in enumerate(fonts):
        lines += _font(f"glyphs-{chr(ord('a') + index)}", face, part, files)
    return files | {FILE: ("\n".join([*lines, *missing]) + "\n").encode()}


def unprintable(text: str) -> tuple[str, ...]:
    """The characters for which this machine has no font, named as in "U+1F600 GRINNING FACE"."""
    from paper.press.latex import escape

    found = dict.fromkeys(character for _, character in _USED.findall(escape(text)))
    return tuple(named(c) for c in found if face_of(c) is None)


def code_point(character: str) -> str:
    """The code point as text, e.g. "U+1F600"."""
    return f"U+{ord(character):04X}"


def named(character: str) -> str:
    """The code point with Unicode's name, e.g. "U+1F600 GRINNING FACE"."""
    return f"{code_point(character)} {unicodedata.name(character, '')}".strip()


def face_of(character: str, mono: bool = False) -> Face | None:
    """The face in which a character is set; None where no font has it."""
    return next((face for face in _faces(mono) if face.has(character)), None)


@cache
def _faces(mono: bool) -> tuple[Face, ...]:
    """The faces in the order of preference. A typeface in four variants comes before the same one upright only."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"

    def family(name: str, scale: float, **variants: str) -> Face:
        return Face(name, (("", folder / name), *((v, folder / f) for v, f in variants.items())), scale)

    stix = {"Bold": "STIXGeneralBol.ttf", "Italic": "STIXGeneralItalic.ttf", "BoldItalic": "STIXGeneralBolIta.ttf"}
    serif = {v: f"DejaVuSerif-{v}.ttf" for v in ("Bold", "Italic", "BoldItalic")}
    code = (family("DejaVuSansMono.ttf", 0.872),) if mono else ()
    text = (
        family("STIXGeneral.ttf", 1.0, **stix),
        family("DejaVuSerif.ttf", 0.86, **serif),
        family("STIXGeneral.ttf", 1.0),
        family("DejaVuSerif.ttf", 0.86),
        family("DejaVuSans.ttf", 0.86),
    )
    there = tuple(Face(path.name, (("", path),), 0.95) for path in SYSTEM_FONTS if path.is_file())
    return (*code, *text, *there)


@cache
def _characters(path: Path) -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap())


# ---------------------------------------------------------------- one font


def _parts(used: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """The characters in groups that fit into one font each."""
    most = LAST - FIRST + 1
    for start in range(0, len(used), most):
        yield used[start : start + most]


def _font(name: str, face: Face, used: list[tuple[str, str]], files: dict[str, bytes]) -> list[str]:
    """Add the files of one font to `files`; returns the lines of glyphs.tex that declare it and its characters."""
    characters = list(dict.fromkeys(c for _, c in used))
    family = name.replace("-", "")
    names = {FIRST + i: _glyph_name(c) for i, c in enumerate(characters)}
    table = [names.get(slot, ".notdef") for slot in range(256)]
    files[f"{name}.enc"] = f"/{family} [\n{chr(10).join('/' + n for n in table)}\n] def\n".encode()
    lines, shapes = [rf"\DeclareFontFamily{{U}}{{{family}}}{{}}"], set()
    for variant, path in face.files:
        font = f"{name}-{variant.lower() or 'regular'}"
        files[f"{font}.ttf"], boxes = _subset(path, characters)
        files[f"{font}.tfm"] = metrics({FIRST + i: boxes[c] for i, c in enumerate(characters)})
        lines.append(rf"\pdfmapline{{={font} <{name}.enc <{font}.ttf}}")
        for series, shape in _SHAPES[variant]:
            shapes.add((series, shape))
            size = f"s*[{face.scale:g}]"
            lines.append(rf"\DeclareFontShape{{U}}{{{family}}}{{{series}}}{{{shape}}}{{<->{size}{font}}}{{}}")
    for series, shape in _ALL_SHAPES:
        if (series, shape) not in shapes:
            other = f"{series}/n" if (series, "n") in shapes else "m/n"
            lines.append(rf"\DeclareFontShape{{U}}{{{family}}}{{{series}}}{{{shape}}}{{<->ssub*{family}/{other}}}{{}}")
    slots = {c: FIRST + i for i, c in enumerate(characters)}
    return lines + [rf"\glyphof{{{command}}}{{{c}}}{{{family}}}{{{slots[c]}}}{_breaks(c)}" for command, c in used]


def _breaks(character: str) -> str:
    """What allows a line to end behind the character: only scripts that are written without blanks need it."""
    wide = unicodedata.east_asian_width(character) in "WF" and unicodedata.category(character) == "Lo"
    return r"{\allowbreak}" if wide else "{}"


def _glyph_name(character: str) -> str:
    """The glyph's name, from which pdfTeX derives the character that a reader copies from the PDF."""
    return f"uni{ord(character):04X}" if ord(character) < 0x10000 else f"u{ord(character):05X}"


def _subset(path: Path, characters: list[str]) -> tuple[bytes, dict[str, Box]]:
    """A font file that has only these characters, and the box of each in units of the font's size."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options(glyph_names=True, layout_features=[], hinting=False, notdef_outline=True, recalc_timestamp=False)
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "FFTM", "PfEd", "BASE", "MATH"]
    with TTFont(path, recalcTimestamp=False) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=[ord(c) for c in characters])
        subsetter.subset(font)
        cmap, unit = font.getBestCmap(), font["head"].unitsPerEm
        boxes = {}
        for c in characters:
            glyph = font["glyf"][cmap[ord(c)]]
            top, bottom = getattr(glyph, "yMax", 0) or 0, getattr(glyph, "yMin", 0) or 0
            boxes[c] = Box(font["hmtx"][cmap[ord(c)]][0] / unit, max(0, top) / unit, max(0, -bottom) / unit)
        return _named(_saved(font), {cmap[ord(c)]: _glyph_name(c) for c in characters}), boxes


def _saved(font: Any) -> bytes:
    out = BytesIO()
    font.save(out, reorderTables=None)
    return out.getvalue()


def _named(data: bytes, names: dict[str, str]) -> bytes:
    """The font with these glyphs renamed. If two characters share a glyph, one name is kept for both."""
    from fontTools.ttLib import TTFont

    with TTFont(BytesIO(data), recalcTimestamp=False) as font:
        post = font["post"]
        font.setGlyphOrder([names.get(name, name) for name in font.getGlyphOrder()])
        post.formatType, post.extraNames, post.mapping = 2.0, [], {}
        return _saved(font)
