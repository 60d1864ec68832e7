"""Decides whether a template belongs to this installation, and copies the files of one that does not.

Templates in the project's own folder belong to it, and those that --new-template made here. It leaves a mark in a new
template, signed together with the template's path, so that a stranger's template cannot contain a valid one.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from agent.core.errors import InfrastructureError, UserError
from agent.core.template import Template
from agent.storage import foreign
from agent.storage.atomic import readable
from agent.storage.signing import holds, own_public, own_signer

MARK = ".made-here"
PURPOSE = "template"


def mark_own(folder: Path) -> None:
    """Leave the mark in a new template. Without a signing key there is none, and --check-template asks for --trust."""
    with suppress(InfrastructureError):
        (folder / MARK).write_text(own_signer().sign(PURPOSE, _place(folder)) + "\n")


def is_own(folder: Path, home: Path) -> bool:
    """Whether a template belongs to this installation, so that --check-template may run its code unsandboxed."""
    if folder.resolve().is_relative_to((home / "templates").resolve()):
        return True
    try:
        mark = foreign.read_file(folder / MARK, 4096).decode("ascii").strip()
    except (foreign.Foreign, UnicodeDecodeError):
        return False
    public = own_public()
    return bool(public) and holds(public, mark, PURPOSE, _place(folder))


def copied(template: Template, target: Path) -> Template:
    """Copy the files that a stranger's manifest names to `target`, which a sandbox may read; returns that template.

    Raises:
        UserError: a name leads out of the template's folder, or is not that of a plain file.
    """
    folder, manifest = Path(template.folder), template.manifest
    for name in filter(None, (manifest.name, manifest.library, manifest.artefact)):
        _check_plain(folder, name)
    names = {*manifest.editable, *manifest.protected, *manifest.assets, manifest.plot, "prepare.py", "evaluate.py"}
    names |= {"manifest.toml", *manifest.scripts}
    places = dict.fromkeys(names, folder)
    for name, path in template.library().items():
        places[name] = path.parents[1]
    files = {}
    for name, place in places.items():
        _check_plain(folder, name)
        try:
            files[name] = foreign.read(place.resolve(), name)
        except foreign.Missing:
            continue
        except foreign.Foreign as problem:
            raise UserError(f"{place / name}: {problem}; put a plain file there") from None
    foreign.write(target, files)
    readable(target)
    return template.model_copy(update={"folder": str(target)})


def _check_plain(folder: Path, name: str) -> None:
    if not foreign.is_plain(name):
        raise UserError(f"{folder / 'manifest.toml'}: names {name[:200]!r}, which leads out of the template")


def _place(folder: Path) -> bytes:
    return str(folder.resolve()).encode("utf-8", "surrogateescape")
