"""What can be seen of a template without running it: its promises, signatures, imports, and what its code reaches for.

Each check is a function from a Template and its sources to flaws. Not here: trials (trial.py).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from agent.core.record import Environment
from agent.core.template import Template
from agent.lab.environments import missing_modules
from agent.lab.templating import towards_measured
from agent.lab.templating.entry import reads_seed
from agent.lab.templating.flaw import Flaw, Source, read_source
from agent.lab.templating.towards_measured import FEW_SEEDS

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
SIGNATURES = {
    "prepare": ("prepare.py", ("settings", "secret", "train_dir", "truth_dir")),
    "load_truth": ("evaluate.py", ("truth_dir", "settings")),
}
CHANCE = ("rand", "shuffle", "permut", "dropout", "Dropout", "torch", "sample")  # parts of names that draw numbers
Sources = Mapping[str, Source]


def look(template: Template, sources: Sources) -> Iterator[Flaw]:
    """All flaws that reading shows, check by check."""
    for check in CHECKS:
        yield from check(template, sources)


def trained(template: Template, sources: Sources) -> list[Source]:
    """The files that train: what a model edits, and each baseline."""
    manifest = template.manifest
    names = dict.fromkeys([*manifest.editable, *manifest.scripts])
    return [
        sources[name] for name in names if name in sources and name not in (manifest.plot, "evaluate.py", "prepare.py")
    ]


def metric_ranges(template: Template, sources: Sources) -> Iterator[Flaw]:
    own = template.manifest.form == "own"
    open_ended = [n for n, spec in template.manifest.metrics.items() if spec.low is None and spec.high is None]
    for names in [[name] for name in open_ended] if own else filter(None, [open_ended]):
        yield Flaw(
            "metric-without-range",
            "manifest.toml" if own else "adapter.toml",
            f"metrics.{', '.join(names)}: neither low nor high, so that no value is impossible",
            "give the bounds that its definition has",
            for_measured=not template.manifest.measured,
        )


def few_seeds(template: Template, sources: Sources) -> Iterator[Flaw]:
    for name, profile in template.manifest.profiles.items():
        if template.manifest.measured and len(profile.seeds) < FEW_SEEDS:
            yield Flaw(
                "few-seeds",
                "manifest.toml",
                f"profile {name} trains {len(profile.seeds)} seed(s): noise "
                "between seeds cannot be told from an effect",
                f"give at least {FEW_SEEDS}",
            )


def no_budget(template: Template, sources: Sources) -> Iterator[Flaw]:
    for name, profile in template.manifest.profiles.items():
        held = set(profile.settings) | {k for c in profile.conditions for k in c.settings}
        if template.manifest.measured and "samples" not in held:
            yield Flaw(
                "no-budget",
                "manifest.toml",
                f"the settings of profile {name} lack `samples`, so that a run may win by training longer",
                "add samples = N and let every method keep to it",
            )


def self_reported(template: Template, sources: Sources) -> Iterator[Flaw]:
    """The evaluation is, or may become, a part of what a model edits; also what a self-reporting template lacks."""
    manifest = template.manifest
    if manifest.measured:
        for name in ("evaluate.py", "prepare.py"):
            if name in manifest.editable:
                yield Flaw(
                    "evaluation-editable",
                    "manifest.toml",
                    f"{name} is editable: a model may change what counts",
                    "move it to protected",
                )
            elif name not in manifest.protected:
                yield Flaw(
                    "evaluation-unprotected",
                    "manifest.toml",
                    f"{name} is not among the protected files: a change of it between runs would not be seen",
                    f'add "{name}" to protected',
                )
        return
    if manifest.command:
        yield from towards_measured.missing(template, sources, _with_modules(template, sources))
        return
    for source in trained(template, sources):
        line = next((n for text, n in source.strings() if "final_info" in text), 1)
        yield Flaw(
            "evaluation-editable",
            source.at(line),
            "the experiment measures itself, in the file that a model edits; every number is marked self-reported",
            "move the evaluation to evaluate.py (docs/templates.md, From self-reported to measured)",
            for_measured=True,
        )


def signatures(template: Template, sources: Sources) -> Iterator[Flaw]:
    if not template.manifest.measured:
        return
    model = template.manifest.model
    wanted = ("x", "z", "x_hat", "decoder", "truth") if model.dictionary else ("x", "outputs", "truth")
    wanted = ("model", "truth", "settings") if model.methods else wanted
    for name, (file, arguments) in {**SIGNATURES, "evaluate": ("evaluate.py", wanted)}.items():
        source = sources.get(file)
        if source is None:
            yield Flaw("missing-file", file, "is not there", f"add it, with {name}({', '.join(arguments)})")
            continue
        found = source.function(name)
        if found is None:
            yield Flaw("signature", file, f"defines no function {name}", f"add {name}({', '.join(arguments)})")
        elif len(found.args.args) != len(arguments) and not found.args.vararg:
            takes = ", ".join(a.arg for a in found.args.args)
            yield Flaw(
                "signature",
                source.at(found.lineno),
                f"{name} takes ({takes})",
                f"the runner calls {name}({', '.join(arguments)})",
            )
    code = trained(template, sources)
    if template.manifest.command:
        code = [read_source(Path(template.folder), template.beside(model.file))]
    for source in code:
        methods = {method: tuple(spec.takes) for method, spec in model.methods.items()} or {model.method: ("x",)}
        yield from _model_class(source, model.name, methods)


def _model_class(source: Source, name: str, wanted: Mapping[str, tuple[str, ...]]) -> Iterator[Flaw]:
    found = source.class_(name)
    if found is None:
        if name not in source.named():
            yield Flaw(
                "signature",
                source.name,
                f"defines no class {name}",
                f"add class {name} with load(path) and {_calls(wanted)}",
            )
        return
    methods = {n.name: n for n in found.body if isinstance(n, ast.FunctionDef)}
    for method in ("load", *wanted):
        if method not in methods and not found.bases:
            yield Flaw("signature", source.at(found.lineno), f"class {name} has no {method}", f"add {name}.{method}")
        elif method in methods and method in wanted and not _takes(methods[method], 1 + len(wanted[method])):
            yield Flaw(
                "signature",
                source.at(methods[method].lineno),
                f"{name}.{method} takes ({', '.join(a.arg for a in methods[method].args.args)})",
                f"the runner calls {_calls({method: wanted[method]})}",
            )


def _takes(method: ast.FunctionDef, count: int) -> bool:
    """Whether a method can be called with so many arguments, self included."""
    most = len(method.args.args)
    return bool(method.args.vararg) or most - len(method.args.defaults) <= count <= most


def _calls(methods: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{name}({', '.join(arguments)})" for name, arguments in methods.items())


def undeclared_data_settings(template: Template, sources: Sources) -> Iterator[Flaw]:
    """Settings that a condition changes and prepare.py reads, but that `data_settings` does not declare."""
    declared = template.manifest.data_settings
    changed = {
        name: condition.name
        for profile in template.manifest.profiles.values()
        for condition in profile.conditions
        for name, value in condition.settings.items()
        if name not in declared and profile.settings.get(name) != value
    }
    no_data = ("evaluate.py", template.manifest.feed)  # these two run with a condition's own settings
    protected = [sources[n] for n in template.manifest.protected if n in sources and n not in no_data]
    read = {(name, source.at(line)) for source in protected for name, line in source.looked_up() if name in changed}
    for name, where in sorted(read):
        needed = ", ".join(f'"{n}"' for n in sorted({name, *declared}))
        yield Flaw(
            "undeclared-data-setting",
            where,
            f"reads {name}, which condition {changed[name]} changes; without a declaration all conditions get the data "
            "of the profile's own settings",
            f"name in data_settings every setting that prepare.py reads (at least {needed}), and each such condition "
            "gets data of its own",
        )


def seed_unused(template: Template, sources: Sources) -> Iterator[Flaw]:
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


def network(template: Template, sources: Sources) -> Iterator[Flaw]:
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


def _with_modules(template: Template, sources: Sources) -> dict[str, Source]:
    """The files that train, and the protected modules that they may import."""
    modules = (n for n in template.manifest.assets if n.endswith(".py") and n not in sources)
    return {s.name: s for s in trained(template, sources)} | {n: read_source(Path(template.folder), n) for n in modules}


def _seed_reaches(template: Template) -> bool:
    """Whether a command's training gets its seed: as {seed} in the command, or by the variable SEED."""
    command, manifest = template.manifest.command, template.manifest
    names = [*manifest.editable, *manifest.assets]
    return bool(command and "seed" in command.places()) or reads_seed({n: template.path(n).read_bytes() for n in names})


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


CHECKS: tuple[Callable[[Template, Sources], Iterator[Flaw]], ...] = (
    metric_ranges,
    few_seeds,
    no_budget,
    self_reported,
    signatures,
    undeclared_data_settings,
    seed_unused,
    network,
    absolute_paths,
    stale_runs,
    missing_imports,
)
