"""--check-template: what would make a template's results unbelievable, one line a flaw. Exit status 0, or 2."""

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
from agent.lab.templating import contract
from agent.lab.templating.flaw import Flaw, Source, read_source
from agent.lab.templating.owned import copied
from agent.lab.templating.trial import Say, Trial
from agent.lab.worlds import Prepare
from agent.storage.temporary import TemporaryFolder, sweep_folders

UNTRIED = ("does-not-parse", "missing-file", "signature", "missing-import", "environment")  # what makes trials useless


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
    """Read it, then try it. Trials are left out where the manifest or a file cannot be read.

    `prepare`: the template is somebody else's; how its prepare.py runs, behind walls as the rest of its code does.

    Raises:
        UserError: the profile is not there; or somebody else's template wants what walls cannot hold.
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
    """Somebody else's template, which must have none of its own."""
    if template.manifest.environment:
        raise UserError(
            f"{template.folder}: asks for an environment of its own, which would be installed outside of the sandbox: "
            "copy the template into templates/ once you trust it"
        )
    return template


def _read(template: Template, cache: Path, say: Say) -> tuple[list[Flaw], Environment | None]:
    """What reading shows, and the template's own Python."""
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
    return [*found, *(contract.missing_there(template, code, environment) if environment else ())], environment


def report(found: list[Flaw], say: Say, because: str = "") -> int:
    """The lines, one of three sentences, and the exit status.

    `because`: why the template's numbers are self-reported; "" where they are measured.
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
    """For the end of a check; "" where the runner measures."""
    if manifest.measured:
        return ""
    if manifest.command:
        return "the command computes its own numbers, and no evaluate.py measures"
    return f"{manifest.editable[0]} computes its own numbers, and a model may edit it"


def sources(template: Template) -> dict[str, Source]:
    """Every Python file that the manifest names, parsed."""
    manifest = template.manifest
    names = [*manifest.editable, manifest.plot, *manifest.scripts, *manifest.protected]
    named = {name for name in names if name.endswith(".py")}
    named |= {name for name in ("prepare.py", "evaluate.py") if template.path(name).is_file()}
    return {name: read_source(Path(template.folder), name) for name in sorted(named)}


def _unreadable(folder: Path) -> Iterator[Flaw]:
    """What the manifest lacks, by name where that is known."""
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
    where, _, what = message.removeprefix(f"{folder}/").partition(": ")
    return where, what
