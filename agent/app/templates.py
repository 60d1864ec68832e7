"""The commands new-template and check-template."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import UserError
from agent.core.program import Places
from agent.core.template import load_template
from agent.storage.workspace import Workspace

if TYPE_CHECKING:
    from agent.core.manifest import Manifest
    from agent.core.protocols import Sandbox
    from agent.lab.templating.flaw import Flaw

CODE = "its prepare.py, its evaluate.py and its trainings run here, in the sandbox"
PACKAGES = ", and the packages that its adapter.toml names are installed"
ELSEWHERE = "it lies outside of templates/, and --new-template did not make it there"


def new(args: argparse.Namespace, places: Places, workspace: Workspace) -> int:
    """Makes a template that runs as it is, or one of a repository (--from, --run); prints what to do next.

    Raises:
        UserError: one of --from and --run was given without the other, or the template cannot be made.
    """
    from agent.lab.templating.new import new_from, new_template

    given = getattr(args, "from")
    if bool(given) != bool(args.run):
        raise UserError(
            "new-template: --from FOLDER-or-URL and --run 'COMMAND' go together: a repository, and how it is run"
        )
    if not given:
        print(new_template(args.operand, places.own))
        return 0
    print(new_from(args.operand, places.own, _taking_over(args, given, workspace)))
    return 0


def _taking_over(args: argparse.Namespace, given: str, workspace: Workspace) -> Callable[[Path], None]:
    """A function that fills the folder of a new template with the repository `given`."""

    def make(folder: Path) -> None:
        from agent.lab.templating.from_repository import new_from_repository
        from agent.publishing.bundle.secrets import keys_in

        sandbox = boxes(args.unsafe_no_sandbox, own=args.unsafe_no_sandbox)
        install = args.trust or Path(given).is_dir()
        new_from_repository(folder, given, args.run, workspace.cache, sandbox, keys_in, print, install)

    return make


def check(args: argparse.Namespace, places: Places, workspace: Workspace) -> int:
    """Tries a template and prints its flaws; the exit status says whether there are any.

    Raises:
        UserError: it is not found, or it is somebody else's and --trust was not typed.
    """
    from agent.app.choices import check_device
    from agent.app.names import adapter, template_folder
    from agent.lab.templating.check import check_template, report, why_self_reported
    from agent.lab.templating.owned import is_own
    from agent.lab.templating.v1 import is_v1
    from agent.publishing.verify.trust import ask_for_trust, prepare_walled

    device = args.device or "cpu"
    check_device(device)
    folder = template_folder(args.operand, places, "--check-template")
    own = is_own(folder, places.shipped)
    if not own:
        ask_for_trust(args.operand, CODE + (PACKAGES if is_v1(folder) else ""), args.trust, ELSEWHERE)
    sandbox = boxes(args.unsafe_no_sandbox, own)
    prepare = None if own or is_v1(folder) else prepare_walled(sandbox)  # that of a v1 folder is this program's own
    if is_v1(folder):
        folder = adapter(workspace.root, sandbox.name != "none", device=device, ask=True)(folder)
    manifest = _show_manifest(folder, args.profile)
    flaws = check_template(
        folder, workspace.cache, sandbox, print, profile=args.profile, device=device, prepare=prepare
    )
    return report([*flaws, *unprintable_letters(folder)], print, why_self_reported(manifest) if manifest else "")


def _show_manifest(folder: Path, profile: str | None) -> Manifest | None:
    """Prints how a manifest was understood, and returns it; None if it cannot be read, which the check reports."""
    from agent.app.tables import add, show, table

    try:
        manifest = load_template(folder).manifest
    except UserError:
        return None
    understood = table("manifest.toml", "as it was understood")
    for name, value in _understood(manifest, profile or manifest.default_profile):
        add(understood, name, value)
    show(understood)
    return manifest


def _understood(manifest: Manifest, profile_name: str) -> Iterator[tuple[str, str]]:
    command, model, profile = manifest.command, manifest.model, manifest.profiles.get(profile_name)
    yield "name", manifest.name
    yield "question", manifest.question
    run = (
        command.run if command else f"python experiment.py --out_dir={'/...' if manifest.absolute_out_dir else ''}run_N"
    )
    yield "command", run + (f"  (in {command.folder})" if command and command.folder else "")
    yield "edited by a model", ", ".join((*manifest.editable, manifest.plot))
    yield "protected", ", ".join((*manifest.protected, *manifest.assets)) or "nothing"
    if manifest.measured:
        yield (
            "measured",
            f"{manifest.artefact}, by evaluate.py, by {', '.join(model.methods) or model.method} of {model.place}",
        )
    else:
        yield "self-reported", command.results if command else "final_info.json"
    for name, spec in manifest.metrics.items():
        bounds = "" if spec.low is None and spec.high is None else f", {_bound(spec.low)} to {_bound(spec.high)}"
        better = f"target {spec.target:g}" if spec.target is not None else f"{spec.better} is better"
        yield f"metric {name}", f"{spec.label}: {better}{bounds}{', primary' if spec.primary else ''}"
    yield "baselines", ", ".join(f"{b.name}{' (control)' if b.control else ''}" for b in manifest.baselines)
    if profile is None:  # the check reports it
        return
    yield f"profile {profile_name}", ", ".join(f"{n} = {v}" for n, v in profile.settings.items()) or "no settings"
    yield "seeds", ", ".join(map(str, profile.seeds)) + ("" if manifest.seeded else "; the code chooses its own")
    yield "conditions", ", ".join(c.label for c in profile.conditions)
    limits = profile.limits
    yield "limits", f"{limits.wall_s:g} s, {limits.memory_mb} MB memory, {limits.disk_mb} MB disk of a training"
    environment = manifest.environment
    yield "environment", (environment.python or environment.file) if environment else "the project's own"


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


def boxes(unsafe: bool, own: bool) -> Sandbox:
    """The sandbox in which a template's code runs. `unsafe`: none was asked for; `own`: the template was made here.

    A template of one's own also runs where no sandbox works, after a remark.

    Raises:
        UserError: no sandbox works, and the template is somebody else's.
    """
    from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox
    from agent.sandbox.probe import probe

    problems = [] if unsafe else list(probe())
    if problems and not own:
        raise UserError(f"sandbox: {problems[0]}; nothing of somebody else's template runs without one")
    if problems:
        print(f"  no sandbox here ({problems[0]}): the template's code runs without one")
    return NoSandbox() if unsafe or problems else BubblewrapSandbox()


def unprintable_letters(folder: Path) -> list[Flaw]:
    """A flaw for each character of a manifest that no font of the papers has, so that its number would be printed."""
    from agent.lab.templating.flaw import Flaw
    from paper.press.glyphs import unprintable

    try:
        words = load_template(folder).manifest.model_dump_json()
    except UserError:  # the check has reported it
        return []
    mend = "write it in another way; Han, kana and hangul need Debian's fonts-droid-fallback"
    return [
        Flaw("unprintable", "manifest.toml", f"{name} is in no font that papers have", mend)
        for name in unprintable(words)
    ]
