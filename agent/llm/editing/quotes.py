"""Quotation marks and hyphens that answers write otherwise than the file: the same letter for letter."""

import os.path

PLAIN = str.maketrans("‘’“”\u00a0‐‑", "''\"\" --")
SAME = {"'": "['‘’]", '"': '["“”]', "-": "[-‐‑]"}  # patterns of what PLAIN makes the same
_STRAIGHT = str.maketrans("‘’“”", "''\"\"")


def requote(wanted: str, found: str, given: str) -> str:
    """`given`, which replaces `found`, where an answer quoted that as `wanted`.

    Words that stay the same at both ends keep the file's marks. What is new gets straight ones if the file's are so.
    """
    head = _whole_words(wanted, given)
    tail = _whole_words(wanted[head:][::-1], given[head:][::-1])
    middle = given[head : len(given) - tail]
    if found == found.translate(_STRAIGHT):
        middle = middle.translate(_STRAIGHT)
    return found[:head] + middle + found[len(found) - tail :]


def _whole_words(one: str, other: str) -> int:
    """How many letters two texts begin alike with, up to the last blank before they differ."""
    same = os.path.commonprefix([one, other])
    if len(same) < max(len(one), len(other)):
        same = same[: max(same.rfind(" "), same.rfind("\n")) + 1]
    return len(same)
