"""Renders sections, facts and figures as one LaTeX file with its references.bib; TeX runs in compile.py.

A sentence that the checks still refuse is cut here and listed in the appendix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.literature.library import Library, references_bib
from paper.evidence.facts import Facts
from paper.pictures.figures import AGENT_LABEL, Figure
from paper.pictures.schematic import NAME as SCHEMATIC
from paper.press import latex, tables
from paper.press.appendix import Appendix, appendix_parts
from paper.press.body import Body, Ledger
from paper.press.counted import counted
from paper.press.parts import Dropped, PaperMeta, Rendered
from paper.press.venue import Venue
from paper.reading.branches import parsed_paper
from paper.reading.spoken import printed
from paper.text.nodes import Placement, Section
from paper.text.sections import SECTIONS, SectionSpec
from paper.truth.checks import check
from paper.truth.complaints import Complaint
from paper.truth.told import CAPTIONS, Passage, passages, refusals, to_judge

TEMPLATES = Path(__file__).parent / "templates"
CLASS_FILE, PARTS_FILE = TEMPLATES / "runpaper.cls", TEMPLATES / "runparts.sty"
GLYPHS_FILE = TEMPLATES / "runglyphs.sty"
KINDS = (
    "Blue numbers, and the words that compare them, are filled in from run records; sentences that cite were compared "
    "with the cited abstracts; the rest is told by the writer and judged by a reviewer beside records and code (the "
    "appendix counts them). A raised n.j. stands behind a sentence that nobody judged."
)
_QUOTED = 40  # letters of a literal; a longer one is not printed again beside its sentence
_NO_CAPTION = f"A figure of the agent's own, whose caption was refused. {AGENT_LABEL}"
_NOTHING_LEFT = (
    r"\emph{No sentence of this section passed the checks; what was cut is listed in "
    r"Appendix~\ref{app:cut}.}"
)


def render(
    sections: Mapping[str, str], facts: Facts, figures: Sequence[Figure], library: Library, meta: PaperMeta
) -> Rendered:
    """The whole paper. Nothing that a writer typed makes it fail: a refused sentence is cut and listed."""
    parsed = parsed_paper(sections, facts)
    complaints = _complaints(sections, facts, figures, library, meta)
    dropped = _dropped(parsed, complaints, meta)
    captions = {f.name: f.caption for f in figures if f.by == "agent"}
    told = passages(parsed, facts, captions)
    figures, refused = _captioned(figures, dict(_refused_captions(told, meta)))
    dropped += refused
    body = Body(
        Ledger(facts),
        _floats(facts, figures),
        frozenset(d.key for d in dropped),
        reserved=_reserved(parsed),
        unjudged=frozenset(t.key for t in to_judge(told, meta.verdicts)),
    )
    title, title_words = _title(parsed["title"], body, meta)
    abstract = body.section(parsed["title"]) or _NOTHING_LEFT
    written = [
        (spec, heading, _section(spec.name, parsed[spec.name], body)) for spec, heading in section_order(meta.venue)
    ]
    extra = [f for f in figures if f"fig:{f.name}" not in body.printed]
    kinds = counted(told, meta.verdicts, {d.key for d in dropped})
    parts = appendix_parts(
        Appendix(
            facts=facts,
            rows=tuple(body.ledger.rows.items()),
            dropped=tuple(dropped),
            meta=meta,
            overruled=_overruled(sections, complaints, facts, figures, library, meta),
            figures=tuple(figure_float(f, appendix=True) for f in extra),
            kinds=kinds,
        )
    )
    bib = latex.bibliography(references_bib(library.entries(sorted(body.cited))))
    filled = {
        "title": title,
        "outline": latex.outline(title_words),
        "abstract": abstract,
        "sections": written,
        "appendix": parts,
        "cites": bool(body.cited),
    }
    tex, glyphs = _filled_in(filled, meta, bib)
    return Rendered(
        tex=tex,
        bib=bib,
        complaints=complaints,
        dropped=tuple(dropped),
        files={_file_name(f): f.file for f in figures} | _style_files(meta.venue, glyphs),
        rows=tuple(body.ledger.rows.items()),
        kinds=kinds,
        preamble=meta.venue.preamble if meta.venue else "",
    )


def _filled_in(filled: Mapping[str, object], meta: PaperMeta, bib: str) -> tuple[str, bool]:
    """paper.tex, and whether it needs fonts for further characters, which is known only once it is written."""
    whole = {
        **filled,
        "authors": latex.escape(meta.authors or meta.session),
        "outline_authors": latex.outline(meta.authors or meta.session),
        "statement": latex.escape(f"{meta.statement} {KINDS}"),
        "venue": meta.venue,
    }
    template = _environment().get_template("paper.tex.j2")
    tex = template.render(whole, glyphs=False)
    if any(mark in text for text in (tex, bib) for mark in (r"\uni{", r"\mono{")):
        return template.render(whole, glyphs=True), True
    return tex, False


def write(rendered: Rendered, folder: Path) -> None:
    """Write every file of a rendered paper into a folder, which can then be compiled anywhere."""
    from agent.storage.atomic import write_bytes, write_text

    for name, text in rendered.texts.items():
        write_text(folder / name, text)
    for name, source in rendered.files.items():
        write_bytes(folder / name, source.read_bytes())
    for name, data in rendered.glyphs.items():
        write_bytes(folder / name, data)


# ---------------------------------------------------------------- what is cut


def _complaints(
    sections: Mapping[str, str], facts: Facts, figures: Sequence[Figure], library: Library, meta: PaperMeta
) -> tuple[Complaint, ...]:
    return check(
        sections,
        facts,
        [f.name for f in figures],
        tables.names(facts),
        library,
        source=meta.source,
        allow=meta.allow,
        unsupported=meta.unsupported,
        verdicts=meta.verdicts,
    )


def _dropped(parsed: Mapping[str, Section], complaints: Sequence[Complaint], meta: PaperMeta) -> list[Dropped]:
    """The pieces that the checks refuse or that TeX could not set, once each, in the order of the paper."""
    found = {}
    for c in complaints:
        if c.key and c.key not in found:
            repeated = len(c.literal) > _QUOTED and c.literal in c.sentence
            reason = c.text if repeated else f"{c.literal}: {c.text}"
            found[c.key] = Dropped(c.section, c.line, c.sentence or c.literal, c.code, reason, c.key)
    for key, reason in meta.broken:
        name = key.partition(":")[0]
        sentence = next((s for s in parsed[name].sentences if s.key == key), None) if name in parsed else None
        line, text = (sentence.line, sentence.source) if sentence else (0, key)
        found.setdefault(key, Dropped(name, line, text, "does-not-compile", reason, key))
    order = {spec.name: i for i, spec in enumerate(SECTIONS)}
    return sorted(found.values(), key=lambda d: (order.get(d.section, 99), d.line, d.key))


def _overruled(
    sections: Mapping[str, str],
    complaints: Sequence[Complaint],
    facts: Facts,
    figures: Sequence[Figure],
    library: Library,
    meta: PaperMeta,
) -> tuple[Complaint, ...]:
    """The complaints that `--allow` overruled."""
    if not meta.allow:
        return ()
    strict = _complaints(sections, facts, figures, library, replace(meta, allow=()))
    return tuple(c for c in strict if c not in complaints)


def section_order(venue: Venue | None) -> list[tuple[SectionSpec, str]]:
    """The sections with their headings, in the order of a venue's template.

    A section for which the template has no place comes after the section that it usually follows.
    """
    headings = dict(venue.headings) if venue else {}
    order = list(headings)
    for before, spec in zip(SECTIONS, SECTIONS[1:], strict=False):
        if spec.name not in headings:
            order.insert(order.index(before.name) + 1 if before.name in order else 0, spec.name)
    specs = {spec.name: spec for spec in SECTIONS}
    return [(specs[name], headings.get(name) or specs[name].heading) for name in order]


def _title(section: Section, body: Body, meta: PaperMeta) -> tuple[str, str]:
    """The title as LaTeX and as plain text: the writer's, or the idea's title if that was cut."""
    title = section.title
    if title is None or title.key in body.cut or not title.source:
        return latex.escape(meta.fallback_title), meta.fallback_title
    return body.inline(title, plain=True), printed(title, body.ledger.facts)


def _section(name: str, section: Section, body: Body) -> str:
    """A section as LaTeX, with the schematic and the tables that belong to it and were placed nowhere else."""
    text = body.section(section)
    free = name == "method" and f"fig:{SCHEMATIC}" not in body.reserved | body.printed
    if free and (placed := body.floats("fig", SCHEMATIC)):
        body.printed.add(f"fig:{SCHEMATIC}")
        text = f"{placed}\n\n{text}"
    for table, home in (("settings", "experimental_setup"), ("metrics", "experimental_setup"), ("main", "results")):
        if name == home and f"tab:{table}" not in body.reserved and f"tab:{table}" not in body.printed:
            body.printed.add(f"tab:{table}")
            placed = body.floats("tab", table) or ""
            text = f"{placed}\n\n{text}" if home == "results" else f"{text}\n\n{placed}"
    return text if section.sentences and text.strip() else f"{_NOTHING_LEFT}\n\n{text}"


def _reserved(parsed: Mapping[str, Section]) -> frozenset[str]:
    """The labels of figures and tables that the writer placed by `![](...)`."""
    return frozenset(f"{b.kind}:{b.name}" for s in parsed.values() for b in s.blocks if isinstance(b, Placement))


def _refused_captions(told: Sequence[Passage], meta: PaperMeta) -> Iterator[tuple[str, str]]:
    """The figures ("fig:name") whose caption the judge refuses, each with the reason."""
    for one, refusal in refusals(told, meta.verdicts):
        if one.section == CAPTIONS and not any(text and text in one.source for text in meta.allow):
            yield one.key, f"{refusal.kind}: {refusal.why}"


def _captioned(figures: Sequence[Figure], why: Mapping[str, str]) -> tuple[list[Figure], list[Dropped]]:
    """The figures, with a neutral caption in the place of each refused one, and the captions that were cut."""
    kept = [replace(f, caption=_NO_CAPTION) if f"fig:{f.name}" in why else f for f in figures]
    cut = [
        Dropped(CAPTIONS, 0, f.caption, "told-refused", why[f"fig:{f.name}"], f"fig:{f.name}")
        for f in figures
        if f"fig:{f.name}" in why
    ]
    return kept, cut


# ---------------------------------------------------------------- floats


def _floats(facts: Facts, figures: Sequence[Figure]) -> Callable[[str, str], str | None]:
    by_name = {f.name: f for f in figures}

    def write_float(kind: str, name: str) -> str | None:
        if kind == "fig" and name in by_name:
            return figure_float(by_name[name])
        if kind == "tab" and name in tables.FLOATS:
            make, caption = tables.FLOATS[name]
            return table_float(name, make(facts), caption(facts))
        return None

    return write_float


def figure_float(figure: Figure, appendix: bool = False) -> str:
    """A figure as LaTeX with its caption below it; in the appendix it does not float."""
    kind = "appendixfigure" if appendix else "paperfigure"
    return (
        f"% piece: fig:{figure.name}\n\\begin{{{kind}}}\n"
        f"\\includegraphics[width={figure.width:g}\\figurewidth]{{{_file_name(figure)}}}\n"
        f"\\caption{{{latex.escape(figure.caption)}}}\n\\label{{fig:{figure.name}}}\n\\end{{{kind}}}"
    )


def table_float(name: str, table: str, caption: str) -> str:
    """A table as LaTeX that floats, with its caption above it."""
    return (
        f"% piece: tab:{name}\n\\begin{{papertable}}\n\\caption{{{latex.escape(caption)}}}\n"
        f"\\label{{tab:{name}}}\n\\small\n{table}\n\\end{{papertable}}"
    )


def _style_files(venue: Venue | None, glyphs: bool) -> dict[str, Path]:
    own = venue.beside if venue else {CLASS_FILE.name: CLASS_FILE}
    return {PARTS_FILE.name: PARTS_FILE} | ({GLYPHS_FILE.name: GLYPHS_FILE} if glyphs else {}) | dict(own)


def _file_name(figure: Figure) -> str:
    """The name of a figure's file beside paper.tex: only letters, digits and hyphens, which TeX can name."""
    stem = "".join(c if c.isalnum() and c.isascii() else "-" for c in figure.name)
    return f"fig-{stem}{figure.file.suffix.lower()}"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
