"""Does the text describe the code and the runs there are? Names, the fixed comparison, runs that failed.

Numbers are numerals.py's; what a sentence claims is claims.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from paper.evidence.facts import Facts
from paper.text.nodes import Citation, Code, Math, Section, Sentence
from paper.truth.numerals import DESCRIBING

Hit = tuple[str, str, str]  # code, literal, text
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
_OPERATOR = re.compile(r"\\(?:operatorname\*?|mathrm|text)\{([A-Za-z]{3,})\}")
_SCRIPT = re.compile(r"[\^_]\s*\{(?:[^{}]|\{[^{}]*\})*\}")
_COMMON = frozenset(
    [
        "max",
        "min",
        "argmax",
        "argmin",
        "exp",
        "log",
        "sign",
        "diag",
        "var",
        "cov",
        "mean",
        "rank",
        "dim",
        "span",
        "clip",
        "round",
        "mod",
        "trace",
        "for",
        "with",
        "and",
        "where",
        "otherwise",
    ]
)
# What a method may be said to use, and how its code would spell it.
_PARTS = {
    "AdamW": "adamw",
    "Adam": "adam",
    "SGD": "sgd",
    "RMSprop": "rmsprop",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "dropout": "dropout",
}
_CONTRAST = re.compile(
    r"\b(?:not|no|without|instead|unlike|rather|replac\w+|baselines?|others?|usual\w*|standard|"
    r"former|published|original)\b",
    re.IGNORECASE,
)
_COMPARES = re.compile(r"^(?:diff|improves|compare)\(|^confirm\w*\(")


def unknown_names(sentence: Sentence, section: str, facts: Facts, source: str) -> Iterator[Hit]:
    """Inline code, operators and parts of a method that the described run's code does not hold."""
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
    if (
        section == "method"
        and not _CONTRAST.search(sentence.flat)
        and not any(isinstance(n, Citation) for n in sentence.walk())
    ):
        for part, spelt in _PARTS.items():
            if re.search(rf"(?<![\w-]){part}(?![\w-])", sentence.flat) and spelt not in held:
                yield "unknown-name", part, "the code of the described run does not use it"


def _recorded(facts: Facts) -> set[str]:
    """Names that the records and the manifest hold."""
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
        names |= {record.name, *record.settings, *(c.name for c in record.conditions)}
        names |= {key for c in record.conditions for key in c.settings}
        names |= {key for t in record.trainings for key in (*t.diagnostics, *t.curves, *t.declared)}
    return names | {part for name in names for part in _WORD.findall(name)}


def results_lead(results: Section, facts: Facts) -> Iterator[Hit]:
    """The results begin with the primary metric's comparison: the one that was fixed before the first run."""
    measured = [r for r in facts.experiments if r.status == "measured"]
    if not measured or not results.paragraphs:
        return
    primary = f'"{facts.manifest.primary}"'
    for source in (e.source.replace("'", '"') for s in results.paragraphs[0].sentences for e in s.expressions()):
        if _COMPARES.match(source) and (primary in source or source.startswith("confirm")):
            return
    yield (
        "comparison-not-first",
        facts.manifest.primary,
        f'the first paragraph does not compare anything in the primary metric, "{facts.manifest.primary}"',
    )


def untold_failures(parsed: Mapping[str, Section], facts: Facts) -> Iterator[Hit]:
    """Experiments without a measured result are told in the results or the discussion."""
    told = " ".join(s.source for name in ("results", "discussion") for s in parsed[name].sentences)
    for record in facts.experiments:
        if record.status != "measured" and record.name not in told and record.label not in told:
            yield (
                "untold-run",
                record.label,
                f"run {record.name}: {record.status}; neither the results nor the discussion say so",
            )
