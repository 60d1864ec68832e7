"""--new-template NAME --from PLACE --run COMMAND: makes a template of a repository that runs without any change.

Its numbers are self-reported until an evaluate.py measures. Not here: which files are taken (repository.py), which a
model may edit (entry.py), and where the results lie (command_run.py).
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from agent.core.errors import InfrastructureError, UserError
from agent.core.protocols import Sandbox
from agent.core.template import load_template
from agent.lab.environments import environment_of
from agent.lab.templating import entry
from agent.lab.templating.command_run import FirstRun, first_run
from agent.lab.templating.repository import Keys, Taken, take
from agent.lab.templating.repository_manifest import CODE, PROFILE, SEEDS, Draft, manifest_text, metrics_of
from agent.lab.worlds import Say
from agent.storage import foreign
from agent.storage.temporary import TemporaryFolder, sweep_folders

PLOT = Path(__file__).with_name("repository_skeleton") / "plot.py"


def new_from_repository(
    folder: Path, place: str, command: str, cache: Path, sandbox: Sandbox, keys_in: Keys, say: Say, install: bool
) -> None:
    """Make the template `folder` of a repository.

    Args:
        place: a folder, or a URL that git can clone.
        command: how the repository's code is run.
        keys_in: names the files that hold a key, which are left out.
        install: the repository's requirements may be installed, which happens outside of the sandbox.

    Raises:
        UserError: the repository cannot be taken, or its command does not run and leave results.
    """
    draft = _draft(folder.name, take(place, keys_in), command)
    _say_what_is_taken(draft, say)
    if draft.requirements and not install:
        raise UserError(
            f"--from {place}: its code imports packages that are not here, and {draft.requirements} would be installed "
            "outside of the sandbox. Read that file first; --trust installs it"
        )
    cache.mkdir(parents=True, exist_ok=True)
    sweep_folders(cache)
    with TemporaryFolder("new", cache) as name:
        scratch = Path(name)
        scratch.chmod(0o755)  # the sandbox's own user reads its mounts there
        made = scratch / folder.name
        foreign.write(made / CODE, draft.taken.files)
        _write(made, draft, None)
        template = load_template(made)
        environment = environment_of(template, cache, say)
        say(f"Running it once, in the sandbox: {command}")
        try:
            found = first_run(template, PROFILE, scratch / "run", sandbox, environment)
        except InfrastructureError as error:
            raise UserError(str(error)) from None
        except UserError as error:
            raise UserError(f"{error}{_hint(draft)}") from None
        _write(made, draft, found)
        _say_what_was_found(found, say)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, folder)


def _draft(name: str, taken: Taken, command: str) -> Draft:
    """What can be known about the template before its first run.

    Raises:
        UserError: the command names no script, or packages are missing and there is no requirements.txt.
    """
    files = taken.files
    scripts = entry.started(command, files)
    if not scripts:
        raise UserError(
            f"--run {command!r}: names no Python file, module or shell script of {taken.origin}; write it as you type "
            "it in that folder, e.g. --run 'python train.py --seed {seed}'"
        )
    code, packages = entry.closure(scripts, files)
    missing = sorted(name for name in packages if not _found(name))
    if missing and "requirements.txt" not in files:
        raise UserError(
            f"{taken.origin}: imports {', '.join(missing)}, which is not in the project's environment; add a "
            "requirements.txt to the repository"
        )
    seeded = "{seed}" in command or entry.reads_seed(files)
    chosen = entry.editable(scripts, code, files)
    return Draft(name, taken, command, chosen, seeded, f"{CODE}/requirements.txt" if missing else "")


def _found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _hint(draft: Draft) -> str:
    """Possible reasons for a failed first run."""
    large = [name for name, why in draft.taken.left_out.items() if why.startswith(("larger", "beyond"))]
    left = f"; left out were {', '.join(large[:5])}: if it needs them, start from a smaller example" if large else ""
    return f"{left}. The sandbox has no network and {draft.name}'s files alone; nothing was made"


def _write(made: Path, draft: Draft, found: FirstRun | None) -> None:
    """Write manifest.toml and plot.py; before the first run with a metric that stands for the unknown ones."""
    metrics = metrics_of(found.said) if found else {"unknown": "higher"}
    primary = next(iter(metrics))
    (made / "plot.py").write_text(PLOT.read_text(encoding="utf-8").replace("__METRIC__", primary), encoding="utf-8")
    (made / "manifest.toml").write_text(manifest_text(draft, found, metrics), encoding="utf-8")


# ---------------------------------------------------------------- what is said


def _say_what_is_taken(draft: Draft, say: Say) -> None:
    size = sum(map(len, draft.taken.files.values()))
    count = len(draft.taken.files)
    say(f"From {draft.taken.origin}: {count} file{'' if count == 1 else 's'} of {max(1, size // 1000)} kB")
    for line in draft.taken.told():
        say(f"  {line}")
    say(f"  a model may edit: {', '.join(draft.editable)}; all other files stay as they are")
    if not draft.requirements and "requirements.txt" in draft.taken.files:
        say("  packages: the project's own, which have all that the code imports; requirements.txt is not installed")
    if draft.seeded:
        how = "{seed} in the command" if "{seed}" in draft.command else "the variable SEED, which the code reads"
        say(f"  seeds {', '.join(map(str, SEEDS))}, by {how}")
    else:
        say(
            "  no seed reaches the code: one training a run, and nothing can be confirmed. Write {seed} into --run "
            "(--seed {seed}), or read the variable SEED"
        )


def _say_what_was_found(found: FirstRun, say: Say) -> None:
    metrics = metrics_of(found.said)
    say(f"  it took {found.end.wall_s:.1f} s; results: {found.results}")
    if found.others:
        say(f"  not read, though they hold numbers: {', '.join(found.others[:5])} (command.results in manifest.toml)")
    for number, (name, way) in enumerate(metrics.items()):
        better = f"{way} is better" if way else "say in manifest.toml which direction is better"
        primary = "" if number else ", the primary metric (manifest.toml may name another)"
        say(f"  {name} = {found.said.means[name]:.6g}: {better}{primary}")
    if rest := [name for name in found.said.means if name not in metrics]:
        say(f"  kept without a direction: {', '.join(rest[:12])}{' ...' if len(rest) > 12 else ''}")
