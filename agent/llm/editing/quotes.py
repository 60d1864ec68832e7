"""Handles quotation marks and hyphens for which an answer uses other characters than the file, one for one."""

import os.path

PLAIN = str.maketrans("‘’“”\u00a0‐‑", "''\"\" --")
SAME = {"'": "['‘’]", '"': '["“”]', "-": "[-‐‑]"}  # patterns of the characters that PLAIN makes equal
_STRAIGHT = str.maketrans("‘’“”", "''\"\"")


def requote(wanted: str, found: str, given: str) -> str:
    """The replacement `given` with the file's quotation marks.

    The file has `found`, which the answer quoted as `wanted`.

    Words at both ends that do not change keep the file's marks. New words get straight marks if the file's are so.
    """
    head = _whole_words(wanted, given)
    tail = _whole_words(wanted[head:][::-1], given[head:][::-1])
    middle = given[head : len(given) - tail]
    if found == found.translate(_STRAIGHT):
        middle = middle.translate(_STRAIGHT)
    return found[:head] + middle + found[len(found) - tail :]


def _whole_words(one: str, other: str) -> int:
    """The length of the common beginning of two texts, up to the last blank or line end before they differ."""
    same = os.path.commonprefix([one, other])
    if len(same) < max(len(one), len(other)):
        same = same[: max(same.rfind(" "), same.rfind("\n")) + 1]
    return len(same)
