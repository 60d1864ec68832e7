"""A figure that the agent drew is made of what matplotlib's figures are made of, and of nothing else."""

import io

import pytest

from agent.lab.plots.picture_worker import Bad, check_pdf


def draw(way, figure):
    import numpy as np

    axes, rows = figure.add_subplot(), np.arange(64.0).reshape(8, 8)
    match way:
        case "lines":
            axes.plot([1, 2], [3, 4], marker="*", label="± é α $\\hat{f}_i$")
            axes.errorbar([1, 2], [1, 2], yerr=0.3, alpha=0.5)
            axes.legend()
            axes.set_title("scores")
        case "areas":
            axes.bar([1, 2], [3, 4], hatch="//")
            axes.contourf(rows)
            axes.tripcolor([0, 1, 0, 1], [0, 0, 1, 1], [1, 2, 3, 4], shading="gouraud", alpha=0.5)
        case "images":
            figure.colorbar(axes.imshow(rows))
            axes.pcolormesh(rows, rasterized=True)
            axes.imshow(rows > 3, cmap="gray", interpolation="none")
            axes.imshow(np.dstack([rows / 64] * 4))


def made(way, **settings):
    """A PDF as plot.py saves it."""
    import matplotlib
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    with matplotlib.rc_context(settings):
        figure, out = Figure(), io.BytesIO()
        FigureCanvasPdf(figure)
        draw(way, figure)
        figure.savefig(out, format="pdf", metadata={"Title": "t", "Author": "a"}, transparent=way == "areas")
    return out.getvalue()


def checked(tmp_path, data):
    (path := tmp_path / "x.pdf").write_bytes(data)
    check_pdf(str(path))


@pytest.mark.parametrize("way", ["lines", "areas", "images"])
@pytest.mark.parametrize("settings", [{}, {"pdf.fonttype": 42, "pdf.compression": 0}], ids=["as usual", "other fonts"])
def test_what_matplotlib_draws_is_taken(tmp_path, way, settings):
    checked(tmp_path, made(way, **settings))


# Where it is put; a key, and what stands there. An action is one that readers' programs know.
ACTION = "<< /S /Named /N /Print >>"
LINK = f"[<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A {ACTION} >>]"
EDITS = {
    "JavaScript at its opening": ("catalog", "/OpenAction", "<< /S /JavaScript /JS (x) >>"),
    "an action under an escaped name": ("catalog", "/Open#41ction", ACTION),
    "actions of its events": ("catalog", "/AA", f"<< /WC {ACTION} >>"),
    "named scripts": ("catalog", "/Names", "<< /JavaScript << /Names [(a) << /JS (x) >>] >> >>"),
    "a form": ("catalog", "/AcroForm", "<< /XFA (x) >>"),
    "threads": ("catalog", "/Threads", "[<< /I << >> >>]"),
    "an address": ("catalog", "/URI", "<< /Base (http://x) >>"),
    "optional contents": ("catalog", "/OCProperties", "<< >>"),
    "a collection of files": ("catalog", "/Collection", "<< >>"),
    "metadata": ("catalog", "/Metadata", "<< /Type /Metadata >>"),
    "an outline": ("catalog", "/Outlines", f"<< /First << /A {ACTION} >> >>"),
    "rights": ("catalog", "/Perms", "<< >>"),
    "a link": ("page", "/Annots", LINK),
    "an action when the page is seen": ("page", "/AA", f"<< /O {ACTION} >>"),
    "the next page by itself": ("page", "/Trans", "<< /S /Fly >>"),
    "a thumbnail": ("page", "/Thumb", "<< >>"),
    "an action hidden in a number's place": ("page", "/Rotate", ACTION),
    "an attached file": ("page", "/AF", "[<< /Type /Filespec /F (x) >>]"),
    "contents in another file": ("content", "/F", "(/etc/passwd)"),
    "filters of a file elsewhere": ("content", "/FFilter", "/FlateDecode"),
    "a decoder with a history": ("content", "/Filter", "/JBIG2Decode"),
    "another with a history": ("content", "/Filter", "[/LZWDecode]"),
    "a piece of another document": ("drawing", "/Ref", "<< /F (x.pdf) /Page 0 >>"),
    "PostScript": ("drawing", "/Subtype", "/PS"),
    "pictures for other readers": ("drawing", "/Alternates", "[]"),
    "layers": ("resources", "/Properties", "<< /MC0 << /Type /OCG >> >>"),
    "an action among its words": ("information", "/Title", ACTION),
    "a program that computes tones": ("state", "/TR", "<< /FunctionType 4 >>"),
    "screens": ("state", "/HT", "<< /HalftoneType 1 >>"),
    "an object that no page uses": ("nowhere", "", ACTION),
}


def edited(data, where, key, value):
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import NameObject, read_object

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    page = writer.pages[0]
    resources = page["/Resources"]
    places = {
        "catalog": writer.root_object,
        "page": page,
        "content": page["/Contents"],
        "resources": resources,
        "drawing": next(iter(resources["/XObject"].values())),
        "state": next(iter(resources["/ExtGState"].values())),
        "information": writer._info,
    }
    item = read_object(io.BytesIO(value.encode() + b" "), writer)
    if where == "nowhere":
        writer._add_object(item)
    elif where:
        places[where].get_object()[NameObject(key)] = item
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def honest():
    return made("images")


@pytest.mark.parametrize(("where", "key", "value"), EDITS.values(), ids=EDITS)
def test_whatever_else_is_put_into_one_is_refused(tmp_path, honest, where, key, value):
    with pytest.raises(Bad, match="does not need|has none|does not use"):
        checked(tmp_path, edited(honest, where, key, value))


def test_the_same_hands_that_put_nothing_in_are_taken(tmp_path, honest):
    checked(tmp_path, edited(honest, "", "", "null"))


@pytest.mark.parametrize("added", [b"\n1 0 obj\n<< /OpenAction 2 0 R >>\nendobj\nstartxref\n0\n%%EOF\n", b"PK\x03\x04"])
def test_nothing_stands_behind_its_end(tmp_path, honest, added):
    with pytest.raises(Bad, match="behind its end"):
        checked(tmp_path, honest + added)
