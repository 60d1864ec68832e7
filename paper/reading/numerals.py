"""Finds the numbers that a writer typed, in digits or in words, and decides which of them are allowed.

Allowed are names (F1, GPT-2), references, years, counts that are right, and, in the sections that describe the method,
settings and constants of the code. Every other typed number is refused, because no record stands behind it.
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
from paper.evidence.numbers import CARDINALS
from paper.evidence.vocabulary import counts_of
from paper.text.nodes import CITATION

DESCRIBING = ("background", "method", "experimental_setup")  # sections where settings may be typed

_LARGE = (
    r"thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|"
    r"ninety|hundreds?|thousands?|millions?|billions?|trillions?|dozens?"
)
_SMALL = "|".join(CARDINALS[2:])
_ANY = "|".join(CARDINALS)
# Number words that state a result: shares, factors, per cent, decimals in words, a count out of a count.
_MEASURES = re.compile(
    rf"\b(?:{_LARGE})\b|[%‰±]|\+\s?/?\s?-|\bper\s?cents?\b|\bpercent\w*|\bpercentage (?:of|points?)\b|\bpp\b|"
    rf"\borders? of magnitude\b|(?<!un)(?<!scaf)(?<!mani)(?<!blind)\b\w+fold\b|"
    rf"\b(?:{_SMALL}|many|several|multi)-fold\b|"
    r"\b(?:twice|thrice)\b|\b(?:doubl|tripl|quadrupl|halv)(?:e|es|ed|ing)\b(?!-)(?! (?:precision|descent|blind|count))|"
    rf"\b(?:{_ANY}|a)[- ](?:half|halves|thirds?|quarters?|fifths?|sixths?|eighths?|ninths?|tenths?|hundredths?)\b"
    r"(?= (?:of|as|the|more|less|higher|lower|fewer)\b|s)|\b(?:good|full|mere) (?:third|quarter|tenth)\b|"
    r"\b(?:thirds|quarters|tenths|hundredths)\b|\bhalf (?:of|the|as|its|our|that|all)\b|"
    r"\b(?:by|in|than|about|nearly|almost|over) half\b|"
    rf"\bpoint (?:oh|{_ANY})\b|\b(?:{_ANY}) times\b|\b(?:{_ANY}) (?:in|out of|of) (?:the |all )?(?:{_SMALL})\b",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    rf"\b(?:{_ANY})-(?:sided|tailed|\w+ed|\w*stage|step|layer|way|part|level|tier|dimensional|phase|fold cross|term|"
    r"sample|hot|to-one|word|shot|mean)\b|\b(?:un|scaf|mani|blind|cross-)fold\w*|\bzero[- ](?:mean|vectors?|gradient|"
    r"padd\w+|bias|initiali[sz]\w+|centred)",
    re.IGNORECASE,
)
_ZERO_DESIGN = re.compile(r"\b(?:to|at|from|with|above|below|around|is|are|than) zero\b|\bnon-?zero\b", re.IGNORECASE)
_REFERENCE = re.compile(
    r"(?:\b(?:Sections?|Secs?\.?|Figures?|Figs?\.?|Tables?|Tabs?\.?|Equations?|Eqs?\.?|Appendi(?:x|ces)|Algorithms?|"
    r"Steps?|Lines?|Chapters?|Questions?|line|step)|§|\bQ|\bRQ|\bH)\s?\(?((?:[A-Z]\.)?\d{1,2}(?:\.\d)?)\)?"
    r"(?![\d.,]*\d|\s?%)(?:\s?(?:and|to|-|–)\s?\d{1,2}\b)?"
)
_YEAR = re.compile(
    r"(?:\(|\b(?:in|since|of|by|from|until|before|after|during|early|late|and)\s)((?:19|20)\d\d)s?\b(?![%.]?\d|\s?%|\s(?!this|was|has|is|as|works?\b)[a-z]+s\b)",
    re.IGNORECASE,
)
_ENUMERATION = re.compile(r"\((?:[1-9]|i{1,3}|iv|v)\)")
_LICENCE = re.compile(r"\bCC[- ]BY(?:-[A-Z]{2})*[- ]\d\.\d\b|\bApache[- ]2\.0\b|\bGPL-?v?\d\b")
_COUNTED = {  # nouns that may have a number word before them, and the count of the records that it must agree with
    "seed": "seeds",
    "run": "runs",
    "experiment": "runs",
    "variant": "runs",
    "baseline": "baselines",
    "condition": "conditions",
    "sparsit(?:ies)?": "conditions",
    "metric": "metrics",
}
_COUNT = re.compile(
    rf"\b(?P<number>{_ANY})\b(?P<of> of\b| out of\b)?(?P<between>(?:[- ][a-z]+){{0,3}}?)[- ]"
    rf"(?P<noun>{'|'.join(_COUNTED)})(?:s|y)?\b",
    re.IGNORECASE,
)
_ADJECTIVES = "random training different independent planned measured failed successful finished distinct separate"
_PLAIN = frozenset(_ADJECTIVES.split())
_TOKEN = re.compile(r"[^\s()\[\]{}\"“”‘’;:!?" + "\ue000-\ue004" + r"]+")
# x², L₀, ΔF₁, ‖z‖₂²: one digit above or below a symbol of one letter belongs to it. "by⁹⁵" is a number.
_SCRIPTED = re.compile(
    r"(?:(?<=(?<![^\W_])[^\W\d_])|(?<=[ΔδΣσ∂∇][^\W\d_])|(?<=[)\]‖|]))(?:[₀-₉][⁰¹²³⁴-⁹]?|[⁰¹²³⁴-⁹][₀-₉]?)(?![\w.,][\d⁰¹²³⁴-⁹₀-₉]|\w)"
)
# CIFAR-10, GPT-2, ResNet-18, SHA-256, Llama-3.1-8B: letters joined to digits, a capital among them.
_NAME = re.compile(r"(?=[^\d]*[A-Z])[A-Za-z]+(?:-?[A-Za-z]+)*-?\d{1,4}(?:\.[1-9])?(?:-?[A-Za-z]+\d*|-\d{1,2}[A-Za-z])*")
_FIELD = (
    "f1 l0 l1 l2 l-0 l-1 l-2 top-1 top-5 float16 float32 float64 bfloat16 int8 fp16 fp32 bf16 utf-8 python3 gpt2 c4 "
    "pythia-70m pythia-160m pythia-410m gemma-2-2b 1-sparse 1d 2d 3d"
)
FIELD = frozenset(_FIELD.split())
_ALIASES = {
    "d_sae": ("dictionary", "latents", "dsae"),
    "l0": ("sparsity", "active latents", "l_0", "ell_0"),
    "k": ("active latents", "topk"),
    "lr": ("learning rate",),
    "batch_size": ("batch",),
    "samples": ("activations",),
    "d_in": ("dimension", "din"),
    "num_features": ("features",),
    "n_features": ("features",),
    "eval_samples": ("held-out",),
}
_SCRIPT = re.compile(r"[\^_]\s*(?:\{[^{}]*\}|\S)")
_SUFFIX = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "m": 10**6, "B": 10**9}


@dataclass(frozen=True)
class NumberRules:
    """What a typed number may agree with in this paper. `source` is the code of the run that the paper describes."""

    facts: Facts
    library: Library
    source: str = ""

    @cached_property
    def names(self) -> frozenset[str]:
        """Names that hold digits: of metrics, runs, conditions, settings, cited titles, and of the field."""
        facts = self.facts
        texts = [facts.manifest.name, *facts.manifest.metrics, *self.settings]
        texts += [m.label for m in facts.manifest.metrics.values()]
        texts += [t for r in facts.explored for t in (r.name, r.label)]
        texts += [
            t for r in facts.explored for c in r.conditions for t in (c.name, c.label) if any(map(str.isalpha, t))
        ]
        texts += [e.title for e in self.library.entries(self.library.keys)]
        tokens = {t.strip(".,").lower() for text in texts for t in _TOKEN.findall(text)}
        return FIELD | {t for t in tokens if t[:1].isalpha() and any(map(str.isdigit, t)) and "=" not in t}

    @cached_property
    def settings(self) -> dict[str, set[Setting]]:
        """Every value that a setting has in any run, condition or sweep."""
        found: dict[str, set[Setting]] = {}
        for record in self.facts.explored:
            for settings in (record.settings, *(c.settings for c in record.whole.conditions)):
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

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Names of the described run's code."""
        return frozenset(re.findall(r"[A-Za-z_]\w*", self.source))

    @cached_property
    def manifest_words(self) -> str:
        """The manifest's own sentences, which the paper may repeat with their numbers."""
        manifest = self.facts.manifest
        return "\n".join((manifest.question, manifest.about, *(m.read for m in manifest.metrics.values())))

    def counts(self, what: str) -> set[int]:
        """The numbers that may be typed before "seeds", "runs" and the like: what `count` prints, or equally right
        ones.

        "Runs" may mean the experiments or all explored runs, and runs may differ in their number of seeds.
        """
        every = self.facts.explored
        also = {
            "runs": {len(every)},
            "failed": {sum(r.status != "measured" for r in every)},
            "measured": {len(self.facts.measured)},
            "seeds": {len(r.seeds) for r in every},
        }
        return {counts_of(self.facts)[what]} | also.get(what, set())

    def is_setting(self, number: float, text: str) -> bool:
        """Whether a setting of this value exists and the sentence mentions it by one of its names."""
        lowered = text.lower()
        for key, values in self.settings.items():
            if any(not isinstance(v, (str, bool)) and float(v) == number for v in values):
                names = (key, key.replace("_", " "), *_ALIASES.get(key, ()))
                if any(re.search(rf"(?<![a-z]){re.escape(n)}(?![a-z])", lowered) for n in names):
                    return True
        return False

    def harmless(self, number: float | None, text: str, section: str) -> bool:
        """Whether a number may be typed here: in a describing section, a setting or a constant of the described
        code."""
        if number is None or section not in DESCRIBING:
            return False
        return self.is_setting(number, text) or (section != "background" and number in self.constants)

    def is_name(self, token: str) -> bool:
        """Whether a token with digits is a name, such as F1, GPT-2 or an identifier of the code.

        A metric's name that is followed by other digits ("F10.83") is none: it states a result.
        """
        if token.lower() in self.names or token.lower().removesuffix("s") in self.names or token in self.identifiers:
            return True
        metrics = {t.lower() for key, m in self.facts.manifest.metrics.items() for t in (key, m.label)}
        return bool(_NAME.fullmatch(token)) and not any(token.lower().startswith(m) for m in metrics)


def typed_numbers(text: str, rules: NumberRules, section: str, context: str = "") -> tuple[str, ...]:
    """The typed numbers in a sentence's flat text that no rule allows, as they stand there.

    Args:
        section: the name of the section; some rules hold in some sections only.
        context: further words, of math and code in the sentence, that may name the setting of a number.
    """
    if len(text) > 20 and text.strip(" .") in rules.manifest_words:
        return ()
    read = unicodedata.normalize("NFKC", _SCRIPTED.sub("", text))
    return tuple(dict.fromkeys(_typed(read, rules, section, f"{text} {context}")))


def _typed(text: str, rules: NumberRules, section: str, context: str) -> Iterator[str]:
    words = _HARMLESS.sub(_blank, text)
    yield from (match[0] for match in _MEASURES.finditer(words))
    yield from _words(words, rules)
    if section not in (*DESCRIBING, "introduction", "related_work"):  # there it belongs to a definition
        yield from re.findall(r"\bzero\b", _ZERO_DESIGN.sub(_blank, words), re.IGNORECASE)
    masked = _LICENCE.sub(_blank, _REFERENCE.sub(_blank, text))
    if CITATION in text or section in ("introduction", "related_work", "background"):
        masked = _YEAR.sub(_blank, masked)
    if "(1)" in text or "(i)" in text:
        masked = _ENUMERATION.sub(_blank, masked)
    for match in _TOKEN.finditer(masked):
        token = match[0].strip(".,'*/")
        if any(c.isnumeric() for c in token):
            yield from _token(token, rules, section, context)


def _token(token: str, rules: NumberRules, section: str, context: str) -> Iterator[str]:
    if rules.is_name(token):
        return
    pieces = [p for p in re.split(r"[-–—/=]", token) if any(c.isnumeric() for c in p)]
    if len(pieces) > 1 or (pieces and pieces[0] != token):
        if not re.match(r"\d", token) and "-" in token and token.rsplit("-", 1)[0].lower() in rules.names:
            return
        if any(p.lower() not in rules.names and not rules.harmless(parse_number(p), context, section) for p in pieces):
            yield token
    elif not rules.harmless(parse_number(token), context, section):
        yield token


def _words(text: str, rules: NumberRules) -> Iterator[str]:
    """Counts in words ("three seeds") that are wrong, and "n of m", which states a result."""
    for match in _COUNT.finditer(text):
        noun, number = match["noun"].lower(), CARDINALS.index(match["number"].lower())
        what = _COUNTED.get(noun, "conditions")
        if number == 1 and not match["of"]:
            continue
        if what == "runs" and (kind := re.search(r"failed|measured|successful|finished", match["between"])):
            what = "failed" if kind[0] == "failed" else "measured"
        if set(re.findall(r"[a-z]+", match["between"].lower())) - _PLAIN:
            what = ""  # "two annealed runs" counts a kind of runs that no record knows; the judge reads it
        if what == "metrics" and re.search(
            r"\b(?:the|these|both|those|other)\s$", text[: match.start()], re.IGNORECASE
        ):
            what = ""  # "these two metrics" refers to those that were just named
        if (match["of"] and number > 1 and what) or (what and number not in rules.counts(what)):
            yield match[0]


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
    r"""The numbers in a formula that no rule allows.

    Allowed are small integers (in describing sections; as exponents and indices everywhere up to 12), and settings and
    constants of the described code.
    """
    if re.search(r"\\pm|\\mp|\\%|%|\\text\w*\{[^}]*\b(?:percent|fold)", source):
        return tuple(re.findall(r"\\pm|\\mp|\\%|%|percent|fold", source))
    apart = unicodedata.normalize("NFKC", source).replace("}{", "} {")  # two arguments are two numbers
    apart = re.sub(r",\s*\\[ ,;:]|,\s+", ", ", apart)  # and so are two with a comma and space between
    plain = re.sub(r"(?<=[\d.,])(?:[{}]|\\[,!;: ])+(?=[\d.,])", "", apart)
    words = re.sub(r"[{}\\]|mathrm|text|operatorname", "", source)
    context = f"{context} {words} {words.replace('_', '')}"
    body = _SCRIPT.sub(" ", plain)
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
