"""Tables of the baselines for BENCHMARKS.md: at a profile's conditions, and over learning rates."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.facts import device_in_words
from agent.manifest import load_template
from agent.record import Training
from tests.bench.markdown import markdown
from tests.bench.trainings import measured

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
FOLDER = TEMPLATES / "synth_sae"
RATES = {"topk": "lr", "standard": "lr_l1", "gated": "lr_gated", "batchtopk": "lr_batchtopk",
         "jumprelu": "lr_jumprelu", "matryoshka": "lr_matryoshka"}  # the setting that holds a baseline's rate
SHARED_RATES = {"gated": "lr_l1", "jumprelu": "lr_l1"}  # where a profile has no setting of the baseline's own
METRICS = {"synth_sae": ("f1", "mcc", "uniqueness", "explained_variance", "l0", "dead_latents"),
           "lm_sae": ("delta_ce", "explained_variance", "sparse_probing_1", "absorption", "l0", "dead_latents")}
HEADS = {"f1": "F1", "mcc": "MCC", "explained_variance": "expl. var.", "dead_latents": "dead", "delta_ce": "delta CE",
         "sparse_probing_1": "probing, k = 1"}  # other metrics go by their names


def conditions_table(folder: str, profile: str, names: Sequence[str], seeds: Sequence[int], device: str) -> str:
    """Every baseline of a template under every condition of a profile: mean and standard deviation over seeds."""
    template = load_template(TEMPLATES / folder)
    size = template.manifest.profiles[profile]
    rows = []
    for condition in size.conditions:
        for name in names:
            trainings = [measured(template, profile, name, seed, condition.name, device=device) for seed in seeds]
            label = next(b.label for b in template.manifest.baselines if b.name == name)
            rate = size.settings.get(RATES[name], size.settings[SHARED_RATES.get(name, "lr")])
            rows.append([condition.label, label, f"{rate:g}", *cells(trainings, METRICS[template.manifest.name])])
            print(" | ".join(rows[-1]), flush=True)
    about = (f"Profile `{profile}`: d_sae {size.settings['d_sae']}, {size.settings['samples']:,} samples, batch "
             f"{size.settings['batch']}, {len(seeds)} seeds, mean ± standard deviation; {device_in_words(device)}, "
             "one thread.")
    heads = [HEADS.get(metric, metric) for metric in METRICS[template.manifest.name]]
    return f"{about}\n\n{markdown(['condition', 'architecture', 'lr', *heads, 'CPU s'], rows)}"


def rates_table(profile: str, names: Sequence[str], rates: Sequence[float], seeds: Sequence[int], device: str) -> str:
    """Each baseline at each learning rate, under the profile's first condition."""
    template = load_template(FOLDER)
    condition = template.manifest.profiles[profile].conditions[0]
    rows = []
    for name in names:
        for rate in rates:
            trainings = [measured(template, profile, name, seed, condition.name, {RATES[name]: rate}, device)
                         for seed in seeds]
            rows.append([name, f"{rate:g}", *cells(trainings, METRICS["synth_sae"])])
            print(" | ".join(rows[-1]), flush=True)
    return (f"Profile `{profile}`, {condition.label}, seeds {', '.join(map(str, seeds))}.\n\n"
            f"{markdown(['architecture', 'lr', *(HEADS.get(m, m) for m in METRICS['synth_sae']), 'CPU s'], rows)}")


def cells(trainings: Iterable[Training], metrics: Sequence[str]) -> list[str]:
    """A cell a metric; a row in which a training has no result is no row: stop, and say which."""
    good = list(trainings)
    for t in good:
        if t.outcome != "measured":
            raise SystemExit(f"seed {t.seed}, condition {t.condition}: {t.outcome}: {t.reason}\n{t.detail}")
    return [_spread([t.metrics[name] for t in good]) for name in metrics] + [
        f"{statistics.fmean(t.cpu_s for t in good):.0f}"]


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    digits = 2 if mean >= 2 else 3
    return f"{mean:.{digits}f}" + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")
