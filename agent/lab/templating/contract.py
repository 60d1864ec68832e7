"""Flaws of a template that reading it shows: what its manifest promises, and the functions that the runner calls.

Each check is a function from a Template and its sources to flaws. Not here: what the code reaches for (reaches.py), and
trials (trial.py).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from agent.core.template import Template
from agent.lab.templating import reaches, towards_measured
from agent.lab.templating.flaw import Flaw, Source, read_source
from agent.lab.templating.reaches import Sources, trained
from agent.lab.templating.towards_measured import FEW_SEEDS

SIGNATURES = {
    "prepare": ("prepare.py", ("settings", "secret", "train_dir", "truth_dir")),
    "load_truth": ("evaluate.py", ("truth_dir", "settings")),
}


def look(template: Template, sources: Sources) -> Iterator[Flaw]:
    """All flaws that reading shows, check by check."""
    for check in CHECKS:
        yield from check(template, sources)


def metric_ranges(template: Template, sources: Sources) -> Iterator[Flaw]:
    """Metrics without a bound, for which no value is impossible."""
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
    """Profiles with too few seeds to tell an effect from noise."""
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
    """Profiles that do not fix how many samples a training may use."""
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
    """Functions and model methods that the runner calls, if they are missing or take other arguments."""
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


def _with_modules(template: Template, sources: Sources) -> dict[str, Source]:
    """The files that train, and the protected modules that they may import."""
    modules = (n for n in template.manifest.assets if n.endswith(".py") and n not in sources)
    return {s.name: s for s in trained(template, sources)} | {n: read_source(Path(template.folder), n) for n in modules}


CHECKS: tuple[Callable[[Template, Sources], Iterator[Flaw]], ...] = (
    metric_ranges,
    few_seeds,
    no_budget,
    self_reported,
    signatures,
    undeclared_data_settings,
    reaches.seed_unused,
    reaches.network,
    reaches.absolute_paths,
    reaches.stale_runs,
    reaches.missing_imports,
)
