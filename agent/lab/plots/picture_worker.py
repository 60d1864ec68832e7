"""Runs inside the sandbox: decodes one picture completely, and says in a line what is wrong with it.

Called as `python -P picture_worker.py FILE`; exits with 0 if the picture may be used, or with 3 and the reason on
stderr. If a malicious file makes a parser hang or run out of memory, that happens here. Imports nothing of the runner.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdf import PdfReader
    from pypdf.generic import DictionaryObject, StreamObject

MAX_PIXELS = 25_000_000
MAX_SIDE = 16_000  # pixels
PAGE_POINTS = (1.0, 14_400.0)  # least and greatest side of a page; TeX has no larger dimensions
MAX_OBJECTS = 20_000
MAX_STREAMS = 64 << 20  # decoded bytes of all streams
DEEPEST = 40  # levels of nested objects
# The PDF objects of a matplotlib figure: each kind of dictionary with its keys, and behind a colon the kind of the
# value. A key without a kind holds names, numbers, strings or arrays of them. "*" is a dictionary whose keys are
# arbitrary names. Anything else is refused, because a PDF reader might act on it or load something from elsewhere.
_STREAM = " Length Filter DecodeParms:parms"
SHAPES = {
    "file": "Type Size Root:catalog Info:information ID W Index" + _STREAM,
    "catalog": "Type Pages:pages Version",
    "information": "Creator Producer CreationDate ModDate Title Author Subject Keywords Trapped",
    "pages": "Type Kids:page Count Parent:pages Resources:resources MediaBox CropBox Rotate",
    "page": "Type Parent:pages Resources:resources MediaBox CropBox TrimBox BleedBox ArtBox Contents:content"
    " Group:group Annots Rotate",
    "resources": "Font:*font XObject:*drawing ExtGState:*state Pattern:*pattern Shading:*shading ColorSpace:*space"
    " ProcSet Procsets",
    "group": "Type S CS I K",
    "content": "Type CMapName CIDSystemInfo:collection" + _STREAM,
    "drawing": "Type Subtype Name FormType BBox Matrix Resources:resources Group:group Width Height ColorSpace:space"
    " BitsPerComponent Decode Interpolate ImageMask SMask:drawing Mask:drawing Intent" + _STREAM,
    "state": "Type CA ca SMask:mask BM AIS LW LC LJ ML D SA TK OP op OPM",
    "mask": "Type S G:drawing BC TR",
    "pattern": "Type PatternType PaintType TilingType BBox XStep YStep Resources:resources Matrix Shading:shading"
    " ExtGState:state" + _STREAM,
    "shading": "ShadingType ColorSpace:space Background BBox AntiAlias Coords Domain Extend Function:function"
    " BitsPerCoordinate BitsPerComponent BitsPerFlag Decode" + _STREAM,
    "function": "FunctionType Domain Range C0 C1 N Functions:function Bounds Encode Size BitsPerSample Order Decode"
    + _STREAM,
    "space": "N Alternate Range" + _STREAM,
    "font": "Type Subtype BaseFont Name FirstChar LastChar Widths FontBBox FontMatrix CharProcs:*drawing"
    " Resources:resources Encoding:encoding FontDescriptor:descriptor DescendantFonts:font ToUnicode:content"
    " CIDSystemInfo:collection CIDToGIDMap:content W DW",
    "encoding": "Type BaseEncoding Differences",
    "descriptor": "Type FontName FontFamily FontStretch FontWeight Flags FontBBox ItalicAngle Ascent Descent Leading"
    " CapHeight XHeight StemV StemH AvgWidth MaxWidth MissingWidth CharSet FontFile:program FontFile2:program",
    "program": "Length1 Length2 Length3" + _STREAM,
    "collection": "Registry Ordering Supplement",
    "parms": "Predictor Colors BitsPerComponent Columns EarlyChange",
    "table": "Type N First" + _STREAM,  # of objects, which are checked one by one
}
ONLY = {  # keys that may have these values only, in any dictionary
    "/Filter": {"/FlateDecode", "/DCTDecode"},
    "/FunctionType": {"0", "2", "3"},
    "/TR": {"/Identity"},
}
TABLES = {"/XRef": "file", "/ObjStm": "table"}  # objects that no page uses but a PDF reader needs
SUBTYPES = {"drawing": {"/Form", "/Image"}}


class Bad(Exception):
    """A picture is refused; the text is for the one who drew it."""


def check_png(path: str) -> None:
    """Raise Bad for a PNG that is too large or animated; decodes it."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with Image.open(path, formats=("PNG",)) as image:
        width, height = image.size
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            raise Bad(f"{width} x {height} pixels; at most {MAX_SIDE} a side and {MAX_PIXELS} in all are allowed")
        if getattr(image, "n_frames", 1) != 1:
            raise Bad("an animation; a figure is one picture")
        image.load()


def check_pdf(path: str) -> None:
    """Raise Bad for a PDF that is not a single page of plain drawing; decodes it."""
    from pypdf import PdfReader

    with open(path, "rb") as file:
        raw = file.read()
    if raw.count(b"startxref") != 1 or not raw.rstrip().endswith(b"%%EOF"):
        raise Bad("something was added behind its end")
    reader = PdfReader(path, strict=True)
    if reader.is_encrypted:
        raise Bad("it is encrypted")
    check_shapes(reader)
    check_sizes(reader)
    if len(reader.pages) != 1:
        raise Bad(f"it has {len(reader.pages)} pages; a figure has one")
    page = reader.pages[0]
    for side in (page.mediabox.width, page.mediabox.height, page.cropbox.width, page.cropbox.height):
        if not PAGE_POINTS[0] <= abs(float(side)) <= PAGE_POINTS[1]:
            raise Bad(f"a side of its page is {float(side):g} points long")
    page.extract_text()  # as for a reviewer's prompt; it must not fail there


def objects(reader: PdfReader) -> Iterator[tuple[int, object]]:
    """Every object in the tables of the file, also one that no page uses."""
    from pypdf.generic import IndirectObject

    numbers = {n for table in reader.xref.values() for n in table} | set(reader.xref_objStm)
    if len(numbers) > MAX_OBJECTS:
        raise Bad(f"{len(numbers)} objects; at most {MAX_OBJECTS} are allowed")
    for number in sorted(numbers):
        yield number, IndirectObject(number, 0, reader).get_object()


def check_sizes(reader: PdfReader) -> None:
    """Raise Bad if the streams decode to too much."""
    from pypdf.generic import StreamObject

    decoded = 0
    for _, item in objects(reader):
        if isinstance(item, StreamObject):
            decoded += len(item.get_data()) if item.get("/Subtype") != "/Image" else pixels(item)
            if decoded > MAX_STREAMS:
                raise Bad(f"its streams decode to more than {MAX_STREAMS >> 20} MB")


def pixels(image: StreamObject) -> int:
    """The decoded bytes of an image; 0 for a JPEG, which stays encoded. Raises Bad if it is too large."""
    width, height = image["/Width"], image["/Height"]
    if not (isinstance(width, int) and isinstance(height, int)):
        raise Bad("it holds an image whose size is no number")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise Bad(f"it holds an image of {width} x {height} pixels; at most {MAX_PIXELS} are allowed")
    return len(image.get_data()) if "/DCTDecode" not in str(image.get("/Filter")) else 0


def check_shapes(reader: PdfReader) -> None:
    """Check that every object which the root reaches belongs in a figure, and that there are no others."""
    from pypdf.generic import DictionaryObject, StreamObject

    seen: set[tuple[int, str]] = set()
    look(reader.trailer, "file", seen, 0)
    reached = {number for number, _ in seen}
    for number, item in objects(reader):
        if number in reached:
            continue
        kind = TABLES.get(str(item.get("/Type"))) if isinstance(item, StreamObject) else None
        if kind:
            look(item, kind, seen, 0)
        elif isinstance(item, DictionaryObject):
            raise Bad(f"it holds an object that its page does not use, with {', '.join(list(item)[:3]) or 'no keys'}")


def look(item: object, kind: str, seen: set[tuple[int, str]], depth: int) -> None:
    """Raise Bad if an object, or one below it, does not have its kind. `seen` holds the objects already checked."""
    from pypdf.generic import DictionaryObject, IndirectObject

    if depth > DEEPEST:
        raise Bad(f"its objects nest deeper than {DEEPEST} levels")
    if isinstance(item, IndirectObject):
        if (place := (item.idnum, kind)) in seen:
            return
        seen.add(place)
        item = item.get_object()
    if isinstance(item, DictionaryObject):
        for key, below in shape_of(item, kind).items():
            look(item.raw_get(key), below, seen, depth + 1)
    elif isinstance(item, list):
        for part in list.__iter__(item):
            look(part, kind, seen, depth + 1)


def shape_of(item: DictionaryObject, kind: str) -> dict[str, str]:
    """The kind of the value under each key of a dictionary of this kind.

    Raises:
        Bad: it has a key or a value that a figure does not need.
    """
    if kind.startswith("*"):
        return dict.fromkeys(item, kind[1:])
    if not kind:
        raise Bad(f"it holds {', '.join(list(item)[:3]) or 'a dictionary'} where a figure has none")
    allowed = dict(f"/{word}".partition(":")[::2] for word in SHAPES[kind].split())
    for key in item:
        if key not in allowed:
            raise Bad(f"it holds {key} in its {kind}, which a figure does not need")
        understood = SUBTYPES.get(kind) if key == "/Subtype" else ONLY.get(key)
        value = item[key]
        for part in value if isinstance(value, list) else [value]:
            if understood and str(part) not in understood:
                raise Bad(f"it holds {key} {part}, which a figure does not need")
    return {key: allowed[key] for key in item}


def main(path: str) -> int:
    """Check one picture; returns the exit status."""
    with open(path, "rb") as file:
        head = file.read(8)
    try:
        if path.endswith(".png") and head == b"\x89PNG\r\n\x1a\n":
            check_png(path)
        elif path.endswith(".pdf") and head.startswith(b"%PDF-"):
            check_pdf(path)
        else:
            raise Bad(f"not a {path[-3:].upper()} file")
    except Bad as bad:
        print(bad, file=sys.stderr)
        return 3
    except Exception as error:  # whatever a damaged or malicious file makes the decoder raise
        print(f"it cannot be decoded ({type(error).__name__}: {str(error)[:200]})", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
