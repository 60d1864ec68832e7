"""Does a figure show the records? plot.py is run once more on perturbed ones: what stays the same was not read there.

Catches figures drawn without the records and numbers typed as annotations. Not: a figure that reads the records and
draws something else as well; its caption says that nobody verified it.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIELDS = ("metrics", "diagnostics", "curves")  # what is measured; names and labels stay as they are
_KEPT = {"n", "seed", "step", "steps", "samples"}  # counts and places on an axis are not results
# A number with a word or a sign about it: an annotation. Bare ticks come out alike by chance.
_ANNOTATION = re.compile(r"[^\s\d.,]*\d[\d.,]*\s?(?:%|x\b|×|±)|[A-Za-z]\S*\s+\d+[.,]\d+|[A-Za-z]+=\d[\d.]*")


def perturb(records: str, seed: int = 0) -> str:
    """The same records.json with every measured number changed, each by a factor of its own."""
    draw = random.Random(seed)
    entries = json.loads(records)
    for entry in entries:
        for field in FIELDS:
            if field in entry:
                entry[field] = perturbed(entry[field], draw)
    return json.dumps(entries, indent=1) + "\n"


def perturbed(value: Any, draw: random.Random) -> Any:
    """Any JSON with its numbers changed; counts and places on an axis stay."""
    if isinstance(value, dict):
        return {key: item if key in _KEPT else perturbed(item, draw) for key, item in value.items()}
    if isinstance(value, list):
        return [perturbed(item, draw) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value * draw.uniform(0.35, 0.85) + draw.uniform(0.01, 0.05)
    return value


def problems(first: Path, second: Path, names: list[str], records: str, read: Callable[[Path], str]) -> list[str]:
    """What is wrong with the figures of two runs, the second on perturbed records; lines for the agent.

    `read` gives the words of a PDF, which hostile code wrote.
    """
    found = []
    for name in names:
        before, after = first / name, second / name
        if not after.is_file():
            found.append(f"{name}: not drawn when the records hold other numbers; draw it whatever the values are")
        elif _digest(before) == _digest(after):
            found.append(
                f"{name}: stays the same when every number in records.json changes, so it does not show them; "
                "read what it draws from records.json"
            )
        else:
            typed = typed_annotations(before, after, records, read)
            if typed:
                found.append(
                    f"{name}: these annotations do not change with the data: {', '.join(typed)}; compute them "
                    "from records.json or remove them"
                )
    return found


def typed_annotations(before: Path, after: Path, records: str, read: Callable[[Path], str]) -> list[str]:
    """Numbers with a word or sign about them that stand in both drawings and not in the records' own labels."""
    if before.suffix != ".pdf":
        return []
    both = Counter(_ANNOTATION.findall(read(before))) & Counter(_ANNOTATION.findall(read(after)))
    known = " ".join(str(entry.get(key, "")) for entry in json.loads(records) for key in ("label", "name", "about"))
    return sorted(found.strip() for found in both if found.strip() not in known)


def _digest(path: Path) -> str:
    """Of what is drawn: dates that a PDF carries do not count."""
    data = re.sub(rb"/(CreationDate|ModDate) \([^)]*\)", b"", path.read_bytes())
    return hashlib.sha256(data).hexdigest()
