"""--check-template: finds what would make a template's results unbelievable, by reading it and by running it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from agent.core.errors import UserError
from agent.core.manifest import Manifest
from agent.core.protocols import Sandbox
from agent.core.record import Environment
from agent.core.template import Template, load_template
from agent.lab.environments import environment_of
from agent.lab.templating import contract, reaches
from agent.lab.templating.flaw import Flaw, Source, read_source
from agent.lab.templating.owned import copied
from agent.lab.templating.trial import Trial
from agent.lab.worlds import Prepare, Say
from agent.storage.temporary import TemporaryFolder, sweep_folders

UNTRIED = ("does-not-parse", "missing-file", "signature", "missing-import", "environment")  # then nothing is run


def check_template(
    folder: Path,
    cache: Path,
    sandbox: Sandbox,
    say: Say,
    *,
    profile: str | None = None,
    device: str = "cpu",
    prepare: Prepare | None = None,
) -> list[Flaw]:
    """The flaws of a template: first it is read, then it is tried. It is not tried if it cannot be read.

    Args:
        cache: for environments and scratch folders.
        say: gets a line for each training.
        profile: by default the manifest's default profile.
        prepare: given for somebody else's template, whose code then runs in the sandbox only; runs its prepare.py.

    Raises:
        UserError: there is no such profile, or somebody else's template needs something outside of the sandbox.
    """
    say(f"Checking {folder}")
    found = list(_unreadable(folder))
    if found:
        return found
    template = load_template(folder)
    cache.mkdir(parents=True, exist_ok=True)
    sweep_folders(cache)
    with TemporaryFolder("check", cache) as name:
        scratch = Path(name)
        scratch.chmod(0o755)  # the sandbox's own user reads its mounts there
        if prepare:
            template = copied(_without_environment(template), scratch / "template")
        chosen = profile or template.manifest.default_profile
        if chosen not in template.manifest.profiles:
            raise UserError(f"--profile {chosen}: {template.manifest.name} has {', '.join(template.manifest.profiles)}")
        found, environment = _read(template, cache, say)
        if not any(f.code in UNTRIED for f in found):
            found += Trial(template, chosen, scratch, sandbox, say, device, environment, prepare).flaws()
    return found


def _without_environment(template: Template) -> Template:
    """
    Raises:
        UserError: somebody else's template has an environment of its own.
    """
    if template.manifest.environment:
        raise UserError(
            f"{template.folder}: asks for an environment of its own, which would be installed outside of the sandbox: "
            "copy the template into templates/ once you trust it"
        )
    return template


def _read(template: Template, cache: Path, say: Say) -> tuple[list[Flaw], Environment | None]:
    """The flaws that reading shows, and the template's own Python environment."""
    folder = Path(template.folder)
    try:
        code = sources(template)
        found = list(contract.look(template, code))
    except UserError as error:
        return [Flaw("does-not-parse", *_split(str(error), folder), "correct that line")], None
    except RecursionError:
        return [
            Flaw("does-not-parse", "*.py", "an expression nests too deep to be looked at", "write it in parts")
        ], None
    if any(f.code in UNTRIED for f in found):
        return found, None
    try:
        environment = environment_of(template, cache, say)
    except UserError as error:
        return [
            *found,
            Flaw("environment", *_split(str(error), folder), "correct [environment], or what it names"),
        ], None
    return [*found, *(reaches.missing_there(template, code, environment) if environment else ())], environment


def report(found: list[Flaw], say: Say, because: str = "") -> int:
    """Print the flaws and a last line with the verdict; returns the exit status, 2 if there is any flaw.

    `because` says why the template's numbers are self-reported; "" if they are measured.
    """
    flaws = [flaw for flaw in found if not flaw.for_measured]
    steps = [flaw for flaw in found if flaw.for_measured]
    if steps:
        say("Missing for measured:")
    for flaw in (*steps, *flaws):
        say(str(flaw))
    if flaws:
        say(f"not ready: {len(flaws)} thing{'' if len(flaws) == 1 else 's'}, each with its remedy")
    else:
        say(f"ready and self-reported, because {because}" if because else "ready and measured")
    return 2 if flaws else 0


def why_self_reported(manifest: Manifest) -> str:
    """The reason for which a template's numbers are self-reported; "" if the runner measures them."""
    if manifest.measured:
        return ""
    if manifest.command:
        return "the command computes its own numbers, and no evaluate.py measures"
    return f"{manifest.editable[0]} computes its own numbers, and a model may edit it"


def sources(template: Template) -> dict[str, Source]:
    """Every Python file that the manifest names, parsed, by its name."""
    manifest = template.manifest
    names = [*manifest.editable, manifest.plot, *manifest.scripts, *manifest.protected]
    named = {name for name in names if name.endswith(".py")}
    named |= {name for name in ("prepare.py", "evaluate.py") if template.path(name).is_file()}
    return {name: read_source(Path(template.folder), name) for name in sorted(named)}


def _unreadable(folder: Path) -> Iterator[Flaw]:
    """The flaw of a manifest that cannot be loaded, if there is one."""
    path = folder / "manifest.toml"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    try:
        metrics = tomllib.loads(text).get("metrics", {})
    except tomllib.TOMLDecodeError:
        metrics = {}
    for name, spec in metrics.items() if isinstance(metrics, dict) else ():
        if isinstance(spec, dict) and "better" not in spec:
            yield Flaw(
                "metric-direction",
                f"manifest.toml:{_line(text, f'[metrics.{name}]')}",
                f"metrics.{name} does not say which direction is better, so no comparison of it means anything",
                'add better = "higher", "lower" or "target"',
            )
            return
    try:
        load_template(folder)
    except UserError as error:
        yield Flaw("manifest", *_split(str(error), folder), "correct that entry (docs/templates.md)")


def _line(text: str, wanted: str) -> int:
    return next((n for n, line in enumerate(text.splitlines(), start=1) if wanted in line), 1)


def _split(message: str, folder: Path) -> tuple[str, str]:
    """The place and the text of an error message that begins with a place."""
    where, _, what = message.removeprefix(f"{folder}/").partition(": ")
    return where, what
