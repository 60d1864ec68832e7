"""Which runs of a long session a table, figure or prompt of bounded size shows; the appendix lists all. Pure."""

from __future__ import annotations

from paper.evidence.facts import Facts

MOST = 24  # explored runs that are shown; a session with no more of them is shown whole


def few(facts: Facts, most: int = MOST) -> Facts:
    """The facts of at most `most` explored runs: baselines, the best experiments with their parents, the newest runs.

    A session with no more runs is returned as it is. The runs of the confirmation are always kept. Whatever counts the
    runs of the session must use the whole facts.
    """
    explored = facts.explored
    if len(explored) <= most:
        return facts
    kept = [r.run for r in facts.baselines][: most // 3]
    best = sorted((r for r in facts.experiments if r.status == "measured"), key=facts.explored_merit, reverse=True)
    for record in best[: most // 4]:
        kept += [record.run, *([record.parent] if record.parent is not None else [])]
    newest = [r.run for r in reversed(explored) if r.run not in kept]
    chosen = {*kept, *newest[: most - len(set(kept))]}
    records = [r for r in facts.records if r.kind == "confirmation" or r.run in chosen]
    return Facts(records, facts.manifest, facts.profile)


def left_out_words(facts: Facts) -> str:
    """A sentence for a caption that says which runs are shown; "" where all are."""
    shown, every = len(few(facts).explored), len(facts.explored)
    if shown == every:
        return ""
    return f" Of {every} runs, {shown} are shown: baselines, the best with those they start from, and the newest."
