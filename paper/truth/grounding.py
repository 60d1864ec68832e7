"""Checks the text against the described run's code and against the plan: names, the fixed comparison, failed runs.

What a sentence claims is checked by its form (kinds.py) and by a judge (told.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from paper.evidence.facts import Facts
from paper.reading.numerals import DESCRIBING
from paper.text.nodes import Code, Math, Section, Sentence

Hit = tuple[str, str, str]  # code, literal, text
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
_OPERATOR = re.compile(r"\\(?:operatorname\*?|mathrm|text)\{([A-Za-z]{3,})\}")
_SCRIPT = re.compile(r"[\^_]\s*\{(?:[^{}]|\{[^{}]*\})*\}")
_NAMES = (
    "max min argmax argmin exp log sign diag var cov mean rank dim span clip round mod trace for with and where "
    "otherwise"
)
_COMMON = frozenset(_NAMES.split())
_COMPARES = re.compile(r"^(?:versus|guarded|diff|improves|compare)\(|^confirm\w*\(")


def unknown_names(sentence: Sentence, section: str, facts: Facts, source: str) -> Iterator[Hit]:
    """Names in inline code, and operators in formulas of the method, that do not occur in the described run's code."""
    if not source or section not in DESCRIBING:
        return
    held = source.lower()
    known = set(_WORD.findall(source)) | _recorded(facts)
    for node in sentence.walk():
        if isinstance(node, Code):
            for name in _WORD.findall(node.text):
                if name not in known and not any(name in k.split(".") for k in known):
                    yield "unknown-name", name, "the code of the described run and the records hold no such name"
        elif isinstance(node, Math) and section == "method":
            for name in _OPERATOR.findall(_SCRIPT.sub(" ", node.source)):
                if name.lower() not in held and name.lower() not in _COMMON:
                    yield "unknown-name", name, "the code of the described run does nothing that is called so"


def _recorded(facts: Facts) -> set[str]:
    """All names in the records and in the manifest."""
    manifest = facts.manifest
    names = {
        manifest.name,
        facts.profile,
        *manifest.metrics,
        *manifest.editable,
        *manifest.protected,
        manifest.artefact,
    }
    for record in facts.explored:
        names |= {record.name, *record.settings, *(c.name for c in record.whole.conditions)}
        names |= {key for c in record.whole.conditions for key in c.settings}
        names |= {key for t in record.trainings for key in (*t.diagnostics, *t.curves, *t.declared)}
    return names | {part for name in names for part in _WORD.findall(name)}


def results_lead(results: Section, facts: Facts) -> Iterator[Hit]:
    """Checks that the first paragraph of the results compares runs in the primary metric, as was fixed beforehand."""
    measured = [r for r in facts.experiments if r.status == "measured"]
    if not measured or not results.paragraphs:
        return
    primary = f'"{facts.manifest.primary}"'
    for source in (e.source.replace("'", '"') for s in results.paragraphs[0].sentences for e in s.expressions()):
        if _COMPARES.match(source) and (primary in source or source.startswith(("confirm", "guarded"))):
            return
    yield (
        "comparison-not-first",
        facts.manifest.primary,
        f'the first paragraph does not compare anything in the primary metric, "{facts.manifest.primary}"',
    )


def guards_shown(results: Section, facts: Facts) -> Iterator[Hit]:
    """Checks that the results hold `guarded()`, which prints the primary metric together with all its guards."""
    if not any(r.status == "measured" for r in facts.experiments):
        return
    if not any(e.source.startswith("guarded(") for s in results.sentences for e in s.expressions()):
        yield "guards-not-shown", "guarded()", ""


def untold_failures(parsed: Mapping[str, Section], facts: Facts) -> Iterator[Hit]:
    """Checks that every experiment without a result is mentioned in the results or in the discussion."""
    told = " ".join(s.source for name in ("results", "discussion") for s in parsed[name].sentences)
    for record in facts.experiments:
        if record.status != "measured" and record.name not in told and record.label not in told:
            yield (
                "untold-run",
                record.label,
                f"run {record.name}: {record.status}; neither the results nor the discussion say so",
            )
