"""The command list: the ideas and templates that there are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from agent.app.exits import DONE, USER_ERROR
from agent.app.tables import add, show, show_json, table
from agent.core.errors import UserError
from agent.core.ideas import Idea, all_ideas
from agent.core.manifest import Manifest
from agent.core.program import Places
from agent.core.template import load_template
from agent.core.visible import line


def show_ideas(where: Places, template: str | None, *, as_json: bool) -> int:
    """Prints all ideas and templates. `template`: a name or folder whose own ideas are printed too.

    What cannot be read is reported on stderr, and the exit status then is that of an error.
    """
    found, complaints = all_ideas(*where.under("ideas"))
    own, unread = _ideas_of(template, where) if template else ([], [])
    found, complaints = [*found, *own], [*complaints, *unread]
    manifests = list[Manifest]()
    for folder in _templates(where):
        try:
            manifests.append(load_template(folder).manifest)
        except UserError as error:
            complaints.append(str(error))
    recorded = {idea.Name: recordings(idea.Name, where) for idea in found}
    if as_json:
        show_json(_as_data(found, recorded, manifests, complaints))
    else:
        _show_tables(found, recorded, manifests)
    for complaint in complaints:
        print(line(complaint), file=sys.stderr)
    return USER_ERROR if complaints else DONE


def recordings(idea: str, where: Places) -> list[str]:
    """The templates that ship a recording of a session on this idea."""
    return [folder.name for folder in _templates(where) if (folder / "playback" / idea).is_dir()]


def _templates(where: Places) -> list[Path]:
    """The folders of templates, sorted by name. A person's own one hides a shipped one of the same name."""
    found = {
        file.parent.name: file.parent for p in reversed(where.under("templates")) for file in p.glob("*/manifest.toml")
    }
    return [found[name] for name in sorted(found)]


def _show_tables(found: Sequence[Idea], recorded: dict[str, list[str]], manifests: Sequence[Manifest]) -> None:
    ideas = table("idea", "title", "recording for", title="Ideas")
    for idea in found:
        add(ideas, idea.Name, idea.Title, ", ".join(recorded[idea.Name]))
    show(ideas)
    print("An idea with a recording can be tried without a model: its words are played back, its trainings are real.\n")
    shown = table("template", "question", "profiles", "baselines", title="Templates")
    for manifest in manifests:
        profiles = [_marked(name, manifest) for name in manifest.profiles]
        baselines = ", ".join(baseline.name for baseline in manifest.baselines)
        add(shown, manifest.name, manifest.question, ", ".join(profiles), baselines)
    show(shown)
    print("* the profile (the size of the task) that a session takes where --profile names none")
    if any(profile.untuned for manifest in manifests for profile in manifest.profiles.values()):
        print("\u2020 its settings were taken over and not tuned here, so differences between baselines may be theirs")


def _marked(name: str, manifest: Manifest) -> str:
    default = "*" if name == manifest.default_profile else ""
    return f"{name}{default}\u2020" if manifest.profiles[name].untuned else f"{name}{default}"


def _as_data(
    found: Sequence[Idea], recorded: dict[str, list[str]], manifests: Sequence[Manifest], problems: Sequence[str]
) -> dict[str, object]:
    return {
        "ideas": [{"name": i.Name, "title": i.Title, "recordings": recorded[i.Name]} for i in found],
        "templates": [
            {
                "name": manifest.name,
                "question": manifest.question,
                "profiles": list(manifest.profiles),
                "default_profile": manifest.default_profile,
                "untuned_profiles": [name for name, profile in manifest.profiles.items() if profile.untuned],
                "baselines": [baseline.name for baseline in manifest.baselines],
            }
            for manifest in manifests
        ],
        "problems": list(problems),
    }


def _ideas_of(template: str, where: Places) -> tuple[list[Idea], list[str]]:
    from agent.app.names import template_folder
    from agent.lab.templating.v1 import ideas

    return ideas(template_folder(template, where))
