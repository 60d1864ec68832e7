"""Takes what a training reported about itself into the account: curves, diagnostics, and its own results.

It is read from the harvested copies. Not here: parsing the numbers (selfreport.py, results.py).
"""

from __future__ import annotations

from pathlib import Path

from agent.core.manifest import Manifest
from agent.lab.integrity import REPORTS
from agent.lab.measuring import results, selfreport
from agent.lab.measuring.verdict import Account, Stopped, check_metrics
from agent.sandbox import harvest

TRAINING_LOSS = ("train_loss", "training_loss", "loss_train", "train_loss_epoch")
FINAL_INFO = "final_info.json"
ALL_RESULTS = ("all_results.npy", "all_results.pkl")  # only plot.py reads them, in its sandbox
FILES = {"log.jsonl": 8 << 20, "diagnostics.json": 1 << 16, FINAL_INFO: 1 << 20}  # bytes at most


def files(manifest: Manifest) -> dict[str, int]:
    """The files that are kept of a training besides its artefact, with the most bytes of each."""
    return {**FILES, **dict.fromkeys(ALL_RESULTS, 64 << 20)} if manifest.form == "v1" else FILES


def read(kept: Path, found: harvest.Harvest, account: Account, manifest: Manifest) -> None:
    """Read the curves and the diagnostics, also of a failed training."""
    if "log.jsonl" in found.sha256:
        lines = (kept / "log.jsonl").read_bytes().decode("utf-8", "replace").split("\n")
        account.curves, account.declared, dropped = selfreport.curves(lines)
        if dropped:
            account.note("log-lines-dropped", f"{dropped} lines of log.jsonl are not flat objects of finite numbers")
    if "diagnostics.json" in found.sha256:
        _diagnostics(kept / "diagnostics.json", account, manifest)
    for name in FILES:
        if found.problems.get(name, "missing") != "missing":
            account.note("report-dropped", f"{name}: {found.problems[name]}")


def _diagnostics(path: Path, account: Account, manifest: Manifest) -> None:
    try:
        value = harvest.parse_json(path.read_bytes())
    except harvest.Unharvestable as problem:
        account.note("diagnostics-dropped", f"diagnostics.json: {problem}")
        return
    account.diagnostics, dropped = selfreport.diagnostics(value)
    if dropped:
        account.note(
            "diagnostics-dropped",
            f"{dropped} entries of diagnostics.json are not finite numbers under names like first_tier_share",
        )
    for name in list(account.diagnostics):
        if claims := [finding for check in REPORTS for finding in check([name], manifest)]:
            account.findings += claims
            del account.diagnostics[name]


def take_metrics(kept: Path, found: harvest.Harvest, account: Account, manifest: Manifest, condition: str) -> None:
    """Take the metrics of a template that reports its own results; its other numbers become diagnostics.

    Raises:
        Stopped: the file is missing or unreadable, a metric is missing or impossible, or the primary one is NaN.
    """
    name = manifest.command.results if manifest.command else FINAL_INFO
    try:
        said = results.read(kept, manifest, condition) if manifest.command else _final_info(kept, found, condition)
    except harvest.Unharvestable as problem:
        raise Stopped("refused", "missing-metric", f"{name}: {problem}") from None
    account.curves = account.curves or _curves(said)
    account.metrics = {name: said.means[name] for name in manifest.metrics if name in said.means}
    rest = {name: number for name, number in said.means.items() if name not in manifest.metrics}
    account.statistics = {name: told for name in said.means if (told := said.statistic(name))}
    account.diagnostics, dropped = selfreport.diagnostics({**rest, **account.diagnostics})
    if dropped + said.dropped:
        account.note("results-dropped", f"{dropped + said.dropped} entries of {name} are no single finite number")
    account.undefined = tuple(metric for metric in manifest.metrics if metric in said.undefined)
    if manifest.primary in account.undefined:
        text = f"{manifest.primary}, by which runs are compared, is NaN or infinite in {name}"
        raise Stopped("refused", "metric-not-finite", text)
    if said.undefined:
        names = ", ".join(said.undefined[:8])
        account.note("undefined", f"NaN or infinite in {name}, so this run has no value of {names}")
    check_metrics(
        account.metrics, {name: spec for name, spec in manifest.metrics.items() if name not in account.undefined}
    )


def _curves(said: selfreport.Reported) -> dict[str, tuple[float, ...]]:
    """The series of the results; the training loss is renamed to `loss`, which checks and figures look for."""
    curves = {("loss" if n in TRAINING_LOSS and "loss" not in said.curves else n): c for n, c in said.curves.items()}
    return dict(list(curves.items())[: selfreport.MAX_CURVES])


def _final_info(kept: Path, found: harvest.Harvest, condition: str) -> selfreport.Reported:
    if FINAL_INFO not in found.sha256:
        raise harvest.Unharvestable(found.problems[FINAL_INFO])
    return selfreport.final_info(harvest.parse_json((kept / FINAL_INFO).read_bytes(), finite=False), condition)
