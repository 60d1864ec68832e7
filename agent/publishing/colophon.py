"""How a paper was made, as the paper says it: who wrote it, by which command, at what cost, and from which
literature."""

from __future__ import annotations

from pathlib import Path

from agent.core.ideas import all_ideas
from agent.core.manifest import Manifest
from agent.core.numbers import counted
from agent.core.options import Options
from agent.core.program import HOME, TYPED
from agent.literature.found import FoundWorks
from agent.literature.library import Library
from agent.session.session import Session


def authors(session: Session) -> str:
    """The line under the title: the models of the session, or that it is played back from a recording."""
    if session.options.playback:
        return "An automated session, played back from a recording"
    return f"An automated session: {', '.join(_models(session))}"


def statement(session: Session, manifest: Manifest) -> str:
    """The statement on the paper's first page: who wrote the words, and who measured under which restrictions."""
    measured = (
        "All measurements were made by the experiment runner on the machine named in the appendix; every "
        "result in the text is filled in from its run records."
        if manifest.measured
        else "All results are self-reported: the experiments measured themselves, in code that a model may have "
        "changed; the runner ran them on the machine named in the appendix and filled in what they wrote."
    )
    if stateful := " and ".join(manifest.model.stateful) if manifest.measured else "":
        measured += (
            f" Stateful: {stateful} may answer by the whole call, not row by row; a fresh process served each "
            "measurement, and another one answered a sample of the calls again."
        )
    if earlier := session.earlier:
        measured += (
            f" This session continues an earlier one: its first run is the best code of "
            f"{counted(earlier.tried, 'run')} there, measured again here."
        )
    if manifest.memorised:
        measured += " Rows that are measured may have been trained on: memorising them is what is asked about."
    unwalled = " The experiments ran without a sandbox, at the request of the person in charge."
    walls = "" if session.options.sandbox == "bwrap" else unwalled
    if session.options.playback:
        return (
            "The words of this paper, the plan and the code changes are played back from a recording; they were "
            f"not written by a model during this session. {measured}{walls}"
        )
    names = ", ".join(_models(session))
    return f"The words of this paper, the plan and the code changes were written by {names}. {measured}{walls}"


def _models(session: Session) -> list[str]:
    """The names of the chosen models and of those that answered, which may include a fallback."""
    return sorted({*session.options.models.names().values(), *(call.model for call in session.calls.values())})


def command(session: Session) -> str:
    """The command that runs the same session again; a file outside of this program is named without its path."""
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
    """A row for the appendix that says what a session took from the one that it continues; none if it continues
    none."""
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
    """Rows for the appendix: calls of models, tokens and cost."""
    unpriced = f" and {session.unpriced_calls} calls of unknown price" if session.unpriced_calls else ""
    cached = f", of which {session.tokens_cached:,} read from a cache" if session.tokens_cached else ""
    return (
        ("Model calls", f"{len(session.calls)} before this paper was set; its reviews come after"),
        ("Tokens", f"{session.tokens:,}{cached}"),
        ("Cost", f"${session.usd:.4f}{unpriced}"),
    )


def literature(session: Session, found: FoundWorks, library: Library) -> tuple[tuple[str, str], ...]:
    """Rows for the appendix: how novel the idea was judged, how citations were compared, and which works were found
    online."""
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
    """The model that answered the last round of a step; if the log does not say, the model chosen for reviews."""
    rounds = {name for name, _ in session.calls if name.startswith(f"{step}.")}
    return session.answered_by(*rounds) or session.options.models.reviewer
