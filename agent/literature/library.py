"""The shipped library of works that may be cited: BibTeX files with two-line summaries, searched offline.

Not here: online search, whose works are added with `Library.adding`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from agent.core.errors import UserError
from agent.core.works import Paper
from agent.literature import bibtex

FOLDER = Path(__file__).parent / "shelf"
_OURS = ("summary", "source", "abstract", "keywords")  # fields that never go into a paper's references.bib


@dataclass(frozen=True)
class Entry:
    """One work that may be cited."""

    key: str
    kind: str  # article, inproceedings, misc ...
    fields: dict[str, str] = field(hash=False)

    @property
    def title(self) -> str:
        return re.sub(r"[{}]", "", self.fields.get("title", ""))

    @property
    def authors(self) -> str:
        return re.sub(r"[{}]", "", self.fields.get("author", ""))

    @property
    def named(self) -> str:
        """The work's name in a sentence, e.g. "Gao et al. (2025)"."""
        people = [
            name.split(",")[0] if "," in name else name.split()[-1] for name in self.authors.split(" and ") if name
        ]
        who = people[0] if people else self.title
        who += {0: "", 1: "", 2: f" and {people[-1]}" if people else ""}.get(len(people), " et al.")
        return f"{who} ({self.year})" if self.year else who

    @property
    def year(self) -> str:
        return self.fields.get("year", "") or self.fields.get("date", "")[:4]

    @property
    def summary(self) -> str:
        return " ".join(self.fields.get("summary", "").split())

    def paper(self) -> Paper:
        """The entry as a search returns works."""
        year = self.year if self.year.isdigit() else ""
        return Paper(
            key=self.key,
            title=self.title,
            authors=tuple(self.authors.split(" and ")),
            year=int(year) if year else None,
            abstract=self.summary,
            arxiv=self.fields.get("eprint", ""),
            doi=self.fields.get("doi", ""),
            url=self.fields.get("url", ""),
            source="library",
            venue=self.fields.get("booktitle", self.fields.get("journal", "")),
        )

    def line(self) -> str:
        """One line for a prompt: key, title, year, summary."""
        return f"[@{self.key}] {self.title} ({self.year}). {self.summary}".strip()


class Library:
    """Entries by key, with a search over them."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {e.key: e for e in entries}

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def adding(self, entries: Iterable[Entry]) -> Library:
        """This library with the given entries; an entry whose key exists is not replaced."""
        fresh = {e.key: e for e in entries}
        return Library((fresh | self._entries).values())

    def entries(self, keys: Iterable[str]) -> tuple[Entry, ...]:
        """The entries of the keys that exist, in the order given."""
        return tuple(self._entries[k] for k in keys if k in self._entries)

    def search(self, query: str, n: int = 8) -> tuple[Entry, ...]:
        """The n entries nearest to a query, by tf-idf over title (counted twice), summary, authors and year."""
        wanted = set(_words(query))
        scored = []
        for key, words in self._bags.items():
            total = sum(words.values())
            score = sum((1 + math.log(words[w])) * self._rarity[w] for w in wanted if w in words)
            if score > 0:
                scored.append((-score / math.sqrt(total), key))
        return tuple(self._entries[key] for _, key in sorted(scored)[:n])

    @cached_property
    def _bags(self) -> dict[str, Counter[str]]:
        return {
            e.key: Counter(_words(f"{e.title} {e.title} {e.summary} {e.authors} {e.year}"))
            for e in self._entries.values()
        }

    @cached_property
    def _rarity(self) -> dict[str, float]:
        documents = Counter(w for bag in self._bags.values() for w in bag)
        return {w: math.log(1 + len(self._bags) / count) for w, count in documents.items()}


def load_library(folder: Path = FOLDER) -> Library:
    """All *.bib files of a folder.

    Raises:
        UserError: a file is not BibTeX, or two entries have one key.
    """
    entries: dict[str, Entry] = {}
    for path in sorted(folder.glob("*.bib")):
        for entry in parse_bibtex(path.read_text(encoding="utf-8"), str(path)):
            if entry.key in entries:
                raise UserError(f"{path}: the key {entry.key!r} occurs twice in the library; remove one entry")
            entries[entry.key] = entry
    return Library(entries.values())


def parse_bibtex(text: str, where: str = "bibtex") -> tuple[Entry, ...]:
    """The entries of a BibTeX text; `where` names it in the error.

    Raises:
        UserError: it is not BibTeX.
    """
    import bibtexparser
    from bibtexparser.bparser import BibTexParser

    try:
        database = bibtexparser.loads(text, BibTexParser(common_strings=True, ignore_nonstandard_types=False))
    except Exception as error:  # bibtexparser lets pyparsing's own exceptions out
        raise UserError(f"{where}: not valid BibTeX: {error}") from None
    return tuple(
        Entry(
            key=raw["ID"], kind=raw["ENTRYTYPE"], fields={k: v for k, v in raw.items() if k not in ("ID", "ENTRYTYPE")}
        )
        for raw in database.entries
    )


def references_bib(entries: Iterable[Entry]) -> str:
    """The BibTeX text of the cited entries, without our own fields."""
    return bibtex.dumps((e.key, e.kind, {k: v for k, v in e.fields.items() if k not in _OURS}) for e in entries)


def _words(text: str) -> list[str]:
    """The words of a text in lower case, without stop words and without the plural's s."""
    found = re.findall(r"[a-z0-9]+", text.lower())
    return [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in found if w not in _STOP]


_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "that",
        "the",
        "their",
        "this",
        "to",
        "we",
        "with",
    ]
)


@cache
def shipped_library() -> Library:
    """The library that comes with the program. It is read once, because parsing BibTeX takes more than a second."""
    return load_library()
