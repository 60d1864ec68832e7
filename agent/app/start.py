"""Starts or continues a session, for the command line and for Python: sets its options, checks, and opens it.

Not here: parsing what was typed (arguments.py), the values of options (choices.py), joining the parts (assemble.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agent.app import choices, preflight
from agent.app.assemble import Parts, System, open_session, system_for, template_of
from agent.app.names import adapter, named_idea, named_template
from agent.core.earlier import Earlier
from agent.core.errors import UserError
from agent.core.ideas import Idea
from agent.core.options import DEFAULT_TEMPLATE, Options
from agent.core.paths import SessionPaths
from agent.core.program import places
from agent.core.template import Template
from agent.publishing.earlier import check_fits, read_earlier
from agent.publishing.verify.trust import TRUSTED, ask_for_trust, is_ours
from agent.session.tools import Tools
from agent.storage.workspace import Workspace, new_session_folder, read_session

ADDRESSES = ("_API_BASE", "_BASE_URL")  # endings of the environment variables that name a provider's server


@dataclass(frozen=True)
class Start:
    """A session that can be opened: a new one on an idea, or one that stopped before."""

    workspace: Workspace
    options: Options
    template: Template
    system: System
    idea: Idea | None  # None: a stopped session continues, or only the machine is checked
    stopped: SessionPaths | None = None  # the session that continues; None: a new one
    changed: bool = False  # whether the stopped session's options change
    earlier: Earlier | None = None  # what a new session takes over from the one that it continues (--after)

    def complaints(self, *, keys: bool = True) -> list[str]:
        """One line for each thing that would stop the session."""
        return preflight.complaints(self.options, self.template, self.system, self.workspace, keys=keys)

    def unanswered(self) -> list[str]:
        """One line for each model that does not answer. Asking costs a few tokens for each model."""
        return preflight.asked(self.options, self.system)

    def require(self) -> None:
        """Raises UserError with all complaints in one line."""
        if found := self.complaints():
            raise UserError("; ".join(found))

    @contextmanager
    def opened(self) -> Iterator[Tools]:
        """The session's tools; this process holds the session's lock until the block is left.

        Raises:
            UserError: another process holds the lock.
        """
        if self.stopped:
            changed = self.options if self.changed else None
            with open_session(self.stopped, self.workspace, self.system, changed=changed) as tools:
                yield tools
        elif self.idea:
            paths = new_session_folder(self.workspace, self.idea.Name)
            new = (self.idea, self.options)
            with open_session(paths, self.workspace, self.system, new=new, earlier=self.earlier) as tools:
                yield tools


def addresses() -> dict[str, str]:
    """The variables of this environment that name a provider's server, with their values.

    Raises:
        UserError: one of them holds a password, which would be stored with the session.
    """
    found = {name: value for name, value in sorted(os.environ.items()) if name.endswith(ADDRESSES) and value}
    for name, value in found.items():
        if urlsplit(value).password:
            raise UserError(f"{name}: holds a password; put it into the provider's key variable and leave the address")
    return found


def begin(
    idea: Idea | str | None, chosen: Mapping[str, Any], workspace: Workspace, parts: Parts, *, trust: bool = False
) -> Start:
    """A new session, of which nothing is written yet.

    Args:
        idea: an Idea, its name, or FILE[:NAME]. None takes the idea of the session that this one continues, or, without
            one, only checks the machine.
        chosen: fields of Options that a person gave. The others have their defaults; template and profile are those of
            the session that this one continues.
        trust: also continue a session that this installation did not make.

    Raises:
        UserError: something that was given is not there, or out of range.
    """
    earlier = None
    if after := chosen.get("after"):
        earlier, before = read_earlier(workspace.find(after), trust=trust)
        idea = idea or before.idea
        same = {"template": before.options.template, "profile": before.options.profile}
        chosen = {**same, **chosen, "after": earlier.session}
    name = chosen.get("template")
    if isinstance(idea, str):
        idea = named_idea(idea, name, places())
    device = chosen.get("device") or choices.own_device()
    adapt = adapter(workspace.root, walls=chosen.get("sandbox") != "none", device=device)
    template = named_template(name or DEFAULT_TEMPLATE, places(), adapt)
    if earlier:
        check_fits(earlier, template)
    options = choices.new_options(template, idea, {"addresses": addresses(), **chosen})
    return Start(workspace, options, template_of(options), system_for(options, parts), idea, earlier=earlier)


def go_on(
    paths: SessionPaths, chosen: Mapping[str, Any], workspace: Workspace, parts: Parts, *, trust: bool = False
) -> Start:
    """A session that continues after any stop; `chosen` holds the fields of Options that change.

    `trust`: also continue one that this installation did not make; its template then runs outside the sandbox.

    Raises:
        UserError: its log is empty, it is a stranger's and not trusted, or a change is not possible.
    """
    before = read_session(paths).options  # read first, so that an empty log is reported as one whoever made it
    if not is_ours(paths):
        ask_for_trust(paths.root.name, TRUSTED, trust)
    for variable, server in before.addresses.items():
        os.environ.setdefault(variable, server)  # without it the next call would go to the provider's public server
    now = {name: os.environ[name] for name in before.addresses} | addresses()
    options = choices.changed_options(before, {"addresses": now, **chosen})
    system = system_for(options, parts)
    return Start(workspace, options, template_of(options), system, None, paths, changed=options != before)
