"""`make bench-edits`: the forms in which models answer with an edit, each through the real aider on real files.

A case says what has to come of it: the bytes of the file at once, the same after one question back, or a refusal that
helps. The tables of forms are in edit_forms.py.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.llm.calls import RecordedCalls
from agent.llm.editing.coder import AiderCoder
from tests.suites.bench.edit_forms import Case, cases
from tests.suites.bench.markdown import markdown
from tests.support.scripted import ScriptedModel

APPLIED, ASKED, REFUSED, WRONG = "applied at once", "applied after a question", "refused, file untouched", "wrong"
STEP = "run-1.edit-1"
READ_ONLY = {"evaluate.py": b"def evaluate(z):\n    return z\n"}


@dataclass(frozen=True)
class Trial:
    case: Case
    outcome: str
    why: str = ""  # what is not as it should be


def trial(case: Case) -> Trial:
    """One conversation over one file."""
    with tempfile.TemporaryDirectory(prefix="edit-") as folder:
        repo = Path(folder, "repo")
        files = {case.file.name: case.file.before, **READ_ONLY}
        for name, data in files.items():
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            (repo / name).write_bytes(data)
        model = ScriptedModel([*case.replies, *["I have no more to say."] * 4])
        calls = RecordedCalls(model, Path(folder, "calls"), lambda record: None, lambda *ahead: None)
        result = AiderCoder(calls.ask).edit(
            repo, [case.file.name], "Change it.", step=STEP, role="editor", read_only=list(READ_ONLY)
        )
        now = {p.relative_to(repo).as_posix(): p.read_bytes() for p in repo.rglob("*") if p.is_file()}
    said = [messages[-1].content for _, messages in model.history[1:]]
    if now == files | {case.file.name: case.file.after} and not result.refused:
        outcome = APPLIED if len(model.history) == 1 else ASKED
    elif now == files and result.refused and result.detail:
        outcome = REFUSED
    else:
        return Trial(case, WRONG, f"{result.refused or 'taken'}: {now[case.file.name]!r}")
    helps = case.words in (said[0] if case.expected == ASKED and said else result.detail)
    why = "" if (outcome, helps) == (case.expected, True) else f"{outcome}: {said or result.detail}"
    return Trial(case, outcome, why)


def table(trials: Sequence[Trial]) -> str:
    """A row for each kind of form; the last says all of them."""
    rows = []
    for kind in [*dict.fromkeys(t.case.kind for t in trials), "all"]:
        own = [t for t in trials if kind in (t.case.kind, "all")]
        count = Counter(t.outcome for t in own)
        rows.append([kind, str(len(own)), *(str(count[o]) for o in (APPLIED, ASKED, REFUSED, WRONG))])
    return markdown(["answers", "cases", APPLIED, ASKED, REFUSED, "applied wrongly"], rows)


def run() -> tuple[str, list[Trial]]:
    """The table of all cases, and those that ended otherwise than they should."""
    trials = [trial(case) for case in cases()]
    return table(trials), [t for t in trials if t.why]
