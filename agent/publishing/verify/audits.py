"""The sentences at the end of a verification: what was checked, what this shows, and what it does not show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.core.record import RunRecord
from agent.literature.library import Library
from agent.publishing.verify.signed import Signed
from agent.publishing.verify.subject import Material, Report
from paper.press.parts import Rendered
from paper.text.cited import cited_pairs
from paper.text.nodes import Citation
from paper.text.parser import parse
from paper.text.sections import SECTIONS

NOT_SHOWN = (
    "that the sentences told in words are true (a model judged them), that the cited works support what is said of "
    "them, or that the template measures what its metrics claim"
)


def audits(material: Material, sections: Mapping[str, str], library: Library, rendered: Rendered) -> list[str]:
    """Three sentences, on references, on settings and method, and on the kinds of sentences."""
    return [_references(material, sections, library), _method(material, rendered), _sentences(material, rendered)]


def numbers(report: Report) -> str:
    """The sentence on numbers, which comes before the others."""
    return f"Numbers: {report.verified} of {report.numbers} printed results and table values follow from the records."


def closing(signed: Signed | None) -> str:
    """What a verification without a problem shows, and what it does not; it depends on who signed."""
    if signed is None or not signed.keys:
        return (
            "Nothing is signed. This shows that the numbers of the paper follow from the records of this repository, "
            "that no number was typed, and that its history is whole. It does not show who made it: whoever had it "
            "could have removed the signatures, altered records, left runs out and made history, citations and "
            "sentences anew to "
            f"fit. Nor does it show {NOT_SHOWN}."
        )
    key = "key " if len(signed.keys) == 1 else "keys "
    whose = f"{key}{', '.join(signed.keys)}" + (", which is this installation's own" if signed.ours else "")
    return (
        f"Signed with {whose}. This shows that no number was typed, and that {_signed_parts(signed)} as the owner of "
        "that key had signed them, when they were made. It does not show whose key that is (compare it with what its "
        "owner tells you; a forger signs with another), nor that its owner did not fake everything anew, which the "
        f"owner of the key can, nor {NOT_SHOWN}."
    )


def unwalled(records: Iterable[RunRecord]) -> str:
    """A sentence that names the runs without a sandbox, because a signature does not protect against their code."""
    runs = sorted(record.run for record in records if record.sandbox == "none")
    if not runs:
        return ""
    which = f"Run {runs[0]}" if len(runs) == 1 else f"Runs {', '.join(runs)}"
    return (
        f"{which} ran without a sandbox (--unsafe-no-sandbox): that code could read and change whatever its user can, "
        "records and the signing key included, and a signature shows nothing against it."
    )


def _signed_parts(signed: Signed) -> str:
    parts = "records, failed runs, history and paper are" if signed.finished else "records and paper are"
    if not signed.unsigned:
        return parts
    return f"{parts} (except {', '.join(signed.unsigned)}, made before this session signed)"


def _references(material: Material, sections: Mapping[str, str], library: Library) -> str:
    parsed = [parse(spec.name, sections.get(spec.name, "")) for spec in SECTIONS]
    nodes = (node for section in parsed for sentence in section.sentences for node in sentence.walk())
    keys = {key for node in nodes if isinstance(node, Citation) for key in node.keys}
    known = sum(key in library for key in keys)
    pairs, refused = len(cited_pairs(sections, library)), len(material.account.unsupported)
    return (
        f"References: {known} of {len(keys)} cited works exist in the library or among what this session's searches "
        f"found; of {pairs} pairs of sentence and work, the session's reviewer refused {refused}, which were written "
        "anew or cut."
    )


def _method(material: Material, rendered: Rendered) -> str:
    coded = [record for record in material.records.values() if record.hashes]
    cut = _counted(d.code for d in rendered.dropped)
    return (
        f"Settings and method: the code of {len(coded)} of {len(material.records)} runs is the committed code that was "
        "hashed when it ran, and names, settings and constants in the text are those of the described run's code; "
        f"cut for what records or code do not give: {cut or 'nothing'}."
    )


def _sentences(material: Material, rendered: Rendered) -> str:
    kinds, judge = rendered.kinds, material.account.judge
    who = f" by {judge}" if judge and kinds.judged else ""
    return (
        f"Sentences: {kinds.measured} are measured, {kinds.cited} cite, and {kinds.told} told in words; "
        f"of these {kinds.judged} were judged{who} beside records and code, and {kinds.not_judged} by nobody. "
        f"{kinds.sent_back} were refused, and {kinds.cut} of them are cut."
    )


def _counted(codes: Iterable[str]) -> str:
    found = list(codes)
    return ", ".join(f"{code} ({found.count(code)})" for code in dict.fromkeys(found))
