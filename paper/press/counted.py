"""Counts the sentences of a paper by kind (measured, cited, told), and what the judge said of the told ones. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

from paper.truth.told import Passage, Verdicts


@dataclass(frozen=True)
class Counted:
    """How many sentences of each kind a paper prints, and what became of the told ones."""

    measured: int = 0
    cited: int = 0
    told: int = 0
    judged: int = 0  # of the told ones that print
    sent_back: int = 0  # told ones that were refused and went back to the writer
    cut: int = 0  # told ones that are still as they were refused
    not_judged: int = 0  # of the told ones that print


def counted(found: Sequence[Passage], verdicts: Verdicts, cut: Set[str]) -> Counted:
    """The counts over the sentences that print. `cut`: keys of the pieces that do not print, for whatever reason."""
    printing = [t for p in found for t in p.sentences if t.key not in cut]
    kinds = Counter(t.kind for t in printing)
    not_judged = sum(t.kind == "told" and t.name not in verdicts.judged for t in printing)
    return Counted(
        measured=kinds["measured"],
        cited=kinds["cited"],
        told=kinds["told"],
        judged=kinds["told"] - not_judged,
        sent_back=len({r.sentence for r in verdicts.given}),
        cut=sum(t.name in verdicts.refused for p in found for t in p.sentences),
        not_judged=not_judged,
    )
