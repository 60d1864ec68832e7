"""PDFs that no honest session makes, and that whoever verifies may meet: they are read, or refused, without a crash."""

import io
import resource
import time
import zlib

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, Destination, DictionaryObject, Fit, NameObject

from paper.press.compare import same_drawing
from paper.press.parsed import page_count, page_texts, strokes
from paper.press.printed import read


def pdf(strokes: bytes = b"", lost: str = "") -> bytes:
    """One page with these drawing instructions, a destination on it, and perhaps another that leads to no page."""
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    if strokes:
        stream = DecodedStreamObject()
        stream.set_data(strokes)
        writer.pages[0][NameObject("/Contents")] = writer._add_object(stream)
    writer.add_named_destination("figure.1", 0)
    if lost:
        nowhere = writer._add_object(DictionaryObject())
        writer.add_named_destination_object(Destination(lost, nowhere, Fit.fit()))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_destination_that_leads_to_no_page_is_left_out():
    assert read(pdf(lost="figure.2")).places == {"figure.1": 1}


@pytest.mark.parametrize(("one", "other"), [(b"", b"0 0 m 9 9 l S"), (b"0 0 m 9 9 l S", b"")])
def test_a_blank_figure_is_not_the_drawing_that_it_stands_for(one, other):
    assert not same_drawing(pdf(one), pdf(other))


def raw(page: str = "", *objects: str, content: bytes = b"", filtered: str = "", count: str = "[3 0 R]") -> bytes:
    """A PDF byte by byte; `objects` are numbered from 5."""
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids {count} /Count 1 >>".encode(),
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R {page} >>".encode(),
        f"<< /Length {len(content)} {filtered} >>\nstream\n".encode() + content + b"\nendstream",
        *(text.encode() for text in objects),
    ]
    out, places = b"%PDF-1.5\n", []
    for number, body in enumerate(bodies, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    head = (
        f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R >>\n"
    )
    return out + f"{head}startxref\n{len(out)}\n%%EOF\n".encode()


BOMB = zlib.compress(zlib.compress(bytes(1 << 28), 9), 9)
FORM = (
    "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /A 5 0 R >> >> /Length 5 >>\n"
    "stream\n/A Do\nendstream"
)
HOSTILE = {
    "arrays in arrays": raw(f"/Resources {'[' * 60_000}"),
    "a page that is its own child": raw(count="[2 0 R]"),
    "a drawing that draws itself": raw("/Resources << /XObject << /A 5 0 R >> >>", FORM, content=b"/A Do"),
    "a bomb in two filters": raw(content=BOMB, filtered="/Filter [/FlateDecode /FlateDecode]"),
    "a million pages of one": raw(count="[" + "3 0 R " * 1_000_000 + "]"),
}


@pytest.mark.parametrize("what", HOSTILE.values(), ids=HOSTILE)
def test_a_malicious_pdf_costs_this_process_nothing_and_ends(what):
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    found = page_texts(what)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert found is None or isinstance(found, list)
    assert time.monotonic() - began < 150 and after.ru_utime - before.ru_utime < 2
    assert after.ru_maxrss - before.ru_maxrss < 200_000  # kB


def test_an_honest_one_is_read_as_before():
    one = pdf(b"0 0 m 9 9 l S")
    assert (page_texts(one), strokes(one), page_count(one)) == ([""], [*"00m99lS"], 1)
    with pytest.raises(ValueError, match="readable"):
        page_count(b"%PDF-1.5 and no more")
