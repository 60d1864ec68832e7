"""How a paper was made, for its appendix: the command that makes it again, what models took, how works were found."""

from __future__ import annotations

from pathlib import Path

from agent.core.ideas import all_ideas
from agent.core.numbers import counted
from agent.core.options import Options
from agent.core.program import HOME, TYPED
from agent.literature.found import FoundWorks
from agent.literature.library import Library
from agent.session.session import Session


def command(session: Session) -> str:
    """What runs the same session again; what lies outside of this program is named without its path."""
    options = session.options
    template, playback = Path(options.template), Path(options.playback or "")
    shipped = session.idea.Name in {idea.Name for idea in all_ideas(HOME / "ideas")[0]}
    words = [
        TYPED,
        f"--idea {session.idea.Name if shipped else 'idea.json'}",
        f"--template {'' if template.parent == HOME / 'templates' else 'path/to/'}{template.name}",
        f"--profile {options.profile}",
        f"--runs {options.runs}",
    ]
    words += [f"--after {options.after}"] if options.after else []
    words += [f"--baselines {','.join(options.baselines)}"] if options.baselines else []
    names = options.models.names()
    if not options.playback:
        same = len(set(names.values())) == 1
        words += [f"--model {names['planner']}"] if same else [f"--{role} {name}" for role, name in names.items()]
    elif playback.parent.parent != template:
        words.append(f"--playback path/to/{playback.name}")
    for name in ("branches", "attempts", "reviews", "improve", "literature"):
        if getattr(options, name) != Options.model_fields[name].default:
            words.append(f"--{name} {getattr(options, name)}")
    words += [
        flag
        for flag, on in (
            ("--skip-novelty", options.skip_novelty),
            ("--allow-network", options.network),
            ("--unsafe-no-sandbox", options.sandbox == "none"),
        )
        if on
    ]
    return " ".join(words)


def continued(session: Session) -> tuple[tuple[str, str], ...]:
    """What a session took over from the one that it continues, for the appendix; nothing where it continues none."""
    if (earlier := session.earlier) is None:
        return ()
    data = "the same data" if earlier.data_key == session.data_key else "other data"
    told = (
        f"the session {earlier.session} (profile {earlier.profile}, {data} in its exploration), whose planner's best "
        f"run was chosen among {counted(earlier.tried, 'run')}, those of earlier sessions of its chain included. Its "
        "code was trained and measured anew as this session's first run; its findings, which the planner read, stand "
        "in earlier.md of the repository, and no number of this paper is taken from there. Seeds"
        + (" and worlds" if earlier.worlds else "")
        + " of the confirmation are ones that no session of the chain had used."
    )
    return (("Continues", told),)


def costs(session: Session) -> tuple[tuple[str, str], ...]:
    """What the models took, for the appendix."""
    unpriced = f" and {session.unpriced_calls} calls of unknown price" if session.unpriced_calls else ""
    cached = f", of which {session.tokens_cached:,} read from a cache" if session.tokens_cached else ""
    return (
        ("Model calls", f"{len(session.calls)} before this paper was set; its reviews come after"),
        ("Tokens", f"{session.tokens:,}{cached}"),
        ("Cost", f"${session.usd:.4f}{unpriced}"),
    )


def literature(session: Session, found: FoundWorks, library: Library) -> tuple[tuple[str, str], ...]:
    """How works were found and compared, for the appendix: facts, none of them a model's words but the verdict."""
    rows = []
    if verdict := session.verdict:
        searches = sum(len(event.searched) for event in session.novelty)
        places = ", ".join(sorted({s for event in session.novelty for s in event.sources}))
        rows.append(
            (
                "Novelty",
                f"{verdict.verdict}, judged by {_answered(session, 'novelty')} before the first run "
                f"after {counted(searches, 'search', 'searches')} ({places}); closest: "
                f"{', '.join(e.named for e in library.entries(c.key for c in verdict.closest)) or 'none'}",
            )
        )
    elif session.options.skip_novelty:
        rows.append(("Novelty", "not checked, at the request of the person in charge"))
    if session.support:
        judged = sum(len(event.judged) for event in session.support)
        rows.append(
            (
                "Citations",
                f"{judged} pairs of sentence and cited work, over all drafts, compared by "
                f"{_answered(session, 'support')}; {len(session.unsupported)} refused and sent "
                "back to the writer or cut",
            )
        )
    online = {w.paper.key: f"{w.paper.source}, {w.paper.retrieved}" for w in found.works}
    rows += [("Found online", f"{e.named}: {e.title} ({online[e.key]})") for e in library.entries(online)]
    return tuple(rows)


def _answered(session: Session, step: str) -> str:
    """The model that answered the last round of a step; where nobody knows, the one that was chosen."""
    rounds = {name for name, _ in session.calls if name.startswith(f"{step}.")}
    return session.answered_by(*rounds) or session.options.models.reviewer
