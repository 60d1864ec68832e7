"""The appendix with the changes of the described run's code."""

from __future__ import annotations

from collections.abc import Sequence

from paper.evidence.facts import Facts
from paper.press.latex import code, code_text

MAX_DIFF_LINES = 90  # somewhat more than a page


def code_changes(facts: Facts, diff: str) -> str:
    """The diff to the first baseline's code with added and removed lines marked; of a long diff the beginning."""
    lines = _changed(diff.splitlines())
    shown = [_diff_line(line) for line in lines[:MAX_DIFF_LINES]]
    files = " ".join(facts.manifest.editable)
    command = f"git diff {facts.measured[0].commit[:10]} {facts.described.commit[:10]} -- {files}"
    left = f" Its last {len(lines) - MAX_DIFF_LINES} lines are left out." if len(lines) > MAX_DIFF_LINES else ""
    return (
        "The difference between the first baseline's code and the code of the run that this paper describes, a line "
        f"around each change.{left} The whole, in the session's repository: {code(command)}.\n\n"
        "\\begin{difflines}\n" + "\n".join(shown) + "\n\\end{difflines}"
    )


def _changed(lines: Sequence[str]) -> list[str]:
    """The lines of a diff with one line of context around each change, and without git's lines about files."""
    heads = ("index ", "diff --git", "\\ No newline", "--- ", "+++ ")
    body = ["", *(line for line in lines if not line.startswith(heads)), ""]
    near = zip(body, body[1:], body[2:], strict=False)
    return [
        line
        for before, line, after in near
        if line.startswith("@@") or any(x.startswith(("+", "-")) for x in (before, line, after))
    ]


def _diff_line(line: str) -> str:
    kind = {"+": "added", "-": "removed", "@": "hunk"}.get(line[:1], "context")
    code_line = line.replace("\t", "    ")
    indent = len(code_line[1:]) - len(code_line[1:].lstrip())
    text = code_text(code_line.rstrip())
    while r"\ \ " in text or r"~\ " in text:  # a line may end at a single blank, but not inside of an indent
        text = text.replace(r"\ \ ", "~~").replace(r"~\ ", "~~")
    return rf"\diffline{{{kind}}}{{{indent}}}{{{text}}}"
