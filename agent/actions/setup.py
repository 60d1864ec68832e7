"""The first and the last action of a session."""

from __future__ import annotations

import json

from agent.actions import pretrained
from agent.actions.runs import EXPLORED, confirmed_worlds
from agent.lab.published.evaluation import encoder_text
from agent.lab.worlds import data_key
from agent.llm.prompting import render
from agent.publishing.manuscript import edition
from agent.publishing.signatures import END, commit_signed, commit_tag, signers
from agent.session.action import Finish, PrepareData
from agent.session.events import DataPrepared, SessionFinished
from agent.session.tools import Tools
from agent.storage.atomic import write_bytes, write_text


def prepare_data(action: PrepareData, tools: Tools) -> DataPrepared:
    """Draw the world of the exploration, or find it in the cache, and make the session's first commit."""
    options = tools.session.options
    tools.say(f"Preparing data: {tools.template.manifest.name}, profile {options.profile}")
    data = tools.prepare(tools.template, tools.profile, options.profile, EXPLORED)
    repo = tools.paths.repo
    manifest = tools.template.manifest
    idea = tools.session.idea.model_dump_json(indent=2, exclude_none=True)
    files = {"idea.json": f"{idea}\n".encode()}
    files |= {name: tools.template.path(name).read_bytes() for name in (*manifest.editable, manifest.plot)}
    files["README.md"] = _readme(tools).encode()
    own = manifest.environment
    if own:
        tools.environment()
    pins = filter(None, (own.requirements, own.lock)) if own else ()
    copied = (*pins, *manifest.protected, *manifest.assets, "manifest.toml", *manifest.scripts)
    files |= {f"template/{name}": tools.template.path(name).read_bytes() for name in copied}
    files |= {f"template/{name}": path.read_bytes() for name, path in tools.template.library().items()}
    if earlier := tools.session.earlier:
        page = render("earlier", earlier=earlier, profile_name=options.profile, data_key=data.key)
        files["earlier.md"] = page.encode()
    for spec in pretrained.asked(tools):
        pretrained.of(tools, spec)  # an autoencoder that cannot be used stops the session before anything is trained
        files[f"template/{spec.script}"] = encoder_text(manifest).encode()
    for name, content in files.items():
        write_bytes(repo / name, content)
    commit = tools.versions.commit(sorted(files), f"idea: {tools.session.idea.Title}", {"Event": "session"})
    return DataPrepared(at=tools.now, key=data.key, hashes=data.hashes, commit=commit)


def _readme(tools: Tools) -> str:
    """The README of the session's repository: what it is and which file holds what."""
    idea, question = tools.session.idea, tools.template.manifest.question
    return render("repository_readme", title=" ".join(idea.Title.split()), question=" ".join(question.split()))


def finish(action: Finish, tools: Tools) -> SessionFinished:
    """Commit session.json, the session's summary, so that the repository can be verified on its own."""
    session = tools.session
    trailers = {"Event": "finished", **edition(session)}
    summary = {
        "session": session.session,
        "models": session.options.models.names(),
        "calls": len(session.calls),
        "tokens": session.tokens,
        "usd": None if session.unpriced_calls else round(session.usd, 6),
        "data": session.data_key,
        "worlds": _worlds(tools),
        "signed_by": signers(tools.paths.repo, tools.signer.public),
        "history": tools.versions.base(trailers),  # names every commit before this one
    }
    write_text(tools.paths.repo / "session.json", json.dumps(summary, indent=2) + "\n")
    commit = commit_signed(tools, END, ["session.json"], ["session.json"], "session finished", trailers)
    tools.versions.tag(commit_tag(tools.signer, commit), commit)
    return SessionFinished(at=tools.now, commit=commit)


def _worlds(tools: Tools) -> list[dict[str, int | str | None]]:
    """The secrets that the data were drawn from. They are published now, because the session is over."""
    return [_world(tools, world) for world in (EXPLORED, *confirmed_worlds(tools.session))]


def _world(tools: Tools, world: int) -> dict[str, int | str | None]:
    template = tools.template
    secret = tools.secret(template.manifest.name, world)
    if secret is None or (
        world == EXPLORED
        and data_key(template, tools.profile.settings, secret, tools.profile.conditions) != tools.session.data_key
    ):
        return {
            "world": world,
            "secret": None,
            "note": "not known any more: the secret or a package it is drawn with was replaced during the session",
        }
    return {
        "world": world,
        "secret": f"{secret:064x}",
        "note": "kept outside every sandbox and prompt, and published when the session ended: "
        "template/prepare.py draws the same data from it",
    }
