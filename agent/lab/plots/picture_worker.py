"""Runs inside the sandbox: decodes one picture as far as anybody will, and says in a line what is wrong with it.

Called as `python -P picture_worker.py FILE`; exit status 3 with the reason on stderr, 0 when it may be used.
A parser that hangs or bursts on a malicious file does so here. Imports nothing of the runner.
"""

from __future__ import annotations

import re
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdf import PdfReader
    from pypdf.generic import StreamObject

MAX_PIXELS = 25_000_000
MAX_SIDE = 16_000  # pixels
PAGE_POINTS = (1.0, 14_400.0)  # the side of a page: TeX has no larger dimensions
MAX_OBJECTS = 20_000
MAX_STREAMS = 64 << 20  # decoded bytes of all streams
# What a figure never needs, and what a reader's program would act on.
ACTIVE = {
    "/JavaScript",
    "/JS",
    "/Launch",
    "/EmbeddedFile",
    "/EmbeddedFiles",
    "/EF",
    "/OpenAction",
    "/AA",
    "/RichMedia",
    "/XFA",
    "/AcroForm",
    "/SubmitForm",
    "/ImportData",
    "/GoToR",
    "/GoToE",
    "/URI",
    "/Movie",
    "/Sound",
    "/Rendition",
}
LONG_NAME = re.compile(rb"/(?:JavaScript|Launch|EmbeddedFiles?|OpenAction|RichMedia|AcroForm|SubmitForm|ImportData)\b")


class Bad(Exception):
    """The reason, in words for whoever drew it."""


def check_png(path: str) -> None:
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
    from pypdf import PdfReader

    with open(path, "rb") as file:
        raw = file.read()
    unescaped = re.sub(rb"#([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), raw)
    if found := LONG_NAME.search(unescaped):
        raise Bad(f"it holds {found[0].decode()}, which a figure does not need")
    reader = PdfReader(path)
    if reader.is_encrypted:
        raise Bad("it is encrypted")
    if len(reader.pages) != 1:
        raise Bad(f"it has {len(reader.pages)} pages; a figure has one")
    page = reader.pages[0]
    for side in (page.mediabox.width, page.mediabox.height, page.cropbox.width, page.cropbox.height):
        if not PAGE_POINTS[0] <= abs(float(side)) <= PAGE_POINTS[1]:
            raise Bad(f"a side of its page is {float(side):g} points long")
    check_objects(reader)
    page.extract_text()  # a reviewer's prompt is made this way


def check_objects(reader: PdfReader) -> None:
    """Every object that any table of the file names, also one that no page uses."""
    from pypdf.generic import IndirectObject, StreamObject

    numbers = {n for table in reader.xref.values() for n in table} | set(reader.xref_objStm)
    if len(numbers) > MAX_OBJECTS:
        raise Bad(f"{len(numbers)} objects; at most {MAX_OBJECTS} are allowed")
    decoded = 0
    for number in sorted(numbers):
        item = IndirectObject(number, 0, reader).get_object()
        check_names(item)
        if isinstance(item, StreamObject):
            decoded += len(item.get_data()) if item.get("/Subtype") != "/Image" else pixels(item)
            if decoded > MAX_STREAMS:
                raise Bad(f"its streams decode to more than {MAX_STREAMS >> 20} MB")


def pixels(image: StreamObject) -> int:
    width, height = image["/Width"], image["/Height"]
    if not (isinstance(width, int) and isinstance(height, int)):
        raise Bad("it holds an image whose size is no number")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise Bad(f"it holds an image of {width} x {height} pixels; at most {MAX_PIXELS} are allowed")
    return len(image.get_data()) if "/DCTDecode" not in str(image.get("/Filter")) else 0


def check_names(item: object, depth: int = 0) -> None:
    from pypdf.generic import DictionaryObject

    if depth > 40:
        raise Bad("its objects nest deeper than 40 levels")
    if isinstance(item, DictionaryObject):
        for key in item:
            if key in ACTIVE or (key in ("/S", "/Type") and item.raw_get(key) in ACTIVE):
                raise Bad(f"it holds {key if key in ACTIVE else item.raw_get(key)}, which a figure does not need")
            check_names(item.raw_get(key), depth + 1)
    elif isinstance(item, list):
        for part in list.__iter__(item):
            check_names(part, depth + 1)


def main(path: str) -> int:
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
