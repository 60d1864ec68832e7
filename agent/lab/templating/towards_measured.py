"""Lists what a template that reports its own numbers lacks for being measured by the runner.

None of it is a flaw: such a template runs, and its numbers are marked self-reported. The code is only read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from agent.core.template import Template
from agent.lab.templating.flaw import Flaw, Source

FEW_SEEDS = 3  # fewer seeds show no spread that a comparison could use


def missing(template: Template, sources: Mapping[str, Source], code: Mapping[str, Source]) -> Iterator[Flaw]:
    """The steps that are left, as flaws with `for_measured`.

    `sources` are the files that the manifest names, `code` the files that train, with the modules that they import.
    """
    manifest = template.manifest
    yield from _artefact(template, code)
    yield from _model(template, code)
    yield from _evaluation(sources)
    if not manifest.seeded or any(len(profile.seeds) < FEW_SEEDS for profile in manifest.profiles.values()):
        yield _step(
            "manifest.toml",
            "noise between seeds cannot be told from an effect",
            f"let the code take {{seed}} or the variable SEED, and give at least {FEW_SEEDS} seeds"
            if manifest.command
            else f'read task["seed"], and give at least {FEW_SEEDS} seeds',
        )
    yield _step(
        "manifest.toml",
        "says `measured = false`",
        "remove it once the steps above are done (docs/from-a-repository.md goes through them)",
    )


def _artefact(template: Template, code: Mapping[str, Source]) -> Iterator[Flaw]:
    if not any(_mentions(source, "safetensors") or _mentions(source, "save_file") for source in code.values()):
        where = "the folder that {out} and the variable OUT_DIR name" if template.manifest.command else "out_dir"
        yield _step(
            template.manifest.editable[0],
            "leaves nothing that can be measured",
            f"save the trained tensors as model.safetensors in {where}, and name that file in `artefact`",
        )


def _model(template: Template, code: Mapping[str, Source]) -> Iterator[Flaw]:
    classes = (node for s in code.values() for node in ast.walk(s.tree) if isinstance(node, ast.ClassDef))
    if not any(isinstance(n, ast.FunctionDef) and n.name == "load" for c in classes for n in c.body):
        yield _step(
            template.manifest.editable[0],
            "no class can load what was trained",
            "add a classmethod load(path) to the model, and name its file, class and methods in [model]",
        )


def _evaluation(sources: Mapping[str, Source]) -> Iterator[Flaw]:
    prepare, evaluate = sources.get("prepare.py"), sources.get("evaluate.py")
    if prepare is None or not prepare.mentions("truth_dir"):
        yield _step(
            "prepare.py",
            "no data are held out",
            "write prepare(settings, secret, train_dir, truth_dir), which puts the held-out data into truth_dir",
        )
    if evaluate is None or not evaluate.function("evaluate"):
        yield _step(
            "evaluate.py",
            "nobody but the code itself computes the metrics",
            "write load_truth(truth_dir, settings) and evaluate(model, truth, settings), and protect both files",
        )


def _mentions(source: Source, word: str) -> bool:
    return source.mentions(word) or any(word in name for name, _ in source.imports())


def _step(where: str, text: str, mend: str) -> Flaw:
    return Flaw("self-reported", where, text, mend, for_measured=True)
