"""Writes BibTeX that compiles: the TeX of an entry is kept, and what would break a compile is escaped or left out.

An allow-list of commands keeps mathematics and accents, so that no entry can read or write files or define commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

ADDRESSES = ("url", "doi", "eprint", "archiveprefix", "primaryclass")
_TEXT = (
    "aa AA ae AE oe OE ss o O l L i j dj DJ dh DH th TH ng NG c v u H d b k r t emph textbf textit textsc textsl "
    "textrm textsf texttt textup textmd textnormal textsuperscript textsubscript mbox url href path newblock relax "
    "ensuremath textendash textemdash textquoteleft textquoteright textquotedblleft textquotedblright guillemotleft "
    "guillemotright textbackslash textasciitilde textasciicircum textunderscore textregistered texttrademark "
    "textcopyright textdegree textbullet textperiodcentered textexclamdown textquestiondown textdollar textsterling "
    "textless textgreater textbar dots ldots S P copyright pounds slash em it bf sc rm tt sl par TeX LaTeX textmu "
    "texttimes textpm textonehalf textonequarter textthreequarters quotedblbase quotesinglbase thinspace"
)
_MATH = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho "
    "varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi "
    "Psi Omega sum prod int iint oint min max log exp ln sin cos tan tanh lim sup inf Pr det dim ker gcd partial "
    "nabla cdot times pm mp div circ odot otimes oplus ominus ast star bullet cup cap setminus wedge vee le leq ge "
    "geq ne neq ll gg approx sim simeq cong equiv propto in notin ni subset subseteq supset supseteq to "
    "rightarrow leftarrow leftrightarrow Rightarrow Leftarrow Leftrightarrow longrightarrow mapsto mid parallel "
    "perp forall exists neg infty ell hbar Re Im aleph emptyset varnothing top bot langle rangle lVert rVert lvert "
    "rvert Vert vert lfloor rfloor lceil rceil ldots cdots vdots dots prime dagger dag frac tfrac dfrac binom sqrt "
    "hat widehat tilde widetilde bar overline vec dot ddot check breve acute grave underline mathbb mathbf mathcal "
    "mathrm mathit mathsf mathtt mathfrak boldsymbol operatorname text textrm left right big Big bigl bigr quad "
    "qquad limits displaystyle textstyle mathop mathbin mathrel lesssim gtrsim triangle square Box diamond Diamond "
    "rightharpoonup angle sharp flat natural not backslash lbrace rbrace ensuremath mbox mathring surd bigcup "
    "bigcap bigoplus bigotimes models vdash rm bf it cal"
)
_KNOWN = {False: frozenset(_TEXT.split()), True: frozenset(_MATH.split()) | frozenset(_TEXT.split())}
_TOKEN = re.compile(r"\\(?:url|path)\s*\{[^{}]*\}|\\[A-Za-z]+|\\.|[^\\]", re.DOTALL)
_DOLLAR = re.compile(r"(?<!\\)((?:\\\\)*)\$")
_ESCAPED = {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "^": r"\textasciicircum{}"}
_DATE = re.compile(r"\s*(\d{4})(?!\d)")


def clean(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields of an entry for our references.bib, under the names that BibTeX's styles know."""
    found = {key: value(key, text) for key, text in fields.items()}
    if not found.get("year") and (date := _DATE.match(found.get("date", ""))):
        found["year"] = date[1]
    if "journaltitle" in found:
        found.setdefault("journal", found["journaltitle"])
    return found


def value(key: str, text: str) -> str:
    """The text of one field: formulas and known commands are kept, special characters escaped, others left out."""
    text = " ".join(text.split())
    if key in ADDRESSES:
        return quote(re.sub(r"[{}\\\s]", "", text), safe="".join(map(chr, range(33, 127))))
    if not _balanced(text):
        text = re.sub(r"(?<!\\)[{}]", "", text)
    return "".join(_written(token, math) for token, math in _tokens(text))


def problems(fields: Mapping[str, str]) -> tuple[str, ...]:
    r"""The commands that `value` would leave out, each with its field: `\foo in its title`."""
    found = (
        f"{token} in its {key}"
        for key, text in fields.items()
        if key not in (*ADDRESSES, "abstract", "keywords", "file", "annote", "note-private")
        for token, math in _tokens(" ".join(text.split()))
        if _unknown(token, math)
    )
    return tuple(dict.fromkeys(found))


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """The commands and characters of a text, each with whether it is part of a formula (its dollars are)."""
    start = 0
    for first, last in _formulas(text):
        yield from ((t, False) for t in _TOKEN.findall(text[start:first]))
        yield "$", True
        yield from ((t, True) for t in _TOKEN.findall(text[first + 1 : last]))
        yield "$", True
        start = last + 1
    yield from ((t, False) for t in _TOKEN.findall(text[start:]))


def _formulas(text: str) -> list[tuple[int, int]]:
    """The positions of pairs of dollars around formulas.

    In "$5 to $10" they are money: a blank is before the second.
    """
    places = [match.end() - 1 for match in _DOLLAR.finditer(text)]
    found, index = [], 0
    while index + 1 < len(places):
        first, last = places[index], places[index + 1]
        inner = text[first + 1 : last]
        money = not inner.strip() or inner[0].isspace() or inner[-1].isspace() or text[last + 1 : last + 2].isdigit()
        if money or not _balanced(inner):
            index += 1
        else:
            found.append((first, last))
            index += 2
    return found


def _written(token: str, math: bool) -> str:
    if token == "$":
        return "$" if math else r"\$"
    if math and token in ("_", "^", "&"):
        return token
    if token in _ESCAPED:
        return _ESCAPED[token]
    return "" if _unknown(token, math) else token


def _unknown(token: str, math: bool) -> bool:
    name = re.match(r"\\([A-Za-z]+)", token)
    return name is not None and name[1] not in _KNOWN[math]


def _balanced(text: str) -> bool:
    depth = 0
    for token in _TOKEN.findall(text):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth < 0:
            return False
    return depth == 0


def dumps(entries: Iterable[tuple[str, str, Mapping[str, str]]]) -> str:
    """The BibTeX text of entries given as (key, kind, fields)."""
    import bibtexparser
    from bibtexparser.bibdatabase import BibDatabase

    database = BibDatabase()
    database.entries = [{"ID": key, "ENTRYTYPE": kind, **clean(fields)} for key, kind, fields in entries]
    return bibtexparser.dumps(database)
