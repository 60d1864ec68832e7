"""PDFs that no honest session makes, and that whoever verifies may meet: they are read, or refused, without a crash."""

import io

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, Destination, DictionaryObject, Fit, NameObject

from paper.press.compare import same_drawing
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
