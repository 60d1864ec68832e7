"""Numbers that stand in prose. An allow-list: what is not recognised as harmless is a typed number.

A number is harmless when it names something (F1, GPT-2), refers (Section 3, a year beside a citation), counts the
paper's own parts (two tiers), or equals a setting of the records that the sentence names. Results are never typed.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from agent.core.manifest import Setting
from agent.literature.library import Library
from paper.evidence.facts import Facts
from paper.text.nodes import CITATION

DESCRIBING = ("background", "method", "experimental_setup")  # sections where settings may be typed

_DIGITS = {
    w: i
    for i, w in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
_LARGE = (
    r"thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|"
    r"eighty|ninety|hundreds?|thousands?|millions?|billions?|trillions?|dozens?"
)
_SMALL = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_NEVER = re.compile(
    rf"\b(?:{_LARGE})\b|[%‰±]|\+\s?/\s?-|\+-|\bper\s?cents?\b|\bpercent(?:age points?|iles?)?\b|\bpp\b|"
    rf"\bpercentage (?:of|points?)\b|\borders? of magnitude\b|\b\w+fold\b|\b(?:{_SMALL}|many|several|multi)-fold\b|"
    r"\b(?:twice|thrice)\b|\b(?:doubl|tripl|quadrupl|halv)(?:e|es|ed|ing)\b|"
    rf"\b(?:one|two|three|four|five|seven|nine|a)[- ](?:half|halves|third|thirds|quarter|quarters|fifths?|sixths?|"
    rf"eighths?|"
    r"ninths?|tenths?|hundredths?)\b(?= (?:of|as|the|more|less|higher|lower|fewer)\b|s)|"
    r"\b(?:thirds|quarters|tenths|hundredths)\b|\bhalf (?:of|the|as|its|our|that|all)\b|\b(?:by|in|than|about|nearly|"
    rf"almost|over) half\b|\bpoint (?:zero|oh|one|{_SMALL})\b|\b(?:zero|one|{_SMALL}) times\b|"
    r"\bone (?:percentage|in|out of)\b(?= (?:points?|two|three|four|five|six|seven|eight|nine|ten)\b)",
    re.IGNORECASE,
)
_HARMLESS_WORDS = re.compile(
    r"\b(?:one|two|three|four|five|six)-(?:sided|tailed|stage|step|layer|layered|way|part|"
    r"level|"
    r"tier|dimensional|phase|fold cross|term|sample|hot|to-one|word)\b|"
    r"\b(?:unfold|scaffold|manifold|blindfold|cross-fold|double[- ](?:precision|descent|blind|"
    r"counting|counted|counts?))\b",
    re.IGNORECASE,
)
_ZERO = re.compile(
    r"\bzero\b(?![- ](?:mean|shot|vector|vectors|matrix|gradient|padding|padded|ablation|bias|"
    r"initiali[sz]\w+|centred|centered))(?<!non-zero)",
    re.IGNORECASE,
)
_ZERO_DESIGN = re.compile(
    r"\b(?:set|sets|setting|clamped|initiali[sz]ed|forced|rounded|clipped|start\w*) (?:\w+ ){0,4}"
    r"(?:to|at|from|with) zero\b|\b(?:above|below|at|from|around) zero\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\b(?:Sections?|Secs?\.?|Figures?|Figs?\.?|Tables?|Tabs?\.?|Equations?|Eqs?\.?|Appendi(?:x|"
    r"ces)|"
    r"Algorithms?|Steps?|§)\s?\(?(\d{1,2})\)?(?![\d.,]*\d)(?:\s?(?:and|to|-|–)\s?\d{1,2}\b)?"
)
_YEAR = re.compile(
    r"(?:\(|\b(?:in|since|of|by|from|until|before|after|during|early|late)\s)((?:19|"
    r"20)\d\d)\b(?![%.]?\d|\s?%)",
    re.IGNORECASE,
)
_ENUMERATION = re.compile(r"\((?:[1-9]|i{1,3}|iv|v)\)")
_COUNTED = {
    "seed": "seeds",
    "run": "runs",
    "experiment": "runs",
    "baseline": "baselines",
    "condition": "conditions",
    "sparsity": "conditions",
    "sparsities": "conditions",
    "metric": "metrics",
}
_PARTS = (
    r"tiers?|phases?|stages?|parts?|steps?|questions?|ideas?|components?|terms?|loss(?:es)?|levels?|variants?|"
    r"sections?|"
    r"contributions?|reasons?|limitations?|groups?|families|lines?|strands?|kinds?|types?|ways?|sources?|aspects?|"
    r"changes?|"
    r"choices?|hypothes[ei]s|directions?|approaches|methods?|encoders?|decoders?|layers?|modules?|ingredients?|"
    r"properties|"
    r"things|views?|quantities|factors?|sides|halves|blocks?|branches|modifications?|requirements?|objectives?|nested|"
    r"assumptions?|caveats?|observations?|findings|architectures?|designs?|ablations?|mechanisms?|paragraphs?|curves?|"
    r"panels?|axes|figures?|tables?|models?|processes|matrices|vectors?|prefix(?:es)?|dictionar(?:y|ies)|threats?|"
    r"points"
)
_COUNT = re.compile(
    rf"\b(zero|{_SMALL})\b(?P<of> of\b| out of\b)?(?P<middle>(?:[- ][a-z]+){{0,3}}?)[- ]"
    rf"(?P<noun>seeds?|runs?|experiments?|baselines?|conditions?|sparsities|sparsity|metrics?|"
    rf"{_PARTS})\b",
    re.IGNORECASE,
)
_SMALL_WORD = re.compile(rf"\b(?:{_SMALL})\b", re.IGNORECASE)
_PRONOUN = re.compile(
    rf"\b(?:the|these|those|both|between|other|all)\s(?:other\s)?(?:{_SMALL})\b(?=\s?(?:[.,;:)]|$|"
    rf"and\b|are\b|"
    r"is\b|do\b|can\b|differ\b|share\b|were\b|have\b|together\b|apart\b|in\b))",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\s()\[\]{}\"“”‘’;:!?" + "\ue000-\ue004" + r"]+")
# x², L₀, ΔF₁, ‖z‖₂²: one digit above or below a symbol of one letter belongs to it. "by⁹⁵" is a number.
_SCRIPTED = re.compile(
    r"(?:(?<=(?<![^\W_])[^\W\d_])|(?<=[ΔδΣσ∂∇][^\W\d_])|(?<=[)\]‖|]))(?:[₀-₉][⁰¹²³⁴-⁹]?|[⁰¹²³⁴-⁹][₀-₉]?)(?![\w.,][\d⁰¹²³⁴-⁹₀-₉]|\w)"
)
FIELD = frozenset(
    [
        "f1",
        "l0",
        "l1",
        "l2",
        "l-0",
        "l-1",
        "l-2",
        "top-1",
        "top-5",
        "k1",
        "h100",
        "a100",
        "h200",
        "v100",
        "float16",
        "float32",
        "bfloat16",
        "float64",
        "int8",
        "fp16",
        "fp32",
        "bf16",
        "utf-8",
        "python3",
        "gpt-2",
        "gpt2",
        "gpt-3",
        "gpt-4",
        "gemma-2",
        "gemma-2b",
        "gemma-2-2b",
        "gemma-2-9b",
        "gemma2",
        "llama-2",
        "llama-3",
        "llama-3.1",
        "pythia-70m",
        "pythia-160m",
        "pythia-410m",
        "c4",
        "adamw",
        "adam",
        "1-sparse",
        "k-sparse",
        "aux-k",
        "synthsaebench-16k",
        "2d",
        "3d",
        "1d",
    ]
)
_ALIASES = {
    "d_sae": ("dictionary", "latents", "dsae"),
    "l0": ("sparsity", "active latents", "l_0"),
    "k": ("active latents", "topk"),
    "lr": ("learning rate",),
    "learning_rate": ("learning rate",),
    "batch": ("batch",),
    "batch_size": ("batch",),
    "samples": ("samples", "activations"),
    "steps": ("steps",),
    "d_in": ("dimension", "din"),
    "num_features": ("features",),
    "n_features": ("features",),
    "eval_samples": ("held-out",),
}
_SCRIPT = re.compile(r"[\^_]\s*(?:\{[^{}]*\}|\S)")
_SUFFIX = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "m": 10**6, "B": 10**9}


@dataclass(frozen=True)
class NumberRules:
    """What makes a number harmless in this paper. `source` is the code of the run the paper describes."""

    facts: Facts
    library: Library
    source: str = ""

    @cached_property
    def names(self) -> frozenset[str]:
        """Names that hold digits: of metrics, runs, conditions, settings, cited titles, and of the field."""
        facts = self.facts
        texts = [*facts.manifest.metrics, *(m.label for m in facts.manifest.metrics.values()), *self.settings]
        texts += [facts.manifest.name]
        texts += [t for r in facts.explored for t in (r.name, r.label)]
        texts += [
            t for r in facts.explored for c in r.conditions for t in (c.name, c.label) if any(map(str.isalpha, t))
        ]
        texts += [e.title for e in self.library.entries(self.library.keys)]
        tokens = {t.strip(".,").lower() for text in texts for t in _TOKEN.findall(text)}
        return FIELD | {t for t in tokens if t[:1].isalpha() and any(map(str.isdigit, t))}

    @cached_property
    def settings(self) -> dict[str, set[Setting]]:
        found: dict[str, set[Setting]] = {}
        for record in self.facts.explored:
            for settings in (record.settings, *(c.settings for c in record.conditions)):
                for key, value in settings.items():
                    found.setdefault(key, set()).add(value)
        return found

    @cached_property
    def constants(self) -> frozenset[float]:
        """Number literals of the described run's code."""
        try:
            tree = ast.parse(self.source)
        except (SyntaxError, ValueError, RecursionError):
            return frozenset()
        values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        return frozenset(float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool))

    def counts(self, what: str) -> set[int]:
        """The numbers that may stand before "seeds", "runs" and the like."""
        facts = self.facts
        tried, measured = facts.experiments, [r for r in facts.experiments if r.status == "measured"]
        match what:
            case "runs":
                return {len(tried), len(facts.explored)}
            case "failed":
                return {len(tried) - len(measured), sum(r.status != "measured" for r in facts.explored)}
            case "measured":
                return {len(measured), len(facts.measured)}
            case "seeds":
                return {len(r.seeds) for r in facts.explored}
            case "baselines":
                return {len(facts.baselines)}
            case "conditions":
                return {len(facts.condition_names())}
        return {len(facts.manifest.metrics)}

    def is_setting(self, number: float, text: str) -> bool:
        """The records have this value under a key that the sentence mentions."""
        lowered = text.lower()
        for key, values in self.settings.items():
            if any(not isinstance(v, (str, bool)) and float(v) == number for v in values):
                names = (key, key.replace("_", " "), *_ALIASES.get(key, ()))
                if any(re.search(rf"(?<![a-z]){re.escape(n)}(?![a-z])", lowered) for n in names):
                    return True
        return False

    def harmless(self, number: float | None, text: str, section: str) -> bool:
        """A number typed in a describing section that the records or the code bear out."""
        if number is None or section not in DESCRIBING:
            return False
        return self.is_setting(number, text) or (section != "background" and number in self.constants)


def typed_numbers(text: str, rules: NumberRules, section: str, context: str = "") -> tuple[str, ...]:
    """The literals in a sentence that no rule allows. `context` adds words (of math, code) that may name a setting."""
    read = unicodedata.normalize("NFKC", _SCRIPTED.sub("", text))
    return tuple(dict.fromkeys(_typed(read, rules, section, f"{text} {context}")))


def _typed(text: str, rules: NumberRules, section: str, context: str) -> Iterator[str]:
    masked = _HARMLESS_WORDS.sub(_blank, text)
    for match in _NEVER.finditer(masked):
        yield match[0]
    yield from _words(masked, rules, section)
    masked = _REFERENCE.sub(_blank, text)
    if CITATION in text:
        masked = _YEAR.sub(_blank, masked)
    if "(1)" in text or "(i)" in text:
        masked = _ENUMERATION.sub(_blank, masked)
    for match in _TOKEN.finditer(masked):
        token = match[0].strip(".,'*/")
        if any(c.isnumeric() for c in token):
            yield from _token(token, rules, section, context)


def _token(token: str, rules: NumberRules, section: str, context: str) -> Iterator[str]:
    if token.lower() in rules.names or token.lower().removesuffix("s") in rules.names:
        return
    pieces = [p for p in re.split(r"[-–—/=]", token) if any(c.isnumeric() for c in p)]
    if len(pieces) > 1 or (pieces and pieces[0] != token):
        if not re.match(r"\d", token) and "-" in token and token.rsplit("-", 1)[0].lower() in rules.names:
            return
        for piece in pieces:
            if piece.lower() not in rules.names and not rules.harmless(parse_number(piece), context, section):
                yield token
                return
        return
    if not rules.harmless(parse_number(token), context, section):
        yield token


def _words(text: str, rules: NumberRules, section: str) -> Iterator[str]:
    """Number words that do not count the paper's own parts."""
    masked = text
    for match in _COUNT.finditer(text):
        noun, number = match["noun"].lower(), _DIGITS[match[1].lower()]
        what = _COUNTED.get(noun, _COUNTED.get(noun.removesuffix("s"), ""))
        if what == "runs" and (kind := re.search(r"failed|measured|successful|finished", match["middle"])):
            what = "failed" if kind[0] == "failed" else "measured"
        if what == "metrics" and re.search(r"\b(?:the|these|both|those)\s$", text[: match.start()], re.IGNORECASE):
            what = ""  # refers to those just named
        if match["of"] or (what and number not in rules.counts(what)) or (number == 0 and not what):
            yield match[0]
        masked = masked[: match.start()] + " " * len(match[0]) + masked[match.end() :]
    masked = _PRONOUN.sub(_blank, masked)
    yield from _SMALL_WORD.findall(masked)
    if found := re.search(
        rf"\bone (?:out )?of (?:the )?(?:{_SMALL}) (?:\w+ )?(?:seeds|runs|baselines|metrics|"
        rf"conditions)\b",
        text,
        re.IGNORECASE,
    ):
        yield found[0]
    zeros = _ZERO_DESIGN.sub(_blank, masked) if section in (*DESCRIBING, "introduction", "related_work") else masked
    yield from _ZERO.findall(zeros)


def parse_number(token: str) -> float | None:
    """1,048,576 / 3e-4 / 16k / 0.5 as a number; None if it is none of these."""
    match = re.fullmatch(r"([+-]?(?:\d{1,3}(?:[, _]\d{3})+|\d+)?(?:\.\d+)?(?:e[+-]?\d+)?)([kKMmB]?)", token)
    if not match or not any(c.isdigit() for c in match[1]):
        return None
    try:
        return float(match[1].replace(",", "").replace("_", "")) * _SUFFIX[match[2]]
    except ValueError:
        return None


def math_numbers(source: str, rules: NumberRules, section: str, context: str) -> tuple[str, ...]:
    r"""Numbers in a formula that no rule allows: constants are small integers, scripts, or borne out by the records."""
    if re.search(r"\\pm|\\mp|\\%|%|\\text\w*\{[^}]*\b(?:percent|fold)", source):
        return tuple(re.findall(r"\\pm|\\mp|\\%|%|percent|fold", source))
    apart = unicodedata.normalize("NFKC", source).replace("}{", "} {")  # two arguments are two numbers
    plain = re.sub(r"(?<=[\d.,])(?:[{}]|\\[,!;: ])+(?=[\d.,])", "", apart)
    words = re.sub(r"[{}\\]|mathrm|text|operatorname", "", source)
    context = f"{context} {words} {words.replace('_', '')}"
    body = _SCRIPT.sub(" ", plain)  # exponents and indices are constants, as long as they are small
    scripts = " ".join(m[0] for m in _SCRIPT.finditer(plain))
    found = []
    for where, largest in ((body, 2), (scripts, 12)):
        for token in re.findall(r"\d[\d,]*(?:\.\d+)?|\.\d+", where):
            number = parse_number(token.strip(","))
            small = number is not None and number.is_integer() and 0 <= number <= largest
            if not (small and (section in DESCRIBING or where is scripts)) and not rules.harmless(
                number, context, section
            ):
                found.append(token)
    return tuple(dict.fromkeys(found))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
