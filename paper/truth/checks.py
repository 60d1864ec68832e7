"""The checks that a section must pass before it is printed. They read the parsed sections and change nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.core.writing import Unsupported
from agent.literature.library import Library
from paper.evidence.expressions import Problem
from paper.evidence.facts import Facts
from paper.reading.branches import parsed_paper
from paper.reading.numerals import NumberRules, math_numbers, typed_numbers
from paper.reading.spoken import Spoken, spoken
from paper.text import mathcheck
from paper.text.nodes import (
    Block,
    Citation,
    Code,
    Equation,
    Forbidden,
    Heading,
    Listing,
    Math,
    Placement,
    Reference,
    Section,
    Sentence,
)
from paper.text.parser import parse
from paper.text.scripts import refused_characters
from paper.text.sections import SECTIONS, SectionSpec
from paper.truth import grounding
from paper.truth.complaints import Complaint, complaint, worst_first
from paper.truth.kinds import kind_of, net
from paper.truth.told import NONE_JUDGED, Verdicts, passages, refusals

_PLACEHOLDER = re.compile(
    r"\b(?:TODO|FIXME|XXX+|TBD|TBA)\b|\blorem\b|\bipsum\b|(?-i:\bHERE\b)|\[\s*(?:insert|"
    r"placeholder|add|"
    r"your|fill)\b[^\]]*\]?|<\s*(?:insert|placeholder)[^>]*>?|\?\?\?|\bcitation needed\b|"
    r"\bto be (?:written|filled in|added|determined)\b|\bplaceholder\b",
    re.IGNORECASE,
)
ORDER = tuple(spec.name for spec in SECTIONS)


@dataclass(frozen=True)
class Rules:
    """Everything that the checks compare the sections with."""

    facts: Facts
    figures: tuple[str, ...]
    tables: tuple[str, ...]
    library: Library
    numbers: NumberRules
    unsupported: Mapping[tuple[str, str], str]  # (a sentence's source, a key) -> why the work does not support it
    refused: Mapping[str, str]  # a sentence's key -> why the judge refuses it


def check(
    sections: Mapping[str, str],
    facts: Facts,
    figures: Sequence[str],
    tables: Sequence[str],
    library: Library,
    *,
    source: str = "",
    allow: Sequence[str] = (),
    unsupported: Sequence[Unsupported] = (),
    verdicts: Verdicts = NONE_JUDGED,
) -> tuple[Complaint, ...]:
    """Complaints about the sections (Markdown by name, see SECTIONS), worst first; empty means printable.

    Args:
        figures, tables: the names that the text may refer to.
        source: the code of the run that the paper describes; its constants may be typed in the method.
        allow: literals or parts of sentences that a person lets print although a check refuses them.
        unsupported: the sentences that the cited works do not support, as a reviewer said.
        verdicts: of the judge, who reads the sentences in the writer's own words.
    """
    parsed = parsed_paper(sections, facts)
    rules = Rules(
        facts,
        tuple(figures),
        tuple(tables),
        library,
        NumberRules(facts, library, source),
        {(u.sentence, u.key): u.why for u in unsupported},
        # the names of sentences depend on every comparison of the records, which takes long; skipped without a refusal
        {t.key: f"{r.kind}: {r.why}" for t, r in refusals(passages(parsed, facts), verdicts)} if verdicts.given else {},
    )
    found = [c for spec in SECTIONS for c in _section(spec, parsed[spec.name], rules)]
    found += [*_duplicates(parsed), *_told(parsed, facts)]
    return worst_first((c for c in found if not _overruled(c, allow)), ORDER)


def unverified_numbers(text: str, facts: Facts, library: Library | None = None) -> tuple[str, ...]:
    """The typed numbers in any text of a model (a note, a label, a plan) that no record supports, for marking them."""
    rules = NumberRules(facts, library or Library())
    section = parse("notes", text)
    return tuple(dict.fromkeys(x for s in section.sentences for x in typed_numbers(s.flat, rules, "notes")))


def _overruled(found: Complaint, allow: Sequence[str]) -> bool:
    return found.code not in ("forbidden-math", "forbidden-markdown", "unknown-expression") and any(
        text and (text == found.literal or text in found.sentence) for text in allow
    )


def _section(spec: SectionSpec, section: Section, rules: Rules) -> Iterator[Complaint]:
    for refused in section.refused:
        yield complaint(
            "forbidden-markdown",
            section=spec.name,
            line=refused.line,
            sentence="",
            key=refused.key,
            literal=refused.literal,
            text=refused.text,
        )
    if section.title is not None:
        yield from _sentence(section.title, spec, rules)
    if not section.sentences or (spec.name == "title" and section.title is None):
        yield complaint(
            "empty-section",
            section=spec.name,
            line=1,
            sentence="",
            literal=spec.file,
            key="",
            fix="write it" if spec.name != "title" else "begin with `# Title`, then the abstract",
        )
    for sentence in section.sentences:
        yield from _sentence(sentence, spec, rules)
    yield from _blocks(section.blocks, spec, rules)


def _blocks(blocks: Sequence[Block], spec: SectionSpec, rules: Rules) -> Iterator[Complaint]:
    for block in blocks:
        match block:
            case Heading(sentence=sentence) | Equation(sentence=sentence):
                yield from _sentence(sentence, spec, rules)
            case Listing(items=items):
                for item in items:
                    yield from _blocks(item, spec, rules)
            case Placement(key=key, line=line, kind=kind, name=name):
                if not _exists(Reference(kind, name), rules):
                    yield complaint(
                        "unknown-figure",
                        section=spec.name,
                        line=line,
                        sentence="",
                        key=key,
                        literal=f"{kind}:{name}",
                        fix=_known(kind, rules),
                    )


def _sentence(sentence: Sentence, spec: SectionSpec, rules: Rules) -> Iterator[Complaint]:
    """The complaints about one sentence. Each check yields (code, literal), or also a text and how to fix it."""
    values = spoken(sentence, rules.facts)
    hits = [*_values(values), *_nodes(sentence, spec.name, rules), *_text(sentence, spec.name, rules)]
    hits += grounding.unknown_names(sentence, spec.name, rules.facts, rules.numbers.source)
    hits += net(sentence, values, kind_of(sentence, values, rules.facts), rules.facts)
    if why := rules.refused.get(sentence.key):
        hits.append(("told-refused", sentence.source, why))
    for code, literal, *rest in dict.fromkeys(hits):
        text, fix = (*rest, "", "")[:2]
        yield complaint(
            code,
            section=spec.name,
            line=sentence.line,
            sentence=sentence.source,
            literal=literal,
            key=sentence.key,
            text=text,
            fix=fix,
        )


def _values(values: Sequence[Spoken]) -> Iterator[tuple[str, ...]]:
    for one in values:
        if isinstance(one.value, Problem):
            yield "unknown-expression", one.source, one.value.message
        elif one.wrong:
            yield "misbound-expression", one.source, one.wrong


def _nodes(sentence: Sentence, section: str, rules: Rules) -> Iterator[tuple[str, ...]]:
    for node in sentence.walk():
        match node:
            case Forbidden(literal, why):
                yield "forbidden-markdown", literal, why
            case Citation(keys):
                for key in (k for k in keys if k not in rules.library):
                    near = ", ".join(e.key for e in rules.library.search(re.sub(r"[\d_:-]+", " ", key), 3))
                    yield "unknown-citation", key, "", f"cite a key of the library{f', e.g. {near}' if near else ''}"
                for key in (k for k in keys if (sentence.source, k) in rules.unsupported):
                    yield "unsupported-citation", key, rules.unsupported[sentence.source, key]
            case Reference() if not _exists(node, rules):
                yield "unknown-figure", f"{node.kind}:{node.name}", "", _known(node.kind, rules)
            case Math(source, _):
                yield from _math(source, sentence.flat, section, rules)


def _text(sentence: Sentence, section: str, rules: Rules) -> Iterator[tuple[str, ...]]:
    codes = " ".join(n.text for n in sentence.walk() if isinstance(n, Code))
    math = " ".join(n.source for n in sentence.walk() if isinstance(n, Math))
    words = re.sub(r"[{}\\]|mathrm", "", math)
    context = f"{codes} {words} {words.replace('_', '')}"
    for literal in typed_numbers(sentence.flat, rules.numbers, section, context):
        yield "typed-number", literal
    for literal in _code_numbers(codes, f"{sentence.flat} {context}", section, rules):
        yield "typed-number", literal
    for match in _PLACEHOLDER.finditer(sentence.source):
        yield "placeholder", match[0]
    if sentence.flat.startswith("|"):
        yield "forbidden-markdown", "|", "tables are made from records; refer to [@tab:main]"
    if bad := refused_characters(sentence.flat):
        yield "forbidden-markdown", " ".join(bad), "letters that look like others, or have no shape; retype the word"


def _code_numbers(codes: str, context: str, section: str, rules: Rules) -> Iterator[str]:
    """Typed numbers in inline code: an identifier with a digit is allowed if the described code has it."""
    for token in re.findall(r"[A-Za-z_][\w.]*|[\d.]+[\w.]*%?", codes):
        identifier = re.match(r"[A-Za-z_]", token) and re.search(
            rf"(?<!\w){re.escape(token)}(?!\w)", rules.numbers.source
        )
        if any(c.isnumeric() for c in token) and not identifier:
            yield from typed_numbers(token, rules.numbers, section, context)


def _math(source: str, context: str, section: str, rules: Rules) -> Iterator[tuple[str, str, str]]:
    for problem in mathcheck.problems(source):
        literal, _, why = problem.partition(": ")
        yield "forbidden-math", literal, why
    for literal in math_numbers(source, rules.numbers, section, context):
        yield "typed-number", literal, "a number in a formula that is neither a small constant nor in the records"
    for literal in typed_numbers(mathcheck.words(source), rules.numbers, section, context):
        yield "typed-number", literal, ""


def _exists(reference: Reference, rules: Rules) -> bool:
    return reference.name in _names(reference.kind, rules)


def _names(kind: str, rules: Rules) -> tuple[str, ...]:
    return {"fig": rules.figures, "tab": rules.tables}.get(kind, ORDER[1:])


def _known(kind: str, rules: Rules) -> str:
    return "there are " + (", ".join(f"{kind}:{name}" for name in _names(kind, rules)) or f"no {kind} references")


def _told(parsed: Mapping[str, Section], facts: Facts) -> Iterator[Complaint]:
    """Complaints about what the results must say and do not. They have no key, so that nothing is cut for them."""
    if parsed["results"].sentences:
        for code, literal, text in (
            *grounding.results_lead(parsed["results"], facts),
            *grounding.guards_shown(parsed["results"], facts),
            *grounding.untold_failures(parsed, facts),
        ):
            yield complaint(code, section="results", line=1, sentence="", literal=literal, key="", text=text)


def _duplicates(parsed: Mapping[str, Section]) -> Iterator[Complaint]:
    seen: set[str] = set()
    for name in ORDER:
        for block in parsed[name].blocks:
            match block:
                case Placement(key=key, line=line, kind=kind, name=target):
                    label, text = f"{kind}:{target}", ""
                case Heading(key=key, sentence=sentence):
                    label, text, line = f"{name}/{sentence.flat.lower()}", sentence.source, sentence.line
                case _:
                    continue
            if label in seen:
                yield complaint("duplicate-label", section=name, line=line, sentence=text, literal=label, key=key)
            seen.add(label)
