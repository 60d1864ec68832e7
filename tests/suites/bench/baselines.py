"""Tables of the baselines for BENCHMARKS.md: at a profile's conditions, and over learning rates."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import islice

from agent.core.record import Training
from agent.core.template import Template, load_template
from agent.lab.machine import device_in_words
from tests.suites.bench.curves import picture
from tests.suites.bench.markdown import markdown
from tests.suites.bench.trainings import TUNING_SECRET, Asked, all_measured
from tests.support import ROOT

TEMPLATES = ROOT / "templates"
FOLDER = TEMPLATES / "synth_sae"
RATES = {
    "topk": "lr",
    "standard": "lr_l1",
    "gated": "lr_gated",
    "batchtopk": "lr_batchtopk",
    "jumprelu": "lr_jumprelu",
    "matryoshka": "lr_matryoshka",
}  # the setting that holds a baseline's rate
PUBLISHED = 1 / 32  # weight of AuxK where a profile names none
WEIGHTS = {"topk": "aux_scale", "batchtopk": "aux_batchtopk", "matryoshka": "aux_matryoshka"}  # that of AuxK
METRICS = {
    "synth_sae": ("f1", "mcc", "uniqueness", "explained_variance", "l0", "dead_latents"),
    "lm_sae": ("delta_ce", "explained_variance", "sparse_probing_1", "absorption", "l0", "dead_latents"),
}
HEADS = {
    "f1": "F1",
    "mcc": "MCC",
    "explained_variance": "expl. var.",
    "dead_latents": "dead",
    "delta_ce": "delta CE",
    "sparse_probing_1": "probing, k = 1",
}  # other metrics go by their names


def conditions_table(
    folder: str, profile: str, names: Sequence[str], seeds: Sequence[int], device: str, jobs: int
) -> str:
    """Every baseline of a template under every condition of a profile: mean and standard deviation over seeds."""
    template = load_template(TEMPLATES / folder)
    size, metrics = template.manifest.profiles[profile], METRICS[template.manifest.name]
    places = [(condition, name) for condition in size.conditions for name in names]
    asked = [Asked(profile, name, seed, condition.name, device=device) for condition, name in places for seed in seeds]
    found, rows = iter(all_measured(template, asked, jobs)), []
    curves: dict[str, list[tuple[float, dict[str, tuple[float, float]]]]] = {}
    for condition, name in places:
        trainings, settings = list(islice(found, len(seeds))), {**size.settings, **condition.settings}
        if lost := [f"seed {t.seed}: {t.reason}: {t.detail}" for t in trainings if t.outcome != "measured"]:
            raise SystemExit(f"no row without all its trainings: {name}, {condition.label}: {lost[0]}")
        rows.append(
            [
                condition.label,
                _label(template, name),
                f"{settings[RATES[name]]:g}",
                f"{settings.get(WEIGHTS[name], PUBLISHED):g}" if name in WEIGHTS else "",
                *(_spread([t.metrics[metric] for t in trainings]) for metric in metrics),
                f"{statistics.fmean(t.cpu_s for t in trainings):.0f}",
            ]
        )
        curves.setdefault(_label(template, name), []).append(_point(trainings, metrics))
    about = (
        f"Profile `{profile}`: d_sae {size.settings['d_sae']}, {size.settings['samples']:,} samples, batch "
        f"{size.settings['batch']}, {len(seeds)} seeds, mean ± standard deviation; {device_in_words(device)}, "
        f"one thread each, {jobs} side by side."
    )
    heads = ["condition", "architecture", "lr", "AuxK", *(HEADS.get(metric, metric) for metric in metrics), "CPU s"]
    shown = {metric: HEADS.get(metric, metric) for metric in metrics[:2]}
    drawn = f"\n\n{picture(profile, curves, shown)}" if len(size.conditions) > 1 else ""
    return f"{about}\n\n{markdown(heads, rows)}{drawn}"


def _point(trainings: Sequence[Training], metrics: Sequence[str]) -> tuple[float, dict[str, tuple[float, float]]]:
    """The l0 that was reached, and each metric's mean and standard error."""
    values = {metric: [t.metrics[metric] for t in trainings] for metric in ("l0", *metrics)}
    spread = {
        metric: statistics.stdev(some) / len(some) ** 0.5 if len(some) > 1 else 0.0 for metric, some in values.items()
    }
    return statistics.fmean(values["l0"]), {m: (statistics.fmean(some), spread[m]) for m, some in values.items()}


def tuning_table(
    folder: str,
    profile: str,
    conditions: Sequence[str],
    of: Mapping[str, str],
    rates: Sequence[float],
    seeds: Sequence[int],
    others: Mapping[str, float],
    device: str,
    jobs: int,
) -> str:
    """The primary metric at each value of a setting under each condition, on a world that no other table uses.

    `of`: the setting of each baseline, such as its learning rate. All but `others` are the profile's; no `conditions`
    means all of them.
    """
    template = load_template(TEMPLATES / folder)
    metric = template.manifest.primary
    spec = template.manifest.metrics[metric]
    wanted = [c for c in template.manifest.profiles[profile].conditions if not conditions or c.name in conditions]
    places = [(condition, name) for condition in wanted for name in of]
    asked = [
        Asked(profile, name, seed, condition.name, {**others, of[name]: rate}, device, TUNING_SECRET)
        for condition, name in places
        for rate in rates
        for seed in seeds
    ]
    found, rows = iter(all_measured(template, asked, jobs)), []
    for condition, name in places:
        tried = [list(islice(found, len(seeds))) for _ in rates]
        scores = [
            statistics.fmean(t.metrics[metric] for t in some) if all(t.metrics for t in some) else None
            for some in tried
        ]
        turned = max if spec.better == "higher" else min
        best = turned((score for score in scores if score is not None), default=None)
        rows.append(
            [
                condition.label,
                _label(template, name),
                *(
                    "refused" if score is None else f"**{score:.3f}**" if score == best else f"{score:.3f}"
                    for score in scores
                ),
            ]
        )
    return (
        f"Profile `{profile}`, {spec.label}, mean of {len(seeds)} seeds; refused: a seed's result was none that the "
        f"runner takes, mostly for too many latents in a row.\n\n"
        f"{markdown(['condition', 'architecture', *(f'{rate:g}' for rate in rates)], rows)}"
    )


def _label(template: Template, name: str) -> str:
    return next(b.label for b in template.manifest.baselines if b.name == name)


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    digits = 2 if mean >= 2 else 3
    return f"{mean:.{digits}f}" + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")
