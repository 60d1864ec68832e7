"""Runs the script of an AI-Scientist v1 folder once, to learn which numbers it reports.

The numbers are kept for this state of its files, so that answers in adapter.toml cost no second run.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from agent.core.errors import UserError
from agent.core.protocols import Sandbox
from agent.core.record import Environment
from agent.core.template import Template
from agent.lab.environments import environment_of, missing_modules
from agent.lab.measuring import selfreport
from agent.lab.templating.draft import ADAPTER, Asked, of_packages
from agent.lab.templating.failures import told
from agent.lab.templating.flaw import Source, read_source
from agent.lab.templating.v1 import Folder
from agent.sandbox import harvest
from agent.storage.atomic import write_bytes


def reported(
    given: Folder,
    template: Callable[[], Template],
    workspace: Path,
    sandbox: Callable[[], Sandbox],
    say: Callable[[str], None],
    device: str,
) -> selfreport.Reported:
    """The numbers that the script writes into final_info.json, from a run now or an earlier one of the same files.

    `template` makes a template of the folder, with a metric that stands for the unknown ones.

    Raises:
        Asked: packages are missing.
        UserError: the script fails, or leaves no such file.
    """
    kept = workspace / ".templates" / "reported" / f"{given.state()[:12]}.json"
    if kept.is_file():
        return selfreport.final_info(harvest.parse_json(kept.read_bytes(), finite=False))
    made = template()
    try:
        environment = environment_of(made, workspace / ".cache", say)
    except UserError as error:
        raise UserError(str(error).replace(str(made.path("manifest.toml")), str(given.path / ADAPTER))) from None
    check_packages(given, environment)
    say(f"{given.path}: has no run_0; running experiment.py once to learn what it reports")
    text = _run(given, made, environment, sandbox(), say, device)
    try:
        said = selfreport.final_info(harvest.parse_json(text, finite=False))
    except harvest.Unharvestable as problem:
        raise UserError(f"{given.path / 'experiment.py'}: its final_info.json cannot be used: {problem}") from None
    write_bytes(kept, text)
    return said


def _run(
    given: Folder,
    template: Template,
    environment: Environment | None,
    sandbox: Sandbox,
    say: Callable[[str], None],
    device: str,
) -> bytes:
    from agent.lab.measuring.measure import run_training
    from agent.lab.measuring.scratch import TrainingPaths
    from agent.lab.templating.trial import Trial

    folder = Path(template.folder).parents[1] / "run"
    trial = Trial(template, template.manifest.default_profile, folder, sandbox, say, device, environment)
    job = trial.job("first", trial.world(1), "experiment.py")
    found = run_training(job, 0, trial.condition, trial.sandbox, lambda: False)
    path = TrainingPaths.of(job, 0, trial.condition.name).kept / "final_info.json"
    if found.outcome == "failed" or not path.is_file():
        said = told(found.reason, found.detail, ADAPTER)
        raise UserError(f"{given.path / 'experiment.py'}: the first run gave no final_info.json: {said}")
    return path.read_bytes()


def check_packages(given: Folder, environment: Environment | None) -> None:
    """Check that the modules can be found which the script and the files beside it import when they start.

    Raises:
        Asked: the runner's own Python lacks one.
        UserError: the environment that adapter.toml names lacks one.
    """
    wanted: dict[str, list[str]] = {}
    for source in _reached(given):
        for name, line in source.imports(outermost=True):
            root = name.split(".")[0]
            if not _beside(given.path, root):
                wanted.setdefault(root, []).append(source.at(line))
    lacking = missing_modules(environment, wanted) if environment else [n for n in wanted if find_spec(n) is None]
    missing = {name: places for name, places in wanted.items() if name in lacking}
    if missing and environment:
        told = ", ".join(f"{name} (imported by {places[0]})" for name, places in missing.items())
        raise UserError(f"{given.path / ADAPTER}: the environment lacks {told}; add the package to its requirements")
    if missing:
        raise Asked(
            given.path,
            f"this Python lacks {', '.join(missing)}, which its code imports",
            of_packages(missing, requirements=(given.path / "requirements.txt").is_file()),
        )


def _beside(folder: Path, root: str) -> list[str]:
    """The files of the module or package `root` if it lies beside the script, relative to the folder."""
    if (folder / f"{root}.py").is_file():
        return [f"{root}.py"]
    return sorted(path.relative_to(folder).as_posix() for path in (folder / root).rglob("*.py"))


def _reached(given: Folder) -> list[Source]:
    """experiment.py, plot.py, and every file beside them that these import, directly or not."""
    found: dict[str, Source] = {}
    queue = ["experiment.py", "plot.py"]
    while queue:
        name = queue.pop(0)
        if name in found:
            continue
        found[name] = read_source(given.path, name)
        roots = {module.split(".")[0] for module, _ in found[name].imports()}
        queue += [file for root in sorted(roots) for file in _beside(given.path, root)]
    return list(found.values())
