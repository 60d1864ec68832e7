"""--new-template NAME --from PLACE --run COMMAND: a researcher's repository becomes a template that runs as it is.

Its numbers are self-reported until an evaluate.py measures. Not here: which files are taken (repository.py), which are
edited (entry.py), and where the results lie (first_run.py).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from agent.core.errors import InfrastructureError, UserError
from agent.core.protocols import Sandbox
from agent.core.record import Environment
from agent.core.template import load_template
from agent.lab.environments import environment_of
from agent.lab.measuring import selfreport
from agent.lab.templating import entry
from agent.lab.templating.first_run import FirstRun, first_run
from agent.lab.templating.repository import Keys, Taken, take
from agent.lab.templating.v1 import direction
from agent.storage import foreign
from agent.storage.temporary import TemporaryFolder, sweep_folders

CODE = "code"  # folder of the template with the repository
PROFILE = "full"
PLOT = Path(__file__).with_name("repository_skeleton") / "plot.py"
ABOUT = 1500  # characters of the README
SEEDS = (0, 1, 2)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Draft:
    """What is known of the template before its first run."""

    name: str
    taken: Taken
    command: str
    scripts: list[str]
    editable: list[str]
    seeded: bool
    requirements: str  # "": the runner's own packages have all that is imported


def new_from_repository(
    folder: Path, place: str, command: str, cache: Path, sandbox: Sandbox, keys_in: Keys, say: Say, install: bool
) -> None:
    """Make the template `folder` of a repository. `install`: its requirements may be installed, outside of the sandbox.

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
            raise UserError(f"{error}{_hint(draft, environment)}") from None
        _write(made, draft, found)
        _say_what_was_found(found, draft, say)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, folder)


def _draft(name: str, taken: Taken, command: str) -> Draft:
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
    return Draft(name, taken, command, scripts, chosen, seeded, f"{CODE}/requirements.txt" if missing else "")


def _found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _hint(draft: Draft, environment: Environment | None) -> str:
    """What a failed first run may be for."""
    large = [name for name, why in draft.taken.left_out.items() if why.startswith(("larger", "beyond"))]
    left = f"; left out were {', '.join(large[:5])}: if it needs them, start from a smaller example" if large else ""
    return f"{left}. The sandbox has no network and {draft.name}'s files alone; nothing was made"


# ---------------------------------------------------------------- manifest


def _write(made: Path, draft: Draft, found: FirstRun | None) -> None:
    """manifest.toml and plot.py; before the first run with a metric that stands for what is not known yet."""
    metrics = _metrics(found.said) if found else {"unknown": "higher"}
    primary = next(iter(metrics))
    (made / "plot.py").write_text(PLOT.read_text(encoding="utf-8").replace("__METRIC__", primary), encoding="utf-8")
    (made / "manifest.toml").write_text(_manifest(draft, found, metrics), encoding="utf-8")


def _metrics(said: selfreport.Reported) -> dict[str, str | None]:
    """Names with the direction that is better, the primary one first: those whose name says it, and of these those of
    held-out data, if there are any. None: no name says it, and a person must.
    """
    known = {name: way for name in said.means if (way := direction(name))}
    held_out = {name: way for name, way in known.items() if not re.search(r"(?:^|_)train(?:_|$)", name)}
    chosen: Mapping[str, str | None] = held_out or known or dict.fromkeys(list(said.means)[:8])
    return dict(
        sorted(chosen.items(), key=lambda item: (not re.search(r"(?:^|_)test(?:_|$)", item[0]), "time" in item[0]))
    )


def _manifest(draft: Draft, found: FirstRun | None, metrics: Mapping[str, str | None]) -> str:
    title, about = _readme(draft)
    first = next(iter(metrics))
    assets = [f"{CODE}/{name}" for name in draft.taken.files if name not in draft.editable]
    results = found.results if found else "{out}/final_info.json"
    # five times the seconds and three times the memory that the first run took
    wall = max(600, 100 * round(found.end.wall_s / 20)) if found else 7200
    memory = max(4096, 1024 * round(3 * found.end.peak_memory_mb / 1024)) if found else 16384
    lines = [
        f"# Made from {draft.taken.origin}. After a change: python launch.py --check-template {draft.name}",
        f"name     = {_text(draft.name)}",
        f"title    = {_text(title)}",
        f"question = {_text(f'Which change of the code of {title} improves its {_label(first)}?')}",
        f"about    = {_text(about)}",
        "measured = false  # the code reports its own numbers, until an evaluate.py measures",
        *(
            ()
            if draft.seeded
            else ("seeded   = false  # the command takes no seed: nothing can be confirmed on fresh ones",)
        ),
        f"default_profile = {_text(PROFILE)}",
        "# What a model may change, besides plot.py. The other files of the repository stay as they are.",
        f"editable = {_list(f'{CODE}/{name}' for name in draft.editable)}",
        f"assets   = {_list(assets)}",
        "",
        "[command]  # runs once for each seed; {seed}, {out}, {data}, {device} and names of settings are filled in",
        f"run     = {_text(draft.command)}",
        f"folder  = {_text(CODE)}",
        f"results = {_text(results)}",
        "",
        *(
            (f"[environment]\nrequirements = {_text(draft.requirements)}\nextend = true\n",)
            if draft.requirements
            else ()
        ),
    ]
    for name, way in metrics.items():
        lines += [
            f"[metrics.{name}]",
            f"label   = {_text(_label(name))}",
            f"better  = {_text(way)}" if way else '# better  = "higher"  # or "lower": its name does not say which',
            *(("primary = true  # of the one comparison that is fixed before the first run",) if name == first else ()),
            f"read    = {_text(f'What the code writes as {name}.')}",
            "# low = 0.0, high = 1.0: values outside of them are refused",
            "",
        ]
    lines += [
        "[[baselines]]",
        'name  = "baseline"',
        'label = "Baseline"',
        f"file  = {_text(f'{CODE}/{draft.editable[0]}')}",
        'about = "The code of the repository as it is."',
        "",
        f"[profiles.{PROFILE}]",
        'about      = "As the repository has it."',
        f"seeds      = {list(SEEDS) if draft.seeded else [0]}",
        'conditions = [{ name = "all", label = "as it is" }]',
        f"limits     = {{ wall_s = {wall}.0, memory_mb = {memory}, disk_mb = 8192, files = 20000, file_mb = 2048 }}",
        "",
        f"[profiles.{PROFILE}.settings]  # e.g. epochs = 3, which the command takes as {{epochs}}",
        "",
    ]
    return "\n".join(lines)


def _readme(draft: Draft) -> tuple[str, str]:
    """The title and the first paragraphs of the README, without pictures, badges and markup of its own."""
    name = next((n for n in draft.taken.files if re.fullmatch(r"(?i)readme(?:\.\w+)?", n)), None)
    text = draft.taken.files[name].decode("utf-8", "replace") if name else ""
    text = re.sub(
        r"<!--.*?-->|<[^>\n]*>|!\[[^\]]*\]\([^)]*\)|\[!\[.*?\]\(.*?\)\]\(.*?\)|```.*?```", "", text, flags=re.DOTALL
    )
    heading = re.search(r"^#+\s*(.+)$", text, re.MULTILINE)
    title = " ".join(heading[1].split())[:80] if heading else draft.name.replace("_", " ")
    body = re.sub(r"^#+.*$", "", text, flags=re.MULTILINE)
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", body) if p.strip()]
    about, size = [], 0
    for paragraph in paragraphs:
        if size + len(paragraph) > ABOUT:
            break
        about.append(paragraph)
        size += len(paragraph)
    return title, "\n\n".join(about) or f"The code of {title}, run by: {draft.command}"


def _label(metric: str) -> str:
    return metric.replace("_", " ")


def _text(value: str) -> str:
    """A TOML basic string escapes as JSON does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Iterable[str]) -> str:
    given = list(map(_text, values))
    one = f"[{', '.join(given)}]"
    return one if len(one) < 100 else "[\n" + "".join(f"    {value},\n" for value in given) + "]"


# ---------------------------------------------------------------- what is said


def _say_what_is_taken(draft: Draft, say: Say) -> None:
    size = sum(map(len, draft.taken.files.values()))
    say(f"From {draft.taken.origin}: {len(draft.taken.files)} files of {max(1, size // 1000)} kB")
    for line in draft.taken.told():
        say(f"  {line}")
    say(f"  a model may edit: {', '.join(draft.editable)}; all other files stay as they are")
    if draft.seeded:
        how = "{seed} in the command" if "{seed}" in draft.command else "the variable SEED, which the code reads"
        say(f"  seeds {', '.join(map(str, SEEDS))}, by {how}")
    else:
        say(
            "  no seed reaches the code: one training a run, and nothing can be confirmed. Write {seed} into --run "
            "(--seed {seed}), or read the variable SEED"
        )


def _say_what_was_found(found: FirstRun, draft: Draft, say: Say) -> None:
    metrics = _metrics(found.said)
    say(f"  it took {found.end.wall_s:.1f} s; results: {found.results}")
    if found.others:
        say(f"  not read, though they hold numbers: {', '.join(found.others[:5])} (command.results in manifest.toml)")
    for number, (name, way) in enumerate(metrics.items()):
        better = f"{way} is better" if way else "say in manifest.toml which direction is better"
        primary = "" if number else ", the primary metric (manifest.toml may name another)"
        say(f"  {name} = {found.said.means[name]:.6g}: {better}{primary}")
    if rest := [name for name in found.said.means if name not in metrics]:
        say(f"  kept without a direction: {', '.join(rest[:12])}{' ...' if len(rest) > 12 else ''}")
