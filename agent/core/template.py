"""Reads a template's folder: checks manifest.toml, and finds the files that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.core.errors import UserError
from agent.core.given import read_given, toml_given
from agent.core.manifest import Condition, Manifest, Setting
from agent.core.schema import Strict, first_fault

SHARED = Path(__file__).resolve().parents[2] / "templates"  # the folder of the project's own libraries


class Template(Strict):
    """A template's folder and its manifest."""

    folder: str
    manifest: Manifest

    def path(self, name: str) -> Path:
        return Path(self.folder) / name

    def library(self) -> dict[str, Path]:
        """The files of the library, by the name under which an experiment sees them, e.g. "saes/topk.py"."""
        name = self.manifest.library
        places = [p for p in (Path(self.folder, name), Path(self.folder).parent / name, SHARED / name) if p.is_dir()]
        return {f"{name}/{p.name}": p for p in sorted(places[0].glob("*.py"))} if name and places else {}

    def beside(self, name: str) -> str:
        """The name in the template of a file that the command sees as `name`."""
        command = self.manifest.command
        return f"{command.folder}/{name}" if command and command.folder else name

    @property
    def has_data(self) -> bool:
        """Whether prepare.py makes its data. A template that reports its own results may have none."""
        return self.manifest.measured or self.path("prepare.py").is_file()

    def data_settings(self, settings: Mapping[str, Setting]) -> dict[str, Setting]:
        """The settings that prepare.py gets."""
        wanted = self.manifest.data_settings
        return {name: value for name, value in settings.items() if not wanted or name in wanted}

    def condition_data(
        self, settings: Mapping[str, Setting], conditions: Sequence[Condition]
    ) -> dict[str, dict[str, Setting]]:
        """The settings that prepare.py gets for each condition with data of its own, by the condition's name.

        These are the conditions that change one of the manifest's `data_settings`.
        """
        own = {c.name: self.data_settings({**settings, **c.settings}) for c in conditions}
        base, declared = self.data_settings(settings), bool(self.manifest.data_settings)
        return {name: values for name, values in own.items() if declared and values != base}


def load_template(folder: Path) -> Template:
    """Read and check a template folder.

    Raises:
        UserError: the manifest is missing or malformed, or names a file that does not exist.
    """
    path = folder / "manifest.toml"
    try:
        manifest = parse_manifest(read_given(path), str(path))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; a template needs a manifest.toml (see --list)") from None
    if not manifest.measured and "prepare.py" not in manifest.protected and (folder / "prepare.py").is_file():
        manifest = manifest.model_copy(update={"protected": (*manifest.protected, "prepare.py")})
    named = [
        *manifest.editable,
        *manifest.protected,
        manifest.plot,
        *manifest.scripts,
        *manifest.assets,
        *filter(None, [manifest.feed]),
    ]
    if manifest.environment:
        named += filter(None, (manifest.environment.requirements, manifest.environment.lock))
    missing = sorted({name for name in named if not (folder / name).is_file()})
    if missing:
        raise UserError(f"{path}: names {', '.join(missing)}, which {folder} does not hold; add or unname it")
    template = Template(folder=str(folder), manifest=manifest)
    if manifest.library and not template.library():
        raise UserError(
            f"{path}: library = {manifest.library!r}: no such folder with Python files in {folder}, beside "
            f"it or in {SHARED}"
        )
    return template


def joined(texts: Mapping[str, str]) -> str:
    """The editable files as one text; if there are several, each has its name above it."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"# {'-' * 16} {name}\n{text}" for name, text in texts.items())


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Parse a manifest without looking for the files that it names; `where` names it in the error.

    Raises:
        UserError: it is malformed.
    """
    try:
        return Manifest.model_validate(_tuples(_extended(toml_given(data, where), where)))
    except ValidationError as error:
        raise UserError(f"{where}: {first_fault(error)}") from None


def _extended(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Fill in profiles that say `extends = "other"`: they take over each key and setting that they do not have."""
    profiles = raw.get("profiles")
    if not isinstance(profiles, dict):
        return raw
    for name, profile in profiles.items():
        if not isinstance(profile, dict) or "extends" not in profile:
            continue
        base = profiles.get(profile["extends"]) if isinstance(profile["extends"], str) else None
        if not isinstance(base, dict) or "extends" in base:
            raise UserError(
                f"{where}: profiles.{name}: extends = {profile['extends']!r}: name a profile of this file "
                "that extends none itself"
            )
        own = {key: value for key, value in profile.items() if key != "extends"}
        settings = {**base.get("settings", {}), **own.get("settings", {})}
        raw = {**raw, "profiles": {**raw["profiles"], name: {**base, **own, "settings": settings}}}
    return raw


def _tuples(value: Any) -> Any:
    """The value with tuples instead of lists, because TOML has arrays and our strict models want tuples."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
