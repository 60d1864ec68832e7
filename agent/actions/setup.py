"""The first and the last action of a session."""

from __future__ import annotations

import json

from agent.atomic import write_text
from agent.events import DataPrepared, SessionFinished
from agent.policy import Finish, PrepareData
from agent.tools import Tools


def prepare_data(action: PrepareData, tools: Tools) -> DataPrepared:
    """Draw the world (or find it in the cache) and make the session's first commit."""
    options = tools.session.options
    tools.say(f"Preparing data: {tools.template.manifest.name}, profile {options.profile}")
    data = tools.prepare(tools.template, tools.profile, options.profile)
    repo = tools.paths.repo
    manifest = tools.template.manifest
    idea = tools.session.idea.model_dump_json(indent=2, exclude_none=True)
    files = {"idea.json": idea + "\n"}
    files |= {name: tools.template.path(name).read_text() for name in (*manifest.editable, manifest.plot)}
    copied = (*manifest.protected, "manifest.toml", *(b.file for b in manifest.baselines))
    files |= {f"template/{name}": tools.template.path(name).read_text() for name in copied}
    for name, text in files.items():
        write_text(repo / name, text)
    commit = tools.versions.commit(sorted(files), f"idea: {tools.session.idea.Title}", {"Event": "session"})
    return DataPrepared(at=tools.now, key=data.key, hashes=data.hashes, commit=commit)


def finish(action: Finish, tools: Tools) -> SessionFinished:
    """Write the session's summary beside the records, so that the repository stands on its own."""
    session = tools.session
    summary = {
        "session": session.session,
        "models": session.options.models.names(),
        "calls": len(session.calls),
        "tokens": session.tokens,
        "usd": None if session.unpriced_calls else round(session.usd, 6),
        "data": session.data_key,
    }
    write_text(tools.paths.repo / "session.json", json.dumps(summary, indent=2) + "\n")
    commit = tools.versions.commit(["session.json"], "session finished", {"Event": "finished"})
    return SessionFinished(at=tools.now, commit=commit)
