"""What the code of a template reaches for, seen by reading it: its seed, the network, absolute paths, other modules.

Each check is a function from a Template and its sources to flaws. Not here: what its manifest promises (contract.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from agent.core.record import Environment
from agent.core.template import Template
from agent.lab.environments import missing_modules
from agent.lab.templating.entry import reads_seed
from agent.lab.templating.flaw import Flaw, Source, read_source

NETWORK = {
    "requests",
    "httpx",
    "urllib.request",
    "urllib3",
    "socket",
    "aiohttp",
    "ftplib",
    "huggingface_hub",
    "wandb",
    "http.client",
    "gdown",
    "boto3",
}
FETCHERS = re.compile(
    r"(?:^|\.)(?:load_dataset|hf_hub_download|snapshot_download|fetch_openml|fetch_\w+|urlretrieve|"
    r"urlopen|from_pretrained)$"
)
SCANS = re.compile(r"(?:^|\.)(?:listdir|scandir|glob|rglob|iglob|iterdir|walk)$")
ABSOLUTE = re.compile(r"(?:/(?!dev/null|tmp\b)[A-Za-z][\w.-]*/[\w./-]+|~/.*|[A-Za-z]:\\.*)\Z")
CHANCE = ("rand", "shuffle", "permut", "dropout", "Dropout", "torch", "sample")  # parts of names that draw numbers
Sources = Mapping[str, Source]


def trained(template: Template, sources: Sources) -> list[Source]:
    """The files that train: what a model edits, and each baseline."""
    manifest = template.manifest
    names = dict.fromkeys([*manifest.editable, *manifest.scripts])
    return [
        sources[name] for name in names if name in sources and name not in (manifest.plot, "evaluate.py", "prepare.py")
    ]


def seed_unused(template: Template, sources: Sources) -> Iterator[Flaw]:
    """Code that draws numbers and never reads its seed."""
    library = template.manifest.library
    in_library = any(read_source(path.parent, path.name).mentions("seed") for path in template.library().values())
    if template.manifest.command:
        if template.manifest.seeded and not _seed_reaches(template):
            yield Flaw(
                "seed-unused",
                "manifest.toml",
                "the command has no {seed}, and no code reads the variable SEED: every training is the same, or chance",
                "write e.g. --seed {seed} into command.run, or say `seeded = false` and one seed",
            )
        return
    for source in trained(template, sources):
        if not template.manifest.measured and not any(map(source.mentions, CHANCE)):
            continue  # a script without chance is the same each time, which the trial shows
        hands_over = in_library and any(name.split(".")[0] == library for name, _ in source.imports())
        if not hands_over and not source.mentions("seed"):
            yield Flaw(
                "seed-unused",
                source.name,
                "never mentions a seed: two trainings differ by chance or not at all",
                'draw everything from task["seed"]'
                if template.manifest.measured
                else "seed every generator, and say in final_info.json over how many seeds the means are",
            )


def _seed_reaches(template: Template) -> bool:
    """Whether a command's training gets its seed: as {seed} in the command, or by the variable SEED."""
    command, manifest = template.manifest.command, template.manifest
    names = [*manifest.editable, *manifest.assets]
    return bool(command and "seed" in command.places()) or reads_seed({n: template.path(n).read_bytes() for n in names})


def network(template: Template, sources: Sources) -> Iterator[Flaw]:
    """Training code that needs the network, which a sandbox does not have."""
    for source in trained(template, sources):
        for name, line in source.imports():
            if name in NETWORK or name.split(".")[0] in NETWORK:
                yield Flaw(
                    "network",
                    source.at(line),
                    f"imports {name}: a sandbox has no network",
                    'fetch in prepare.py, which the runner runs, and read from task["data"]',
                )
        for name, call in source.calls():
            loads = any(k.arg == "download" and getattr(k.value, "value", False) for k in call.keywords)
            own = name.startswith("self.") or source.defines(name.rpartition(".")[2])
            if loads or (FETCHERS.search(name) and not own):
                yield Flaw(
                    "network",
                    source.at(call.lineno),
                    f"{name}(...) fetches: a sandbox has no network",
                    'fetch in prepare.py, which the runner runs, and read from task["data"]',
                )


def absolute_paths(template: Template, sources: Sources) -> Iterator[Flaw]:
    """Paths that exist on this machine only."""
    for source in sources.values():
        if source.name == "prepare.py" and template.manifest.form == "v1":
            continue  # the adapter wrote it, with the paths of the data
        for text, line in source.strings():
            if ABSOLUTE.match(text) and not text.startswith("/data/"):
                yield Flaw(
                    "absolute-path",
                    source.at(line),
                    f"names {text[:60]!r}, which is this machine's alone (and not there in a sandbox)",
                    'use task["data"], out_dir, or the folders that are handed in',
                )


def stale_runs(template: Template, sources: Sources) -> Iterator[Flaw]:
    """A plot.py that looks for run folders itself, or does not read records.json."""
    source = sources.get(template.manifest.plot)
    if source is None or template.manifest.form == "v1":  # a plot.py of this form is given the measured runs only
        return
    for name, call in source.calls():
        if SCANS.search(name):
            yield Flaw(
                "stale-runs",
                source.at(call.lineno),
                f"{name}(...) draws whatever run folders lie about, those of older or failed attempts too",
                "read records.json, which holds the measured runs alone",
            )
            return
    if not any("records.json" in text for text, _ in source.strings()):
        yield Flaw(
            "plot-without-records",
            source.name,
            "never reads records.json, so what it draws is typed",
            "draw from records.json alone",
        )


def missing_imports(template: Template, sources: Sources) -> Iterator[Flaw]:
    """Modules that the runner's own interpreter lacks; for a template with its own environment, see `missing_there`."""
    from importlib.util import find_spec

    own = _own(template)
    for source in sources.values():
        protected = source.name in ("evaluate.py", "prepare.py")
        if template.manifest.environment is not None and not protected:
            continue
        for name, line in source.imports():
            root = name.split(".")[0]
            if root not in own and find_spec(root) is None:
                yield Flaw(
                    "missing-import",
                    source.at(line),
                    f"imports {root}, which this environment lacks",
                    "name it in the template's requirements ([environment] in manifest.toml), or do without",
                )


def missing_there(template: Template, sources: Sources, environment: Environment) -> Iterator[Flaw]:
    """Modules that a template's own environment lacks, for the code that runs in it."""
    own = _own(template)
    plot = [sources[template.manifest.plot]] if template.manifest.plot in sources else []
    asked = {
        (name.split(".")[0], source.at(line))
        for source in [*trained(template, sources), *plot]
        for name, line in source.imports()
    }
    missing = missing_modules(environment, {name for name, _ in asked} - own)
    for name, where in sorted(asked):
        if name in missing:
            yield Flaw(
                "missing-import",
                where,
                f"imports {name}, which the template's environment lacks",
                "add it to the requirements, or do without",
            )


def _own(template: Template) -> set[str]:
    """Top-level modules that come with the template: beside the experiment, or in its library."""
    beside = template.path(".")
    packages = {path.relative_to(beside).parts[0] for path in beside.glob("*/**/*.py")}
    mine = packages | {path.stem for path in beside.glob("*.py")} | {"__future__", template.manifest.library}
    if command := template.manifest.command:
        names = (
            name.removeprefix(f"{command.folder}/") for name in (*template.manifest.editable, *template.manifest.assets)
        )
        parts = [PurePosixPath(name).with_suffix("").parts for name in names if name.endswith(".py")]
        mine |= {part for path in parts for part in path}  # a script may import from the folder that it lies in
    return mine
