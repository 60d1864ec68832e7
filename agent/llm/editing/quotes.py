"""Quotation marks and hyphens that answers write otherwise than the file: the same letter for letter."""

import os.path

PLAIN = str.maketrans("‘’“”\u00a0‐‑", "''\"\" --")
SAME = {"'": "['‘’]", '"': '["“”]', "-": "[-‐‑]"}  # patterns of what PLAIN makes the same
_STRAIGHT = str.maketrans("‘’“”", "''\"\"")


def requote(wanted: str, found: str, given: str) -> str:
    """`given`, which replaces `found`, where an answer quoted that as `wanted`.

    What stays the same at both ends keeps the file's marks. What is new gets straight ones if the file's are straight.
    """
    head = len(os.path.commonprefix([wanted, given]))
    tail = len(os.path.commonprefix([wanted[head:][::-1], given[head:][::-1]]))
    middle = given[head : len(given) - tail]
    if found == found.translate(_STRAIGHT):
        middle = middle.translate(_STRAIGHT)
    return found[:head] + middle + found[len(found) - tail :]
